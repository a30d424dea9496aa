"""The regions that `detect` chooses among: flat background, component tree, one region of each nested chain.

A chromosome's visible edge lies at a fixed fraction of its own height above the background around it. So the
background is taken off first, and of each chain of nested extremal regions the largest is kept whose level is at
least that fraction of its mean height. Chromosomes that touch above their visible edge are then one region, as they
are one blob to the eye; those that only share a glow are two.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import RegionTree, component_tree, largest_above

SMOOTHING = 0.8
"""Gaussian sigma, px: takes the pixel noise off and leaves the narrowest gap between chromosomes (2 px)."""
WIDTH_GUESS = 0.02
"""Chromosome width over the shorter side of the picture, where none can be measured."""
FIRST_OPENING = 5.0
"""Diameter of the first opening in guessed widths: wide enough for any magnification at hand."""
OPENING = 3.0
"""Diameter of the opening in measured widths: a chromosome, and two side by side, are narrower; nuclei are wider."""
FRACTIONS = np.arange(0.30, 0.801, 0.05)
"""Fractions of the mean height at which the steepest rim is looked for."""
VISIBLE = 0.8
"""Visible edge over steepest rim: the eye sets the edge further out (chosen on mfish slides, tune half)."""
VISIBLE_CUT = 0.6
"""The same where the background was cut to black: the foot of every edge went with it (chosen on the same half)."""
CUT_TO_BLACK = 1.0
"""Median density, grey levels, up to which a picture counts as cut: no camera's background is that even."""
VISIBLE_LIMITS = (0.25, 0.60)
"""Bounds of the fraction: below them is glow, above them bands fall apart."""
LEVELS = 60000
"""Grey levels that the flattened density is spread over, so that faint pictures keep their shades."""


@dataclass(frozen=True, eq=False)
class Flattened:
    """Density without its background.

    Attributes
    ----------
    height, background : float32 (rows, columns)
        Density above the background, and the background, grey levels.
    width : float
        Typical chromosome width, px.
    """

    height: NDArray[np.float32]
    background: NDArray[np.float32]
    width: float


@dataclass(frozen=True, eq=False)
class Measured:
    """Regions of the flattened density that are large enough to be looked at; the arrays run in parallel.

    Attributes
    ----------
    tree : RegionTree
    height, level : float (n,)
        Mean height above the background, and height of the rim, grey levels.
    above : float (n,)
        Largest ratio of level to mean height among the regions that hold this one.
    rim : float (n,)
        Sum over the rim of the step in density across it: by the divergence theorem the sum of the Laplacian inside.
    """

    tree: RegionTree
    height: NDArray[np.float64]
    level: NDArray[np.float64]
    above: NDArray[np.float64]
    rim: NDArray[np.float64]

    def outermost(self, fraction: float) -> NDArray[np.int64]:
        """The largest regions whose level is at least `fraction` of their mean height: disjoint."""
        return np.flatnonzero((self.level >= fraction * self.height) & (self.above < fraction))


def flatten(density: NDArray[np.uint8]) -> Flattened:
    """Smooth, measure the chromosome width, take off what a disk wider than a chromosome can still reach."""
    smooth: NDArray[np.float32] = np.asarray(
        cv2.GaussianBlur(density.astype(np.float32), (0, 0), SMOOTHING), dtype=np.float32
    )
    width = WIDTH_GUESS * min(density.shape)
    diameter = FIRST_OPENING * width
    for _ in range(2):  # the second round no longer sees the nuclei that were wider than the first disk
        width = _ridge_width(smooth - _opening(smooth, diameter)) or width
        diameter = OPENING * width
    background = _opening(smooth, diameter)
    return Flattened(smooth - background, background, width)


def measure(flat: Flattened, connectivity: int, smallest: float) -> Measured:
    """Component tree of the flattened density, and what the choice needs of its regions of `smallest` px or more."""
    top = float(flat.height.max())
    scale = LEVELS / top if top > 0 else 1.0
    image = (LEVELS - np.rint(flat.height * scale)).astype(np.uint16)
    # at height 0 all is ground: no rim
    tree = component_tree(image, connectivity, LEVELS - 1, max(1, int(np.ceil(smallest))))
    # whole numbers below 2^24: exact in single precision
    laplacian = cv2.Laplacian(image, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REPLICATE)
    sums = np.concatenate([[0.0], np.cumsum(laplacian.ravel()[tree.order], dtype=np.float64)])
    height = (LEVELS - tree.grey_sum / tree.area) / scale
    level = (LEVELS - tree.level) / scale
    rim = (sums[tree.start + tree.area] - sums[tree.start]) / scale
    above = largest_above(tree.parent, level / np.maximum(height, 1e-9))
    return Measured(tree, height, level, above, rim)


def visible_fraction(measured: Measured, sharp: NDArray[np.bool_], cut: bool) -> float:
    """Fraction of the mean height at which the edges of this picture are seen, from where its rims are steepest.

    `sharp` says which regions of `measured` may take part, `cut` whether the background was cut to black.
    """
    steepness = np.zeros(len(FRACTIONS))
    for place, fraction in enumerate(FRACTIONS):
        chosen = measured.outermost(float(fraction))
        chosen = chosen[sharp[chosen]]
        sides = int(measured.tree.perimeter[chosen].sum())
        steepness[place] = measured.rim[chosen].sum() / sides if sides else 0.0
    best = int(np.argmax(steepness))
    steepest = float(FRACTIONS[best])
    if 0 < best < len(FRACTIONS) - 1:  # vertex of the parabola through the best three
        before, at, after = steepness[best - 1 : best + 2]
        bend = before - 2 * at + after
        if bend < 0:
            steepest += 0.5 * float(FRACTIONS[1] - FRACTIONS[0]) * float((before - after) / bend)
    return float(np.clip((VISIBLE_CUT if cut else VISIBLE) * steepest, *VISIBLE_LIMITS))


def typical_height(area: NDArray[np.int32], height: NDArray[np.float64]) -> float:
    """Median height over all stain (pixels weighted by their height), 0 where there is none."""
    if len(area) == 0:
        return 0.0
    rank = np.argsort(height)
    stain = np.cumsum((area * height)[rank])
    return float(height[rank][np.searchsorted(stain, 0.5 * stain[-1])])


def _opening(smooth: NDArray[np.float32], diameter: float) -> NDArray[np.float32]:
    """Greyscale opening by a disk, smoothed; on a coarse grid: a disk of about 12 px is as good and far faster."""
    rows, columns = smooth.shape
    step = max(1, int(diameter // 12))
    coarse = cv2.resize(smooth, (max(1, columns // step), max(1, rows // step)), interpolation=cv2.INTER_AREA)
    size = max(3, round(diameter / step) | 1)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    opened = cv2.GaussianBlur(cv2.morphologyEx(coarse, cv2.MORPH_OPEN, disk), (0, 0), size / 4)
    return np.minimum(cv2.resize(opened, (columns, rows), interpolation=cv2.INTER_LINEAR), smooth)


def _ridge_width(height: NDArray[np.float32]) -> float:
    """Median width along the ridges of the Otsu mask of `height`, px; 0 where there is none.

    Ridges count by their length, so a few round nuclei do not outweigh the chromosomes.
    """
    top = float(height.max())
    if top <= 0:
        return 0.0
    _, mask = cv2.threshold((height * (255 / top)).astype(np.uint8), 0, 1, cv2.THRESH_OTSU)
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    # below 1.5 px is grain, not a ridge
    ridge = (depth >= cv2.dilate(depth, np.ones((3, 3), dtype=np.uint8))) & (depth > 1.5)
    return 2 * float(np.median(depth[ridge])) if ridge.any() else 0.0
