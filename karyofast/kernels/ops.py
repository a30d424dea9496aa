"""Table of the kernels. What stands here is cross-tested against its reference and timed in the benches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from karyofast.kernels.measure import two_class_variance
from karyofast.kernels.regions import RegionTree
from karyofast.kernels.ring import edge_distance, relevance, ridge
from karyofast.kernels.tree import component_tree

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
        name="relevance",
        function=relevance,
        draw=_draw_relevance,
        scene=_scene_relevance,
        columns=_relevance_columns,
        rtol=1e-12,  # the compiler may fuse a product with a sum
    ),
)
