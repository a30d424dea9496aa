"""The plain loops that the kernels are measured against, in Numba: what one would write without them."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def two_class_variance(image: NDArray[np.uint8], boxes: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """V of each box into `out` (paper section 3, eq. 4); rules in `measure.two_class_variance`.

    Preconditions: boxes (n, 4) inside `image` and not empty; `out` (n,). O(pixels of the boxes + 256 n).
    The class sums are taken from the histogram, so a box is read once.
    """
    histogram = np.empty(256, dtype=np.int64)
    for index in range(boxes.shape[0]):
        top, left, height, width = boxes[index]
        histogram[:] = 0
        for row in range(top, top + height):
            for column in range(left, left + width):
                histogram[image[row, column]] += 1
        threshold = _peak_threshold(histogram)
        total = _weighted_squares(histogram, 0, threshold) + _weighted_squares(histogram, threshold, 256)
        out[index] = total / (height * width)


@numba.njit(nogil=True, cache=True)
def _peak_threshold(histogram: NDArray[np.int64]) -> int:
    """First grey level of the upper class: one above the whole part of the mean of the two highest peaks.

    One pass over the 256 levels; a run of equal counts is a peak when both its flanks are lower.
    """
    best = second = np.int64(0)
    best_at = second_at = -1
    begin = 0
    rising = True  # the level before the run is lower (before the first there is nothing)
    for level in range(1, 257):
        after = histogram[level] if level < 256 else np.int64(0)
        count = histogram[begin]
        if level < 256 and after == count:
            continue
        if rising and after < count:
            if count > best:
                second, second_at = best, best_at
                best, best_at = count, begin
            elif count > second:
                second, second_at = count, begin
        rising = after > count
        begin = level
    if second_at < 0:
        return best_at + 1
    return (best_at + second_at) // 2 + 1


@numba.njit(nogil=True, cache=True)
def _weighted_squares(histogram: NDArray[np.int64], begin: int, end: int) -> float:
    """Pixels times the sum of squared distances to the mean, over the levels begin..end - 1."""
    pixels = 0
    grey = 0
    for level in range(begin, end):
        pixels += histogram[level]
        grey += level * histogram[level]
    if pixels == 0:
        return 0.0
    mean = grey / pixels
    squares = 0.0
    for level in range(begin, end):
        squares += histogram[level] * (level - mean) ** 2
    return pixels * squares


@numba.njit(nogil=True, cache=True)
def edge_distance(edges: NDArray[np.bool_], out: NDArray[np.float64]) -> None:
    """Exact Euclidean distance to the nearest edge pixel into `out` (paper section 4, eq. 5).

    Preconditions: `edges` and `out` of one shape. O(pixels). After Meijster, Roerdink and Hesselink (2000):
    distances down the columns, then the lower envelope of parabolas along each row, in whole numbers.
    """
    height, width = edges.shape
    far = height + width + 1  # beyond any distance in the picture
    down = np.empty((height, width), dtype=np.int64)
    for column in range(width):
        run = far
        for row in range(height):
            run = 0 if edges[row, column] else min(run + 1, far)
            down[row, column] = run
        for row in range(height - 2, -1, -1):
            down[row, column] = min(down[row, column], down[row + 1, column] + 1)
    vertex = np.empty(width, dtype=np.int64)
    begin = np.empty(width, dtype=np.int64)
    for row in range(height):
        last = _envelope(down[row], vertex, begin)
        for column in range(width - 1, -1, -1):
            at = vertex[last]
            deep = down[row, at]
            out[row, column] = np.inf if deep >= far else np.sqrt(float((column - at) ** 2 + deep**2))
            if column == begin[last]:
                last -= 1


@numba.njit(nogil=True, cache=True)
def _envelope(depth: NDArray[np.int64], vertex: NDArray[np.int64], begin: NDArray[np.int64]) -> int:
    """Lower envelope of ``(x - u)^2 + depth[u]^2``: vertices and first x of each part; index of the last."""
    width = len(depth)
    last = 0
    vertex[0] = begin[0] = 0
    for new in range(1, width):
        while last >= 0:
            start, old = begin[last], vertex[last]
            if (start - old) ** 2 + depth[old] ** 2 <= (start - new) ** 2 + depth[new] ** 2:
                break
            last -= 1
        if last < 0:
            last = 0
            vertex[0], begin[0] = new, 0
            continue
        old = vertex[last]
        cross = (new * new - old * old + depth[new] ** 2 - depth[old] ** 2) // (2 * (new - old)) + 1
        if cross < width:
            last += 1
            vertex[last], begin[last] = new, cross
    return last


@numba.njit(nogil=True, cache=True)
def relevance(
    points: NDArray[np.float64],
    gradients: NDArray[np.float64],
    seeds: NDArray[np.float64],
    weight: float,
    best: NDArray[np.int64],
    value: NDArray[np.float64],
) -> None:
    """Most relevant seed of each edge pixel into `best`, `value` (paper section 4, eq. 6).

    Preconditions: finite (n, 2), (n, 2), (m, 2); `best`, `value` (n,). O(n m). Operations in the order of
    the reference, so that equal relevances are equal in both.
    """
    for index in range(len(points)):
        length = np.sqrt(gradients[index, 0] ** 2 + gradients[index, 1] ** 2)
        best[index] = -1
        value[index] = 0.0
        for seed in range(len(seeds)):
            down = seeds[seed, 0] - points[index, 0]
            across = seeds[seed, 1] - points[index, 1]
            distance = np.sqrt(down**2 + across**2)
            div = 0.0
            if length * distance > 0:
                div = (gradients[index, 0] * down + gradients[index, 1] * across) / (length * distance)
            found = (1.0 - weight) / (1.0 + distance) + weight * (div + 1.0) / 2.0
            if best[index] < 0 or found > value[index]:
                best[index] = seed
                value[index] = found


@numba.njit(nogil=True, cache=True)
def nearest(
    line: NDArray[np.float64], points: NDArray[np.float64], at: NDArray[np.int64], out: NDArray[np.float64]
) -> None:
    """The first of the nearest points of a line to each point into `at`, its distance into `out`."""
    for index in range(len(points)):
        least = np.inf
        for number in range(len(line)):
            down, across = line[number, 0] - points[index, 0], line[number, 1] - points[index, 1]
            if down * down + across * across < least:
                least, at[index] = down * down + across * across, number
        out[index] = np.sqrt(least)


@numba.njit(nogil=True, cache=True)
def largest_above(parent: NDArray[np.int32], value: NDArray[np.float64], above: NDArray[np.float64]) -> None:
    """The largest value among the ancestors of each region into `above`, which holds 0; parents come last."""
    for index in range(len(parent) - 1, -1, -1):
        up = parent[index]
        if up >= 0:
            above[index] = max(value[up], above[up])


@numba.njit(nogil=True, cache=True)
def ridge_paths(labels: NDArray[np.int32], count: int, order: NDArray[np.int64], end: NDArray[np.int64]) -> None:
    """Pixels of each labelled line in the order of a walk into `order`; rules in `ring.ridge_paths`.

    Preconditions: `labels` with a rim of one free pixel. `end` holds 0 at first.
    """
    steps = ((-1, 0), (0, 1), (1, 0), (0, -1), (-1, 1), (1, 1), (1, -1), (-1, -1))
    fewest, start = np.full(count, 9), np.zeros((count, 2), dtype=np.int64)
    left = labels != 0
    for row in range(1, labels.shape[0] - 1):
        for col in range(1, labels.shape[1] - 1):
            if left[row, col]:
                near = 0
                for down, across in steps:
                    near += left[row + down, col + across]
                label = labels[row, col]
                if near < fewest[label]:
                    fewest[label], start[label, 0], start[label, 1] = near, row, col
    told = 0
    for label in range(1, count):
        row, col = start[label]
        going = True
        while going:
            left[row, col] = False
            order[told, 0], order[told, 1] = row - 1, col - 1
            told += 1
            going = False
            for down, across in steps:
                if left[row + down, col + across]:
                    row, col, going = row + down, col + across, True
                    break
        end[label] = told
