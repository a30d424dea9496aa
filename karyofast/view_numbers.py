"""Where the number of each chromosome stands in an overlay: beside it, where it covers least of what lies around."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

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
        trials = [
            (_covered(taken, place, (height, width)) + FARTHER * away, order, place)
            for order, (place, away) in enumerate(_around(one, shape, (height, width)))
        ]
        _, _, place = min(trials)
        found.append(place)
        taken[_window(place, (height, width), shape)] = COVERED
    return found


def _around(one: Region, shape: tuple[int, int], size: tuple[float, float]) -> list[tuple[tuple[float, float], float]]:
    """Places beside the rim of a region, and how far from it they lie."""
    contours, _ = cv2.findContours(np.pad(one.mask.astype(np.uint8), 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim = max(contours, key=len)[:, 0, ::-1].astype(np.float64) + np.array([one.box.top - 1, one.box.left - 1])
    places = []
    for angle in np.arange(DIRECTIONS) * (2.0 * np.pi / DIRECTIONS):
        out = np.array([np.sin(angle), np.cos(angle)])
        farthest = rim[int(np.argmax(rim @ out))]
        # half of the label's box lies between its middle and the rim
        half = 0.5 * (abs(out[0]) * size[0] + abs(out[1]) * size[1])
        for step in STEPS:
            middle = farthest + out * (half + step)
            low = np.array([0.5 * size[0], 0.5 * size[1]])
            inside = np.clip(middle, low, np.maximum(np.array(shape) - low, low))
            places.append(((float(inside[0]), float(inside[1])), step))
    return places


def _covered(taken: NDArray[np.float32], place: tuple[float, float], size: tuple[float, float]) -> float:
    """Share of a label's box that covers something."""
    window = taken[_window(place, size, taken.shape)]
    return float(window.mean()) if window.size else 0.0


def _window(place: tuple[float, float], size: tuple[float, float], shape: tuple[int, ...]) -> tuple[slice, slice]:
    starts = [max(0, round(middle - 0.5 * side)) for middle, side in zip(place, size, strict=True)]
    stops = [min(most, start + max(1, round(side))) for start, side, most in zip(starts, size, shape, strict=True)]
    return slice(starts[0], stops[0]), slice(starts[1], stops[1])
