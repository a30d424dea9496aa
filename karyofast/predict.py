"""Name single chromosomes cut out by somebody else: pictures in, a table of predictions out.

The chromosomes of one cell are measured against one another and assigned together. Where no cell is given, all of a
set share one scale and are named from their crops alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from karyofast.arrange import arrange
from karyofast.classify import CellScale, Runtime, classify
from karyofast.config import ArrangeOptions
from karyofast.crops import MANIFEST, CropRow, CropSource, straighten_single
from karyofast.errors import DataError
from karyofast.evaluate_classes import ClassScore, score_classes
from karyofast.files import write_whole
from karyofast.sizes import surprise_in_cell
from karyofast.types import CLASSES, Label

UNPLACED = "unplaced"
"""Assigned class of a chromosome that the whole-cell assignment left out."""

COLUMNS = (
    *("file", "cell", "label", "confidence", "orientation", "assigned"),
    *(f"p_{name}" for name in CLASSES),
)
"""Columns of the table of predictions."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is said of one crop.

    Attributes
    ----------
    row : CropRow
        The crop, with its true class where that is known.
    label : Label or None
        From the crop alone, with the model's temperature, ``p_up`` for the picture as it was given; None where the
        crop could not be used.
    assigned : int or None
        Index into `CLASSES`, -1: left out, None where no cell is given.
    error : str
        Why the crop could not be used, "" where it could.
    """

    row: CropRow
    label: Label | None = None
    assigned: int | None = None
    error: str = ""

    def cells(self) -> list[str]:
        """The values of `COLUMNS`; those that are not known are empty."""
        if self.label is None:
            return [self.row.file, self.row.cell, *[""] * (len(COLUMNS) - 2)]
        assigned = ""
        if self.assigned is not None:
            assigned = CLASSES[self.assigned] if self.assigned >= 0 else UNPLACED
        said = [self.label.name, f"{self.label.confidence:.6f}", self.label.orientation, assigned]
        return [self.row.file, self.row.cell, *said, *(f"{value:.6f}" for value in self.label.calibrated)]


def open_crops(path: Path | str) -> CropSource:
    """The crops that a folder, a CSV file or a zip file names.

    Parameters
    ----------
    path : Path or str
        A CSV file ``file[,cell][,label]`` with the files seen from its folder; a folder or zip file with such a
        ``manifest.csv``; or a folder of pictures alone.

    Raises
    ------
    DataError
        Nothing there, a broken manifest, or no crop in it.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv" and not path.is_dir():
        source = CropSource(path.parent, path.name)
    elif path.is_dir() and not (path / MANIFEST).exists():
        source = CropSource(path, None)
    else:
        source = CropSource(path)
    if not source.rows:
        raise DataError(f"{path}: must name pictures of single chromosomes. Got: none.")
    return source


def predict(
    source: CropSource,
    runtime: Runtime,
    options: ArrangeOptions = ArrangeOptions(),  # noqa: B008 (frozen)
    batch: int = 46,
    progress: Callable[[int, int], None] | None = None,
) -> list[Prediction]:
    """Name the crops of a set, cell by cell.

    Parameters
    ----------
    source : CropSource
        Crops on a plain white or black background, in any orientation.
    runtime : Runtime
        A loaded classifier.
    options : ArrangeOptions
        Prices of the whole-cell assignment.
    batch : int
        Crops handed to the network at once.
    progress : callable, optional
        Called with (crops read, crops in all).

    Returns
    -------
    list of Prediction
        In the order of ``source.rows``; a crop that cannot be used has a reason instead of a label.
    """
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(source.rows):
        groups.setdefault(row.cell, []).append(place)
    done: dict[int, Prediction] = {}
    read = 0

    def tell() -> None:
        nonlocal read
        read += 1
        if progress:
            progress(read, len(source.rows))

    for cell, places in groups.items():
        said = _predict_cell(source, places, runtime, options if cell else None, batch, tell)
        done.update(zip(places, said, strict=True))
    return [done[place] for place in range(len(source.rows))]


def _predict_cell(
    source: CropSource,
    places: Sequence[int],
    runtime: Runtime,
    options: ArrangeOptions | None,
    batch: int,
    tell: Callable[[], None],
) -> list[Prediction]:
    """The predictions of one cell; without `options` nothing is assigned."""
    straightened, upright = {}, {}
    failed: dict[int, str] = {}
    for place in places:
        try:
            straightened[place], upright[place] = straighten_single(source.grey(source.rows[place]))
        except (ValueError, cv2.error) as error:
            # DataError and ImageError are ValueErrors; one odd crop must not stop the others
            failed[place] = str(error)
        tell()
    crops = list(straightened.values())
    labels = classify(crops, runtime, CellScale.of(crops), batch)
    sizes = surprise_in_cell([one.area for one in crops], labels)
    assigned = arrange(labels, options, sizes).assigned if options else (None,) * len(labels)
    said = {
        place: Prediction(
            source.rows[place],
            replace(
                label,
                p_up=label.p_up if upright[place] else 1.0 - label.p_up,
                temperature=runtime.temperature,
            ),
            given,
        )
        for place, label, given in zip(straightened, labels, assigned, strict=True)
    }
    return [said[place] if place in said else Prediction(source.rows[place], error=failed[place]) for place in places]


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write the table of predictions, under a temporary name that is renamed when it is whole."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(one.cells() for one in predictions)
    write_whole(path, text.getvalue())


def score_predictions(predictions: Sequence[Prediction]) -> ClassScore | None:
    """Score predictions whose true class is known; None where there is none.

    A cell with a labelled crop that could not be used is not right.
    """
    known = [one for one in predictions if one.row.label is not None and one.label is not None]
    if not known:
        return None
    everywhere = all(one.assigned is not None for one in known)
    lost = {one.row.cell for one in predictions if one.row.label is not None and one.label is None}
    return score_classes(
        true=[one.row.label for one in known if one.row.label is not None],
        probabilities=[one.label.calibrated for one in known if one.label is not None],
        assigned=[one.assigned for one in known if one.assigned is not None] if everywhere else None,
        cells=[one.row.cell for one in known] if everywhere else None,
        spoilt=sorted(lost) if everywhere else (),
    )
