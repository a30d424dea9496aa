"""Filter 1 of `detect`: which regions by their shape are no chromosomes and no clusters of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import RegionTree

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


@dataclass(frozen=True, eq=False)
class Outlines:
    """What the outlines of some regions tell, one row a region.

    Attributes
    ----------
    disk : float64 (n,)
        Diameter of the largest disk inside, px.
    aspect : float64 (n,)
        Ratio of the axes of the ellipse with the region's moments, at least 1.
    votes : float64 (n,)
        Share of the rim's votes for that ellipse, 0..1.
    """

    disk: NDArray[np.float64]
    aspect: NDArray[np.float64]
    votes: NDArray[np.float64]


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
    seen = outlines(tree, regions[left])
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


def outlines(tree: RegionTree, regions: NDArray[np.int64]) -> Outlines:
    """Largest disk inside and Hough vote of the rim for one ellipse, of all regions of a picture together.

    Centre, axes and direction of the ellipse come from the region's moments, which leaves one parameter to vote on:
    the scale. Each rim pixel votes for the scale at which the ellipse meets it; the share in the bin around 1 says how
    much of an ellipse the region is. Nuclei and round debris reach 0.6 to 1, chromosomes about 0.5, clusters less.

    Parameters
    ----------
    tree : RegionTree
    regions : int (n,)
        Disjoint regions of it.

    Examples
    --------
    >>> from karyofast.kernels import component_tree
    >>> rows, columns = np.mgrid[-20:21, -20:21]
    >>> disk = component_tree((rows**2 + columns**2 > 400).astype(np.uint8), max_level=0)
    >>> seen = outlines(disk, np.array([0]))
    >>> round(float(seen.aspect[0]), 2), bool(seen.votes[0] > 0.9)
    (1.0, True)
    """
    if len(regions) == 0:
        return Outlines(*np.zeros((3, 0)))
    height, width = tree.shape
    area = tree.area[regions].astype(np.int64)
    first = np.cumsum(area) - area
    pixels = np.concatenate([tree.pixels(int(region)) for region in regions])
    rows = pixels // width
    places = pixels + 2 * rows + (width + 3)  # with a rim of one pixel, since what lies beyond the picture is no region
    canvas = np.zeros((height + 2, width + 2), dtype=np.uint8)
    canvas.ravel()[places] = 1
    depth = cv2.distanceTransform(canvas, cv2.DIST_L2, 5).ravel()[places]
    # disjoint regions of one tree do not touch: where all around is region, it is the same one
    inside = cv2.erode(canvas, np.ones((3, 3), dtype=np.uint8)).ravel()[places] != 0
    rim = np.flatnonzero(~inside)
    down, across = rows.astype(np.int64), (pixels - rows * width).astype(np.int64)
    sums = [np.add.reduceat(term, first) for term in (down, across, down * down, across * across, down * across)]
    aspect, votes = _ellipse_votes(
        np.stack(sums, axis=1) / area[:, None],
        np.searchsorted(first, rim, side="right") - 1,
        down[rim].astype(np.float64),
        across[rim].astype(np.float64),
    )
    return Outlines(2.0 * np.maximum.reduceat(depth, first), aspect, votes)


def _ellipse_votes(
    means: NDArray[np.float64], of: NDArray[np.int64], rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ratio of the axes and share of the rim's votes.

    `means` of a region: row, column, their squares and product; a rim pixel lies at `rows`, `cols` in the region `of`.
    """
    row, col = means[:, 0], means[:, 1]
    # 1/12: a pixel's own extent
    down, across, mixed = means[:, 2] - row**2 + 1 / 12, means[:, 3] - col**2 + 1 / 12, means[:, 4] - row * col
    half, apart = (down + across) / 2, np.hypot((down - across) / 2, mixed)
    y, x = rows - row[of], cols - col[of]
    square = across[of] * y * y + down[of] * x * x - 2 * mixed[of] * y * x
    scale = np.sqrt(square / (down * across - mixed * mixed)[of]) / 2  # a solid ellipse ends at 2 sigma
    voters = np.bincount(of, minlength=len(means))
    votes = np.bincount(of, np.abs(scale - 1) <= RIM_BIN, minlength=len(means)) / voters
    return np.sqrt((half + apart) / (half - apart)), votes
