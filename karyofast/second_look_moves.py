"""What the second look may do to the pieces of a way: join two, cut one across, take what lies across one off it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import nearest
from karyofast.masks import tight
from karyofast.smooth import smoothed
from karyofast.types import CLASSES, Candidate, Chromosome, Label, Straightened

UNSURE = 0.6
"""Confidence of a class below which a piece may be cut: most single chromosomes are read with more."""

DOUBTFUL = 2.0
"""Nats of `Piece.doubt` from which a piece may be cut though its bands are read surely: two joined end to end read like
the longer one, but are half as large again."""

LEAST = 1e-4
"""Least probability of a class in `Piece.doubt`."""

NECK = 0.85
"""Width at a neck over the least of the greatest widths on its sides; a centromere is one, so a cut must also pay."""

MOST_CUTS = 3
"""Cuts offered for one piece, the sharpest bend and the deepest necks."""

FAR = 2.2
"""Gap in widths between two ends that may be joined: what lies across is a width wide, seldom at a right angle."""

NEAR = 0.8
"""Gap in widths up to which two ends may be joined at any bend: a folded chromosome is cut at its fold."""

STRAIGHT = 0.6
"""Least cosine between the directions of two ends that are joined across a gap."""

LAP = 1.6
"""Widths by which two ends that are joined may lie past one another: where another crosses between two pieces, each of
them owns the crossing."""

IN_LINE = 0.85
"""Least cosine between the way from one end to the other and the axis where they lie past one another: two that lie
side by side are not in line."""

BRIDGED = 0.85
"""Share of the line between two ends that must lie in the candidate."""


ACCOUNTED = 0.96
"""Share of its mask that a chromosome's straightened crop accounts for: of simulated ones 99 in 100 have more, of
simulated crossing pairs taken for one 9 in 10 have less."""

STRANGE = 60.0
"""Nats for what the crop leaves out, as a share of the mask: the usual crossing pair, 0.07 short, costs a gain."""

ODD = 0.3
"""Nats of `Piece.strangeness` from which arms are looked for though a piece's bands are read surely."""

UNWHOLE = 4.0
"""Nats, at most, for what is read as no whole single chromosome: an unplaced cluster must not be cheaper than two
chromosomes that a crossing makes hard to read."""

BODY = 0.65
"""Widths from the axis within which a pixel belongs to the chromosome itself; a straight rim lies at 0.5."""

LEAST_ARM = 0.25
"""Squared widths of what stands out of a chromosome on one side, below which it is a rough rim."""

LEAST_ALONE = 0.6
"""The same for what stands out on one side only and is taken for a chromosome that touches: a 21 has about 1."""

ASTRIDE = 1.2
"""Widths along the axis by which two arms may lie apart to be those of one chromosome that crosses."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A chromosome of some way, with its crop, its label and its strangeness, nats."""

    chromosome: Chromosome
    straightened: Straightened
    label: Label
    strangeness: float = 0.0
    sizes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(CLASSES)))
    """nats by which its area speaks against each class (`karyofast.sizes.surprise`)"""

    @property
    def doubt(self) -> float:
        """Nats of the class that its bands and its size together speak for most."""
        return float((self.sizes - np.log(np.maximum(self.label.probabilities, LEAST))).min())


@dataclass(frozen=True, eq=False)
class Sketch:
    """A chromosome of some way that was not read: what its area alone says, see `Piece`; its crop when asked for."""

    chromosome: Chromosome
    sizes: NDArray[np.float64]
    crop: Callable[[Chromosome], Straightened]
    strangeness: float = 0.0

    @property
    def straightened(self) -> Straightened:
        """Its crop."""
        return self.crop(self.chromosome)


Way = tuple[Piece, ...]
"""One way to cut a candidate."""

OpenWay = tuple[Piece | Sketch, ...]
"""The same, perhaps not read."""


def strangeness(chromosome: Chromosome, straightened: Straightened, label: Label) -> float:
    """Nats against a piece, whatever its class.

    A crossing pair taken for one has arms that its straightened crop leaves out, and shows no single chromosome.
    """
    accounted = float(straightened.widths.sum()) / chromosome.area
    whole = max(1.0 - label.nothing, math.exp(-UNWHOLE))
    return STRANGE * max(0.0, ACCOUNTED - accounted) - math.log(whole)


def joins(ways: Sequence[OpenWay], candidate: Candidate) -> list[list[Chromosome]]:
    """The ways in which two pieces of one of the ways are joined to one chromosome.

    Two pieces are joined where an end of the one faces an end of the other, with nothing but the candidate between, or
    where both ends own the crossing between them. Ways that share a pair share what is made of it.
    """
    made: dict[tuple[int, int], Chromosome | None] = {}
    found: dict[frozenset[int], list[Chromosome]] = {}
    for way in ways:
        for first, second in combinations(range(len(way)), 2):
            pair = id(way[first]), id(way[second])
            if pair not in made:
                bridge = _bridge(way[first].straightened, way[second].straightened, candidate)
                made[pair] = None if bridge is None else _joined(way[first], way[second], bridge, candidate)
            joined = made[pair]
            if joined is not None:
                rest = [piece.chromosome for number, piece in enumerate(way) if number not in (first, second)]
                found[frozenset(id(one) for one in (*rest, joined))] = [*rest, joined]
    return list(found.values())


def _bridge(one: Straightened, other: Straightened, candidate: Candidate) -> NDArray[np.float64] | None:
    """The two ends (row, column) to be joined, or None."""
    width = float(np.median(np.concatenate([one.widths, other.widths])))
    best: tuple[float, NDArray[np.float64]] | None = None
    for start, out in _ends(one, width):
        for end, back in _ends(other, width):
            gap = end - start
            distance = float(np.hypot(*gap))
            fits = distance <= NEAR * width
            if not fits and float(-out @ back) >= STRAIGHT:
                ahead = float(out @ gap) / distance
                apart = distance <= FAR * width and ahead >= STRAIGHT
                fits = apart or (distance <= LAP * width and ahead <= -IN_LINE)
            if fits and (best is None or distance < best[0]) and _covered(start, end, candidate):
                best = distance, np.stack([start, end])
    return None if best is None else best[1]


def _ends(one: Straightened, width: float) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Both ends of an axis, each with the unit vector that points out of it."""
    axis = one.axis.astype(np.float64)
    look_back = min(len(axis) - 1, max(2, round(width)))
    ends = []
    for tip, inner in ((axis[0], axis[look_back]), (axis[-1], axis[-1 - look_back])):
        out = tip - inner
        ends.append((tip, out / max(float(np.hypot(*out)), 1e-9)))
    return ends


def _covered(start: NDArray[np.float64], end: NDArray[np.float64], candidate: Candidate) -> bool:
    """Whether the line between two points lies in the candidate."""
    steps = np.linspace(0.0, 1.0, max(2, int(np.hypot(*(end - start))) + 1))[:, None]
    points = np.rint(start + steps * (end - start)).astype(int) - [candidate.box.top, candidate.box.left]
    inside = ((points >= 0) & (points < candidate.mask.shape)).all(axis=1)
    covered = np.zeros(len(points), dtype=bool)
    covered[inside] = candidate.mask[points[inside, 0], points[inside, 1]]
    # the ends themselves lie on the rim, half of them just outside
    return bool(covered.mean() >= BRIDGED) or len(points) <= 5


def _joined(
    one: Piece | Sketch, other: Piece | Sketch, bridge: NDArray[np.float64], candidate: Candidate
) -> Chromosome:
    """Both masks and what lies between their ends, a chromosome wide."""
    width = float(np.median(np.concatenate([one.straightened.widths, other.straightened.widths])))
    canvas = np.zeros(candidate.mask.shape, dtype=np.uint8)
    offset = np.array([candidate.box.top, candidate.box.left])
    (start_row, start_col), (end_row, end_col) = np.rint(bridge - offset).astype(int).tolist()
    cv2.line(canvas, (start_col, start_row), (end_col, end_row), 1, max(1, round(0.8 * width)))
    canvas &= candidate.mask
    for piece in (one, other):
        top, left = piece.chromosome.box.top - offset[0], piece.chromosome.box.left - offset[1]
        canvas[top : top + piece.chromosome.box.height, left : left + piece.chromosome.box.width] |= (
            piece.chromosome.mask
        )
    score = min(one.chromosome.score, other.chromosome.score)
    flags = tuple(dict.fromkeys((*one.chromosome.flags, *other.chromosome.flags, "joined")))
    box, mask = tight(canvas.astype(bool), candidate.box)
    return replace(one.chromosome, box=box, mask=mask, score=score, flags=flags)


def arms(way: Way) -> list[list[Chromosome]]:
    """The ways in which what stands out of a piece is taken for another chromosome.

    What stands out on both sides at one place crosses, and both own the crossing; what stands out on one side touches.
    """
    found = []
    for number, piece in enumerate(way):
        if piece.strangeness < ODD and settled(piece):
            continue
        rest = [other.chromosome for at, other in enumerate(way) if at != number]
        found += [[*rest, *parts] for parts in _disarmed(piece)]
    return found


def _disarmed(piece: Piece) -> list[list[Chromosome]]:
    """For each arm, or pair of arms, the piece without it and the chromosome it belongs to."""
    axis = piece.straightened.axis.astype(np.float64)
    width = float(np.median(piece.straightened.widths))
    points, apart, row = _beside(piece)
    out = _painted(piece.chromosome, apart > BODY * width).astype(np.uint8)
    count, numbered, stats, _ = cv2.connectedComponentsWithStats(out, connectivity=8)
    labels = np.asarray(numbered, dtype=np.int32)
    label = labels[piece.chromosome.mask]
    along = np.gradient(axis, axis=0)[row]
    side = np.sign(along[:, 0] * (points - axis[row])[:, 1] - along[:, 1] * (points - axis[row])[:, 0])
    large = [at for at in range(1, count) if stats[at, cv2.CC_STAT_AREA] >= LEAST_ARM * width**2]
    where = {at: (float(row[label == at].mean()), float(side[label == at].sum())) for at in large}
    groups = [
        pair
        for pair in combinations(large, 2)
        if where[pair[0]][1] * where[pair[1]][1] < 0 and abs(where[pair[0]][0] - where[pair[1]][0]) <= ASTRIDE * width
    ]
    alone = [(at,) for at in large if stats[at, cv2.CC_STAT_AREA] >= LEAST_ALONE * width**2]
    return [_parted(piece.chromosome, labels, group) for group in (*groups, *alone)]


def _parted(one: Chromosome, labels: NDArray[np.int32], group: tuple[int, ...]) -> list[Chromosome]:
    """A chromosome without some of its arms, and these, with what lies between them."""
    arm = np.isin(labels, group)
    hull = np.zeros(one.mask.shape, dtype=np.uint8)
    if len(group) > 1:
        cv2.fillConvexPoly(hull, cv2.convexHull(np.argwhere(arm)[:, ::-1].astype(np.int32)), 1)
    flag = "cut" if len(group) == 1 else "overlap"
    return [part_of(one, mask, flag) for mask in (one.mask & ~arm, arm | (hull.astype(bool) & one.mask))]


def settled(piece: Piece) -> bool:
    """Whether its bands and its size say surely enough what it is: it is left alone."""
    return piece.label.confidence >= UNSURE and piece.doubt < DOUBTFUL


def cuts(way: Way) -> list[list[Chromosome]]:
    """The ways in which a piece that the classifier cannot place is cut across in two, or in three."""
    found = []
    for number, piece in enumerate(way):
        if settled(piece):
            continue
        rest = [other.chromosome for at, other in enumerate(way) if at != number]
        positions = sorted(_cut_positions(piece.straightened))
        row = _beside(piece)[2]
        # ways that cut alike share their parts, which are then read once
        parts: dict[tuple[int, int], Chromosome | None] = {}
        for chosen in (*combinations(positions, 1), *combinations(positions, 2)):
            bounds = list(pairwise((0, *chosen, len(piece.straightened.axis))))
            for start, stop in bounds:
                inside = (row >= start) & (row < stop)
                if (start, stop) not in parts:
                    mask = _painted(piece.chromosome, inside)
                    parts[start, stop] = part_of(piece.chromosome, mask, "cut") if inside.any() else None
            taken = [parts[one] for one in bounds]
            if None not in taken:
                found.append([*rest, *(part for part in taken if part is not None)])
    return found


def _cut_positions(straightened: Straightened) -> list[int]:
    """Rows of the straightened crop at which two chromosomes may meet."""
    widths = smoothed(straightened.widths.astype(np.float64), 1.5)
    least = max(4, round(0.8 * float(np.median(widths))))
    if len(widths) < 2 * least + 3:
        return []
    inner = range(least, len(widths) - least)
    step = np.gradient(smoothed(straightened.axis.astype(np.float64), 3.0), axis=0)
    angle = np.unwrap(np.arctan2(step[:, 0], step[:, 1]))
    reach = max(2, least // 2)
    bend = np.abs(np.array([angle[at + reach] - angle[at - reach] for at in inner]))
    before, after = np.maximum.accumulate(widths), np.maximum.accumulate(widths[::-1])[::-1]
    depth = widths / np.minimum(before, after)
    necks = [
        at for at in inner if depth[at] < NECK and widths[at] == widths[at - least // 2 : at + least // 2 + 1].min()
    ]
    positions = [inner[int(np.argmax(bend))], *sorted(necks, key=lambda at: depth[at])]
    kept: list[int] = []
    for at in positions:
        if all(abs(at - other) > least // 2 for other in kept):
            kept.append(at)
    return kept[:MOST_CUTS]


def _beside(piece: Piece) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Where each pixel of the mask lies, in the order of ``np.nonzero``.

    Its place in the picture (row, column), its distance from the axis, px, and the row of the crop it lies nearest to.
    """
    points = np.argwhere(piece.chromosome.mask) + np.array([piece.chromosome.box.top, piece.chromosome.box.left])
    at, apart = nearest(piece.straightened.axis, points)
    return points, apart, at


def _painted(one: Chromosome, values: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask in the box of `one` that holds `values` at its pixels, in the order of ``np.nonzero``."""
    mask = np.zeros(one.mask.shape, dtype=bool)
    mask[one.mask] = values
    return mask


def part_of(one: Chromosome, mask: NDArray[np.bool_], flag: str) -> Chromosome:
    """The chromosome that a mask in the box of `one` makes, not empty."""
    box, inner = tight(mask, one.box)
    return replace(one, box=box, mask=inner, flags=tuple(dict.fromkeys((*one.flags, flag))))
