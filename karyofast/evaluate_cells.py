"""Labels cell by cell: where a whole cell disagrees with its labels, the labels may be what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.evaluate_match import share
from karyofast.evaluate_table import percent
from karyofast.types import CLASSES

SYSTEMATIC = 3
"""Classes of a cell, each read as one other class throughout, from which its labels are suspect: two are a swap of
two pairs, which a network does by itself with 8 and X or 11 and 12."""


@dataclass(frozen=True)
class CellFigures:
    """How far one cell's chromosomes agree with their labels.

    Attributes
    ----------
    name : str
        As in the manifest.
    crops : int
        Labelled chromosomes.
    right_crop : int
        Those with their class from the crop alone.
    right_assigned : int or None
        After whole-cell assignment.
    read_as : tuple of (str, str)
        Labels whose chromosomes, two or more, were all given one and the same other class, and that class.
    """

    name: str
    crops: int
    right_crop: int
    right_assigned: int | None
    read_as: tuple[tuple[str, str], ...]

    @property
    def suspect(self) -> bool:
        """Whether the labels disagree with the reading so regularly that they are to be looked at."""
        return len(self.read_as) >= SYSTEMATIC

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "cell": self.name,
            "crops": self.crops,
            "right_crop": self.right_crop,
            "right_assigned": self.right_assigned,
            "read_as": [list(pair) for pair in self.read_as],
            "suspect": self.suspect,
        }

    def row(self) -> dict[str, str]:
        """One row of a table of cells."""
        assigned = None if self.right_assigned is None else share(self.right_assigned, self.crops)
        return {
            "cell": self.name,
            "crops": str(self.crops),
            "crop": percent(share(self.right_crop, self.crops)),
            "assigned": percent(assigned),
            "label read as": ", ".join(f"{label} as {other}" for label, other in self.read_as),
            "labels": "suspect" if self.suspect else "",
        }


def cell_figures(
    true: NDArray[np.int64],
    alone: NDArray[np.int64],
    assigned: NDArray[np.int64] | None,
    cells: Sequence[str],
) -> tuple[CellFigures, ...]:
    """Figures of each cell, those that agree least with their labels first.

    Parameters
    ----------
    true, alone : int64 (n,)
        Labels, and classes from the crop alone: indices into `karyofast.types.CLASSES`.
    assigned : int64 (n,) or None
        After whole-cell assignment, -1: unplaced.
    cells : sequence of str (n,)

    Returns
    -------
    tuple of CellFigures
    """
    names = np.asarray(cells, dtype=object)
    best = alone if assigned is None else assigned
    found = []
    for name in dict.fromkeys(cells):
        here = names == name
        placed = None if assigned is None else int(np.count_nonzero(assigned[here] == true[here]))
        right = int(np.count_nonzero(alone[here] == true[here]))
        found.append(CellFigures(name, int(here.sum()), right, placed, _read_as(true[here], best[here])))
    return tuple(sorted(found, key=_agreement))


def _read_as(true: NDArray[np.int64], given: NDArray[np.int64]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for label in np.unique(true):
        said = given[true == label]
        if len(said) > 1 and said[0] >= 0 and said[0] != label and (said == said[0]).all():
            pairs.append((CLASSES[label], CLASSES[said[0]]))
    return tuple(pairs)


def _agreement(one: CellFigures) -> tuple[float, float, str]:
    assigned = one.right_crop if one.right_assigned is None else one.right_assigned
    return assigned / one.crops, one.right_crop / one.crops, one.name
