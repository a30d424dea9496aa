"""The kernels of breadth, outlines and the field in the table of kernels (`karyofast.kernels.ops`), with inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from karyofast.kernels.field import Field, above_field, cell_means, count_down
from karyofast.kernels.opening import disk_opening
from karyofast.kernels.operation import Arguments, Operation, Source, one_array
from karyofast.kernels.shape import Outlines, outlines, region_masks, ridge_depths, rim_steps
from karyofast.kernels.solid import fill_holes, solidities
from karyofast.kernels.tree import component_tree


def _draw_heights(source: Source) -> Arguments:
    shape = (source.integer(0, 12), source.integer(0, 12))
    top = source.choice((0, 1, 3, 200))
    return {"height": source.array(shape, np.uint8, 0, top).astype(np.float32) * np.float32(0.7)}


def _scene_heights(density: NDArray[np.uint8]) -> Arguments:
    return {"height": density.astype(np.float32) - np.float32(density.min())}


def _draw_outlines(source: Source) -> Arguments:
    shape = (source.integer(1, 9), source.integer(1, 9))
    tree = component_tree(source.array(shape, np.uint8, 0, source.choice((1, 4))), source.choice((4, 8)))
    chosen = [number for number in range(len(tree)) if source.integer(0, 1)]
    return {"tree": tree, "regions": np.array(chosen, dtype=np.int64)}


def _scene_outlines(density: NDArray[np.uint8]) -> Arguments:
    tree = component_tree(255 - density, max_level=255 - int(density.max()) // 2)
    return {"tree": tree, "regions": np.flatnonzero(tree.parent < 0)}


def _outline_columns(seen: Outlines) -> Mapping[str, NDArray[Any]]:
    return {"disk": seen.disk, "aspect": seen.aspect, "votes": seen.votes}


def _draw_steps(source: Source) -> Arguments:
    arguments = _draw_outlines(source)
    return {"image": source.array(arguments["tree"].shape, np.uint16, 0, source.choice((1, 65535))), **arguments}


def _scene_steps(density: NDArray[np.uint8]) -> Arguments:
    tree = component_tree(255 - density, min_area=100)
    return {"image": np.uint16(257) * density, "tree": tree, "regions": np.arange(len(tree))[::7]}


def _draw_masks(source: Source) -> Arguments:
    height, width = source.integer(0, 12), source.integer(0, 12)
    boxes = []
    for _ in range(source.integer(0, 4)):
        top, left = source.integer(0, height), source.integer(0, width)
        boxes.append((top, left, source.integer(0, height - top), source.integer(0, width - left)))
    mask = source.array((height, width), np.uint8, 0, source.choice((1, 4))) == 1
    return {"mask": mask, "boxes": np.array(boxes, dtype=np.int64).reshape(len(boxes), 4)}


def _scene_masks(density: NDArray[np.uint8]) -> Arguments:
    mask = density > int(density.max()) // 2
    found = ndimage.find_objects(ndimage.label(mask)[0])
    boxes = [(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start) for rows, cols in found]
    return {"mask": mask, "boxes": boxes}


def _draw_holes(source: Source) -> Arguments:
    shape = (source.integer(0, 10), source.integer(0, 10))
    return {"mask": source.array(shape, np.uint8, 0, source.choice((1, 4))) > 0, "most": source.choice((0, 1.5, 9))}


def _draw_grid(source: Source) -> Arguments:
    shape = (source.integer(1, 12), source.integer(1, 40))
    image = source.array(shape, np.uint8, 0, source.choice((1, 200))).astype(np.float32)
    return {"image": image, "rows": source.integer(1, shape[0]), "cols": source.integer(1, shape[1])}


def _draw_field(source: Source) -> Arguments:
    grid = _draw_grid(source)
    coarse = source.array((grid["rows"], grid["cols"]), np.uint8, 0, 200).astype(np.float32)
    return {"image": grid["image"] + np.float32(source.choice((0, 1000))), "coarse": coarse}


def _scene_grid(density: NDArray[np.uint8]) -> Arguments:
    return {"image": density.astype(np.float32), "rows": density.shape[0] // 7, "cols": density.shape[1] // 7}


def _scene_field(density: NDArray[np.uint8]) -> Arguments:
    grid = _scene_grid(density)
    return {"image": grid["image"], "coarse": cell_means(**grid)}


def _field_columns(found: Field) -> Mapping[str, NDArray[Any]]:
    return {"field": found[0], "height": found[1]}


def _draw_counts(source: Source) -> Arguments:
    shape = (source.integer(0, 5), source.integer(0, 40))
    height = source.array(shape, np.int16, -3, 300).astype(np.float32) / np.float32(8)
    return {"height": height, "scale": source.choice((0.01, 4.0, 1e4)), "top": source.choice((0, 77, 65535))}


def _draw_opening(source: Source) -> Arguments:
    shape = (source.integer(0, 12), source.integer(0, 12))
    image = source.array(shape, np.int16, -3, source.choice((-2, 9))).astype(np.float32)
    return {"image": image, "diameter": source.choice((1, 3, 5, 9, 15, 31))}


SHAPE_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="ridge_depths",
        function=ridge_depths,
        draw=_draw_heights,
        scene=_scene_heights,
        columns=one_array,
    ),
    Operation(
        name="outlines",
        function=outlines,
        draw=_draw_outlines,
        scene=_scene_outlines,
        columns=_outline_columns,
        rtol=1e-9,  # moments are differences
    ),
    Operation(
        name="rim_steps",
        function=rim_steps,
        draw=_draw_steps,
        scene=_scene_steps,
        columns=one_array,
    ),
    Operation(
        name="region_masks",
        function=region_masks,
        draw=_draw_outlines,
        scene=_scene_outlines,
        columns=lambda masks: {str(number): mask for number, mask in enumerate(masks)},
    ),
    Operation(
        name="solidities",
        function=solidities,
        draw=_draw_masks,
        scene=_scene_masks,
        columns=one_array,
        rtol=1e-6,  # OpenCV sums the rim in single precision
    ),
    Operation(
        name="fill_holes",
        function=fill_holes,
        draw=_draw_holes,
        scene=lambda density: {"mask": density > int(density.max()) // 2, "most": 40.0},
        columns=one_array,
    ),
    Operation(
        name="cell_means",
        function=cell_means,
        draw=_draw_grid,
        scene=_scene_grid,
        columns=one_array,
        rtol=1e-6,  # rows are added up in single precision
    ),
    Operation(
        name="above_field",
        function=above_field,
        draw=_draw_field,
        scene=_scene_field,
        columns=_field_columns,
    ),
    Operation(
        name="count_down",
        function=count_down,
        draw=_draw_counts,
        scene=lambda density: {"height": density.astype(np.float32), "scale": 3.7, "top": 1000},
        columns=one_array,
    ),
    Operation(
        name="disk_opening",
        function=disk_opening,
        draw=_draw_opening,
        scene=lambda density: {"image": density.astype(np.float32), "diameter": 15},
        columns=one_array,
    ),
)
