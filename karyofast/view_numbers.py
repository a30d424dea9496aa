"""Where the number of each chromosome stands in an overlay: beside it, where it covers least of what lies around."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels.rim import rimmed
from karyofast.types import Region

DIRECTIONS = 24
"""Directions out of a chromosome in which a place is looked for."""

STEPS = (0.5, 2.5, 5.0)
"""Gaps between a chromosome's box and its number that are tried, px of the picture."""

FARTHER = 0.02
"""Share of a number's box that one px more away may cost: the number must be seen to belong to its chromosome."""

COVERED = 3.0
"""How much more a px of an earlier number counts than one of a chromosome: two numbers on one another are lost."""


def beside(
    regions: Sequence[Region], shape: tuple[int, int], sizes: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Middle of a label for each region, outside of it where that can be.

    Parameters
    ----------
    regions : sequence of Region
    shape : (int, int)
        Height and width of the picture.
    sizes : sequence of (float, float)
        Height and width of each label, px of the picture.

    Returns
    -------
    list of (float, float)
        Row and column, inside the picture as far as the label fits into it.
    """
    taken = np.zeros(shape, dtype=np.float32)
    for one in regions:
        taken[one.box.slices][one.mask] = 1.0
    found = []
    for one, (height, width) in zip(regions, sizes, strict=True):
        places, away = _around(one, shape, (height, width))
        starts, stops = _windows(places, (height, width), shape)
        best = int(np.argmin(_covered(taken, starts, stops) + FARTHER * away))
        found.append((float(places[best, 0]), float(places[best, 1])))
        (top, left), (bottom, right) = starts[best], stops[best]
        taken[top:bottom, left:right] = COVERED
    return found


def _around(
    one: Region, shape: tuple[int, int], size: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (n, 2) beside the rim of a region, and how far from it they lie (n,)."""
    contours, _ = cv2.findContours(rimmed(one.mask.view(np.uint8), 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim = max(contours, key=len)[:, 0, ::-1].astype(np.float64) + np.array([one.box.top - 1, one.box.left - 1])
    angles = np.arange(DIRECTIONS) * (2.0 * np.pi / DIRECTIONS)
    out = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    farthest = rim[np.argmax(rim @ out.T, axis=0)]
    # half of the label's box lies between its middle and the rim
    half = 0.5 * (np.abs(out) @ size)
    middles = farthest[:, None] + out[:, None] * (half[:, None] + STEPS)[:, :, None]
    low = 0.5 * np.array(size)
    inside = np.clip(middles, low, np.maximum(np.array(shape) - low, low))
    return inside.reshape(-1, 2), np.tile(STEPS, DIRECTIONS)


def _covered(taken: NDArray[np.float32], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each box that covers something; 0 for a box outside of the picture."""
    top, left = starts.min(axis=0)
    bottom, right = stops.max(axis=0)
    sums = cv2.integral(np.ascontiguousarray(taken[top:bottom, left:right]), sdepth=cv2.CV_64F)
    (up, before), (down, after) = (starts - [top, left]).T, (stops - [top, left]).T
    total = sums[down, after] - sums[up, after] - sums[down, before] + sums[up, before]
    return np.asarray(total / np.maximum((stops - starts).prod(axis=1), 1))


def _windows(
    places: NDArray[np.float64], size: tuple[float, float], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row and column of the box around each place, and those past its last; inside the picture."""
    starts = np.clip(np.rint(places - 0.5 * np.array(size)).astype(np.int64), 0, shape)
    stops = np.minimum(starts + np.maximum(1, np.rint(size)).astype(np.int64), shape)
    return starts, stops
