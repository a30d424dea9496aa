"""Score whether a changed number of chromosomes is seen: normal cells, and the same with some taken out or put in.

What is put in is a chromosome of another cell of the same case, as the classifier read it among its own: it differs in
contraction and staining from its new cell as any chromosome does from the others of its own. Nothing is known of how a
true aneuploid cell would differ further; these figures say what the assignment makes of what the classifier says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast import iscn
from karyofast.arrange import UNPLACED, arrange
from karyofast.config import ArrangeOptions
from karyofast.evaluate_match import share
from karyofast.evaluate_table import percent
from karyofast.types import CLASSES, Label

NORMAL = "normal"
LOSS = "45, one autosome lost"
TRIPLOID = "69"

GAINS = {"47,+13": ("13", None), "47,+18": ("18", None), "47,+21": ("21", None),
         "47,XXX": ("X", "XX"), "47,XXY": ("X", "XY"), "47,XYY": ("Y", "XY")}  # fmt: skip
"""Name -> the class put in, and the sex chromosomes that a cell must have for it."""

ENOUGH = 2
"""Cells that must agree for a case to be called: two with the same gain are a clone."""


@dataclass(frozen=True, eq=False)
class TrueCell:
    """A cell of a case: the true class of each of its chromosomes, its label, and what its area says of each class.

    `sizes` are nats, float64 (n, 24), see `karyofast.sizes.surprise`; None: nothing.
    """

    case: str
    true: tuple[str, ...]
    labels: Sequence[Label]
    sizes: NDArray[np.float64] | None = None

    def only(self, places: Sequence[int]) -> TrueCell:
        """Some of its chromosomes."""
        sizes = None if self.sizes is None else self.sizes[list(places)]
        return TrueCell(self.case, tuple(self.true[at] for at in places), [self.labels[at] for at in places], sizes)

    def __add__(self, other: TrueCell) -> TrueCell:
        """Its chromosomes, then those of the other."""
        sizes = None
        if self.sizes is not None and other.sizes is not None:
            sizes = np.concatenate([self.sizes, other.sizes])
        return TrueCell(self.case, self.true + other.true, [*self.labels, *other.labels], sizes)


@dataclass(frozen=True)
class AneuploidyScore:
    """Outcomes by change, as (case, whether the ISCN is exactly right, whether the change is seen)."""

    outcomes: dict[str, tuple[tuple[str, bool, bool], ...]]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {name: self._figures(name) for name in self.outcomes}

    def rows(self, name: str = "") -> list[dict[str, str]]:
        """Rows of a table, one a change."""
        return [
            {
                "model": name,
                "cells": change,
                "n": str(told["cells"]),
                "seen": percent(told["seen"]),
                "ISCN right": percent(told["right"]),
                "cases": str(told["cases"]),
                "seen in 2 cells": percent(told["cases_seen"]),
            }
            for change, told in self.to_dict().items()
        ]

    def _figures(self, change: str) -> dict[str, Any]:
        outcomes = self.outcomes[change]
        cells, seen = Counter(case for case, _, _ in outcomes), Counter(case for case, _, hit in outcomes if hit)
        several = [case for case, count in cells.items() if count >= ENOUGH]
        return {
            "cells": len(outcomes),
            "seen": share(sum(hit for _, _, hit in outcomes), len(outcomes)),
            "right": share(sum(right for _, right, _ in outcomes), len(outcomes)),
            "cases": len(several),
            "cases_seen": share(sum(seen[case] >= ENOUGH for case in several), len(several)),
        }


def score_aneuploidy(
    cells: Sequence[TrueCell],
    options: ArrangeOptions = ArrangeOptions(),  # noqa: B008 (frozen)
    seed: int = 0,
) -> AneuploidyScore:
    """Arrange normal cells as they are and changed.

    Parameters
    ----------
    cells : sequence of TrueCell
        Those that are not 46,XX or 46,XY are left out.
    options : ArrangeOptions
    seed : int
        Chooses the chromosomes that are taken out and put in.

    Returns
    -------
    AneuploidyScore
        Of a normal cell "seen" is a false alarm: any gain or loss; "right" is its own ISCN.
    """
    normal = [cell for cell in cells if iscn.format(cell.true) in ("46,XX", "46,XY")]
    outcomes: dict[str, list[tuple[str, bool, bool]]] = {}
    for number, cell in enumerate(normal):
        rng = np.random.default_rng([seed, number])
        donors = [other for other in normal if other.case == cell.case and other is not cell]
        donor = donors[int(rng.integers(len(donors)))] if donors else None
        for change, changed in _changed(cell, donor, rng):
            told = arrange(changed.labels, options, changed.sizes)
            placed = [CLASSES[index] for index in told.assigned if index != UNPLACED]
            if change == NORMAL:
                hit = told.iscn not in ("46,XX", "46,XY")
            else:
                hit = _differences(placed) >= _differences(changed.true)
            outcomes.setdefault(change, []).append((cell.case, told.iscn == iscn.format(changed.true), hit))
    order = [NORMAL, "45,X", LOSS, *GAINS, TRIPLOID]
    return AneuploidyScore({name: tuple(outcomes[name]) for name in order if name in outcomes})


def _changed(cell: TrueCell, donor: TrueCell | None, rng: np.random.Generator) -> list[tuple[str, TrueCell]]:
    """The cell as it is and in each way it can be changed, with the name of the change."""
    sex = "".join(sorted(name for name in cell.true if name in "XY"))
    lost_sex = cell.true.index("Y" if sex == "XY" else "X")
    lost = int(rng.choice([at for at, name in enumerate(cell.true) if name in iscn.AUTOSOMES]))
    found = [(NORMAL, cell), ("45,X", _without(cell, lost_sex)), (LOSS, _without(cell, lost))]
    if donor is None:
        return found
    for change, (name, needed) in GAINS.items():
        if (needed is None or needed == sex) and name in donor.true:
            found.append((change, cell + donor.only([donor.true.index(name)])))
    third = [donor.true.index(name) for name in (*iscn.AUTOSOMES, "X")]
    found.append((TRIPLOID, cell + donor.only(third)))
    return found


def _without(cell: TrueCell, lost: int) -> TrueCell:
    return cell.only([at for at in range(len(cell.true)) if at != lost])


def _differences(names: Sequence[str]) -> Counter[tuple[str, int]]:
    """Classes whose number is not that of a normal cell of two sets, with their number; X and Y as one."""
    copies = Counter(names)
    told = Counter({(name, copies[name]): 1 for name in iscn.AUTOSOMES if copies[name] != 2})
    if (copies["X"], copies["Y"]) not in ((2, 0), (1, 1)):
        told[f"X{copies['X']}Y", copies["Y"]] = 1
    return told
