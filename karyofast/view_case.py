"""The composite karyogram of a case: at each class the homologues of all its cells side by side."""

from __future__ import annotations

from dataclasses import replace

from karyofast import view_layout
from karyofast.types import CLASSES, Karyotype
from karyofast.view_layout import Figure


class Composite:
    """Figures of each class, gathered cell by cell; no more than `best` a class are kept, nor is any cell.

    Parameters
    ----------
    best : int
        Figures that a class shows at most: those whose class is surest; empty places come after all of them.
    scale : float
        Size of the sheet, see `karyofast.view.karyogram`.
    """

    def __init__(self, best: int, scale: float = 1.0) -> None:
        self._best = best
        self._scale = scale
        self._placed: dict[str, list[Figure]] = {name: [] for name in CLASSES}
        self._letters: list[str] = []

    def add(self, karyotype: Karyotype, letter: str) -> None:
        """Take in a cell, each chromosome at the scale of its own cell; `letter` stands below them."""
        self._letters.append(letter)
        placed, _ = view_layout.figures(karyotype, self._scale)
        for name, found in placed.items():
            # sorting is stable: of equals the cells that came first stay
            kept = [*self._placed[name], *(replace(figure, cell=letter) for figure in found)]
            self._placed[name] = sorted(kept, key=lambda figure: -figure.sure)[: self._best]

    @property
    def placed(self) -> dict[str, tuple[Figure, ...]]:
        """The figures of each class in the order of the cells, surest first within a cell."""
        order = {letter: number for number, letter in enumerate(self._letters)}
        return {
            name: tuple(sorted(found, key=lambda figure: (order[figure.cell], -figure.sure)))
            for name, found in self._placed.items()
        }
