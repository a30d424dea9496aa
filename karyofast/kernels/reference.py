"""NumPy references: they define what each kernel computes, in the plainest way, and are slow.

Inputs are validated by the wrappers (`tree`, `measure`). No kernel may differ from these but within the
tolerance that `ops` states. SciPy is imported where it is used: it takes longer to load than a picture to read.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.kernels.regions import RegionTree


def component_tree(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    connectivity: int,
    max_level: int,
    min_area: int = 1,
    moments: bool = True,
) -> RegionTree:
    """Threshold at every level, label, keep the components that the level has changed.

    A component of ``image <= t`` with a pixel at t is a region of level t (without one it stood at a lower
    level already). Complexity O(levels * pixels). Paper section 3, eq. 1 and 2.
    """
    masks, levels = _regions(image, connectivity, max_level)
    large = [index for index, mask in enumerate(masks) if mask.sum() >= min_area]
    masks, levels = [masks[index] for index in large], [levels[index] for index in large]
    parents = _parents(masks, image.shape)
    numbers, starts, order = _post_order(masks, parents, image.shape)
    number_of = {old: new for new, old in enumerate(numbers)}
    rows = [_attributes(image, masks[old], connectivity) for old in numbers]
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 14)
    return RegionTree(
        shape=(image.shape[0], image.shape[1]),
        connectivity=connectivity,
        order=order,
        level=np.array([levels[old] for old in numbers], dtype=np.int32),
        parent=np.array([number_of.get(parents[old], -1) for old in numbers], dtype=np.int32),
        start=np.array(starts, dtype=np.int32),
        area=table[:, 0].astype(np.int32),
        box=table[:, 1:5].astype(np.int32),
        euler=table[:, 5].astype(np.int32),
        perimeter=table[:, 6].astype(np.int32),
        moments=table[: len(table) if moments else 0, 7:12],
        grey_sum=table[:, 12],
        grey_sum2=table[:, 13],
    )


def _regions(image: NDArray[Any], connectivity: int, max_level: int) -> tuple[list[NDArray[np.bool_]], list[int]]:
    """Masks and levels of all regions, by rising level."""
    from scipy import ndimage

    structure = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    masks: list[NDArray[np.bool_]] = []
    levels: list[int] = []
    for level in np.unique(image):
        if level > max_level:
            break
        labels, _ = ndimage.label(image <= level, structure=structure)
        for label in np.unique(labels[image == level]):
            masks.append(labels == label)
            levels.append(int(level))
    return masks, levels


def _parents(masks: list[NDArray[np.bool_]], shape: tuple[int, ...]) -> list[int]:
    """Index of the first later region that holds each region, -1 for none."""
    parents = [-1] * len(masks)
    inner = np.full(shape, -1)
    for index, mask in enumerate(masks):
        for child in np.unique(inner[mask]):
            if child >= 0:
                parents[child] = index
        inner[mask] = index
    return parents


def _post_order(
    masks: list[NDArray[np.bool_]], parents: list[int], shape: tuple[int, ...]
) -> tuple[list[int], list[int], NDArray[np.int32]]:
    """Regions so that children precede parents, each one's start in `order`, and `order`."""
    children: dict[int, list[int]] = {}
    for index, parent in enumerate(parents):
        children.setdefault(parent, []).append(index)
    numbers: list[int] = []
    starts: list[int] = []
    order: list[int] = []
    taken = np.zeros(shape, dtype=bool)
    stack = [(root, -1) for root in reversed(children.get(-1, []))]
    while stack:
        index, start = stack.pop()
        if start < 0:
            stack.append((index, len(order)))
            stack.extend((child, -1) for child in reversed(children.get(index, [])))
            continue
        own = masks[index] & ~taken
        taken |= own
        order.extend(int(pixel) for pixel in np.flatnonzero(own))
        numbers.append(index)
        starts.append(start)
    return numbers, starts, np.array(order, dtype=np.int32)


def _attributes(image: NDArray[Any], mask: NDArray[np.bool_], connectivity: int) -> list[int]:
    """Area, box (4), Euler number, perimeter, moments (5), sums of grey and grey squared."""
    rows, columns = (axis.astype(np.int64) for axis in np.nonzero(mask))
    grey = image[mask].astype(np.int64)
    solid = np.pad(mask, 1)
    across, down = solid[:, 1:] & solid[:, :-1], solid[1:] & solid[:-1]
    pairs = int(across.sum() + down.sum())
    area = len(rows)
    if connectivity == 4:  # pixels, pairs and full quads as vertices, edges and faces
        euler = area - pairs + int((across[1:] & across[:-1]).sum())
    else:  # corners, sides and pixels as vertices, edges and faces
        touched = solid[:, 1:] | solid[:, :-1]
        euler = int((touched[1:] | touched[:-1]).sum()) - (4 * area - pairs) + area
    top, left = int(rows.min()), int(columns.min())
    box = [top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1]
    sums = [rows, columns, rows * rows, columns * columns, rows * columns, grey, grey * grey]
    return [area, *box, euler, 4 * area - 2 * pairs, *(int(values.sum()) for values in sums)]


def two_class_variance(image: NDArray[np.uint8], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Eq. 4 of the paper, box by box; the rules are in `measure.two_class_variance`."""
    out = np.zeros(len(boxes))
    for index, (top, left, height, width) in enumerate(boxes):
        grey = image[top : top + height, left : left + width].astype(np.float64).ravel()
        low = grey <= _peak_threshold(np.bincount(grey.astype(np.int64), minlength=256))
        for side in (grey[low], grey[~low]):
            if len(side):
                out[index] += len(side) * np.sum((side - side.mean()) ** 2) / len(grey)
    return out


def _peak_threshold(histogram: NDArray[np.int64]) -> float:
    """Mean of the two highest peaks of a histogram."""
    first = np.flatnonzero(np.diff(histogram, prepend=-1))  # first level of each run of equal counts
    counts = np.concatenate([[0], histogram[first], [0]])
    is_peak = (counts[1:-1] > counts[:-2]) & (counts[1:-1] > counts[2:])
    peaks = first[is_peak]
    highest = peaks[np.argsort(-histogram[peaks], kind="stable")][:2]
    return float(highest.mean())


def edge_distance(edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Eq. 5 of the paper: least distance over all edge pixels. O(pixels * edge pixels)."""
    rows, columns = np.indices(edges.shape)
    nearest = np.full(edges.shape, np.inf)
    for row, column in np.argwhere(edges):
        nearest = np.minimum(nearest, (rows - row) ** 2 + (columns - column) ** 2)
    np.sqrt(nearest, out=nearest)
    return nearest


def relevance(
    points: NDArray[np.float64], gradients: NDArray[np.float64], seeds: NDArray[np.float64], weight: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Eq. 6 of the paper for every point and seed; the rules are in `ring.relevance`. O(points * seeds)."""
    best, value = np.full(len(points), -1, dtype=np.int64), np.zeros(len(points))
    if len(points) == 0 or len(seeds) == 0:
        return best, value
    towards = seeds[None, :, :] - points[:, None, :]
    distance = np.sqrt(towards[..., 0] ** 2 + towards[..., 1] ** 2)
    length = np.sqrt(gradients[:, 0] ** 2 + gradients[:, 1] ** 2)[:, None]
    product = gradients[:, None, 0] * towards[..., 0] + gradients[:, None, 1] * towards[..., 1]
    scale = length * distance
    div = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    values = (1.0 - weight) / (1.0 + distance) + weight * (div + 1.0) / 2.0
    best = values.argmax(axis=1).astype(np.int64)
    return best, values[np.arange(len(points)), best]


RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""Steps to the neighbours of a pixel, clockwise from the one above."""


def ridge(domain: NDArray[np.bool_], radius: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Pixels taken away by rising radius while the shape stays as it was; the rules are in `ring.ridge`."""
    left = np.pad(domain, 1)
    height = np.pad(radius, 1)
    heap = [(float(height[row, col]), int(row), int(col)) for row, col in np.argwhere(left)]
    heapq.heapify(heap)
    while heap:
        value, row, col = heapq.heappop(heap)
        if not left[row, col]:
            continue
        on = [bool(left[row + down, col + across]) for down, across in RING]
        # Yokoi's connectivity number of an 8-connected shape: 1 where a pixel can go
        holes = sum(not on[side] and (on[side + 1] or on[(side + 2) % 8]) for side in (0, 2, 4, 6))
        if holes != 1 or (sum(on) == 1 and value >= least):
            continue
        left[row, col] = False
        for down, across in RING:  # one that had to stay may go now
            at = (row + down, col + across)
            if left[at] and height[at] <= value:
                heapq.heappush(heap, (float(height[at]), *at))
    return left[1:-1, 1:-1]


def largest_above(parent: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ancestors of each region one by one; the rules are in `tree.largest_above`."""
    above = np.zeros(len(parent))
    for at in range(len(parent)):
        up = int(parent[at])
        while up >= 0:
            above[at] = max(above[at], value[up])
            up = int(parent[up])
    return above


def ridge_paths(ridge: NDArray[np.bool_], zones: NDArray[np.bool_]) -> list[tuple[NDArray[np.int64], tuple[int, int]]]:
    """Parts by OpenCV, of which each is walked through; the rules are in `ring.ridge_paths`."""
    import cv2

    count, labels = cv2.connectedComponents((ridge & ~zones).astype(np.uint8), connectivity=8)
    _, zone = cv2.connectedComponents(zones.astype(np.uint8), connectivity=8)
    near = np.pad(zone, 1)
    found = []
    for label in range(1, count):
        path = _walk(np.argwhere(labels == label))
        ends = [int(near[row : row + 3, col : col + 3].max()) - 1 for row, col in (path[0], path[-1])]
        found.append((path, (ends[0], ends[1] if len(path) > 1 else -1)))
    return found


def _walk(points: NDArray[np.int64]) -> NDArray[np.int64]:
    there = {(int(row), int(col)) for row, col in points}

    def neighbours(at: tuple[int, int]) -> list[tuple[int, int]]:
        # side neighbours first, so that a step round a corner is not cut short
        steps = (*RING[::2], *RING[1::2])
        return [(at[0] + d, at[1] + a) for d, a in steps if (at[0] + d, at[1] + a) in there]

    if not there:
        return points
    start = min(there, key=lambda at: (len(neighbours(at)), at))
    path = [start]
    there.discard(start)
    while nexts := neighbours(path[-1]):
        path.append(nexts[0])
        there.discard(nexts[0])
    return np.array(path, dtype=np.int64)


def assign(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of no more than the columns, in order, by SciPy."""
    from scipy.optimize import linear_sum_assignment

    return np.asarray(linear_sum_assignment(costs)[1], dtype=np.int64)


def lifted_cores(
    values: NDArray[np.float32], threshold: float, least: int, crossed: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pieces of each direction by SciPy, joined by its graph of those that share a pixel; see `lifted.lifted_cores`."""
    from scipy import ndimage, sparse

    pieces = np.zeros(values.shape, dtype=np.int64)
    total = 1
    for plane, out in zip(values, pieces, strict=True):
        labels, count = ndimage.label(plane > threshold, structure=np.ones((3, 3)))
        labels[np.bincount(labels.ravel(), minlength=1)[labels] < least] = 0
        out[labels > 0] = labels[labels > 0] + total - 1
        total += count
    there = np.roll(pieces, -1, axis=0)
    both = (pieces > 0) & (there > 0) & (True if crossed is None else ~crossed)
    graph = sparse.coo_array((np.ones(both.sum()), (pieces[both], there[both])), shape=(total, total))
    _, group = sparse.csgraph.connected_components(graph, directed=False)
    owner = np.where(pieces > 0, group[pieces], -1)
    names, first = np.unique(owner, return_index=True)
    names = names[np.argsort(first)]
    pixels, scores = [np.empty(0, dtype=np.int64)], []
    for name in names[names >= 0]:
        here = owner == name
        pixels.append(np.flatnonzero(here.any(axis=0)))
        means = [float(plane[on].mean(dtype=np.float64)) for plane, on in zip(values, here, strict=True) if on.any()]
        scores.append(float(np.mean(means)))
    return np.concatenate(pixels), np.cumsum([len(mine) for mine in pixels]), np.array(scores, dtype=np.float64)


ZONE_BITS = 24
"""Low bits of a distance that hold its zone, so that the least is the nearest zone and the first of equals."""


def zone_gaps(zones: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Gaps in 65536ths of a pixel, row by row down and then up; the rules are in `zones.zone_gaps`."""
    height, width = zones.shape
    side, diagonal, knight = (weight << ZONE_BITS for weight in (65536, 91750, 143976))
    nowhere = np.int64(1 << 61)
    near = np.full((height + 4, width + 4), nowhere)
    near[2:-2, 2:-2] = np.where(zones > 0, zones, nowhere)
    along = side * np.arange(width)
    steps = (
        (1, 0, side),
        (1, -1, diagonal),
        (1, 1, diagonal),
        (1, -2, knight),
        (1, 2, knight),
        (2, -1, knight),
        (2, 1, knight),
    )
    for turned in (near, near[::-1, ::-1]):
        for row in range(2, height + 2):
            line = turned[row, 2:-2]
            for up, across, weight in steps:
                np.minimum(line, turned[row - up, 2 + across : 2 + across + width] + weight, out=line)
            line[:] = np.minimum.accumulate(line - along) + along
    near = near[2:-2, 2:-2]
    owner, distance = (near & ((1 << ZONE_BITS) - 1)) - 1, near >> ZONE_BITS
    gap = np.full((count, count), np.iinfo(np.int64).max)
    for one, two in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        meet = owner[one] != owner[two]
        np.minimum.at(gap, (owner[one][meet], owner[two][meet]), (distance[one] + distance[two])[meet])
    return np.asarray(np.minimum(gap, gap.T))
