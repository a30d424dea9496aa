"""Table of the kernels. What stands here is cross-tested against its reference and timed in the benches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from karyofast.kernels.assign import assign
from karyofast.kernels.axis import CurveFit, evenly, inner_path, nearest, own_run, principal_curve, prolonged
from karyofast.kernels.lifted import lifted_cores
from karyofast.kernels.measure import two_class_variance
from karyofast.kernels.regions import RegionTree
from karyofast.kernels.ring import edge_distance, relevance, ridge, ridge_paths
from karyofast.kernels.tree import component_tree, largest_above

Arguments = dict[str, Any]


class Source(Protocol):
    """Where an operation's inputs come from: Hypothesis in the tests (small, ties, empties)."""

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""

    def choice(self, options: Sequence[Any]) -> Any:
        """One of `options`."""

    def array(self, shape: tuple[int, ...], dtype: Any, low: float, high: float) -> NDArray[Any]:
        """An array with values in low..high, both ends included, whole numbers for a whole dtype."""


@dataclass(frozen=True)
class Operation:
    """One kernel.

    Attributes
    ----------
    name : str
    function : callable
        The public function; takes `impl`.
    draw : callable
        Keyword arguments for `function` from a `Source`: small, with ties and empties.
    scene : callable
        Keyword arguments of real size from a density-like uint8 image, for the benches.
    columns : callable
        What `function` returned, as named arrays that must agree between the implementations.
    rtol : float
        Relative tolerance of float columns (whole numbers match exactly).
    numba : bool
        Whether there is a kernel in Numba beside the compiled one.
    """

    name: str
    function: Callable[..., Any]
    draw: Callable[[Source], Arguments]
    scene: Callable[[NDArray[np.uint8]], Arguments]
    columns: Callable[[Any], Mapping[str, NDArray[Any]]]
    rtol: float = 0.0
    numba: bool = False


def _one_array(result: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    return {"result": result}


def tree_columns(tree: RegionTree) -> Mapping[str, NDArray[Any]]:
    """A tree without the freedom of its numbering: regions by level, then by their first pixel."""
    first = np.array([tree.pixels(index).min() for index in range(len(tree))], dtype=np.int64)
    rank = np.lexsort((first, tree.level))
    place = np.full(len(tree) + 1, -1)
    place[rank] = np.arange(len(tree))
    names = ("level", "area", "box", "euler", "perimeter", "moments", "grey_sum", "grey_sum2")
    columns: dict[str, NDArray[Any]] = {name: getattr(tree, name)[rank] for name in names}
    columns["parent"] = place[tree.parent[rank]]
    columns["pixels"] = np.concatenate(
        [np.empty(0, dtype=np.int32), *(np.sort(tree.pixels(int(index))) for index in rank)]
    )
    return columns


def _draw_tree(source: Source) -> Arguments:
    dtype = source.choice((np.uint8, np.uint16))
    shape = (source.integer(0, 9), source.integer(0, 9))
    top = int(np.iinfo(dtype).max)
    # Few levels make ties, holes and crossings.
    low, high = source.choice(((0, 2), (0, 6), (top - 2, top), (0, top)))
    return {
        "image": source.array(shape, dtype, low, high),
        "connectivity": source.choice((4, 8)),
        "max_level": source.choice((None, -1, low, (low + high) // 2, high)),
        "min_area": source.choice((1, 1, 2, 5, 81)),
    }


def _draw_boxes(source: Source) -> Arguments:
    height, width = source.integer(1, 12), source.integer(1, 12)
    boxes = []
    for _ in range(source.integer(0, 4)):
        top, left = source.integer(0, height - 1), source.integer(0, width - 1)
        boxes.append((top, left, source.integer(1, height - top), source.integer(1, width - left)))
    low, high = source.choice(((0, 3), (252, 255), (100, 110), (0, 255)))
    return {
        "image": source.array((height, width), np.uint8, low, high),
        "boxes": np.array(boxes, dtype=np.int64).reshape(len(boxes), 4),
    }


def _scene_boxes(density: NDArray[np.uint8]) -> Arguments:
    tree = component_tree(255 - density)
    sized = (tree.area >= 50) & (tree.area <= density.size // 50)  # what could be a chromosome
    return {"image": density, "boxes": tree.box[sized]}


def _draw_edges(source: Source) -> Arguments:
    shape = (source.integer(0, 12), source.integer(0, 12))
    return {"edges": source.array(shape, np.uint8, 0, source.choice((1, 6))) == 1}


def _scene_edges(density: NDArray[np.uint8]) -> Arguments:
    level = density > int(density.max()) // 2
    return {"edges": level ^ ndimage.binary_erosion(level)}


def _draw_ridge(source: Source) -> Arguments:
    shape = (source.integer(0, 10), source.integer(0, 10))
    return {
        "domain": source.array(shape, np.uint8, 0, source.choice((1, 4))) > 0,
        "radius": source.array(shape, np.float64, 0, source.choice((0, 3))).round(),
        "least": source.choice((0.0, 1.0, 99.0)),
    }


def _scene_ridge(density: NDArray[np.uint8]) -> Arguments:
    level = density > int(density.max()) // 2
    return {"domain": level, "radius": edge_distance(~level), "least": 3.0}


def _draw_paths(source: Source) -> Arguments:
    shape = (source.integer(0, 10), source.integer(0, 10))
    labels, count = ndimage.label(source.array(shape, np.uint8, 0, source.choice((1, 3))) == 1, np.ones((3, 3)))
    return {"labels": np.asarray(labels, dtype=np.int32), "count": count + 1}


def _scene_paths(density: NDArray[np.uint8]) -> Arguments:
    labels, count = ndimage.label(ridge(**_scene_ridge(density)), np.ones((3, 3)))
    return {"labels": np.asarray(labels, dtype=np.int32), "count": count + 1}


def _draw_above(source: Source) -> Arguments:
    count = source.integer(0, 9)
    parent = [source.integer(at + 1, count) for at in range(count)]
    values = source.array((count,), np.int64, -1, 3).astype(np.float64)
    return {"parent": np.array([-1 if up == count else up for up in parent], dtype=np.int32), "value": values}


def _scene_above(density: NDArray[np.uint8]) -> Arguments:
    tree = component_tree(255 - density)
    return {"parent": tree.parent, "value": tree.grey_sum / tree.area}


def _draw_relevance(source: Source) -> Arguments:
    points, seeds = source.integer(0, 8), source.integer(0, 5)
    # Whole coordinates make ties, seeds on points and vanishing gradients.
    return {
        "points": source.array((points, 2), np.int64, 0, 9),
        "gradients": source.array((points, 2), np.int64, -2, 2),
        "seeds": source.array((seeds, 2), np.int64, 0, 9),
        "weight": source.choice((0.0, 0.4, 0.5, 1.0)),
    }


def _scene_relevance(density: NDArray[np.uint8]) -> Arguments:
    points = np.argwhere(_scene_edges(density)["edges"])
    down, across = np.gradient(density.astype(np.float64))
    gradients = np.stack([down, across], axis=-1)[points[:, 0], points[:, 1]]
    # a seed every 500 edge pixels: about one a chromosome
    return {"points": points, "gradients": gradients, "seeds": points[::500] + 0.25}


def _relevance_columns(result: tuple[NDArray[Any], NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    return {"best": result[0], "value": result[1]}


def _draw_line(source: Source, least: int) -> NDArray[np.float64]:
    """A line on a grid of quarters, which makes ties and points that lie on one another."""
    return 0.25 * source.array((source.integer(least, 8), 2), np.int64, 0, 40).astype(np.float64)


def _draw_mask(source: Source) -> NDArray[np.bool_]:
    shape = (source.integer(1, 10), source.integer(1, 10))
    mask = source.array(shape, np.uint8, 0, source.choice((1, 4))) > 0
    mask[source.integer(0, shape[0] - 1), source.integer(0, shape[1] - 1)] = True
    return mask


def _scene_mask(density: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The largest of what is dense, with a rim of background: a chromosome or a cluster."""
    labels, _ = ndimage.label(density > int(density.max()) // 2)
    largest = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    return np.pad(largest[ndimage.find_objects(largest.astype(np.uint8))[0]], 3)


def _scene_line(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    pixels = np.argwhere(mask)
    return np.linspace(pixels[0], pixels[-1], int(np.ptp(pixels)) + 3).astype(np.float64)


def _draw_nearest(source: Source) -> Arguments:
    points = 0.25 * source.array((source.integer(0, 40), 2), np.int64, 0, 40)
    return {"line": _draw_line(source, 1), "points": points}


def _scene_nearest(density: NDArray[np.uint8]) -> Arguments:
    mask = _scene_mask(density)
    return {"line": _scene_line(mask), "points": np.argwhere(mask)}


def _draw_inner_path(source: Source) -> Arguments:
    mask = _draw_mask(source)
    return {"mask": mask, "depth": source.array(mask.shape, np.float64, 1, source.choice((1, 3))).round()}


def _scene_inner_path(density: NDArray[np.uint8]) -> Arguments:
    mask = _scene_mask(density)
    return {"mask": mask, "depth": edge_distance(~mask)}


def _draw_prolonged(source: Source) -> Arguments:
    width = source.choice((0.0, 1.0, 4.5))
    return {"line": _draw_line(source, 3), "mask": _draw_mask(source), "width": width, "out": source.integer(0, 3)}


def _scene_prolonged(density: NDArray[np.uint8]) -> Arguments:
    mask = _scene_mask(density)
    return {"line": _scene_line(mask), "mask": mask, "width": 12.0, "out": 2}


def _draw_curve(source: Source) -> Arguments:
    mask = _draw_mask(source)
    points = np.argwhere(mask)[:: source.choice((1, 2))]
    reach, most_bends = source.choice((0.9, 9.0)), source.choice((0, 1, 5, 14))
    return {
        "line": _draw_line(source, 3),
        "mask": mask,
        "points": points,
        "weights": source.array((len(points),), np.int64, 1, 9),
        "fit": CurveFit(reach, bends=0.7, stiffness=1e-4, rounds=source.integer(0, 3), most_bends=most_bends, out=2),
    }


def _scene_curve(density: NDArray[np.uint8]) -> Arguments:
    mask = _scene_mask(density)
    points = np.argwhere(mask)
    fit = CurveFit(reach=0.9, bends=0.7, stiffness=1e-4, rounds=3, most_bends=5, out=2)
    return {"line": _scene_line(mask), "mask": mask, "points": points, "weights": np.ones(len(points)), "fit": fit}


def _draw_run(source: Source) -> Arguments:
    line = _draw_line(source, 1)
    shape = (len(line), source.integer(1, 9))
    rows, cols = (0.25 * source.array(shape, np.int64, 0, 40).astype(np.float32) for _ in range(2))
    soft = source.array(shape, np.float32, 0, 1)
    return {"line": line, "rows": rows, "cols": cols, "soft": soft, "reach": source.choice((0.0, 1.5)), "least": 0.25}


def _scene_run(density: NDArray[np.uint8]) -> Arguments:
    mask = _scene_mask(density)
    line = _scene_line(mask)
    cols = line[:, 1:] + np.arange(-16, 17)
    rows = np.broadcast_to(line[:, :1], cols.shape)
    soft = ndimage.map_coordinates(mask.astype(np.float32), [rows, cols], order=1)
    return {"line": line, "rows": rows, "cols": cols, "soft": soft, "reach": 14.0, "least": 0.05}


def _nearest_columns(result: tuple[NDArray[Any], NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    return {"at": result[0], "distance": result[1]}


def _path_columns(result: tuple[NDArray[Any], float]) -> Mapping[str, NDArray[Any]]:
    return {"path": result[0], "reach": np.array(result[1])}


def _draw_costs(source: Source) -> Arguments:
    rows = source.integer(0, 6)
    shape = (rows, rows + source.integer(0, 5))
    # whole numbers make ties, of which SciPy's choice is the rule
    return {"costs": source.array(shape, np.int64, -2, source.choice((-2, 0, 9))) * source.choice((1.0, 0.1))}


def _scene_costs(density: NDArray[np.uint8]) -> Arguments:
    # 46 chromosomes, as many places and as many ways to be left out: a cell
    return {"costs": np.resize(density.astype(np.float64) * np.pi % 1.0, (46, 138))}


def _draw_lifted(source: Source) -> Arguments:
    shape = (source.integer(0, 4), source.integer(0, 9), source.integer(0, 70))
    values = source.array(shape, np.int64, 0, source.choice((1, 4, 9))).astype(np.float32)
    least, crossed = source.integer(0, 4), None
    if source.integer(0, 1):
        crossed = source.array(shape[1:], np.uint8, 0, 1).astype(bool)
    return {"values": values, "threshold": source.choice((0.0, 0.5, 3.0)), "least": least, "crossed": crossed}


def _scene_lifted(density: NDArray[np.uint8]) -> Arguments:
    """Twelve directions in which what is dense is on by its gradient, as a network draws it."""
    down, across = np.gradient(density.astype(np.float32))
    along = np.arctan2(across, -down) % np.pi * (12 / np.pi)
    on = density > int(density.max()) // 2
    bins = [on & (np.abs((along - number - 0.5 + 6) % 12 - 6) < 1.5) for number in range(12)]
    crossed = density > int(density.max()) * 0.8
    return {"values": np.stack(bins).astype(np.float32), "threshold": 0.5, "least": 5, "crossed": crossed}


def _cores_columns(result: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    return dict(zip(("pixels", "starts", "scores"), result, strict=True))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="component_tree",
        function=component_tree,
        draw=_draw_tree,
        scene=lambda density: {"image": 255 - density},
        columns=tree_columns,
    ),
    Operation(
        name="two_class_variance",
        function=two_class_variance,
        draw=_draw_boxes,
        scene=_scene_boxes,
        columns=_one_array,
        rtol=1e-12,  # the same sums in another order
    ),
    Operation(
        name="edge_distance",
        function=edge_distance,
        draw=_draw_edges,
        scene=_scene_edges,
        columns=_one_array,
    ),
    Operation(
        name="ridge",
        function=ridge,
        draw=_draw_ridge,
        scene=_scene_ridge,
        columns=_one_array,
        numba=True,
    ),
    Operation(
        name="ridge_paths",
        function=ridge_paths,
        draw=_draw_paths,
        scene=_scene_paths,
        columns=lambda found: {f"path {number}": path for number, path in enumerate(found)},
    ),
    Operation(
        name="largest_above",
        function=largest_above,
        draw=_draw_above,
        scene=_scene_above,
        columns=_one_array,
    ),
    Operation(
        name="relevance",
        function=relevance,
        draw=_draw_relevance,
        scene=_scene_relevance,
        columns=_relevance_columns,
        rtol=1e-12,  # the compiler may fuse a product with a sum
    ),
    Operation(
        name="nearest",
        function=nearest,
        draw=_draw_nearest,
        scene=_scene_nearest,
        columns=_nearest_columns,
    ),
    Operation(
        name="inner_path",
        function=inner_path,
        draw=_draw_inner_path,
        scene=_scene_inner_path,
        columns=_path_columns,
    ),
    Operation(
        name="evenly",
        function=evenly,
        draw=lambda source: {"line": _draw_line(source, 1)},
        scene=lambda density: {"line": _scene_line(_scene_mask(density))},
        columns=_one_array,
    ),
    Operation(
        name="prolonged",
        function=prolonged,
        draw=_draw_prolonged,
        scene=_scene_prolonged,
        columns=_one_array,
    ),
    Operation(
        name="principal_curve",
        function=principal_curve,
        draw=_draw_curve,
        scene=_scene_curve,
        columns=_one_array,
    ),
    Operation(
        name="own_run",
        function=own_run,
        draw=_draw_run,
        scene=_scene_run,
        columns=_one_array,
    ),
    Operation(
        name="assign",
        function=assign,
        draw=_draw_costs,
        scene=_scene_costs,
        columns=_one_array,
    ),
    Operation(
        name="lifted_cores",
        function=lifted_cores,
        draw=_draw_lifted,
        scene=_scene_lifted,
        columns=_cores_columns,
        rtol=1e-12,  # the same sums in another order
    ),
)
