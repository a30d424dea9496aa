"""Evaluate the classifier on pictures of single chromosomes, cell by cell: classes, and changed numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from karyofast.arrange import arrange
from karyofast.config import Options
from karyofast.crops import CropRow, CropSource, split_of, straighten_single
from karyofast.errors import DataError, OptionError
from karyofast.evaluate_aneuploidy import AneuploidyScore, TrueCell, score_aneuploidy
from karyofast.evaluate_classes import ClassScore, score_classes
from karyofast.evaluate_methods import CellClassifier, classifier_of
from karyofast.sizes import surprise_in_cell
from karyofast.types import CLASSES, Label, Straightened

Split = Literal["train", "validation", "test", "all"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class ReadCell:
    """One cell of a data set: rows, what the classifier says of each, whether the picture's top is the crop's.

    `sizes` float64 (n, 24) are the nats by which each area speaks against each class, see `karyofast.sizes`.
    """

    name: str
    rows: Sequence[CropRow]
    labels: Sequence[Label]
    upright: Sequence[bool]
    sizes: NDArray[np.float64]


def read_cells(
    data: Path | str,
    split: Split,
    rotate: bool,
    classifier: CellClassifier,
    seed: int,
    leave_out: Sequence[str] = (),
    progress: Progress | None = None,
) -> Iterator[ReadCell]:
    """The cells of a split, straightened and read; parameters and errors as in `evaluate_classification`."""
    if split not in ("train", "validation", "test", "all"):
        raise OptionError(f"`split` must be 'train', 'validation', 'test' or 'all'. Got: {split!r}.")
    source = CropSource(data)
    cells = [(k, cell, rows) for k, (cell, rows) in enumerate(source.cells())]
    cells = [one for one in cells if split == "all" or split_of(one[2][0].case) == split]
    if unknown := sorted(set(leave_out) - {cell for _, cell, _ in cells}):
        raise OptionError(f"`leave_out` must name cells of the split {split!r}. Got: {unknown[0]!r}.")
    cells = [one for one in cells if one[1] not in leave_out]
    if not any(row.label is not None for _, _, rows in cells for row in rows):
        raise DataError(f"{data}: must hold labelled chromosomes of the split {split!r}. Got: none.")
    for number, (place, cell, rows) in enumerate(cells, start=1):
        drawn = _straightened(source, rows, np.random.default_rng([seed, place]) if rotate else None)
        labels = classifier([one for one, _ in drawn])
        sizes = surprise_in_cell([one.area for one, _ in drawn], labels)
        yield ReadCell(cell, rows, labels, [up for _, up in drawn], sizes)
        if progress:
            progress(number, len(cells))


def evaluate_classification(
    data: Path | str,
    split: Split = "test",
    rotate: bool = True,
    classifier: CellClassifier | None = None,
    options: Options = Options(),  # noqa: B008 (frozen)
    seed: int = 0,
    upright: bool = True,
    progress: Progress | None = None,
    threads: int = 0,
    leave_out: Sequence[str] = (),
) -> ClassScore:
    """Score the classifier on pictures of single chromosomes, cell by cell.

    Parameters
    ----------
    data : Path or str
        Folder or zip file with ``manifest.csv`` (file, label, cell[, case]), see
        `karyofast.crops.CropSource`.
    split : {"train", "validation", "test", "all"}
        Cases to use (`karyofast.crops.split_of`); shipped weights may have seen all but those of "test".
    rotate : bool
        Turn each picture by an angle of its own, 0 to 360 degrees, before it is straightened.
    classifier : callable, optional
        Straightened chromosomes of one cell to labels; the model of ``options.classify`` when not given.
    options : Options
        ``classify`` and ``arrange`` are used.
    seed : int
        Seed of the angles; a cell's angles depend on it and on the cell's place in the manifest alone.
    upright : bool
        Whether the p arm is up in the pictures (pki3: it is; bioimlab: nobody says): else orientation is
        not scored.
    threads : int
        CPU threads of the network, 0: one a core.
    leave_out : sequence of str
        Cells, named as in the manifest, that are not scored: their labels are evidently wrong. The score names them.

    Returns
    -------
    ClassScore
        Pictures without a label take part in their cell's assignment and are not scored.

    Raises
    ------
    OptionError
        An unknown split, or a cell to be left out that the split does not hold.
    DataError
        The data cannot be read, or no case falls into the split.
    """
    label = classifier or classifier_of(options, threads)
    kept: list[tuple[int, Label, int, str, bool]] = []
    for cell in read_cells(data, split, rotate, label, seed, leave_out, progress):
        assigned = arrange(cell.labels, options.arrange, cell.sizes).assigned
        kept += [
            (row.label, cell.labels[k], assigned[k], cell.name, cell.upright[k])
            for k, row in enumerate(cell.rows)
            if row.label is not None
        ]
    return score_classes(
        true=[one[0] for one in kept],
        probabilities=[one[1].calibrated for one in kept],
        assigned=[one[2] for one in kept],
        cells=[one[3] for one in kept],
        p_up=[one[1].p_up for one in kept],
        upright=[one[4] if upright else None for one in kept],
        left_out=sorted(set(leave_out)),
    )


def evaluate_aneuploidy(
    data: Path | str,
    split: Split = "test",
    rotate: bool = True,
    classifier: CellClassifier | None = None,
    options: Options = Options(),  # noqa: B008 (frozen)
    seed: int = 0,
    progress: Progress | None = None,
    threads: int = 0,
    leave_out: Sequence[str] = (),
) -> AneuploidyScore:
    """Score how surely a changed number of chromosomes is seen, on cells changed for the purpose.

    Chromosomes of normal cells are taken out, or put in from another cell of the same case, as each was read in its
    own cell; see `karyofast.evaluate_aneuploidy`. Parameters and errors as in `evaluate_classification`.
    """
    label = classifier or classifier_of(options, threads)
    cells = []
    for cell in read_cells(data, split, rotate, label, seed, leave_out, progress):
        known = [row.label for row in cell.rows if row.label is not None]
        if len(known) == len(cell.rows):
            true = tuple(CLASSES[index] for index in known)
            cells.append(TrueCell(cell.rows[0].case, true, cell.labels, cell.sizes))
    return score_aneuploidy(cells, options.arrange, seed)


def _straightened(
    source: CropSource, rows: Sequence[CropRow], rng: np.random.Generator | None
) -> list[tuple[Straightened, bool]]:
    """The chromosomes of one cell, each with whether the upper end of its picture is at the top of its crop."""
    angles = np.zeros(len(rows)) if rng is None else rng.uniform(0.0, 360.0, len(rows))
    return [straighten_single(source.grey(row), float(angle)) for row, angle in zip(rows, angles, strict=True)]
