"""Table of the kernels. What stands here is cross-tested against its reference and timed in the benches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from karyofast.kernels.assign import assign
from karyofast.kernels.lifted import lifted_cores
from karyofast.kernels.measure import two_class_variance
from karyofast.kernels.operation import Arguments, Operation, Source, one_array
from karyofast.kernels.ops_axis import AXIS_OPERATIONS
from karyofast.kernels.ops_shape import SHAPE_OPERATIONS
from karyofast.kernels.regions import RegionTree
from karyofast.kernels.ring import edge_distance, relevance, ridge, ridge_paths
from karyofast.kernels.tree import component_tree, largest_above
from karyofast.kernels.zones import zone_gaps


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
    ridge, zones = (source.array(shape, np.uint8, 0, source.choice((1, most))) == 1 for most in (3, 9))
    return {"ridge": ridge, "zones": zones}


def _scene_paths(density: NDArray[np.uint8]) -> Arguments:
    line = ridge(**_scene_ridge(density))
    near = ndimage.convolve(line.astype(np.uint8), np.ones((3, 3), dtype=np.uint8), mode="constant")
    return {"ridge": line, "zones": ndimage.binary_dilation(line & (near > 3), np.ones((3, 3), dtype=bool))}


def _paths_columns(found: list[tuple[NDArray[np.int64], tuple[int, int]]]) -> Mapping[str, NDArray[Any]]:
    columns = {f"path {number}": path for number, (path, _) in enumerate(found)}
    return columns | {"ends": np.array([ends for _, ends in found], dtype=np.int64).reshape(-1, 2)}


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


def _draw_zones(source: Source) -> Arguments:
    shape, count = (source.integer(0, 10), source.integer(0, 12)), source.integer(0, 4)
    # most pixels of no zone; a zone may have none or be in pieces
    zones = source.array(shape, np.int32, -source.choice((0, 1, 4, 30)) * count, count)
    return {"zones": np.maximum(zones, 0).astype(np.int32), "count": count}


def _scene_zones(density: NDArray[np.uint8]) -> Arguments:
    labels, count = ndimage.label(density > int(density.max()) // 2, np.ones((3, 3)))
    return {"zones": np.asarray(labels, dtype=np.int32), "count": count}


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
        columns=one_array,
        rtol=1e-12,  # the same sums in another order
    ),
    Operation(
        name="edge_distance",
        function=edge_distance,
        draw=_draw_edges,
        scene=_scene_edges,
        columns=one_array,
    ),
    Operation(
        name="ridge",
        function=ridge,
        draw=_draw_ridge,
        scene=_scene_ridge,
        columns=one_array,
        numba=True,
    ),
    Operation(
        name="ridge_paths",
        function=ridge_paths,
        draw=_draw_paths,
        scene=_scene_paths,
        columns=_paths_columns,
    ),
    Operation(
        name="largest_above",
        function=largest_above,
        draw=_draw_above,
        scene=_scene_above,
        columns=one_array,
    ),
    Operation(
        name="relevance",
        function=relevance,
        draw=_draw_relevance,
        scene=_scene_relevance,
        columns=_relevance_columns,
        rtol=1e-12,  # the compiler may fuse a product with a sum
    ),
    *AXIS_OPERATIONS,
    *SHAPE_OPERATIONS,
    Operation(
        name="assign",
        function=assign,
        draw=_draw_costs,
        scene=_scene_costs,
        columns=one_array,
    ),
    Operation(
        name="lifted_cores",
        function=lifted_cores,
        draw=_draw_lifted,
        scene=_scene_lifted,
        columns=_cores_columns,
        rtol=1e-12,  # the same sums in another order
    ),
    Operation(
        name="zone_gaps",
        function=zone_gaps,
        draw=_draw_zones,
        scene=_scene_zones,
        columns=one_array,
    ),
)
