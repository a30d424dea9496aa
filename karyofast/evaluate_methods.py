"""What is evaluated: methods by name, by options, or as any callable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from karyofast.config import DetectOptions, Options, SegmentOptions
from karyofast.errors import OptionError
from karyofast.types import Chromosome, Karyotype, Label, Metaphase, Region, Straightened

Detector = Callable[[Metaphase], Sequence[Region]]
"""A picture to regions: candidates, or separated chromosomes."""

Karyotyper = Callable[[Metaphase, Sequence[Chromosome] | None], Karyotype]
"""A picture, and its chromosomes where they are handed in, to a karyotype."""

CellClassifier = Callable[[Sequence[Straightened]], Sequence[Label]]
"""Straightened chromosomes of one cell to their labels."""

DETECTIONS: Mapping[str, DetectOptions] = MappingProxyType(
    {
        "er": DetectOptions(),
        "er-no-geometry": DetectOptions(filter_geometry=False),
        "er-no-variance": DetectOptions(filter_variance=False),
        "er-unfiltered": DetectOptions(filter_geometry=False, filter_variance=False),
        "otsu": DetectOptions(method="otsu"),
        "adaptive": DetectOptions(method="adaptive"),
        "mser": DetectOptions(method="mser"),
    }
)
"""Detectors by name: the paper's, the same without one filter or both, and the baselines."""

INSTANCES: Mapping[str, Options] = MappingProxyType(
    {
        "axis": Options(),
        "arms": Options(segment=SegmentOptions(method="arms")),
        "rrt": Options(segment=SegmentOptions(method="rrt")),
        "er": Options(segment=SegmentOptions(method="none")),
        "otsu": Options(detect=DetectOptions(method="otsu"), segment=SegmentOptions(method="none")),
        "adaptive": Options(detect=DetectOptions(method="adaptive"), segment=SegmentOptions(method="none")),
        "mser": Options(detect=DetectOptions(method="mser"), segment=SegmentOptions(method="none")),
        "watershed": Options(detect=DetectOptions(method="otsu"), segment=SegmentOptions(method="watershed")),
    }
)
"""Ways to separated chromosomes by name: learned axes, the same network read plainly, the paper's, and baselines (each
candidate one chromosome, or Otsu's components cut by a watershed)."""


SECOND_LOOK = "second-look"
"""The whole pipeline, of which the chromosomes are taken: axis, and what the second look makes of it."""

FIRST_LOOK = "first-look"
"""The same without the second look: what it changes stands between the two."""

SEPARATIONS = (SECOND_LOOK, FIRST_LOOK, *INSTANCES)
"""Names that `separator_of` knows."""


def detector_of(method: str | DetectOptions | Detector) -> Detector:
    """Resolve a name of `DETECTIONS` or options; raises `OptionError` for an unknown name."""
    if isinstance(method, str):
        if method not in DETECTIONS:
            raise OptionError(f"`method` must be one of {', '.join(DETECTIONS)}. Got: {method!r}.")
        method = DETECTIONS[method]
    if not isinstance(method, DetectOptions):
        return method
    from karyofast.detect import detect

    options = method
    return lambda metaphase: detect(metaphase, options)


def separator_of(method: str | Options | Detector, threads: int) -> Detector:
    """Resolve a name of `SEPARATIONS` or options, with its models loaded; raises `OptionError`, `ModelError`."""
    if isinstance(method, str):
        if method not in SEPARATIONS:
            raise OptionError(f"`method` must be one of {', '.join(SEPARATIONS)}. Got: {method!r}.")
        if method in (SECOND_LOOK, FIRST_LOOK):
            options = Options(segment=SegmentOptions(second_look=method == SECOND_LOOK))
            whole = karyotyper_of(options, threads, "found")
            return lambda metaphase: whole(metaphase, None).chromosomes
        method = INSTANCES[method]
    if not isinstance(method, Options):
        return method
    from karyofast.detect import detect
    from karyofast.runtimes.load import load_separators
    from karyofast.segment import segment

    options = method
    models = load_separators(options.segment, threads) if options.segment.learned else None
    return lambda metaphase: segment(
        metaphase, detect(metaphase, options.detect), options.segment, models and models(metaphase.polarity)
    )


def karyotyper_of(options: Options, threads: int, masks: str) -> Karyotyper:
    """The whole pipeline with its models loaded; with true `masks` the separator is left out."""
    from karyofast.pipeline import karyotype, load_models

    if masks == "true":
        # nothing is separated: the separator's model is not needed
        options = replace(options, segment=replace(options.segment, method="none"))
    models = load_models(options, threads)
    return lambda metaphase, chromosomes: karyotype(metaphase, options, models, chromosomes)


def classifier_of(options: Options, threads: int) -> CellClassifier:
    """The model of ``options.classify``, loaded; "auto" is the one for Giemsa."""
    from karyofast.classify import classify
    from karyofast.models.store import classifier_for
    from karyofast.runtimes.load import load_classifier

    chosen = replace(options.classify, model=classifier_for(options.classify, "dark"))
    runtime = load_classifier(chosen, threads)

    def label(cell: Sequence[Straightened]) -> list[Label]:
        said = classify(cell, runtime, batch=options.classify.batch)
        return [replace(one, temperature=runtime.temperature) for one in said]

    return label
