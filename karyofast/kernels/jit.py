"""Numba kernels: they only compute, on arrays that the wrappers have checked and allocated.

Compiled at first use and cached on disk; all release the GIL.
"""

from __future__ import annotations

import heapq

import numba
import numpy as np
from numpy.typing import NDArray


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
def ridge(left: NDArray[np.bool_], height: NDArray[np.float64], least: float) -> None:
    """Take pixels of `left` away by rising `height` while the shape stays as it was (paper section 4).

    Preconditions: both of one shape with a rim of one free pixel. `left` is overwritten with the ridge.
    O(pixels log pixels). Homotopic thinning in the order of the distance, after Pudney (1998).
    """
    down = (-1, -1, 0, 1, 1, 1, 0, -1)
    across = (0, 1, 1, 1, 0, -1, -1, -1)
    on = np.empty(8, dtype=np.bool_)
    heap = [(0.0, 0, 0)]  # gives the list its type; the rim is free, so it goes first and unseen
    for row in range(1, left.shape[0] - 1):
        for col in range(1, left.shape[1] - 1):
            if left[row, col]:
                heap.append((height[row, col], row, col))
    heapq.heapify(heap)
    while len(heap) > 0:
        value, row, col = heapq.heappop(heap)
        if not left[row, col]:
            continue
        count = 0
        for side in range(8):
            on[side] = left[row + down[side], col + across[side]]
            count += on[side]
        holes = 0
        for side in range(0, 8, 2):
            if not on[side] and (on[side + 1] or on[(side + 2) % 8]):
                holes += 1
        if holes != 1 or (count == 1 and value >= least):
            continue
        left[row, col] = False
        for side in range(8):
            there, beside = row + down[side], col + across[side]
            if left[there, beside] and height[there, beside] <= value:
                heapq.heappush(heap, (height[there, beside], there, beside))
