"""Numba kernels: they only compute, on arrays that the wrappers have checked and allocated.

Compiled at first use and cached on disk; all release the GIL.
"""

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
