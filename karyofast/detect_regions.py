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

from karyofast.kernels import (
    RegionTree,
    above_field,
    cell_means,
    component_tree,
    count_down,
    disk_opening,
    largest_above,
    ridge_depths,
    rim_steps,
)

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
LEVELS = 4000
"""Grey levels that the flattened density is spread over: faint pictures keep their shades.

Of 60,000 levels nearly each pixel of a chromosome is a region; 4,000 have the same candidates (mfish's tune half, the
G-band pictures). With 1,000 rims move by a pixel here and there, which is enough to have some pictures read otherwise.
"""


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
    image : uint16 (rows, columns)
        What it is built of: `LEVELS` less the height above the background, which is spread over them.
    height, level : float (n,)
        Mean height above the background, and height of the rim, grey levels.
    above : float (n,)
        Largest ratio of level to mean height among the regions that hold this one.
    """

    tree: RegionTree
    image: NDArray[np.uint16]
    height: NDArray[np.float64]
    level: NDArray[np.float64]
    above: NDArray[np.float64]

    def outermost(self, fraction: float) -> NDArray[np.int64]:
        """The largest regions whose level is at least `fraction` of their mean height: disjoint."""
        return np.flatnonzero((self.level >= fraction * self.height) & (self.above < fraction))


def flatten(density: NDArray[np.uint8]) -> Flattened:
    """Smooth, measure the chromosome width, take off what a disk wider than a chromosome can still reach."""
    smooth: NDArray[np.float32] = density.astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(smooth, (0, 0), SMOOTHING, dst=smooth), dtype=np.float32)
    coarse: dict[int, NDArray[np.float32]] = {}
    # in one block: each page of fresh memory costs more than the work on it
    background, height = np.empty((2, *density.shape), dtype=np.float32)
    width = WIDTH_GUESS * min(density.shape)
    disk = _disk(FIRST_OPENING * width)
    above_field(smooth, _opening(smooth, disk, coarse), (background, height))
    for _ in range(2):  # the second round no longer sees the nuclei that were wider than the first disk
        width = _ridge_width(height) or width
        before, disk = disk, _disk(OPENING * width)
        if disk != before:
            above_field(smooth, _opening(smooth, disk, coarse), (background, height))
    return Flattened(height, background, width)


def stain_height(flat: Flattened) -> float:
    """Mean height of the stain, each pixel weighted by its own height; 0 where there is none."""
    height = flat.height[::4, ::4].astype(np.float64)
    total = float(height.sum())
    return float(np.square(height).sum()) / total if total > 0 else 0.0


def measure(flat: Flattened, connectivity: int, smallest: float, ground: float = 0.0) -> Measured:
    """Component tree of the flattened density, and what the choice needs of its regions.

    Of those of `smallest` px or more whose rim is higher than `ground`, grey levels: only what is higher is looked at.
    """
    top = float(flat.height.max())
    scale = LEVELS / top if top > 1e-6 else 1.0  # less is rounding
    image = count_down(flat.height, scale, LEVELS)
    # at height 0 all is ground: no rim
    bound, least = LEVELS - max(1, int(ground * scale)), max(1, int(np.ceil(smallest)))
    tree = component_tree(image, connectivity, bound, least, moments=False)
    height = (LEVELS - tree.grey_sum / tree.area) / scale
    level = (LEVELS - tree.level) / scale
    above = largest_above(tree.parent, level / np.maximum(height, 1e-9))
    return Measured(tree, image, height, level, above)


def visible_fraction(measured: Measured, sharp: NDArray[np.bool_], cut: bool) -> float:
    """Fraction of the mean height at which the edges of this picture are seen, from where its rims are steepest.

    `sharp` says which regions of `measured` may take part, `cut` whether the background was cut to black.
    """
    steepness = np.zeros(len(FRACTIONS))
    able = np.flatnonzero(sharp & (measured.level >= FRACTIONS[0] * measured.height) & (measured.above < FRACTIONS[-1]))
    height, level, above = measured.height[able], measured.level[able], measured.above[able]
    lowest = FRACTIONS[np.searchsorted(FRACTIONS, above, side="right")]  # at which no region around it is taken
    ever = level >= lowest * height
    able, height, level, above = able[ever], height[ever], level[ever], above[ever]
    chosen = (level >= FRACTIONS[:, None] * height) & (above < FRACTIONS[:, None])
    rim, sides = rim_steps(measured.image, measured.tree, able), measured.tree.perimeter[able]
    for place, among in enumerate(chosen):
        steepness[place] = rim[among].sum() / sides[among].sum() if among.any() else 0.0
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


def _disk(diameter: float) -> tuple[int, int]:
    """Step of the grid on which a disk is about 12 px wide, as good as the full one and far faster; its width there."""
    step = max(1, int(diameter // 12))
    return step, max(3, round(diameter / step) | 1)


def _opening(
    smooth: NDArray[np.float32], disk: tuple[int, int], known: dict[int, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Greyscale opening by a disk as of `_disk` on its grid, smoothed; `known` keeps the picture on each grid."""
    rows, columns = smooth.shape
    step, across = disk
    if step not in known:
        known[step] = cell_means(smooth, max(1, rows // step), max(1, columns // step))
    return np.asarray(cv2.GaussianBlur(disk_opening(known[step], across), (0, 0), across / 4), dtype=np.float32)


def _ridge_width(height: NDArray[np.float32]) -> float:
    """Median width along the ridges of the Otsu mask of `height`, px; 0 where there is none.

    Ridges count by their length, so a few round nuclei do not outweigh the chromosomes.
    """
    depth = ridge_depths(height)
    return 2 * float(np.median(depth)) if len(depth) else 0.0
