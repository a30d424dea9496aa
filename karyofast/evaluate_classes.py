"""Score class labels: from the crop alone, after whole-cell assignment, by class, with orientation and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from karyofast.evaluate_cells import CellFigures, cell_figures
from karyofast.evaluate_match import share
from karyofast.evaluate_table import percent
from karyofast.types import CLASSES

BINS = 15
"""Bins of equal width over confidence 0 to 1 in the calibration error, as in Guo et al. 2017."""

UNPLACED = -1
"""Assigned class of a chromosome that was left out."""


@dataclass(frozen=True)
class ClassFigures:
    """One class: number of its chromosomes, precision, recall and F1 (None where a share of nothing)."""

    name: str
    true: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Reading:
    """One way to name the classes of a set of chromosomes.

    Attributes
    ----------
    right : int
        Chromosomes with their true class.
    total : int
    classes : tuple of ClassFigures
        In the order of `karyofast.types.CLASSES`.
    confusion : tuple of tuple of int
        24 rows (true class), 25 columns (given class; the last: unplaced).
    """

    right: int
    total: int
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def accuracy(self) -> float | None:
        """Share with the true class (top-1)."""
        return share(self.right, self.total)

    @property
    def macro_f1(self) -> float | None:
        """Mean F1 over the classes that occur in the truth."""
        present = [one.f1 for one in self.classes if one.true and one.f1 is not None]
        return float(np.mean(present)) if present else None

    def of(self, name: str) -> ClassFigures:
        """Figures of one class, "1" to "22", "X" or "Y"."""
        return self.classes[CLASSES.index(name)]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "right": self.right,
            "total": self.total,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "x_recall": self.of("X").recall,
            "y_recall": self.of("Y").recall,
            "classes": {
                one.name: {"true": one.true, "precision": one.precision, "recall": one.recall, "f1": one.f1}
                for one in self.classes
            },
            "confusion": [list(row) for row in self.confusion],
        }


@dataclass(frozen=True)
class CalibrationBin:
    """Chromosomes whose confidence lies in one bin: their number, mean confidence, share right (None: empty bin)."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """How far confidence and accuracy of the crop alone lie apart.

    Attributes
    ----------
    error : float or None
        Expected calibration error: mean over chromosomes of |confidence - accuracy| of their bin.
    bins : tuple of CalibrationBin
    """

    error: float | None
    bins: tuple[CalibrationBin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "expected_calibration_error": self.error,
            "bins": [
                {
                    "low": b.low,
                    "high": b.high,
                    "count": b.count,
                    "confidence": b.confidence,
                    "accuracy": b.accuracy,
                }
                for b in self.bins
            ],
        }


@dataclass(frozen=True)
class ClassScore:
    """Labels of a set of chromosomes.

    Attributes
    ----------
    crop : Reading
        The most probable class of each crop alone.
    assigned : Reading or None
        After whole-cell assignment; unplaced is wrong.
    orientation_right, orientation_total : int
        p arm on the right side, among chromosomes of which it is known.
    calibration : Calibration
        Of the crop alone.
    cells, cells_right, cells_right_crop : int
        Cells, those of which every scored chromosome has its class after assignment, and from its crop alone.
    by_cell : tuple of CellFigures
        Each cell's own figures, those that agree least with their labels first.
    left_out : tuple of str
        Cells that were left out by name.
    """

    crop: Reading
    assigned: Reading | None
    orientation_right: int
    orientation_total: int
    calibration: Calibration
    cells: int
    cells_right: int
    cells_right_crop: int
    by_cell: tuple[CellFigures, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def orientation(self) -> float | None:
        """Share with the p arm on the right side."""
        return share(self.orientation_right, self.orientation_total)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "chromosomes": self.crop.total,
            "crop": self.crop.to_dict(),
            "assigned": self.assigned.to_dict() if self.assigned else None,
            "orientation": {
                "right": self.orientation_right,
                "total": self.orientation_total,
                "accuracy": self.orientation,
            },
            "calibration": self.calibration.to_dict(),
            "cells": {
                "total": self.cells,
                "right": self.cells_right,
                "share": share(self.cells_right, self.cells),
                "right_crop": self.cells_right_crop,
                "share_crop": share(self.cells_right_crop, self.cells),
            },
            "left_out": list(self.left_out),
            "by_cell": [one.to_dict() for one in self.by_cell],
        }

    def rows(self, name: str = "") -> list[dict[str, str]]:
        """One row a reading: from the crop alone, after assignment."""
        readings = [("crop", self.crop, self.cells_right_crop), ("assigned", self.assigned, self.cells_right)]
        error = self.calibration.error
        return [
            {
                "method": name,
                "class from": source,
                "chromosomes": str(reading.total),
                "top-1": percent(reading.accuracy, 2),
                "macro F1": percent(reading.macro_f1, 2),
                "X": percent(reading.of("X").recall),
                "Y": percent(reading.of("Y").recall),
                "cells": str(self.cells),
                "cells right": percent(share(right, self.cells)),
                "p arm": percent(self.orientation) if source == "crop" else "",
                "ECE": percent(error, 2) if source == "crop" else "",
                **({"left out": ", ".join(self.left_out)} if self.left_out else {}),
            }
            for source, reading, right in readings
            if reading is not None
        ]

    def cell_rows(self) -> list[dict[str, str]]:
        """One row a cell, those that agree least with their labels first."""
        return [one.row() for one in self.by_cell]

    def class_rows(self) -> list[dict[str, str]]:
        """One row a class."""
        rows = []
        for number, one in enumerate(self.crop.classes):
            row = {"class": one.name, "true": str(one.true), **_class_cells("crop", one)}
            if self.assigned:
                row |= _class_cells("assigned", self.assigned.classes[number])
            rows.append(row)
        return rows


def score_classes(
    true: ArrayLike,
    probabilities: ArrayLike,
    assigned: ArrayLike | None = None,
    cells: Sequence[str] | None = None,
    p_up: ArrayLike | None = None,
    upright: Sequence[bool | None] | None = None,
    spoilt: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> ClassScore:
    """Score the labels of a set of chromosomes.

    Parameters
    ----------
    true : int (n,)
        Index into `karyofast.types.CLASSES`.
    probabilities : float (n, 24)
        From the crop alone.
    assigned : int (n,), optional
        Index after whole-cell assignment, -1: unplaced.
    cells : sequence of str (n,), optional
        Which cell each belongs to; without it no cell is counted.
    p_up : float (n,), optional
        Probability that the p arm is at the top of the crop.
    upright : sequence of bool or None (n,), optional
        Whether it is; None where nobody knows.
    spoilt : sequence of str
        Cells that are wrong for a reason outside of these chromosomes: one was not found, or one is too many.
        They may have no chromosome here.
    left_out : sequence of str
        Cells that were left out by name; only told.

    Returns
    -------
    ClassScore

    Raises
    ------
    ValueError
        Arrays of other shapes, a class that does not exist, probabilities that are not finite.

    Examples
    --------
    >>> score = score_classes([0, 1, 1], np.eye(24)[[0, 1, 0]], assigned=[0, 1, 1], cells=["a", "a", "b"])
    >>> round(score.crop.accuracy, 3), score.assigned.accuracy, score.cells_right, score.cells_right_crop
    (0.667, 1.0, 2, 1)
    """
    truth = _indices("true", true, 0)
    belief = np.asarray(probabilities, dtype=np.float64)
    if len(truth) == 0 and belief.size == 0:
        belief = belief.reshape(0, len(CLASSES))
    if belief.shape != (len(truth), len(CLASSES)) or not np.isfinite(belief).all():
        raise ValueError(
            f"`probabilities` must be finite and of shape ({len(truth)}, {len(CLASSES)}). "
            f"Got: {belief.shape}, {np.count_nonzero(~np.isfinite(belief))} values not finite."
        )
    alone = belief.argmax(axis=1) if len(truth) else truth
    placed = None if assigned is None else _indices("assigned", assigned, UNPLACED)
    for name, other in (("assigned", placed), ("cells", cells), ("p_up", p_up), ("upright", upright)):
        if other is not None and len(np.asarray(other)) != len(truth):
            raise ValueError(f"`{name}` must have {len(truth)} entries. Got: {len(np.asarray(other))}.")
    best = alone if placed is None else placed
    whole = set(cells or ()) | set(spoilt)
    orientation = _orientation(p_up, upright)
    return ClassScore(
        crop=reading(truth, alone),
        assigned=None if placed is None else reading(truth, placed),
        orientation_right=orientation[0],
        orientation_total=orientation[1],
        calibration=calibration(belief.max(axis=1) if len(truth) else np.zeros(0), alone == truth),
        cells=len(whole),
        cells_right=len(whole - _wrong_cells(cells, best != truth) - set(spoilt)),
        cells_right_crop=len(whole - _wrong_cells(cells, alone != truth) - set(spoilt)),
        by_cell=cell_figures(truth, alone, placed, cells or ()),
        left_out=tuple(left_out),
    )


def reading(true: NDArray[np.int64], given: NDArray[np.int64]) -> Reading:
    """Figures of given classes (n,), -1: unplaced, against true ones (n,)."""
    confusion = np.zeros((len(CLASSES), len(CLASSES) + 1), dtype=np.int64)
    # index -1 is the last column
    np.add.at(confusion, (true, given), 1)
    figures = []
    for number, name in enumerate(CLASSES):
        hits = int(confusion[number, number])
        asked, said = int(confusion[number].sum()), int(confusion[:, number].sum())
        figures.append(ClassFigures(name, asked, share(hits, said), share(hits, asked), share(2 * hits, asked + said)))
    rows = tuple(tuple(int(value) for value in row) for row in confusion)
    return Reading(int(np.trace(confusion)), len(true), tuple(figures), rows)


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS) -> Calibration:
    """Expected calibration error of confidences (n,) in 0..1 and whether each was right (n,).

    A confidence on the edge of two bins belongs to the lower one.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    number = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    error, found = 0.0, []
    for k in range(bins):
        inside = number == k
        count = int(np.count_nonzero(inside))
        mean = float(confidence[inside].mean()) if count else None
        accuracy = float(right[inside].mean()) if count else None
        if mean is not None and accuracy is not None:
            error += count * abs(mean - accuracy) / len(right)
        found.append(CalibrationBin(k / bins, (k + 1) / bins, count, mean, accuracy))
    return Calibration(error if len(right) else None, tuple(found))


def _indices(name: str, values: ArrayLike, least: int) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < least or array.max() >= len(CLASSES):
        raise ValueError(
            f"`{name}` must be whole numbers of {least} to {len(CLASSES) - 1}, one a chromosome. "
            f"Got: {array.dtype} {array.shape}, {array.min()} to {array.max()}."
        )
    return array.astype(np.int64)


def _orientation(p_up: ArrayLike | None, upright: Sequence[bool | None] | None) -> tuple[int, int]:
    """Right and known."""
    if p_up is None or upright is None:
        return 0, 0
    known = [(float(up) >= 0.5, true) for up, true in zip(np.asarray(p_up), upright, strict=True) if true is not None]
    return sum(said == true for said, true in known), len(known)


def _wrong_cells(cells: Sequence[str] | None, wrong: NDArray[np.bool_]) -> set[str]:
    return {cell for cell, bad in zip(cells or (), wrong, strict=False) if bad}


def _class_cells(source: str, one: ClassFigures) -> dict[str, str]:
    return {
        f"{source} precision": percent(one.precision),
        f"{source} recall": percent(one.recall),
        f"{source} F1": percent(one.f1),
    }
