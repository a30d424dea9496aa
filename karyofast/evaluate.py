"""Evaluate: the measures of DESIGN.md on data sets with truth, for our methods, baselines and any callable.

Four entry points, one a measure; each takes a COCO file (or pictures read by `load_truth`) or a set of
single chromosomes, runs a method over it and returns a frozen score with ``to_dict()`` for JSON,
``rows(name)`` for a table of methods and ``image_rows()`` or ``class_rows()`` for the details;
`format_table` writes rows as plain text. What is already in memory is scored by `score_candidates`,
`score_instances`, `score_classes` and `score_karyotypes`.

Nothing is tuned here: parameters are set on the slides of `slide_half` "tune", figures are told for
"score".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from karyofast.config import DetectOptions, Options
from karyofast.errors import DataError, OptionError
from karyofast.evaluate_classes import ClassScore, score_classes
from karyofast.evaluate_data import (
    Slides,
    TruthPicture,
    asked,
    load_truth,
    slide_half,
    truth_of,
    wanted,
)
from karyofast.evaluate_detection import DetectionScore, score_candidates
from karyofast.evaluate_instances import InstanceScore, average_precision, score_instances
from karyofast.evaluate_match import Counts, iou_matrix, match
from karyofast.evaluate_methods import (
    DETECTIONS,
    INSTANCES,
    CellClassifier,
    Detector,
    Karyotyper,
    classifier_of,
    detector_of,
    karyotyper_of,
    separator_of,
)
from karyofast.evaluate_table import format_table
from karyofast.evaluate_whole import WholeScore, score_karyotypes
from karyofast.types import Chromosome, Label, Metaphase, Straightened

if TYPE_CHECKING:
    from karyofast.crops import CropRow, CropSource

__all__ = [
    "DETECTIONS",
    "INSTANCES",
    "ClassScore",
    "Counts",
    "DetectionScore",
    "InstanceScore",
    "TruthPicture",
    "WholeScore",
    "average_precision",
    "evaluate_classification",
    "evaluate_detection",
    "evaluate_instances",
    "evaluate_pipeline",
    "format_table",
    "iou_matrix",
    "load_truth",
    "match",
    "score_candidates",
    "score_classes",
    "score_instances",
    "score_karyotypes",
    "slide_half",
    "truth_of",
]

Reader = Callable[[Path], Metaphase]
Progress = Callable[[int, int], None]
"""Called with (pictures or cells done, in all)."""

Data = Path | str | Sequence[TruthPicture]
"""A COCO file, or its pictures read already."""

TRANSLOCATED_OUT = ("EX",)
"""Karyotype codes of mfish whose class maps are not to be scored (its README)."""


def evaluate_detection(
    data: Data,
    method: str | DetectOptions | Detector = "er",
    slides: Slides = "all",
    read: Reader | None = None,
    progress: Progress | None = None,
) -> DetectionScore:
    """Score candidates against the blobs of the truth.

    Parameters
    ----------
    data : Path, str or sequence of TruthPicture
        COCO file with true masks, or its pictures from `load_truth`.
    method : str, DetectOptions or callable
        A name of `DETECTIONS`, options of `karyofast.detect.detect`, or any ``Metaphase -> regions``.
    slides : {"all", "tune", "score"} or collection of str
        Which slides' pictures are used.
    read : callable, optional
        Reads a picture; `karyofast.io.read_metaphase` when not given.
    progress : callable, optional
        Called with (pictures done, pictures in all).

    Returns
    -------
    DetectionScore

    Raises
    ------
    OptionError
        An unknown name.
    DataError
        The truth cannot be used, or does not fit its picture.
    ImageError
        A picture cannot be read.
    """
    pictures = _pictures(data, slides)
    detect = detector_of(method)
    reader = read or _reader()
    scores = []
    for number, one in enumerate(pictures, start=1):
        scores.append(score_candidates(detect(_metaphase(one, reader)), one.truth))
        _tell(progress, number, len(pictures))
    return DetectionScore(tuple(scores))


def evaluate_instances(
    data: Data,
    method: str | Options | Detector = "axis",
    slides: Slides = "all",
    read: Reader | None = None,
    progress: Progress | None = None,
    threads: int = 0,
) -> InstanceScore:
    """Score separated chromosomes against true masks.

    Parameters
    ----------
    data, slides, read, progress
        As in `evaluate_detection`.
    method : str, Options or callable
        A name of `INSTANCES`, options (detection and separation are used), or any ``Metaphase -> regions``;
        regions with a ``score`` are ranked by it for average precision.
    threads : int
        CPU threads of a learned separator, 0: one a core.

    Returns
    -------
    InstanceScore

    Raises
    ------
    OptionError, DataError, ImageError
        As in `evaluate_detection`.
    ModelError
        The separator's model is missing.
    """
    pictures = _pictures(data, slides)
    separate = separator_of(method, threads)
    reader = read or _reader()
    results = []
    for number, one in enumerate(pictures, start=1):
        results.append((separate(_metaphase(one, reader)), one.truth))
        _tell(progress, number, len(pictures))
    return score_instances(results)


def evaluate_pipeline(
    data: Data,
    masks: Literal["found", "true"] = "found",
    options: Options = Options(),  # noqa: B008 (frozen)
    karyotype: Karyotyper | None = None,
    slides: Slides = "all",
    leave_out: Sequence[str] = TRANSLOCATED_OUT,
    read: Reader | None = None,
    progress: Progress | None = None,
    threads: int = 0,
) -> WholeScore:
    """Score the whole way, from a picture to the classes of its chromosomes.

    Parameters
    ----------
    data, slides, read, progress
        As in `evaluate_detection`.
    masks : {"found", "true"}
        Whether chromosomes are detected and separated, or the true masks (ignored ones not) are handed in.
    options : Options
        Of the pipeline; not used with `karyotype`.
    karyotype : callable, optional
        ``(Metaphase, chromosomes or None) -> Karyotype``; `karyofast.pipeline.karyotype` when not given.
    leave_out : sequence of str
        Karyotype codes of ``manifest.csv`` whose pictures are left out.
    threads : int
        CPU threads of the networks, 0: one a core.

    Returns
    -------
    WholeScore

    Raises
    ------
    OptionError, DataError, ImageError, ModelError
        As in `evaluate_instances`.
    """
    if masks not in ("found", "true"):
        raise OptionError(f"`masks` must be 'found' or 'true'. Got: {masks!r}.")
    pictures = [one for one in _pictures(data, slides) if one.code not in leave_out]
    if not pictures:
        raise DataError(f"`data` must hold pictures of other karyotype codes than {tuple(leave_out)}. Got: none.")
    run = karyotype or karyotyper_of(options, threads, masks)
    reader = read or _reader()
    results = []
    for number, one in enumerate(pictures, start=1):
        given = None
        if masks == "true":
            given = [Chromosome(true.region.box, true.region.mask) for true in asked(one.truth)]
        results.append((run(_metaphase(one, reader), given), one.truth))
        _tell(progress, number, len(pictures))
    return score_karyotypes(results)


def evaluate_classification(
    data: Path | str,
    split: Literal["train", "validation", "test", "all"] = "test",
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
    from karyofast.arrange import arrange
    from karyofast.crops import CropSource, split_of

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
    label = classifier or classifier_of(options, threads)
    kept: list[tuple[int, Label, int, str, bool]] = []
    for number, (place, cell, rows) in enumerate(cells, start=1):
        drawn = _straightened(source, rows, np.random.default_rng([seed, place]) if rotate else None)
        labels = label([one for one, _ in drawn])
        assigned = arrange(labels, options.arrange).assigned
        kept += [
            (row.label, labels[k], assigned[k], cell, drawn[k][1])
            for k, row in enumerate(rows)
            if row.label is not None
        ]
        _tell(progress, number, len(cells))
    return score_classes(
        true=[one[0] for one in kept],
        probabilities=[one[1].probabilities for one in kept],
        assigned=[one[2] for one in kept],
        cells=[one[3] for one in kept],
        p_up=[one[1].p_up for one in kept],
        upright=[one[4] if upright else None for one in kept],
        left_out=sorted(set(leave_out)),
    )


def _straightened(
    source: CropSource, rows: Sequence[CropRow], rng: np.random.Generator | None
) -> list[tuple[Straightened, bool]]:
    """The chromosomes of one cell, each with whether the upper end of its picture is at the top of its crop."""
    from karyofast.crops import straighten_single

    angles = np.zeros(len(rows)) if rng is None else rng.uniform(0.0, 360.0, len(rows))
    return [straighten_single(source.grey(row), float(angle)) for row, angle in zip(rows, angles, strict=True)]


def _pictures(data: Data, slides: Slides) -> Sequence[TruthPicture]:
    if isinstance(data, str | Path):
        return load_truth(data, slides)
    if slides == "all":
        return data
    chosen = [one for one in data if wanted(one.slide, slides)]
    if not chosen:
        raise DataError(f"`data` must hold pictures of the slides asked for ({slides!r}). Got: none.")
    return chosen


def _metaphase(one: TruthPicture, read: Reader) -> Metaphase:
    metaphase = read(one.path)
    if metaphase.shape != one.truth.image.shape:
        raise DataError(
            f"{one.path}: must have the size of its truth, {one.truth.image.shape}. Got: {metaphase.shape}."
        )
    return metaphase


def _reader() -> Reader:
    from karyofast.io import read_metaphase

    return read_metaphase


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress:
        progress(done, total)
