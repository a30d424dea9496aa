"""Evaluate: the measures of DESIGN.md on data sets with truth, for our methods, baselines and any callable.

Six entry points, one a measure; each takes a COCO file (or pictures read by `load_truth`) or a set of
single chromosomes, runs a method over it and returns a frozen score with ``to_dict()`` for JSON,
``rows(name)`` for a table of methods and ``image_rows()`` or ``class_rows()`` for the details;
`format_table` writes rows as plain text. What is already in memory is scored by `score_candidates`,
`score_instances`, `score_classes`, `score_aneuploidy` and `score_karyotypes`.

Nothing is tuned here: parameters are set on the slides of `slide_half` "tune", figures are told for
"score".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from karyofast.coco import Truth
from karyofast.config import DetectOptions, Options
from karyofast.errors import DataError, OptionError
from karyofast.evaluate_aneuploidy import AneuploidyScore, score_aneuploidy
from karyofast.evaluate_classes import ClassScore, score_classes
from karyofast.evaluate_crops import evaluate_aneuploidy, evaluate_classification
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
from karyofast.evaluate_failures import FailureScore, ImageFailures, find_failures
from karyofast.evaluate_instances import InstanceScore, average_precision, score_instances
from karyofast.evaluate_match import Counts, iou_matrix, match
from karyofast.evaluate_methods import (
    DETECTIONS,
    INSTANCES,
    SEPARATIONS,
    Detector,
    Karyotyper,
    detector_of,
    karyotyper_of,
    separator_of,
)
from karyofast.evaluate_table import format_table
from karyofast.evaluate_whole import WholeScore, score_karyotypes
from karyofast.types import Chromosome, Metaphase

__all__ = [
    "DETECTIONS",
    "INSTANCES",
    "SEPARATIONS",
    "AneuploidyScore",
    "ClassScore",
    "Counts",
    "DetectionScore",
    "FailureScore",
    "ImageFailures",
    "InstanceScore",
    "TruthPicture",
    "WholeScore",
    "average_precision",
    "evaluate_aneuploidy",
    "evaluate_classification",
    "evaluate_detection",
    "evaluate_failures",
    "evaluate_instances",
    "evaluate_pipeline",
    "format_table",
    "iou_matrix",
    "load_truth",
    "match",
    "score_aneuploidy",
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
    halfmax: Data | None = None,
) -> InstanceScore:
    """Score separated chromosomes against true masks.

    Parameters
    ----------
    data, slides, read, progress
        As in `evaluate_detection`.
    method : str, Options or callable
        A name of `SEPARATIONS`, options (detection and separation are used), or any ``Metaphase -> regions``;
        regions with a ``score`` are ranked by it for average precision.
    threads : int
        CPU threads of a learned separator, 0: one a core.
    halfmax : Path, str or sequence of TruthPicture, optional
        The truth of the same pictures with masks at the half-maximum: average precision is told for it, too.

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
    narrow = _narrow(pictures, halfmax) if halfmax is not None else []
    return score_instances(results, narrow)


def evaluate_failures(
    data: Data,
    method: str | Options | Detector = "second-look",
    slides: Slides = "all",
    read: Reader | None = None,
    progress: Progress | None = None,
    threads: int = 0,
    seen: Callable[[Metaphase, ImageFailures], None] | None = None,
) -> FailureScore:
    """What is joined, split, lost, misshapen or invented; the definitions stand in `karyofast.evaluate_failures`.

    Parameters
    ----------
    data, method, slides, read, progress, threads
        As in `evaluate_instances`.
    seen : callable, optional
        Called with each picture and its failures, to draw them.

    Returns
    -------
    FailureScore

    Raises
    ------
    OptionError, DataError, ImageError, ModelError
        As in `evaluate_instances`.
    """
    pictures = _pictures(data, slides)
    separate = separator_of(method, threads)
    reader = read or _reader()
    images = []
    for number, one in enumerate(pictures, start=1):
        metaphase = _metaphase(one, reader)
        images.append(find_failures(separate(metaphase), one.truth))
        if seen:
            seen(metaphase, images[-1])
        _tell(progress, number, len(pictures))
    return FailureScore(tuple(images))


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


def _narrow(pictures: Sequence[TruthPicture], halfmax: Data) -> list[Truth]:
    """The truth at the half-maximum of pictures, in their order."""
    truths = {one.name: one.truth for one in _pictures(halfmax, "all")}
    missing = [one.name for one in pictures if one.name not in truths]
    if missing:
        raise DataError(f"`halfmax` must hold the pictures of `data`. Got: no {missing[0]}.")
    return [truths[one.name] for one in pictures]


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
