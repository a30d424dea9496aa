"""Medial axis of a cluster: its ridge of the ring radius, cut into pieces, and which pieces go on into one another.

The ridge is what is left when the pixels are taken away by rising ring radius as long as the shape stays
connected as it was; so it runs over the local maxima of the radius. It is cut at the local extrema along the
ridge: at the maxima where ridges meet (a crossing is broader than each chromosome) and at deep minima
(necks, where two chromosomes only touch).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import ridge_paths

TIP = 0.2
"""Ring radius, in widths, below which the ridge has no end: corners and notches would each give it a branch."""

SPUR = 0.5
"""Widths by which a branch must stand out of the disc at its junction; forks of a blunt end give 0.2 to 0.4."""

BRIDGE = 1.0
"""Widths of ridge between two junctions up to which they are one crossing: two lines that cross share less."""

NECK = 0.45
"""Ring radius against that of both sides below which a minimum is a neck.

Most pale bands and centromeres keep half of the width or more. The limits of this module are chosen on simulated
spreads, clusters composed of pki3 crops and the tune half of mfish."""

STRAIGHT = 25.0
"""Degrees of turn below which a neck is a centromere or a pale band: two that touch seldom lie in one line."""

THREAD = 0.2
"""Ring radius against that of both sides from which that holds; thinner is a bridge of stray pixels."""

TURN = 50.0
"""Degrees by which a chromosome may turn where several meet."""

BEND = 55.0
"""Degrees by which it may turn where only two pieces are left: sharper corners are mostly an end on an end."""

BEYOND = 0.75
"""Widths by which a piece goes on past a junction that only had spurs: to the junction and a little further."""

RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""Steps to the neighbours of a pixel, clockwise from the one above."""


Pair = tuple[float, float]
Tip = tuple[Pair, Pair]
"""Row and column of an end, and the unit direction in which it points."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of the ridge without junction or neck.

    Attributes
    ----------
    path : float64 (n, 2)
        Row, column, neighbours next to one another.
    radius : float64 (n,)
        Ring radius along it, px.
    ends : (int, int)
        Number of the junction that the first and the last point lead to, -1 for none.
    """

    path: NDArray[np.float64]
    radius: NDArray[np.float64]
    ends: tuple[int, int]

    def outward(self, end: int, reach: float) -> Tip:
        """The point at an end (0 or 1) and the unit direction in which the piece leaves there."""
        back, last = max(2, int(reach)), len(self.path) - 1
        at, before = (last, max(0, last - back)) if end else (0, min(last, back))
        row, col = self.path[at].tolist()
        from_row, from_col = self.path[before].tolist()
        return (row, col), _unit((row - from_row, col - from_col))


@dataclass(frozen=True)
class Link:
    """Two piece ends, each (piece, end), that are one chromosome."""

    one: tuple[int, int]
    other: tuple[int, int]


def cut(ridge: NDArray[np.bool_], radius: NDArray[np.float64], width: float) -> list[Piece]:
    """The pieces of a ridge, without spurs.

    Parameters
    ----------
    ridge : bool (height, width)
    radius : float64 (height, width)
    width : float
        Typical width of a chromosome, px.
    """
    # itself and its neighbours
    near = cv2.boxFilter(ridge.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    zones = np.zeros(ridge.shape, dtype=np.uint8)
    for place in np.flatnonzero(ridge & (near > 3)).tolist():
        row, col = divmod(place, ridge.shape[1])
        cv2.circle(zones, (col, row), max(1, round(radius[row, col])), 1, cv2.FILLED)
    while True:
        found = _paths(ridge, zones, radius)
        bridges = [one for one in found if _is_bridge(one, width)]
        if not bridges:
            break
        for one in bridges:
            rows, cols = one.path.T.astype(int)
            zones[rows, cols] = 1
            ends = one.path[[0, -1]].astype(int)
            cv2.line(zones, _xy(ends[0]), _xy(ends[1]), 1, 3)
    kept = [one for one in found if not _is_spur(one, width)]
    return [part for one in _extended(kept, radius, width) for part in _without_necks(one, width)]


def _xy(point: NDArray[np.int64]) -> tuple[int, int]:
    return int(point[1]), int(point[0])


def _is_bridge(piece: Piece, width: float) -> bool:
    first, last = piece.ends
    return first >= 0 and last >= 0 and first != last and len(piece.path) < BRIDGE * width


def _is_spur(piece: Piece, width: float) -> bool:
    first, last = piece.ends
    if first >= 0 and last >= 0:
        return len(piece.path) < 0.25 * width  # a rest between two discs
    if first < 0 and last < 0:
        return False
    tip = float(piece.radius[0] if first < 0 else piece.radius[-1])
    return len(piece.path) + tip < SPUR * width


def _extended(pieces: Sequence[Piece], radius: NDArray[np.float64], width: float) -> list[Piece]:
    """Draw a piece on through a junction of which only spurs were the other branches: its end lies beyond."""
    meeting = [end for piece in pieces for end in piece.ends]
    found = []
    for piece in pieces:
        for end in (0, 1):
            if piece.ends[end] < 0 or meeting.count(piece.ends[end]) > 1:
                continue
            tip, way = (np.array(pair) for pair in piece.outward(end, width))
            steps = np.rint(tip + np.arange(1, int(BEYOND * width) + 1)[:, None] * way)
            rows, cols = np.clip(steps.astype(int).T, 0, np.array(radius.shape)[:, None] - 1)
            values = radius[rows, cols]
            inside = int(np.argmin(np.append(values, 0.0) > 0))
            steps, values = steps[:inside], values[:inside]
            if end:
                path, around = np.concatenate([piece.path, steps]), np.concatenate([piece.radius, values])
                piece = Piece(path, around, (piece.ends[0], -1))
            else:
                path = np.concatenate([steps[::-1], piece.path])
                piece = Piece(path, np.concatenate([values[::-1], piece.radius]), (-1, piece.ends[1]))
        found.append(piece)
    return found


def _paths(ridge: NDArray[np.bool_], zones: NDArray[np.uint8], radius: NDArray[np.float64]) -> list[Piece]:
    """The connected parts of what the zones leave of the ridge, as paths in order."""
    found = ridge_paths(ridge, zones.view(bool))
    return [Piece(path.astype(np.float64), radius[path[:, 0], path[:, 1]], ends) for path, ends in found]


def _without_necks(piece: Piece, width: float) -> list[Piece]:
    """Cut a piece at its deepest neck, and what comes of it again."""
    before = np.maximum.accumulate(piece.radius)
    after = np.maximum.accumulate(piece.radius[::-1])[::-1]
    share = piece.radius / np.maximum(np.minimum(before, after), 1e-9)
    at = int(share.argmin())
    # both sides must have a body: half a width of ridge at least
    if share[at] >= NECK or min(at, len(share) - 1 - at) < 0.5 * width:
        return [piece]
    if share[at] > THREAD and _bend(piece.path, at, width) < STRAIGHT:
        return [piece]
    first = Piece(piece.path[:at], piece.radius[:at], (piece.ends[0], -1))
    last = Piece(piece.path[at + 1 :], piece.radius[at + 1 :], (-1, piece.ends[1]))
    return [*_without_necks(first, width), *_without_necks(last, width)]


def _bend(path: NDArray[np.float64], at: int, width: float) -> float:
    """Degrees by which a path turns at a neck, between its stretches 0.3 to 1.5 widths before it and after."""
    near, far = max(1, int(0.3 * width)), max(4, int(1.5 * width))
    last = len(path) - 1
    before = path[max(0, at - near)] - path[max(0, at - far)]
    after = path[min(last, at + far)] - path[min(last, at + near)]
    return _degrees(_unit(before.tolist()), _unit(after.tolist()))


def links(pieces: Sequence[Piece], width: float) -> list[Link]:
    """Which ends go on into one another at the junctions: the straightest pairs first.

    Parameters
    ----------
    pieces : sequence of Piece
    width : float
        Typical width of a chromosome, px.
    """
    meeting: dict[int, list[tuple[int, int]]] = {}
    for number, piece in enumerate(pieces):
        for end in (0, 1):
            if piece.ends[end] >= 0:
                meeting.setdefault(piece.ends[end], []).append((number, end))
    found = []
    for ends in meeting.values():
        limit = BEND if len(ends) == 2 else TURN
        tips = {at: pieces[at[0]].outward(at[1], width) for at in ends}
        pairs = [(turn(tips[one], tips[other], width), one, other) for one, other in combinations(ends, 2)]
        taken: set[tuple[int, int]] = set()
        for degrees, one, other in sorted(pairs):
            if degrees <= limit and one not in taken and other not in taken:
                taken |= {one, other}
                found.append(Link(one, other))
    return found


def turn(one: Tip, other: Tip, width: float) -> float:
    """Degrees by which a chromosome that goes through two ends turns, on its way between them included."""
    (start, leaving), (stop, arriving) = one, other
    back = (-arriving[0], -arriving[1])
    way = (stop[0] - start[0], stop[1] - start[1])
    if math.hypot(*way) < 0.5 * width:
        return _degrees(leaving, back)
    way = _unit(way)
    return max(_degrees(leaving, way), _degrees(way, back), _degrees(leaving, back))


def _unit(way: Sequence[float]) -> Pair:
    length = max(math.hypot(*way), 1e-9)
    return way[0] / length, way[1] / length


def _degrees(one: Pair, other: Pair) -> float:
    return math.degrees(math.acos(min(max(one[0] * other[0] + one[1] * other[1], -1.0), 1.0)))
