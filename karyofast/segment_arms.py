"""Separation by arms (``method="arms"``): a plain reading of the same network, to measure the lifted one against.

The directions are given up: what is core in any of them is one plane, and where the network sees an overlap the plane
is cut. What is left are arms. At each overlap the two arms that run on into one another most nearly straight are
joined, then the next two; what finds no partner ends under the overlap. Bends need no rule here, and two chromosomes
that meet without an overlap but with their cores, end to end or at a corner, stay one.
"""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.masks import components
from karyofast.segment_axis import LEAST_BIN, LEAST_CORE, Core
from karyofast.segment_lift import ON, WIDTH

REACH = 2
"""Pixels of the network's grid across which an arm still meets an overlap."""

LOOK = 1.5 * WIDTH
"""Pixels of an arm, counted from the overlap, that tell its direction: as far as no bend reaches."""

STRAIGHT = -0.5
"""Cosine between the directions of two arms, both away from the overlap, up to which they are one chromosome's: one
that bends by more than 60 degrees where another crosses it is rare."""


def find_cores(lifted: NDArray[np.float32], threshold: float = ON) -> list[Core]:
    """The cores of the chromosomes, each an arm or arms joined across overlaps.

    Parameters
    ----------
    lifted : float32 (2 + directions, rows, columns)
        Probabilities of foreground, of overlap, and of a core in each direction, as the network gives them.
    threshold : float
        Probability from which a pixel is core.

    Returns
    -------
    list of Core
        In the order of their first arms; cores that meet at an overlap share its pixels.
    """
    core = lifted[2:].max(axis=0)
    crossed = lifted[1] > ON
    count, arms = components((core > threshold) & ~crossed, LEAST_BIN)
    zones, overlaps = components(crossed, 1)
    of_arm, of_zone = _pixels(arms, count), _pixels(overlaps, zones)
    group = np.arange(count)
    shared: dict[int, list[int]] = {}
    for zone in range(1, zones):
        here = np.stack(np.divmod(of_zone[zone], core.shape[1]), axis=1)
        meeting = _meeting(here, arms)
        points = {arm: np.stack(np.divmod(of_arm[arm], core.shape[1]), axis=1) for arm in meeting}
        for one, other in _joined(here, points):
            group[group == group[other]] = group[one]
        for arm in meeting:
            shared.setdefault(arm, []).append(zone)
    cores = []
    on = core.ravel() > threshold
    for first in dict.fromkeys(group[1:].tolist()):
        members = [arm for arm in range(1, count) if group[arm] == first]
        under = {zone for arm in members for zone in shared.get(arm, [])}
        parts = [*(of_arm[arm] for arm in members), *(of_zone[zone][on[of_zone[zone]]] for zone in under)]
        pixels = np.sort(np.concatenate(parts))
        if len(pixels) >= LEAST_CORE:
            cores.append(Core(pixels, float(core.ravel()[pixels].mean())))
    return cores


def _pixels(labels: NDArray[np.int32], count: int) -> list[NDArray[np.int64]]:
    """Flat places of each of `count` labels, rising; none for 0, the background."""
    there = np.flatnonzero(labels)
    names = labels.ravel()[there]
    order = np.argsort(names, kind="stable")
    return np.split(there[order], np.searchsorted(names[order], np.arange(1, count)))


def _meeting(zone: NDArray[np.int64], arms: NDArray[np.int32]) -> list[int]:
    """The arms that come up to an overlap, given its pixels (row, column)."""
    top, left = np.maximum(zone.min(axis=0) - REACH, 0)
    bottom, right = zone.max(axis=0) + REACH + 1
    window = arms[top:bottom, left:right]
    around = np.zeros(window.shape, dtype=np.uint8)
    around[zone[:, 0] - top, zone[:, 1] - left] = 1
    around = np.asarray(cv2.dilate(around, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)), dtype=np.uint8)
    return [int(arm) for arm in np.unique(window[around > 0]) if arm]


def _joined(zone: NDArray[np.int64], arms: dict[int, NDArray[np.int64]]) -> list[tuple[int, int]]:
    """Pairs of arms that go on into one another under an overlap, the straightest first, each arm once.

    Of the overlap and of the arms that come up to it the pixels (row, column) are given.
    """
    middle = zone.mean(axis=0)
    ways = {arm: _away(middle, points) for arm, points in arms.items()}
    pairs = sorted((float(ways[one] @ ways[other]), one, other) for one, other in combinations(ways, 2))
    found, used = [], set[int]()
    for cosine, one, other in pairs:
        if cosine <= STRAIGHT and not used & {one, other}:
            found.append((one, other))
            used |= {one, other}
    return found


def _away(middle: NDArray[np.float64], points: NDArray[np.int64]) -> NDArray[np.float64]:
    """Unit vector from the middle of an overlap along an arm, by the part of it that lies near."""
    apart = np.hypot(*(points - middle).T)
    near = points[apart <= apart.min() + LOOK]
    way = near.mean(axis=0) - middle
    return np.asarray(way / max(float(np.hypot(*way)), 1e-9))
