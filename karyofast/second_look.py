"""A second look at separation: of the ways to cut each cluster, take those whose pieces make the likeliest cell.

Classification-driven separation (after Lerner et al., the paper's reference 18). The separator offers several
ways to cut a candidate; pieces whose ends face one another may be joined; a piece that the classifier cannot
place may be cut across at necks or at its sharpest bend; what stands out of one may be another
that crosses or touches it (`karyofast.second_look_moves`). The pieces of each way are straightened and
classified, and a way is taken instead of the first when the labels of the whole cell become likelier by more
than `MARGIN`. A cell of 46 is not demanded: an extra or a missing chromosome costs what `karyofast.arrange`
prices it at, as it does without a second look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from karyofast.second_look_moves import Piece, Way, arms, cuts, joins
from karyofast.types import Candidate, Chromosome

MARGIN = 3.0
"""Nats by which another way must be better: odds of 19, as the separator is right about 19 clusters in 20."""

ROUNDS = 3
"""Passes over the candidates: taking one way can make another's better."""

MOVES = 3
"""Rounds of joining and cutting: a chromosome cut in three needs two."""

Cost = Callable[[Sequence[Piece]], float]
"""How unlikely the labels and sizes of a whole cell are, in nats (`karyofast.arrange.cost`)."""

Read = Callable[[Sequence[Chromosome]], Sequence[Piece]]
"""Straightens and classifies chromosomes."""


def look(
    candidates: Sequence[Candidate], offered: Sequence[Sequence[Sequence[Chromosome]]], read: Read, cost: Cost
) -> list[Way]:
    """Choose how to cut each candidate.

    Parameters
    ----------
    candidates : sequence of Candidate
    offered : sequence of sequence of sequence of Chromosome
        For each candidate its ways, the separator's own first.
    read : callable
        Called for all offered chromosomes, those of the first ways first, and once a round for those that were moved.
    cost : callable

    Returns
    -------
    list of Way
        One a candidate.
    """
    first = _read_all(offered, read)
    # a crossing cut in four may come out right only when two of its arms are joined at once
    joined = [
        [*ways, *joins(pieces, candidate)] for ways, pieces, candidate in zip(offered, first, candidates, strict=True)
    ]
    known = {id(piece.chromosome): piece for ways in first for way in ways for piece in way}
    chosen = choose(_read_all(joined, read, known), cost)
    for _ in range(MOVES):
        moved = [
            [tuple(piece.chromosome for piece in way), *joins([way], candidate), *cuts(way), *arms(way)]
            for way, candidate in zip(chosen, candidates, strict=True)
        ]
        if all(len(ways) == 1 for ways in moved):
            break
        known = {id(piece.chromosome): piece for way in chosen for piece in way}
        better = choose(_read_all(moved, read, known), cost)
        if all(a is b for ways, way in zip(chosen, better, strict=True) for a, b in zip(ways, way, strict=False)):
            break
        chosen = better
    return chosen


def _read_all(
    offered: Sequence[Sequence[Sequence[Chromosome]]], read: Read, known: dict[int, Piece] | None = None
) -> list[list[Way]]:
    """The offered ways as pieces; chromosomes that several ways share are read once."""
    pieces = dict(known or {})
    unread: dict[int, Chromosome] = {}
    for position in range(max((len(ways) for ways in offered), default=0)):
        for ways in offered:
            for one in ways[position] if position < len(ways) else ():
                if id(one) not in pieces:
                    unread[id(one)] = one
    pieces.update(zip(unread, read(list(unread.values())), strict=True))
    return [[tuple(pieces[id(one)] for one in way) for way in ways] for ways in offered]


def choose(ways: Sequence[Sequence[Way]], cost: Cost, margin: float = MARGIN) -> list[Way]:
    """Choose one way for each candidate.

    Parameters
    ----------
    ways : sequence of sequence of Way
        For each candidate its ways; the first is taken unless another is better.
    cost : callable
    margin : float
        Nats by which another way must be better than the one taken.

    Returns
    -------
    list of Way
        One a candidate.
    """
    taken = [0] * len(ways)

    def total(chosen: Sequence[int]) -> float:
        pieces = [piece for options, one in zip(ways, chosen, strict=True) for piece in options[one]]
        return cost(pieces) + sum(piece.strangeness for piece in pieces)

    open_ones = [number for number, options in enumerate(ways) if len(options) > 1]
    best = total(taken) if open_ones else 0.0
    for _ in range(ROUNDS):
        changed = False
        for number in open_ones:
            trials = [
                (total([*taken[:number], other, *taken[number + 1 :]]), other)
                for other in range(len(ways[number]))
                if other != taken[number]
            ]
            least, other = min(trials)
            if least < best - margin:
                best, taken[number], changed = least, other, True
        if not changed:
            break
    return [options[one] for options, one in zip(ways, taken, strict=True)]
