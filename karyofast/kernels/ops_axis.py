"""The kernels of axes and masks in the table of kernels (`karyofast.kernels.ops`), with their inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from karyofast.kernels.axis import CurveFit, inner_path, own_run, principal_curve, prolonged
from karyofast.kernels.line import beside, evenly, nearest
from karyofast.kernels.operation import Arguments, Operation, Source, one_array
from karyofast.kernels.ring import edge_distance


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
    if source.integer(0, 1):
        return {"line": _draw_line(source, 1), "points": points}
    return {"line": 0.25 * source.array((source.integer(20, 60), 2), np.int64, 0, 40), "points": points}


def _scene_nearest(density: NDArray[np.uint8]) -> Arguments:
    mask = _scene_mask(density)
    return {"line": _scene_line(mask), "points": np.argwhere(mask)}


def _draw_beside(source: Source) -> Arguments:
    points = source.array((source.integer(0, 12), 2), np.int64, 0, source.choice((1, 9))).astype(np.float64)
    chosen = source.array((len(points),), np.uint8, 0, 3) > 0
    return {"line": _draw_line(source, 1), "points": points, "chosen": chosen, "reach": source.choice((0.0, 2.5, 50.0))}


def _scene_beside(density: NDArray[np.uint8]) -> Arguments:
    mask = _scene_mask(density)
    points = np.argwhere(mask ^ ndimage.binary_erosion(mask)).astype(np.float64)
    return {"line": _scene_line(mask), "points": points, "chosen": np.arange(len(points)) % 3 > 0, "reach": 9.0}


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


def _beside_columns(result: tuple[NDArray[Any], bool]) -> Mapping[str, NDArray[Any]]:
    return {"near": result[0], "bent": np.array(result[1])}


def _path_columns(result: tuple[NDArray[Any], float]) -> Mapping[str, NDArray[Any]]:
    return {"path": result[0], "reach": np.array(result[1])}


AXIS_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="nearest",
        function=nearest,
        draw=_draw_nearest,
        scene=_scene_nearest,
        columns=_nearest_columns,
    ),
    Operation(
        name="beside",
        function=beside,
        draw=_draw_beside,
        scene=_scene_beside,
        columns=_beside_columns,
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
        columns=one_array,
    ),
    Operation(
        name="prolonged",
        function=prolonged,
        draw=_draw_prolonged,
        scene=_scene_prolonged,
        columns=one_array,
    ),
    Operation(
        name="principal_curve",
        function=principal_curve,
        draw=_draw_curve,
        scene=_scene_curve,
        columns=one_array,
    ),
    Operation(
        name="own_run",
        function=own_run,
        draw=_draw_run,
        scene=_scene_run,
        columns=one_array,
    ),
)
