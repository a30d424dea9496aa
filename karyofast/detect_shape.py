"""Filter 1 of `detect`: which regions by their shape are no chromosomes and no clusters of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import Outlines, RegionTree, outlines

# Limits in units of the picture's own chromosome width W, so that they hold at every magnification. They stand
# outside the range that the true candidates of the mfish slides (tune half) and of the gband pictures span.
AREA_LIMITS = (0.6, 0.25)
"""Smallest area in W^2 (a chromosome 22 has about 1), largest as a share of the picture."""
WIDTH_LIMITS = (0.6, 2.4)
"""W: width of the largest disk inside. Hairs and specks are thinner, nuclei wider; a crossing reaches 2.1."""
HOLES = 6
"""Holes that a cluster may enclose; more are a net of grain or a speckled nucleus."""
NUCLEUS = (1.6, 2.0, 0.6)
"""Ellipse vote: a disk inside of at least this many W, axes of at most this ratio, this share of rim votes."""
SMALL_NUCLEUS = (10.0, 0.85)
"""Area in W^2 below which that share of the votes must be this high: a folded chromosome is a blob, no ellipse."""
DEBRIS = (1.3, 1.12, 0.75)
"""Ellipse vote: area in W^2 at most, ratio of the axes at most, share of the rim votes at least: round debris."""
RIM_BIN = 0.12
"""Width of the vote's bin: a rim pixel votes for the ellipse within 12 % of its radius."""
SPECK = "speck"
"""Reason for leaving out what is smaller than any chromosome: there may be hundreds, so they are not put down."""


def shape_faults(tree: RegionTree, regions: NDArray[np.int64], width: float) -> NDArray[np.str_]:
    """What area, Euler number, width and the ellipse vote have against each region, "" where nothing.

    Parameters
    ----------
    tree : RegionTree
    regions : int (n,)
        Disjoint regions of it.
    width : float
        Typical chromosome width W, px.
    """
    area = tree.area[regions] / width**2
    largest = AREA_LIMITS[1] * tree.shape[0] * tree.shape[1]
    faults = np.select(
        [area < AREA_LIMITS[0], tree.area[regions] > largest, 1 - tree.euler[regions] > HOLES],
        [SPECK, "too large", "full of holes"],
        "",
    ).astype(object)
    left = np.flatnonzero(faults == "")
    seen = outlines(tree, regions[left], RIM_BIN)
    faults[left] = _outline_faults(seen, area[left], width)
    return faults.astype(np.str_)


def _outline_faults(seen: Outlines, area: NDArray[np.float64], width: float) -> NDArray[Any]:
    """What the width inside and the ellipse vote have against regions of `area` W^2, "" where nothing."""
    disk = seen.disk / width
    share = np.where(area < SMALL_NUCLEUS[0], SMALL_NUCLEUS[1], NUCLEUS[2])
    nucleus = (disk >= NUCLEUS[0]) & (seen.aspect <= NUCLEUS[1]) & (seen.votes >= share)
    debris = (area <= DEBRIS[0]) & (seen.aspect <= DEBRIS[1]) & (seen.votes >= DEBRIS[2])
    thin, wide = disk < WIDTH_LIMITS[0], disk > WIDTH_LIMITS[1]
    return np.select([nucleus, debris, thin, wide], ["nucleus", "round debris", "thin", "wide"], "")
