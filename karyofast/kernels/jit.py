"""Numba kernels: they only compute, on arrays that the wrappers have checked and allocated.

Compiled at first use and cached on disk; all release the GIL. Taken by ``impl="numba"`` alone.
"""

from __future__ import annotations

import heapq

import numba
import numpy as np
from numpy.typing import NDArray


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
