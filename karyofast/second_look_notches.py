"""Cuts from notch to notch: chromosomes that touch end to flank or at an angle meet between dents of their outline.

A cut across the axis (`karyofast.second_look_moves.cuts`) divides what lies one behind the other; what lies beside does
not end there.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.masks import common
from karyofast.second_look_moves import ODD, Way, part_of, settled
from karyofast.types import Chromosome

# Chosen on mfish's training slides; lengths in the piece's own median width.
DEEP = 0.15
"""Depth of a dent under the hull from which it is a notch."""

LONGEST = 1.5
"""Length of a cut."""

AROUND = 2.0
"""Least way around either part, in lengths of the cut: less is a corner cut off."""

SIDE = 1.5
"""The same in widths."""

LEAST_PART = 0.5
"""Area of a part, squared widths."""

OTHERWISE = 0.3
"""Area in squared widths by which two ways to divide a piece must differ."""

BETWEEN = 0.75
"""A cut between two notches counts as if it were this much of its length: one end of it is not chance."""

BESIDE, CROSSED = 0.5, 0.25
"""Breadth, in widths, of what lies beside a cut, and the share of it that another piece may own too: beside a crossing
the notches are its corners."""

MOST = 3
"""Cuts offered for a piece, the shortest ones."""


def notches(way: Way) -> list[list[Chromosome]]:
    """The ways in which a doubtful piece is divided by a straight cut that begins in a notch of its outline."""
    found = []
    for number, piece in enumerate(way):
        if piece.strangeness < ODD and settled(piece):
            continue
        rest = [other.chromosome for at, other in enumerate(way) if at != number]
        divided = _divided(piece.chromosome, float(np.median(piece.straightened.widths)), rest)
        found += [[*rest, *(part_of(piece.chromosome, part, "cut") for part in parts)] for parts in divided]
    return found


def _divided(
    one: Chromosome, width: float, rest: Sequence[Chromosome]
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Both parts of each cut, in the box of `one`."""
    rim = outline(one.mask)
    crossed = np.zeros(one.mask.shape, dtype=bool)
    for other in rest:
        mine, theirs = common(one, other)
        crossed[mine] |= other.mask[theirs]
    kept: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
    for begin, end in chords(rim, width):
        canvas = np.zeros(one.mask.shape, dtype=np.uint8)
        cv2.line(canvas, rim[begin].tolist(), rim[end].tolist(), 1, max(1, round(BESIDE * width)))
        beside = canvas.astype(bool) & one.mask
        if np.count_nonzero(beside & crossed) > CROSSED * np.count_nonzero(beside):
            continue
        canvas[...] = 0
        cv2.fillPoly(canvas, [rim[begin : end + 1]], 1)
        first = canvas.astype(bool) & one.mask
        second = one.mask & ~first
        if min(np.count_nonzero(first), np.count_nonzero(second)) < LEAST_PART * width**2:
            continue
        if all(np.count_nonzero(first ^ part) >= OTHERWISE * width**2 for parts in kept for part in parts):
            kept.append((first, second))
        if len(kept) == MOST:
            break
    return kept


def outline(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The pixels (column, row) of the longest outer rim of a mask, one after the other."""
    rims, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(max(rims, key=len), dtype=np.int32).reshape(-1, 2)


def chords(rim: NDArray[np.int32], width: float) -> list[tuple[int, int]]:
    """Places on an outline between which a straight cut may divide what it encloses, the shortest first.

    From each notch the shortest cut, and those to other notches; the first place of a pair is the lower.

    Parameters
    ----------
    rim : int32 (n, 2)
        As `outline` gives it.
    width : float
        px
    """
    dents = notched(rim, DEEP * width)
    steps = np.hypot(*(np.roll(rim, -1, axis=0) - rim).T)
    along, length = np.cumsum(steps) - steps, float(steps.sum())
    found = {}
    for here in dents:
        apart = np.hypot(*(rim - rim[here]).T)
        way = np.abs(along - along[here])
        way = np.minimum(way, length - way)
        able = (way >= AROUND * apart) & (way >= SIDE * width) & (apart <= LONGEST * width)
        if not able.any():
            continue
        nearest = int(np.argmin(np.where(able, apart, np.inf)))
        for there in {nearest, *(dent for dent in dents if able[dent])}:
            share = BETWEEN if there in dents else 1.0
            found[min(here, there), max(here, there)] = share * float(apart[there])
    return sorted(found, key=lambda pair: (found[pair], pair))


def notched(rim: NDArray[np.int32], least: float) -> list[int]:
    """Places of an outline that lie `least` px or more under its convex hull, the deepest of each dent."""
    if len(rim) < 4:
        return []
    hull = np.sort(cv2.convexHull(rim, returnPoints=False).ravel())
    dents = cv2.convexityDefects(rim, hull) if len(hull) > 2 else None
    # OpenCV's depths are in 1/256 px
    return [] if dents is None else [int(far) for _, _, far, depth in dents.reshape(-1, 4) if depth >= 256 * least]
