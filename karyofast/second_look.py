"""A second look at separation: of the ways to cut each cluster, take those whose pieces make the likeliest cell.

Classification-driven separation (after Lerner et al., the paper's reference 18). The separator offers several ways to cut a
candidate; the pieces of each are straightened and classified, and a way is taken instead of the first when the labels
of the whole cell become likelier by more than `MARGIN`. A cell of 46 is not demanded: an extra or a missing chromosome
costs what `karyofast.arrange` prices it at, as it does without a second look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from karyofast.types import Chromosome, Label, Straightened

MARGIN = 1.0
"""Nats by which another way must be better: the separator's own choice stands when the labels hardly tell."""

ROUNDS = 3
"""Passes over the candidates: taking one way can make another's better."""


@dataclass(frozen=True, eq=False)
class Way:
    """One way to cut a candidate: its chromosomes with their crops and labels."""

    chromosomes: tuple[Chromosome, ...]
    straightened: tuple[Straightened, ...]
    labels: tuple[Label, ...]


def choose(
    ways: Sequence[Sequence[Way]], cost: Callable[[Sequence[Label]], float], margin: float = MARGIN
) -> list[Way]:
    """Choose one way for each candidate.

    Parameters
    ----------
    ways : sequence of sequence of Way
        For each candidate its ways; the first is taken unless another is better.
    cost : callable
        How unlikely the labels of a whole cell are, in nats (`karyofast.types.Arrangement.cost`).
    margin : float
        Nats by which another way must be better than the one taken.

    Returns
    -------
    list of Way
        One a candidate.
    """
    taken = [0] * len(ways)

    def total(chosen: Sequence[int]) -> float:
        return cost(
            [label for options, one in zip(ways, chosen, strict=True) for label in options[one].labels]
        )

    open_ones = [number for number, options in enumerate(ways) if len(options) > 1]
    best = total(taken) if open_ones else 0.0
    for _ in range(ROUNDS):
        changed = False
        for number in open_ones:
            trials = []
            for other in range(len(ways[number])):
                if other != taken[number]:
                    trial = [*taken[:number], other, *taken[number + 1 :]]
                    trials.append((total(trial), other))
            least, other = min(trials)
            if least < best - margin:
                best, taken[number], changed = least, other, True
        if not changed:
            break
    return [options[one] for options, one in zip(ways, taken, strict=True)]
