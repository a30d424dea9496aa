"""Baselines of `detect`, without filters: one threshold, a threshold around each pixel, maximally stable regions."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import RegionTree, component_tree
from karyofast.types import Box, Candidate

LEAST_AREA = 64
"""Smallest component, px: below it is grain at every magnification at hand."""

DELTA = 5
"""Grey levels up and down over which a region must be stable: the usual setting (VLFeat, OpenCV)."""

LARGEST_VARIATION = 0.5
"""Change of area over 2 `DELTA` levels as a share of the area: the usual 0.25 is over one `DELTA`."""


def otsu(density: NDArray[np.uint8], connectivity: int) -> list[Candidate]:
    """Components above one threshold for the whole picture."""
    level, mask = cv2.threshold(density, 0, 1, cv2.THRESH_OTSU)
    return _components(np.asarray(mask, dtype=np.uint8), int(level), connectivity)


def adaptive(density: NDArray[np.uint8], connectivity: int) -> list[Candidate]:
    """Components above the mean around each pixel plus a step."""
    side = (min(density.shape) // 8) | 1  # about the length of the longest chromosome
    level = max(1, round(float(density.std()) / 2))  # the step: half the picture's contrast
    mask = cv2.adaptiveThreshold(density, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, max(3, side), -level)
    return _components(np.asarray(mask, dtype=np.uint8), level, connectivity)


def _components(mask: NDArray[np.uint8], level: int, connectivity: int) -> list[Candidate]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=connectivity)
    found = []
    for label in range(1, len(stats)):
        left, top, width, height, area = (int(value) for value in stats[label])
        if area >= LEAST_AREA:
            box = Box(top, left, height, width)
            inside = labels[box.slices] == label
            found.append(Candidate(box, inside, level=level, euler=_euler(inside)))
    return found


def _euler(mask: NDArray[np.bool_]) -> int:
    """Euler number (8-connected) of one component."""
    outside, _ = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8), connectivity=4)
    return 1 - (outside - 2)  # components: the mask itself, the outside, the holes


def stable(density: NDArray[np.uint8], connectivity: int, largest: int) -> list[Candidate]:
    """Maximally stable extremal regions (eq. 3), of those nested in one another the most stable.

    A region's variation is the change of its area from `DELTA` levels further in to `DELTA` levels further out, over
    its area; it is maximally stable where neither the next larger nor the next smaller region varies less. Of OpenCV's
    own regions few are as large as a chromosome, most are single bands, so these are read off the component tree.

    Parameters
    ----------
    density : uint8 (height, width)
    connectivity : {4, 8}
    largest : int
        Area of the largest region, px.

    Returns
    -------
    list of Candidate
        Disjoint.

    References
    ----------
    Matas et al., "Robust wide-baseline stereo from maximally stable extremal regions", BMVC 2002.
    """
    tree = component_tree(255 - density, connectivity)
    main = _main_children(tree)
    sized = np.flatnonzero((tree.area >= LEAST_AREA) & (tree.area <= largest))
    variation = np.full(len(tree) + 1, np.inf)  # the last one stands for "no such region"
    variation[sized] = (_area_outward(tree, sized) - _area_inward(tree, sized, main)) / tree.area[sized]
    own, outer, inner = variation[sized], variation[tree.parent[sized]], variation[main[sized]]
    chosen = sized[(own <= LARGEST_VARIATION) & (own <= outer) & (own < inner)]
    taken = np.zeros(density.size, dtype=bool)
    found = []
    for region in chosen[np.argsort(variation[chosen], kind="stable")].tolist():
        pixels = tree.pixels(region)
        if taken[pixels].any():
            continue
        taken[pixels] = True
        box, mask = tree.mask(region)
        found.append(Candidate(box, mask, level=255 - int(tree.level[region]), euler=int(tree.euler[region])))
    return found


def _main_children(tree: RegionTree) -> NDArray[np.int64]:
    """The largest child of each region, -1 where there is none."""
    main = np.full(len(tree) + 1, -1, dtype=np.int64)
    by_area = np.argsort(tree.area, kind="stable")
    main[tree.parent[by_area]] = by_area  # the largest is written last; what roots write goes behind the end
    return main[:-1]


def _area_outward(tree: RegionTree, start: NDArray[np.int64]) -> NDArray[np.int32]:
    """Area at `DELTA` levels further out, px."""
    at = start.copy()
    for _ in range(DELTA):  # each step outward is a level or more
        parent = tree.parent[at]
        near = (parent >= 0) & (tree.level[parent] <= tree.level[start] + DELTA)
        at = np.where(near, parent, at)
    return np.asarray(tree.area[at])


def _area_inward(tree: RegionTree, start: NDArray[np.int64], main: NDArray[np.int64]) -> NDArray[np.int32]:
    """Area at `DELTA` levels further in, px, along the largest children; 0 where nothing is left."""
    at = start.copy()
    for _ in range(DELTA):
        beyond = (at >= 0) & (tree.level[at] > tree.level[start] - DELTA)
        at = np.where(beyond, main[at], at)
    return np.where(at >= 0, tree.area[at], 0)
