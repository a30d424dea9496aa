"""Polarity: whether chromosomes are darker or brighter than the background, and the density that follows from it.

Two witnesses say on which side of the background the chromosomes lie. The first is the histogram: chromosomes are on
the side on which more lies, weighed by its distance. It is sure on a plain picture, and led astray by a black frame, a
dark vignette or a nucleus as large as the field. The second is a pair of top-hats, which see thin dark and thin bright
things and no large ones; it holds in such pictures, but is less sure where a spread is dense. So both are added as
logarithms of ratios, the first one bounded.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.types import Polarity

SMALL_SIDE = 256
"""Shorter side, px, of the copy in which thin things are looked for."""

LONGEST_SMALL = 4096
"""Longer side, px, of that copy at most: a strip of a few rows must not be blown up without bound."""

THIN = (7, 11, 13)
"""Widths, px of that copy, below which a thing is thin: one to three chromosomes of a usual field."""

HISTOGRAM_BOUND = 1.0
"""How much the histogram may weigh, as a logarithm; the top-hats of a usual picture give 2 to 4 in all."""

BACKGROUND_MARGIN = 64
"""Grey levels by which the background may lie behind what surrounds the chromosomes; a black frame lies farther."""

SMOOTHING = 5
"""Grey levels over which the histogram is averaged; a background without noise is found up to two levels off."""


class _Thin(NamedTuple):
    """What stands out of a small copy, and the picture without it, summed up."""

    dark: float
    bright: float
    above: float
    """level around the strongest thin dark things"""
    below: float
    """level around the strongest thin bright things"""


def find_polarity(grey: NDArray[np.uint8]) -> Polarity:
    """Whether chromosomes are dark on bright or bright on dark.

    Parameters
    ----------
    grey : uint8 (height, width)
        A picture that is not blank.

    Returns
    -------
    {"dark", "bright"}

    Examples
    --------
    >>> field = np.full((60, 60), 230, np.uint8)
    >>> field[20:40, 28:32] = 40
    >>> find_polarity(field), find_polarity(255 - field)
    ('dark', 'bright')
    """
    return _side(grey, _flat_counts(grey), _thin(grey))


def seen_as(grey: NDArray[np.uint8], polarity: Literal["auto"] | Polarity) -> tuple[Polarity, NDArray[np.uint8]]:
    """Polarity, found where it is "auto", and the density: `find_polarity` and `density` with one look at the picture.

    Parameters
    ----------
    grey : uint8 (height, width)
        A picture that is not blank.
    polarity : {"auto", "dark", "bright"}
    """
    flat, thin = _flat_counts(grey), _thin(grey)
    chosen = _side(grey, flat, thin) if polarity == "auto" else polarity
    return chosen, _above(grey, chosen, _level(chosen, flat, thin[-1]))


def _side(grey: NDArray[np.uint8], flat: NDArray[np.float64], seen: list[_Thin]) -> Polarity:
    """Polarity by the histogram of the whole, that of what is flat, and thin things."""
    counts = _histogram(grey)
    away = np.arange(256) - _mode(flat)
    noise = max(3.0, 0.02 * float(np.ptp(grey)))
    darker = -float((counts * away)[away < -noise].sum())
    brighter = float((counts * away)[away > noise].sum())
    side = float(np.clip(_log_ratio(darker, brighter), -HISTOGRAM_BOUND, HISTOGRAM_BOUND))
    thin = sum(_log_ratio(one.dark, one.bright) for one in seen)
    return "dark" if side + thin >= 0.0 else "bright"


def density(grey: NDArray[np.uint8], polarity: Polarity) -> NDArray[np.uint8]:
    """Grey levels by which each pixel differs from the background, towards the chromosomes' side.

    It is not stretched: as much stain as the picture shows. The background is one level for the whole picture.

    Parameters
    ----------
    grey : uint8 (height, width)
    polarity : {"dark", "bright"}

    Returns
    -------
    uint8 (height, width)
        0 at the background and on its other side.
    """
    return _above(grey, polarity, background(grey, polarity))


def _above(grey: NDArray[np.uint8], polarity: Polarity, level: int) -> NDArray[np.uint8]:
    """Grey levels above a background of this level, 0 below it."""
    signed = level - np.arange(256) if polarity == "dark" else np.arange(256) - level
    table = np.clip(signed, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(grey, table), dtype=np.uint8)


def background(grey: NDArray[np.uint8], polarity: Polarity) -> int:
    """Level of the background: the one that most of the pixels in flat surroundings have.

    Levels that lie far on the chromosomes' side of what surrounds thin things are no background: a black frame
    around a bright field, a nucleus.
    """
    return _level(polarity, _flat_counts(grey), _thin(grey)[-1])


def _level(polarity: Polarity, counts: NDArray[np.float64], around: _Thin) -> int:
    """Level of the background from the histogram of what is flat and what surrounds thin things."""
    levels = np.arange(256)
    if polarity == "dark":
        allowed = levels >= around.above - BACKGROUND_MARGIN
    else:
        allowed = levels <= around.below + BACKGROUND_MARGIN
    kept = np.where(allowed, counts, 0.0)
    return _mode(kept if kept.any() else counts)


def _flat_counts(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Histogram (256,) of the flatter half of the picture, smoothed."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.5)
    slope = cv2.morphologyEx(smooth, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    flat = smooth[slope <= quantiles(np.asarray(slope, np.uint8), 0.5)[0]]
    counts = _histogram(np.asarray(flat, np.uint8))
    return np.convolve(counts, np.ones(SMOOTHING) / SMOOTHING, mode="same")


def quantiles(image: NDArray[np.uint8], *shares: float) -> tuple[int, ...]:
    """Levels below or at which `shares` of the pixels lie; from the histogram, so that nothing large is sorted.

    Examples
    --------
    >>> quantiles(np.arange(100, dtype=np.uint8), 0.01, 0.5, 1.0)
    (0, 49, 99)
    """
    below = np.cumsum(_histogram(image))
    return tuple(int(np.searchsorted(below, share * below[-1])) for share in shares)


def _histogram(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    # numpy.bincount would first copy the picture to eight bytes a pixel
    return cv2.calcHist([image.reshape(-1, 1)], [0], None, [256], [0.0, 256.0]).ravel().astype(np.float64)


def _mode(counts: NDArray[np.float64]) -> int:
    return int(np.argmax(counts))


def _thin(grey: NDArray[np.uint8]) -> list[_Thin]:
    """For each width of `THIN` how far thin dark and thin bright things stand out of the picture."""
    zoom = min(SMALL_SIDE / min(grey.shape), LONGEST_SMALL / max(grey.shape))
    size = (max(1, round(grey.shape[1] * zoom)), max(1, round(grey.shape[0] * zoom)))
    small: Any = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if zoom < 1.0 else cv2.INTER_LINEAR)
    found = []
    for width in THIN:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
        closed = np.asarray(cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel), np.uint8)
        opened = np.asarray(cv2.morphologyEx(small, cv2.MORPH_OPEN, kernel), np.uint8)
        # closing never darkens, opening never brightens: nothing wraps
        dark, bright = closed - small, small - opened
        found.append(_Thin(_energy(dark), _energy(bright), _around(closed, dark), _around(opened, bright)))
    return found


def _around(level: NDArray[np.uint8], hat: NDArray[np.uint8]) -> float:
    """Median of `level` where `hat` is at least half its strongest hundredth."""
    return float(quantiles(level[hat >= 0.5 * quantiles(hat, 0.99)[0]], 0.5)[0])


def _energy(hat: NDArray[np.uint8]) -> float:
    return float(np.square(hat, dtype=np.float64).sum())


def _log_ratio(one: float, other: float) -> float:
    # one grey level more on either side: a picture without noise has nothing at all on one of them
    return float(np.log((one + 1.0) / (other + 1.0)))
