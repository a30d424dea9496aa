"""Edit: apply a script of corrections by hand (`karyofast.edit_script`) to a karyotype's masks and labels.

Only what a person said is changed here. What follows from it, the reading of new masks and the arrangement of the
cell, is the work of `karyofast.pipeline.revise`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.edit_script import Add, Cut, Drop, Flip, Join, Operation, Point, Relabel, Script
from karyofast.errors import OptionError
from karyofast.kernels import edge_distance
from karyofast.straighten import straighten
from karyofast.types import CLASSES, Box, Chromosome, Dropped, Karyotype, Label, Metaphase, Region, Straightened

BY_HAND = {"cut": "cut by hand", "join": "joined by hand", "add": "added by hand", "flip": "flipped by hand"}
"""Flags that tell which chromosomes a person made or turned."""

SAID = "relabelled by hand"
"""Flag of a chromosome whose class a person said; it keeps that class in later edits too."""

LEAST = 12
"""Pixels below which a part of a cut is a splinter of the rim, and a polygon no chromosome at any magnification."""

FILLED = 0.8
"""Thickness in widths of what fills a gap between two ends, as in the second look."""

FARTHEST = 4.0
"""Gap in widths up to which ends are joined: a chromosome that lies across is one wide, a knot of three is three."""


@dataclass(frozen=True, eq=False)
class Part:
    """A chromosome on its way through a script.

    Attributes
    ----------
    chromosome : Chromosome
    reading : (Straightened, Label) or None
        Its crop and what the classifier says of it; None where the mask is new.
    said : int or None
        Index into `CLASSES` of the class that a person said.
    turned : bool
        Whether a person turned it.
    """

    chromosome: Chromosome
    reading: tuple[Straightened, Label] | None = None
    said: int | None = None
    turned: bool = False

    def label(self, read: Label) -> Label:
        """What the classifier says, overruled by what the person said: that is sure."""
        if self.said is not None:
            read = replace(read, probabilities=np.eye(len(CLASSES), dtype=np.float32)[self.said])
        if self.turned:
            read = replace(read, p_up=0.0 if read.orientation == "up" else 1.0)
        return read


def fingerprint(chromosomes: Sequence[Region]) -> str:
    """A short hash of masks, their places and their order: ``masks`` in karyotype.json."""
    digest = hashlib.sha256()
    for one in chromosomes:
        digest.update(repr(tuple(int(value) for value in one.box)).encode("ascii"))
        digest.update(np.packbits(one.mask).tobytes())
    return digest.hexdigest()[:16]


def apply(karyotype: Karyotype, script: Script) -> tuple[list[Part], list[Dropped]]:
    """Apply a script, its operations in their order.

    Parameters
    ----------
    karyotype : Karyotype
        With labels; its `chromosomes` are numbered from 0 for the script.
    script : Script

    Returns
    -------
    parts : list of Part
        Those that were there, in their order, then those that were made.
    dropped : list of Dropped
        Of the karyotype, without those that an added chromosome now covers, and what the script dropped.

    Raises
    ------
    OptionError
        An operation that cannot be done: a chromosome that is not there, a line that parts nothing, a point outside
        the picture, ...; names the file, the operation and the reason. Also a script for other masks.
    """
    masks = fingerprint(karyotype.chromosomes)
    if script.masks not in ("", masks):
        raise OptionError(
            f"{script.where}: was written for other masks ({script.masks}) than {karyotype.metaphase.name} has now "
            f"({masks}). Look at the overlay and write the script for its numbers."
        )
    cell = _Cell(karyotype)
    for number, operation in enumerate(script.operations, 1):
        try:
            cell.do(operation, script.name(number).removeprefix(f"{script.where}: "))
        except OptionError as error:
            raise OptionError(f"{script.name(number)}: {error}") from error
    return cell.settled()


class _Cell:
    """The numbered chromosomes of a cell while a script is applied."""

    def __init__(self, karyotype: Karyotype) -> None:
        self._metaphase = karyotype.metaphase
        self._dropped = list(karyotype.dropped)
        self._gone: dict[int, str] = {}
        self._parts: dict[int, Part] = {}
        readings = zip(karyotype.straightened, karyotype.labels, strict=True)
        for number, (one, reading) in enumerate(zip(karyotype.chromosomes, readings, strict=True)):
            said = reading[1].index if SAID in one.flags else None
            self._parts[number] = Part(one, reading, said)
        self._next = len(self._parts)
        self._changed = np.zeros(self._metaphase.shape, dtype=bool)

    def do(self, operation: Operation, name: str) -> None:
        """Apply one operation; an `OptionError` says why it cannot be done, not yet which one it is."""
        before = set(self._parts)
        match operation:
            case Cut():
                whole = self._part(operation.chromosome).chromosome
                self._replace([operation.chromosome], _cut(whole, _pixels(operation.line, self._metaphase)), "cut")
            case Join():
                joined = _join([self._part(one).chromosome for one in operation.chromosomes], self._metaphase)
                self._replace(operation.chromosomes, [joined], "join")
            case Add():
                added = _enclosed(_pixels(operation.polygon, self._metaphase), self._metaphase.shape)
                self._replace([], [added], "add")
                there = added.full_mask(self._metaphase.shape)
                self._dropped = [
                    one for one in self._dropped if 2 * np.count_nonzero(there[one.box.slices] & one.mask) <= one.area
                ]
            case Drop():
                one = self._part(operation.chromosome).chromosome
                self._replace([operation.chromosome], [], "")
                self._dropped.append(Dropped(one.box, one.mask, "edit", "dropped by hand"))
            case Relabel():
                part = self._part(operation.chromosome)
                said = CLASSES.index(operation.to)
                self._parts[operation.chromosome] = replace(part, chromosome=_flagged(part, SAID), said=said)
            case Flip():
                part = self._part(operation.chromosome)
                turned = replace(part, chromosome=_flagged(part, BY_HAND["flip"]), turned=not part.turned)
                self._parts[operation.chromosome] = turned
        self._gone.update(dict.fromkeys(before - set(self._parts), name))

    def settled(self) -> tuple[list[Part], list[Dropped]]:
        """The parts in the order of their numbers, with the flag "overlap" as it is true now, and what was dropped."""
        owners = np.zeros(self._metaphase.shape, dtype=np.int32)
        for part in self._parts.values():
            owners[part.chromosome.box.slices] += part.chromosome.mask
        parts = []
        for part in self._parts.values():
            one = part.chromosome
            if self._changed[one.box.slices][one.mask].any():
                flags = [flag for flag in one.flags if flag != "overlap"]
                if (owners[one.box.slices][one.mask] > 1).any():
                    flags.append("overlap")
                part = replace(part, chromosome=replace(one, flags=tuple(flags)))
            parts.append(part)
        return parts, self._dropped

    def _part(self, number: int) -> Part:
        if number in self._gone:
            raise OptionError(f"chromosome {number} is no longer there: {self._gone[number]} took it.")
        if number not in self._parts:
            raise OptionError(
                f"chromosome {number} does not exist. Got {self._next} so far, numbered 0 to {self._next - 1}."
                if self._next
                else f"chromosome {number} does not exist. The cell has none."
            )
        return self._parts[number]

    def _replace(self, old: Sequence[int], new: Sequence[Region], op: str) -> None:
        taken = [self._parts.pop(number).chromosome for number in old]
        for region in (*taken, *new):
            self._changed[region.box.slices] |= region.mask
        candidate = taken[0].candidate if taken else -1
        for region in new:
            made = Chromosome(region.box, region.mask, candidate=candidate, flags=(BY_HAND[op],))
            self._parts[self._next] = Part(made)
            self._next += 1


def _flagged(part: Part, flag: str) -> Chromosome:
    return replace(part.chromosome, flags=tuple(dict.fromkeys((*part.chromosome.flags, flag))))


def _pixels(points: Sequence[Point], metaphase: Metaphase) -> NDArray[np.int32]:
    """Points as (x, y) of whole pixels, int32 (n, 2)."""
    height, width = metaphase.shape
    for x, y in points:
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            raise OptionError(f"[{x:g}, {y:g}] lies outside of the picture, {width} px wide and {height} px high.")
    return np.clip(np.rint(points), 0, (width - 1, height - 1)).astype(np.int32)


def _region(mask: NDArray[np.bool_], top: int = 0, left: int = 0) -> Region:
    """The region of a mask that is not empty, whose corner lies at (top, left) of the picture."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = Box(int(rows[0]), int(columns[0]), int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)
    return Region(Box(top + box.top, left + box.left, box.height, box.width), mask[box.slices].copy())


def _cut(whole: Region, line: NDArray[np.int32]) -> list[Region]:
    """The parts on the sides of a line, from top to bottom; the line's own pixels go to the nearest part."""
    drawn = np.zeros(whole.mask.shape, dtype=np.uint8)
    # a line whose pixels share edges: what remains cannot meet across its corners
    cv2.polylines(drawn, [line - [whole.box.left, whole.box.top]], False, 1, 1, cv2.LINE_4)
    if not (whole.mask & (drawn > 0)).any():
        raise OptionError("the line does not meet the chromosome.")
    rest = (whole.mask & (drawn == 0)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(rest, connectivity=8)
    # pieces that the mask had apart from the line stay with the nearest part of it
    beside = cv2.dilate(drawn, np.ones((3, 3), np.uint8)) > 0
    parts = [
        number
        for number in range(1, count)
        if stats[number, cv2.CC_STAT_AREA] >= LEAST and (beside & (labels == number)).any()
    ]
    if len(parts) < 2:
        raise OptionError(
            f"the line does not part the chromosome: it leaves {len(parts)} part(s) of {LEAST} px or more. "
            "Begin and end the line outside of it."
        )
    away = [edge_distance(labels == part) for part in parts]
    nearest = np.argmin(away, axis=0)
    made = [_region(whole.mask & (nearest == number), whole.box.top, whole.box.left) for number in range(len(parts))]
    return sorted(made, key=lambda one: one.box)


def _join(pieces: Sequence[Chromosome], metaphase: Metaphase) -> Region:
    """One region of all pieces; where one meets no other, the gap between the nearest ends of axes is filled."""
    canvas = np.zeros(metaphase.shape, dtype=np.uint8)
    groups = [{number} for number in range(len(pieces))]
    square = np.ones((3, 3), np.uint8)
    grown = [cv2.dilate(one.full_mask(metaphase.shape).astype(np.uint8), square) > 0 for one in pieces]
    for one in pieces:
        canvas[one.box.slices] |= one.mask
    for i, j in combinations(range(len(pieces)), 2):
        if (grown[i][pieces[j].box.slices] & pieces[j].mask).any():
            groups = _merged(groups, i, j)
    if len(groups) > 1:
        straightened = [straighten(metaphase, one) for one in pieces]
        width = float(np.median(np.concatenate([one.widths for one in straightened])))
        for gap, i, j, start, end in _gaps(straightened):
            if len(groups) == 1:
                break
            if any({i, j} <= group for group in groups):
                continue
            if gap > FARTHEST * width:
                raise OptionError(
                    f"the pieces lie {gap:.0f} px apart, and {FARTHEST * width:.0f} px can be filled. "
                    "Drop them and add the chromosome as a polygon."
                )
            cv2.line(canvas, start, end, 1, max(1, round(FILLED * width)))
            groups = _merged(groups, i, j)
    return _region(canvas > 0)


def _merged(groups: Sequence[set[int]], i: int, j: int) -> list[set[int]]:
    together = set().union(*(group for group in groups if i in group or j in group))
    return [*(group for group in groups if not group & together), together]


def _gaps(pieces: Sequence[Straightened]) -> list[tuple[float, int, int, tuple[int, int], tuple[int, int]]]:
    """(distance in px, piece, piece, end (x, y), end (x, y)) between the ends of different pieces, the least first."""
    ends = [
        (number, (round(float(column)), round(float(row))))
        for number, one in enumerate(pieces)
        for row, column in (one.axis[0], one.axis[-1])
    ]
    return sorted(
        (float(np.hypot(a[0] - b[0], a[1] - b[1])), i, j, a, b) for (i, a), (j, b) in combinations(ends, 2) if i != j
    )


def _enclosed(polygon: NDArray[np.int32], shape: tuple[int, int]) -> Region:
    canvas = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(canvas, [polygon], 1)
    if np.count_nonzero(canvas) < LEAST:
        raise OptionError(f"the polygon encloses {np.count_nonzero(canvas)} px; a chromosome has {LEAST} or more.")
    return _region(canvas > 0)
