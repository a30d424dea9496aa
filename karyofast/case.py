"""Several cells of one case together: copies of each class cell by cell, clones, and the composite karyogram.

Cells are named A, B, ... in the order of the call. Clones and changes come from the cells that were *karyotyped* (no
chromosome is in doubt), as in ``cases.csv``, or on request from those *analysed* (each chromosome has a class).
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from karyofast import __version__, consensus, view, view_layout
from karyofast.case_results import Found, read
from karyofast.consensus import Change, Clone
from karyofast.errors import ImageError, OptionError
from karyofast.files import write_together
from karyofast.png import encoded
from karyofast.report import KARYOGRAM
from karyofast.run_folder import PART, RUN, Task
from karyofast.summary import Reached, SummaryRow
from karyofast.types import CLASSES, Karyotype
from karyofast.view_case import Composite
from karyofast.view_layout import Figure, Sheet

CASE, TABLE = "case.json", "case.csv"

BEST = 6
"""Figures of a class on the composite karyogram: three cells of two homologues fill a sheet."""

MOST = 60
"""Figures of a class on the widest sheet, some 20,000 px."""

Trusted = Literal["karyotyped", "analysed"]
"""How far a cell must have come to count for clones and changes, see `karyofast.summary.Reached`."""


@dataclass(frozen=True)
class Cell:
    """One cell of a case.

    Attributes
    ----------
    letter : str
        A, B, ..., Z, AA, ...
    task : Task
        Its result and its picture.
    row : SummaryRow
        That of the result.
    copies : mapping of str to int
        Chromosomes of each class, 0 among them.
    unplaced : int
        Chromosomes without a class.
    """

    letter: str
    task: Task
    row: SummaryRow
    copies: Mapping[str, int]
    unplaced: int

    @property
    def name(self) -> str:
        """Name of its result folder."""
        return self.task.folder.name

    def reached(self, step: Reached) -> bool:
        """Whether it came as far as `step`."""
        steps = get_args(Reached)
        return bool(steps.index(self.row.reached) >= steps.index(step))


@dataclass(frozen=True, eq=False)
class Case:
    """Cells of one case together.

    Attributes
    ----------
    name : str
    cells : tuple of Cell
    trusted : {"karyotyped", "analysed"}
        Which cells `clones` and `changes` come from.
    clones : tuple of Clone
    changes : tuple of Change
        Their `cells` are indices into `cells`.
    placed : mapping of str to tuple of Figure
        What the composite karyogram shows at each class.
    without : tuple of str
        Pictures of the runs that have no result.
    """

    name: str
    cells: tuple[Cell, ...]
    trusted: Trusted
    clones: tuple[Clone, ...]
    changes: tuple[Change, ...]
    placed: Mapping[str, tuple[Figure, ...]]
    without: tuple[str, ...] = ()

    @property
    def iscn(self) -> str:
        """Draft consensus, "47,XX,+21[2]/46,XX[3]"; "" where no cell is trusted."""
        return consensus.text(self.clones)

    def count(self, step: Reached) -> int:
        """Cells that came as far as `step`."""
        return sum(cell.reached(step) for cell in self.cells)

    @property
    def flags(self) -> tuple[str, ...]:
        """What wants a look: clones of both sexes, changes that are not clonal with their cells."""
        sexes = [one.iscn.split(",")[1] for one in self.clones]
        mixed = any("XX" in sex and "Y" not in sex for sex in sexes) and any("Y" in sex for sex in sexes)
        single = [f"{one.text} ({self.letters(one)})" for one in self.changes if not one.clonal]
        told = ["XX and XY: one case, or a misread Y?"] if mixed else []
        return (*told, "not clonal: " + ", ".join(single)) if single else tuple(told)

    def letters(self, change: Change) -> str:
        """The cells that show a change: "A, C"."""
        return ", ".join(self.cells[index].letter for index in change.cells)


def combine(
    found: Found,
    name: str,
    *,
    trusted: Trusted = "karyotyped",
    best: int = BEST,
    progress: Callable[[int, str], None] | None = None,
) -> Case:
    """Read the results of a case, one cell at a time, and put them together.

    Parameters
    ----------
    found : Found
        From `karyofast.case_results.find`.
    name : str
        What the case is called.
    trusted : {"karyotyped", "analysed"}
        Cells that clones and changes come from.
    best : int
        Figures of a class on the composite karyogram, those whose class is surest.
    progress : callable, optional
        Called with the number of cells done and the name of the next one.

    Raises
    ------
    OptionError
        `best` outside of 1 to 60, or another `trusted`.
    ImageError, DataError
        A picture or a result that cannot be used.
    """
    if not 1 <= best <= MOST:
        raise OptionError(f"`best` must be 1 to {MOST} figures a class. Got: {best}.")
    if trusted not in get_args(Trusted):
        raise OptionError(f"`trusted` must be one of {', '.join(get_args(Trusted))}. Got: {trusted!r}.")
    composite = Composite(best)
    cells = []
    for number, task in enumerate(found.tasks):
        if progress:
            progress(number, task.folder.name)
        karyotype, row = read(task)
        cells.append(_cell(letter(number), task, row, karyotype))
        composite.add(karyotype, cells[-1].letter)
    texts = [cell.row.iscn if cell.reached(trusted) else "" for cell in cells]
    clones, changes = consensus.clones([text for text in texts if text]), consensus.changes(texts)
    return Case(name, tuple(cells), trusted, clones, changes, composite.placed, found.without)


def letter(number: int) -> str:
    """The name of cell `number`, counted from 0.

    Examples
    --------
    >>> [letter(number) for number in (0, 25, 26, 702)]
    ['A', 'Z', 'AA', 'AAA']
    """
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _cell(letter: str, task: Task, row: SummaryRow, karyotype: Karyotype) -> Cell:
    count = Counter(karyotype.arrangement.assigned)
    copies = {name: count[index] for index, name in enumerate(CLASSES)}
    return Cell(letter, task, row, copies, count[-1])


def write(case: Case, out: Path, sex_with_groups: bool = False) -> None:
    """Write karyogram.png, case.csv and, last, case.json to the folder `out`, which is made.

    Raises
    ------
    OptionError
        `out` is the folder of a run or of a result, whose own karyogram would be lost.
    OSError
        It cannot be written to.
    """
    if (out / RUN).exists() or (out / PART).exists():
        raise OptionError(f"{out}: must be no folder that `karyofast run` has written. Name another folder with -o.")
    try:
        drawn = encoded(view.draw(sheet(case, sex_with_groups), 1.0))
    except ImageError as error:
        raise OptionError(f"{out / KARYOGRAM}: {error} Ask for fewer figures with --best.") from error
    out.mkdir(parents=True, exist_ok=True)
    told = json.dumps(to_dict(case, out), indent=1, ensure_ascii=False) + "\n"
    write_together(out, [(KARYOGRAM, drawn), (TABLE, table(case)), (CASE, told)])


def sheet(case: Case, sex_with_groups: bool = False) -> Sheet:
    """What stands on the composite karyogram, at scale 1."""
    shown = {figure.cell for found in case.placed.values() for figure in found}
    legend = [
        f"{cell.letter}   {cell.name}   {cell.row.iscn or 'no karyotype'}   {cell.row.reached or 'empty'}"
        + (f", {cell.unplaced} unplaced" if cell.unplaced else "")
        for cell in case.cells
        if cell.letter in shown
    ]
    if len(legend) < len(case.cells):
        legend.append(f"and {len(case.cells) - len(legend)} cells that are not shown, see {TABLE}")
    rows = view_layout.rows(case.placed, sex_with_groups, 1.0)
    text = f"{cells_of(case)}     {case.iscn or f'no cell is {case.trusted}'}"
    return Sheet(case.name, text, "; ".join(case.flags), rows, legend=tuple(legend))


def cells_of(case: Case) -> str:
    """How many cells there are and how far they came, in words."""
    steps = ", ".join(f"{case.count(step)} {step}" for step in get_args(Reached)[1:])
    return f"{len(case.cells)} cells: {steps}" if len(case.cells) != 1 else f"one cell alone: {steps}"


def table(case: Case) -> str:
    """The text of case.csv: a row a cell, a column a class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["cell", "result", "image", "reached", "count", "iscn", *CLASSES, "unplaced"])
    for cell in case.cells:
        row = cell.row
        copies = (cell.copies[name] for name in CLASSES)
        told = (row.reached, row.count, row.iscn)
        writer.writerow([cell.letter, cell.name, cell.task.image, *told, *copies, cell.unplaced])
    return text.getvalue()


def to_dict(case: Case, out: Path) -> dict[str, Any]:
    """All that is known of a case, as plain values for JSON; folders as seen from `out`."""
    return {
        "case": case.name,
        "draft": True,
        "karyofast": __version__,
        "iscn": case.iscn,
        "trusted": case.trusted,
        "cells_total": len(case.cells),
        **{step: case.count(step) for step in get_args(Reached)[1:]},
        "without_result": list(case.without),
        "flags": list(case.flags),
        "clones": [vars(one) for one in case.clones],
        "changes": [
            {
                "change": one.text,
                "clonal": one.clonal,
                "single_cell": len(one.cells) == 1,
                "cells": [case.cells[index].letter for index in one.cells],
                "needed": one.needed,
            }
            for one in case.changes
        ],
        "cells": [
            {
                "cell": cell.letter,
                "result": os.path.relpath(cell.task.folder, out),
                "image": cell.task.image,
                "reached": cell.row.reached,
                "count": cell.row.count,
                "iscn": cell.row.iscn,
                "quality": cell.row.quality,
                "copies": dict(cell.copies),
                "unplaced": cell.unplaced,
            }
            for cell in case.cells
        ],
        "shown": {name: [_shown(figure) for figure in found] for name, found in case.placed.items()},
    }


def _shown(figure: Figure) -> dict[str, Any]:
    """A figure of the composite karyogram: its cell, its index there (None for an empty place), how sure it is."""
    return {
        "cell": figure.cell,
        "chromosome": None if figure.index < 0 else figure.index,
        "probability": round(figure.sure, 4),
    }
