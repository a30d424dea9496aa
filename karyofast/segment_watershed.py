"""The watershed baseline (``method="watershed"``): blind to crossings, it cuts where the shape is narrow."""

from __future__ import annotations

import heapq
import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import ridge
from karyofast.kernels import edge_distance
from karyofast.kernels.rim import rimmed
from karyofast.segment_rrt import MARGIN, chromosomes
from karyofast.types import Candidate, Chromosome, Metaphase

RISE = 0.45
"""Height of a maximum of the distance over its saddle, share of the highest, for a marker of its own (watershed).

The width of a banded chromosome varies by a quarter; chosen on simulated spreads, where less cuts bands apart."""


def watershed(metaphase: Metaphase, candidate: Candidate) -> list[Chromosome]:
    """Separate one candidate by a watershed of its distance to the background: the baseline, blind to crossings.

    Parameters
    ----------
    metaphase : Metaphase
        Unused: the watershed sees the outline only.
    candidate : Candidate

    Returns
    -------
    list of Chromosome
        Disjoint; together the candidate's mask.
    """
    del metaphase
    mask = rimmed(candidate.mask, MARGIN)
    depth = edge_distance(~mask).astype(np.float32)
    rise = np.float32(max(RISE * float(depth.max()), 0.5))
    above = depth - _reconstruct(depth - rise, depth)
    count, markers = cv2.connectedComponents((above > 0.01 * rise).astype(np.uint8), connectivity=8)
    high = [dome for dome in range(1, count) if float(above[markers == dome].max()) > 0.99 * rise]  # but for rounding
    if len(high) < 2:
        return [Chromosome(candidate.box, candidate.mask)]
    basins = _flooded(np.where(np.isin(markers, high), markers, 0), depth)
    masks = [basins == dome for dome in high]
    return chromosomes(masks, masks, candidate.box)


def _reconstruct(seed: NDArray[np.float32], bound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Morphological reconstruction by dilation of `seed` under `bound`."""
    kernel = np.ones((3, 3), np.uint8)
    while True:
        grown = np.minimum(cv2.dilate(seed, kernel), bound).astype(np.float32)
        if np.array_equal(grown, seed):
            return grown
        seed = grown


def _flooded(markers: NDArray[np.int32], depth: NDArray[np.float32]) -> NDArray[np.int32]:
    """Grow the markers over all pixels with a depth, the deepest neighbours first."""
    basins = markers.copy()
    order = itertools.count()  # of pixels equally deep the one reached first
    heap = [(-float(depth[at]), next(order), at) for at in zip(*np.nonzero(markers), strict=True)]
    heapq.heapify(heap)
    while heap:
        _, _, (row, col) = heapq.heappop(heap)
        for down, across in ridge.RING:
            at = (row + down, col + across)
            if depth[at] > 0 and basins[at] == 0:
                basins[at] = basins[row, col]
                heapq.heappush(heap, (-float(depth[at]), next(order), at))
    return basins
