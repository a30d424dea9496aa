"""Quality of a metaphase: how well a picture can be karyotyped, to rank the pictures of a slide.

Four terms in 0..1, from what the pipeline knows already; lengths are in widths of the cell's own chromosomes, so that
they say the same at every magnification:

- *spread*: how far apart the chromosomes lie: the mean gap to the nearest other one, up to `AMPLE` widths.
- *free*: how few overlaps there are: each chromosome that crosses another counts 0, one that touches another a half,
  one that lies alone 1.
- *sharpness*: how steep the rims are: mean gradient at the rim, in the contrast of the chromosomes by their width,
  over that of a picture in focus (`FOCUS`).
- *count*: how near the number of chromosomes is to 46: a third is left where ten are missing or too many. A cell of 45
  or 47 loses little of its total, so that a true aneuploidy is not sent to the end of the list.

The total is their geometric mean: what is bad in one way is not made good by another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.types import Chromosome, Metaphase, Quality

USUAL = 46
"""Chromosomes of a usual cell."""

MANY = 10.0
"""Chromosomes missing or too many that leave e^-1 of the count: fewer of them are the usual losses of a spread."""

AMPLE = 1.0
"""Gap in widths from which more room makes nothing easier: another chromosome would fit between."""

TOUCHING = 1.0
"""Gap in px up to which two masks touch: a pixel may be lost where they were parted."""

FOCUS = 7.0
"""Gradient at the rim, contrasts a width, of a picture in focus: what the sharpest of 40 real G-band ones reach."""


def measure(metaphase: Metaphase, chromosomes: Sequence[Chromosome]) -> Quality:
    """Measure a metaphase; all terms are 0 where there is no chromosome.

    Parameters
    ----------
    metaphase : Metaphase
    chromosomes : sequence of Chromosome
        Separated, with the masks as `karyofast.segment` or a hand gives them.

    Returns
    -------
    Quality
        Time grows with the pixels of the picture.
    """
    if not chromosomes:
        return Quality()
    owner = np.zeros(metaphase.shape, dtype=np.int32)
    owners = np.zeros(metaphase.shape, dtype=np.uint8)
    for number, one in enumerate(chromosomes, 1):
        owner[one.box.slices][one.mask] = number
        owners[one.box.slices] += one.mask
    inside = owner > 0
    crossing = np.array([bool((owners[one.box.slices][one.mask] > 1).any()) for one in chromosomes])
    gaps = np.where(crossing, 0.0, _gaps(owner, len(chromosomes)))
    width = _width(inside, chromosomes)
    free = np.where(crossing, 0.0, np.where(gaps <= TOUCHING, 0.5, 1.0))
    return Quality(
        spread=float(np.minimum(gaps / (AMPLE * width), 1.0).mean()),
        free=float(free.mean()),
        sharpness=_sharpness(metaphase.grey, inside, width),
        count=math.exp(-abs(len(chromosomes) - USUAL) / MANY),
    )


def _gaps(owner: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Gap of each chromosome to the nearest other one, px; infinite where it is the only one.

    Each pixel of the background belongs to its nearest chromosome. Where two such fields meet, the way from the one
    chromosome to the other is the sum of the distances on both sides.
    """
    away, nearest = cv2.distanceTransformWithLabels(
        (owner == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # the transform numbers the pixels of the masks; what is asked is whose they are
    whose = np.zeros(int(nearest.max()) + 1, dtype=np.int32)
    whose[nearest[owner > 0]] = owner[owner > 0]
    field = whose[nearest]
    gaps = np.full(count + 1, np.inf)
    for a, b in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        meet = field[a] != field[b]
        way = (away[a] + away[b])[meet]
        for side in (a, b):
            np.minimum.at(gaps, field[side][meet], way)
    return gaps[1:]


def _width(inside: NDArray[np.bool_], chromosomes: Sequence[Chromosome]) -> float:
    """Typical width of the chromosomes, px: the median of the widest disks in them."""
    depth = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    return 2.0 * float(np.median([depth[one.box.slices][one.mask].max() for one in chromosomes]))


def _sharpness(grey: NDArray[np.uint8], inside: NDArray[np.bool_], width: float) -> float:
    """Mean gradient at the rim, in contrasts a width, over that of a picture in focus; 0..1."""
    levels = grey.astype(np.float32)
    slopes = [cv2.Sobel(levels, cv2.CV_32F, *axis, ksize=3, scale=0.125) for axis in ((1, 0), (0, 1))]
    # the mask may follow another level than the steepest one: what counts is the steepest place within a pixel
    square = np.ones((3, 3), np.uint8)
    steepest = cv2.dilate(cv2.magnitude(*slopes), square)
    rim = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, square) > 0
    contrast = abs(_median(grey[inside]) - _median(grey[~inside]))
    return min(1.0, float(steepest[rim].mean()) * width / contrast / FOCUS) if contrast > 0 else 0.0


def _median(levels: NDArray[np.uint8]) -> float:
    """The median grey level, from the histogram; 0 of nothing."""
    reached = np.cumsum(np.bincount(levels, minlength=256))
    return float(np.searchsorted(reached, reached[-1] / 2))
