"""The classical chain with every kernel taken from elsewhere: pylena, Numba and OpenCV in the places of ours.

The steps between the kernels stay the same code, so both chains do the same. pylena's tree takes 8 bit only: there the
height above the background is rounded to 255 levels, which is less work, and moves a rim here and there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import ModuleType

import cv2
import numba
import numpy as np
import pylena
from numpy.typing import NDArray

from benches import peers
from karyofast import detect as detecting
from karyofast import detect_regions, detect_shape, ellipse, segment_lift, segment_rrt
from karyofast import ridge as ridges
from karyofast.config import SegmentOptions
from karyofast.detect import detect
from karyofast.kernels import Outlines, RegionTree, jit, reference_shape
from karyofast.kernels.field import Field
from karyofast.kernels.rim import rimmed
from karyofast.segment import segment
from karyofast.types import Chromosome, Metaphase

LEVELS = 255
"""Of the height where pylena builds the tree."""


def ours(metaphase: Metaphase) -> list[Chromosome]:
    """From the picture to separated chromosomes, `--method rrt`."""
    return segment(metaphase, detect(metaphase), SegmentOptions("rrt"))


def theirs(metaphase: Metaphase) -> list[Chromosome]:
    """The same by the peers' kernels."""
    with _swapped(_flattening() | _others()):
        return ours(metaphase)


def flatten(density: NDArray[np.uint8]) -> detect_regions.Flattened:
    """The background off by OpenCV's functions."""
    with _swapped(_flattening()):
        return detect_regions.flatten(density)


Places = dict[tuple[ModuleType, str], object]
"""What stands in a module under a name for as long as it is swapped."""


def _flattening() -> Places:
    return {
        (detect_regions, "ridge_depths"): _ridge_depths,
        (detect_regions, "disk_opening"): _disk_opening,
        (detect_regions, "cell_means"): _cell_means,
        (detect_regions, "above_field"): _above_field,
    }


def _others() -> Places:
    return {
        (detect_regions, "LEVELS"): LEVELS,
        (detect_regions, "component_tree"): _tree,
        (detect_regions, "largest_above"): _largest_above,
        (detect_regions, "rim_steps"): _rim_steps,
        (detect_regions, "count_down"): _count_down,
        (detect_shape, "outlines"): _outlines,
        (detecting, "two_class_variance"): _variance,
        (segment_lift, "edge_distance"): _distance,
        (segment_rrt, "edge_distance"): _distance,
        (ellipse, "edge_distance"): _distance,
        (segment_rrt, "medial"): _ridge,
        (segment_rrt, "fill_holes"): reference_shape.fill_holes,
        (segment_rrt, "solidities"): _solidities,
        (ridges, "ridge_paths"): _ridge_paths,
        (ellipse, "relevance"): _relevance,
        (ellipse, "nearest"): _nearest,
        (ellipse, "beside"): _beside,
    }


@contextmanager
def _swapped(places: Places) -> Iterator[None]:
    """Kernels of the chain by their peers, for as long as this holds."""
    own = {place: getattr(*place) for place in places}
    try:
        for (module, name), peer in places.items():
            setattr(module, name, peer)
        yield
    finally:
        for (module, name), kernel in own.items():
            setattr(module, name, kernel)


def _variance(image: NDArray[np.uint8], boxes: object) -> NDArray[np.float64]:
    given = np.asarray(boxes, dtype=np.int64).reshape(-1, 4)
    out = np.empty(len(given))
    peers.two_class_variance(image, given, out)
    return out


def _distance(edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    free = (~edges).astype(np.uint8)
    return cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).astype(np.float64)


def _ridge(domain: NDArray[np.bool_], radius: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    left = rimmed(domain, 1)
    jit.ridge(left, rimmed(radius, 1), least)
    return left[1:-1, 1:-1]


def _relevance(
    points: NDArray[np.float64], gradients: NDArray[np.float64], seeds: object, weight: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    best, value = np.empty(len(points), dtype=np.int64), np.empty(len(points))
    peers.relevance(points, gradients, np.array(seeds, dtype=np.float64).reshape(-1, 2), weight, best, value)
    return best, value


def _nearest(line: NDArray[np.float64], points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    at, out = np.zeros(len(points), dtype=np.int64), np.empty(len(points))
    peers.nearest(line, points, at, out)
    return at, out


def _beside(
    line: NDArray[np.float64], points: NDArray[np.float64], chosen: NDArray[np.bool_], reach: float
) -> tuple[NDArray[np.float32], bool]:
    near = points[chosen]
    near = near[_nearest(line, near)[1] <= reach]
    if len(near) < 2:
        return near.astype(np.float32), False
    rows, cols = (near - near[0]).T
    return near[:, ::-1].astype(np.float32), bool((rows * cols[1] != cols * rows[1]).any())


def _ridge_paths(ridge: NDArray[np.bool_], zones: NDArray[np.bool_]) -> list[tuple[NDArray[np.int64], tuple[int, int]]]:
    near = np.zeros(ridge.shape, dtype=np.float32)
    if zones.any():
        _, zone_of = cv2.connectedComponents(zones.view(np.uint8), connectivity=8)
        near = cv2.dilate(zone_of.astype(np.float32), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents((ridge & ~zones).view(np.uint8), connectivity=8)
    order, end = np.empty((np.count_nonzero(labels), 2), dtype=np.int64), np.zeros(count, dtype=np.int64)
    peers.ridge_paths(rimmed(labels, 1), count, order, end)
    found = []
    for path in (order[first:last] for first, last in pairwise(end)):
        ends = [int(near[row, col]) - 1 for row, col in (path[0], path[-1])]
        found.append((path, (ends[0], ends[1] if len(path) > 1 else -1)))
    return found


def _ridge_depths(height: NDArray[np.float32]) -> NDArray[np.float32]:
    top = float(height.max())
    grey = (height * np.float32(255 / top if top > 0 else 0)).astype(np.uint8)
    depth = cv2.distanceTransform(cv2.threshold(grey, 0, 1, cv2.THRESH_OTSU)[1], cv2.DIST_L2, 5)
    return depth[(depth >= cv2.dilate(depth, np.ones((3, 3), dtype=np.uint8))) & (depth > 1.5)]


def _rim_steps(image: NDArray[np.uint16], tree: RegionTree, regions: NDArray[np.int64]) -> NDArray[np.float64]:
    steps = cv2.Laplacian(image, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REPLICATE).ravel()
    sums = np.concatenate([[0.0], np.cumsum(steps[tree.order], dtype=np.float64)])
    start = tree.start[regions]
    return sums[start + tree.area[regions]] - sums[start]


def _disk_opening(image: NDArray[np.float32], diameter: int) -> NDArray[np.float32]:
    return cv2.morphologyEx(image, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)))


def _cell_means(image: NDArray[np.float32], rows: int, cols: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _above_field(image: NDArray[np.float32], coarse: NDArray[np.float32], out: Field) -> Field:
    field, height = out
    cv2.resize(coarse, image.shape[::-1], dst=field, interpolation=cv2.INTER_LINEAR)
    np.subtract(image, np.minimum(field, image, out=field), out=height)
    return out


def _count_down(height: NDArray[np.float32], scale: float, top: int) -> NDArray[np.uint16]:
    levels = height * np.float32(scale)
    return np.subtract(top, np.rint(levels, out=levels), out=levels).astype(np.uint16)


def _outlines(tree: RegionTree, regions: NDArray[np.int64], bin_width: float) -> Outlines:
    return Outlines(*reference_shape.outlines(tree, regions, bin_width).reshape(3, -1))


def _solidities(mask: NDArray[np.bool_], boxes: list[tuple[int, int, int, int]]) -> NDArray[np.float64]:
    found = []
    for top, left, rows, cols in boxes:
        own = mask[top : top + rows, left : left + cols]
        outlines, _ = cv2.findContours(own.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        hull = cv2.convexHull(outlines[0] if len(outlines) == 1 else np.concatenate(outlines))
        found.append(np.count_nonzero(own) / (cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1.0))
    return np.array(found)


def _largest_above(parent: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.float64]:
    above = np.zeros(len(parent))
    peers.largest_above(parent, value, above)
    return above


def _tree(image: NDArray[np.uint16], connectivity: int, max_level: int, min_area: int, moments: bool) -> RegionTree:
    """pylena's tree with the attributes of ours, by plain loops; numbered as ours, so children come first."""
    assert connectivity == 8
    assert not moments
    height = (LEVELS - np.minimum(image, max_level + 1)).astype(np.uint8)
    tree = pylena.morpho.maxtree(height, 8)
    nodes = np.asarray(tree.nodemap).astype(np.int64)
    parent, level = np.asarray(tree.parent).astype(np.int64), np.asarray(tree.values).astype(np.int64)
    ints, greys = _attributes(height, nodes, parent)
    kept = (ints[:, 0] >= min_area) & (level > LEVELS - max_level - 1)
    number = np.full(len(parent) + 1, -1)
    number[:-1][kept] = np.arange(np.count_nonzero(kept))[::-1]
    order, start = _ranges(nodes, parent, ints[:, 0])
    area, top, left, bottom, right, euler, perimeter = ints[kept][::-1].T.astype(np.int32)
    greys, rising = greys[kept][::-1], level[kept][::-1]
    return RegionTree(
        height.shape,
        8,
        order,
        (LEVELS - rising).astype(np.int32),
        number[parent[kept][::-1]].astype(np.int32),
        start[kept][::-1].astype(np.int32),
        area,
        np.stack([top, left, bottom - top + 1, right - left + 1], axis=1),
        euler,
        perimeter,
        np.empty((0, 5), dtype=np.int64),
        LEVELS * area.astype(np.int64) - greys[:, 0],
        LEVELS**2 * area.astype(np.int64) - 2 * LEVELS * greys[:, 0] + greys[:, 1],
    )


@numba.njit(nogil=True, cache=True)
def _attributes(
    height: NDArray[np.uint8], nodes: NDArray[np.int64], parent: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Area, box, Euler number and perimeter; grey sums of each node: pixels, then from the leaves up."""
    rows, cols = height.shape
    ints = np.zeros((len(parent), 7), dtype=np.int64)
    greys = np.zeros((len(parent), 2), dtype=np.int64)
    ints[:, 1:3] = 2**31
    for row in range(rows):
        for col in range(cols):
            node, own = nodes[row, col], height[row, col]
            pairs, corners = 0, 4
            for side in range(4):
                down, across = (-1, 0, 1, 0)[side], (0, 1, 0, -1)[side]
                beside, along = (0, 1, 0, -1)[side], (1, 0, -1, 0)[side]
                pairs += _before(height, row + down, col + across, row, col)
                if (
                    _before(height, row + down, col + across, row, col)
                    or _before(height, row + beside, col + along, row, col)
                    or _before(height, row + down + beside, col + across + along, row, col)
                ):
                    corners -= 1
            ints[node, 0] += 1
            ints[node, 1] = min(ints[node, 1], row)
            ints[node, 2] = min(ints[node, 2], col)
            ints[node, 3] = max(ints[node, 3], row)
            ints[node, 4] = max(ints[node, 4], col)
            ints[node, 5] += corners - 3 + pairs
            ints[node, 6] += 4 - 2 * pairs
            greys[node, 0] += own
            greys[node, 1] += np.int64(own) * own
    for node in range(len(parent) - 1, 0, -1):
        up = parent[node]
        for k in (0, 5, 6):
            ints[up, k] += ints[node, k]
        for k in (1, 2):
            ints[up, k] = min(ints[up, k], ints[node, k])
        for k in (3, 4):
            ints[up, k] = max(ints[up, k], ints[node, k])
        for k in range(2):
            greys[up, k] += greys[node, k]
    return ints, greys


@numba.njit(nogil=True, cache=True)
def _before(height: NDArray[np.uint8], row: int, col: int, other_row: int, other_col: int) -> bool:
    """Whether a pixel is in the picture and in every region that holds the other: higher, or as high and earlier."""
    if row < 0 or col < 0 or row >= height.shape[0] or col >= height.shape[1]:
        return False
    own, other = height[row, col], height[other_row, other_col]
    return own > other or (own == other and (row, col) < (other_row, other_col))


@numba.njit(nogil=True, cache=True)
def _ranges(
    nodes: NDArray[np.int64], parent: NDArray[np.int64], area: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Pixels in an order in which each node's are a range, and where each begins."""
    start = np.zeros(len(parent), dtype=np.int64)
    following = np.zeros(len(parent), dtype=np.int64)
    for node in range(1, len(parent)):
        start[node] = following[node] = following[parent[node]]
        following[parent[node]] += area[node]
    order = np.empty(nodes.size, dtype=np.int32)
    flat = nodes.ravel()
    for place in range(nodes.size):
        order[following[flat[place]]] = place
        following[flat[place]] += 1
    return order, start
