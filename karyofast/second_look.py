"""A second look at separation: of the ways to cut each cluster, take those whose pieces make the likeliest cell.

Classification-driven separation (after Lerner et al., the paper's reference 18). The separator offers several
ways to cut a candidate; pieces whose ends face one another may be joined; a piece that the classifier cannot
place may be cut across at necks or at its sharpest bend (`karyofast.second_look_moves`), or from notch to notch
(`karyofast.second_look_notches`); what stands out of one may be another that crosses or touches it. The pieces of
each way are straightened and classified, and a way is taken instead of the first when the labels of the whole cell
become likelier by more than `MARGIN`. A cell of 46 is not demanded: an extra or a missing chromosome costs what
`karyofast.arrange` prices it at, as it does without a second look.

Reading a piece is what takes time. What a whole cell costs at least with an unread way is known from the areas of its
pieces: a way that would not even then be taken is not read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast, runtime_checkable

from karyofast.second_look_moves import OpenWay, Piece, Sketch, Way, arms, cuts, joins
from karyofast.second_look_notches import notches
from karyofast.types import Candidate, Chromosome

MARGIN = 2.5
"""Nats by which another way must be better, odds of 12: of 1.5, 2, 2.5 and 3 what separates most on mfish's training
slides."""

TAKEN_BACK = 0.3
"""The same for what the separator holds for dirt: it must be read as what the cell lacks, which brings 2 nats at most.
Of 0.3 and 1 what finds more on composed metaphases of validation cases; of 40 real pictures none has any taken back."""

ROUNDS = 3
"""Passes over the candidates: taking one way can make another's better."""

MOVES = 3
"""Rounds of joining and cutting: a chromosome cut in three needs two."""

Cost = Callable[[Sequence[Piece | Sketch]], float]
"""How unlikely the labels and sizes of a whole cell are, in nats (`karyofast.arrange.cost`)."""


@runtime_checkable
class BoundedCost(Protocol):
    """A cost that can also be bounded, in a fraction of its time (`karyofast.pieces.CellCost`)."""

    def __call__(self, pieces: Sequence[Piece | Sketch], /) -> float:
        """Nats of the labels and sizes of a whole cell."""
        ...

    def near(self, pieces: Sequence[Piece | Sketch]) -> None:
        """Take a cell that those to come are much like."""
        ...

    def least(self, pieces: Sequence[Piece | Sketch]) -> float:
        """Nats that the cost of a cell is not below."""
        ...


Read = Callable[[Sequence[Chromosome]], Sequence[Piece]]
"""Straightens and classifies chromosomes."""

Draw = Callable[[Chromosome], Piece | Sketch]
"""Says what the area of a chromosome alone does, or all that is known of it already."""

ROUNDING = 1e-6
"""Nats within which two sums of the same terms are the same."""


def look(
    candidates: Sequence[Candidate],
    offered: Sequence[Sequence[Sequence[Chromosome]]],
    read: Read,
    cost: Cost,
    sketch: Draw | None = None,
) -> list[Way]:
    """Choose how to cut each candidate.

    Parameters
    ----------
    candidates : sequence of Candidate
    offered : sequence of sequence of sequence of Chromosome
        For each candidate its ways, the separator's own first.
    read : callable
        Called for the chromosomes of the first ways first, then for those of ways that may be taken.
    cost : callable
        A `BoundedCost` is called far less; the choice is the same.
    sketch : callable, optional
        With it a way is read only when its areas leave it a chance; without, all are. The choice is the same.

    Returns
    -------
    list of Way
        One a candidate.
    """
    first = _as_ways(offered, _read_first(offered, read), read, sketch)
    # a crossing cut in four may come out right only when two of its arms are joined at once
    joined = [
        [*ways, *joins(pieces, candidate)] for ways, pieces, candidate in zip(offered, first, candidates, strict=True)
    ]
    known = {id(piece.chromosome): piece for ways in first for way in ways for piece in way}
    chosen = choose(_as_ways(joined, known, read, sketch), cost, read=read)
    for _ in range(MOVES):
        moved = [
            [tuple(piece.chromosome for piece in way), *joins([way], candidate), *cuts(way), *notches(way), *arms(way)]
            for way, candidate in zip(chosen, candidates, strict=True)
        ]
        if all(len(ways) == 1 for ways in moved):
            break
        known = {id(piece.chromosome): piece for way in chosen for piece in way}
        better = choose(_as_ways(moved, known, read, sketch), cost, read=read)
        if all(a is b for ways, way in zip(chosen, better, strict=True) for a, b in zip(ways, way, strict=False)):
            break
        chosen = better
    return chosen


def _read_first(offered: Sequence[Sequence[Sequence[Chromosome]]], read: Read) -> dict[int, Piece]:
    """The pieces of the first ways, by the identity of their chromosomes."""
    first = {id(one): one for ways in offered for one in ways[0]}
    return dict(zip(first, read(list(first.values())), strict=True))


def _as_ways(
    offered: Sequence[Sequence[Sequence[Chromosome]]],
    known: Mapping[int, Piece | Sketch],
    read: Read,
    sketch: Draw | None,
) -> list[list[OpenWay]]:
    """The offered ways as pieces where they are known, else as sketches; all as pieces where nothing is sketched."""
    others = {id(one): one for ways in offered for way in ways for one in way if id(one) not in known}
    drawn: dict[int, Piece | Sketch] = dict(known)
    if sketch is None and others:
        drawn.update(zip(others, read(list(others.values())), strict=True))
    elif sketch is not None:
        drawn.update({key: sketch(one) for key, one in others.items()})
    return [[tuple(drawn[id(one)] for one in way) for way in ways] for ways in offered]


def choose(
    ways: Sequence[Sequence[OpenWay]],
    cost: Cost,
    margin: float = MARGIN,
    read: Read | None = None,
) -> list[Way]:
    """Choose one way for each candidate.

    Parameters
    ----------
    ways : sequence of sequence of OpenWay
        For each candidate its ways; the first is taken unless another is better, and holds no sketch.
    cost : callable
        Gives no more for a sketch than for any piece that it may become. As for `look`.
    margin : float
        Nats by which another way must be better than the one taken; `TAKEN_BACK` where the first is empty.
    read : callable, optional
        Needed where there are sketches: those of a way are read when it would be taken if they turned out as well as
        they can. So what is chosen does not depend on what was sketched.

    Returns
    -------
    list of Way
        One a candidate.
    """
    table = _Table([list(options) for options in ways], cost, read)
    open_ones = [number for number, options in enumerate(ways) if len(options) > 1]
    margins = [margin if options[0] else TAKEN_BACK for options in ways]
    taken = [0] * len(ways)
    best = table.start(taken) if open_ones else 0.0

    def hopeful(number: int, other: int) -> bool:
        bar = best - margins[number] + ROUNDING
        trial = _with(taken, number, other)
        return table.least(trial) < bar and table.total(trial) < bar

    # most of what has a chance has it from the start, and many are read faster together
    tried = [(number, other) for number in open_ones for other in range(1, len(ways[number]))]
    table.read([one for one in tried if table.sketched(*one) and hopeful(*one)])
    for _ in range(ROUNDS):
        changed = False
        for number in open_ones:
            trials = []
            for other in range(len(ways[number])):
                if other == taken[number]:
                    continue
                if not hopeful(number, other):
                    continue
                if table.sketched(number, other):
                    table.read([(number, other)])
                trials.append((table.total(_with(taken, number, other)), other))
            least, other = min(trials, default=(best, taken[number]))
            if least < best - margins[number] and not table.sketched(number, other):
                best, taken[number], changed = least, other, True
        if not changed:
            break
    return [table.way(number, other) for number, other in enumerate(taken)]


def _with(taken: Sequence[int], number: int, other: int) -> list[int]:
    return [*taken[:number], other, *taken[number + 1 :]]


class _Table:
    """The ways of every candidate, whose sketches become pieces as they are read."""

    def __init__(self, ways: list[list[OpenWay]], cost: Cost, read: Read | None) -> None:
        self._ways, self._cost, self._read = ways, cost, read
        self._bounded = cost if isinstance(cost, BoundedCost) else None
        self._totals: dict[tuple[int, ...], float] = {}

    def sketched(self, number: int, other: int) -> bool:
        """Whether a way holds a sketch."""
        return any(isinstance(one, Sketch) for one in self._ways[number][other])

    def way(self, number: int, other: int) -> Way:
        """A way that holds no sketch."""
        return cast(Way, self._ways[number][other])

    def start(self, chosen: Sequence[int]) -> float:
        """`total` of the cell that the others are held against."""
        if self._bounded:
            self._bounded.near(self._pieces(chosen))
        return self.total(chosen)

    def least(self, chosen: Sequence[int]) -> float:
        """Nats that `total` is not below."""
        if self._bounded is None:
            return -math.inf
        pieces = self._pieces(chosen)
        return self._bounded.least(pieces) + sum(piece.strangeness for piece in pieces)

    def _pieces(self, chosen: Sequence[int]) -> list[Piece | Sketch]:
        return [piece for options, one in zip(self._ways, chosen, strict=True) for piece in options[one]]

    def total(self, chosen: Sequence[int]) -> float:
        """Nats of a whole cell; where a way holds a sketch no more than when it is read."""
        pieces = self._pieces(chosen)
        # sketches only ever become pieces: as many are the same ones
        key = (*chosen, sum(isinstance(piece, Sketch) for piece in pieces))
        if key not in self._totals:
            self._totals[key] = self._cost(pieces) + sum(piece.strangeness for piece in pieces)
        return self._totals[key]

    def read(self, places: Sequence[tuple[int, int]]) -> None:
        """Read the sketches of some ways, each once."""
        found = [one for number, other in places for one in self._ways[number][other]]
        unread = {id(one.chromosome): one.chromosome for one in found if isinstance(one, Sketch)}
        if not unread or self._read is None:
            return
        pieces = dict(zip(unread, self._read(list(unread.values())), strict=True))
        for number in {number for number, _ in places}:
            self._ways[number] = [
                tuple(pieces.get(id(one.chromosome), one) if isinstance(one, Sketch) else one for one in way)
                for way in self._ways[number]
            ]
