"""The whole way on one screen: image, candidates, chromosomes, straightened crops, labels, arrangement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from karyofast.arrange import arrange
from karyofast.classify import CellScale, Runtime, classify
from karyofast.config import Options
from karyofast.detect import detect
from karyofast.errors import OptionError
from karyofast.models.store import find
from karyofast.second_look import Way, choose
from karyofast.segment import segment
from karyofast.segment_axis import Separator, partitions
from karyofast.straighten import straighten
from karyofast.types import Candidate, Chromosome, Karyotype, Metaphase


@dataclass(frozen=True, eq=False)
class Models:
    """The loaded networks; `separator` is None where the method needs none."""

    classifier: Runtime
    separator: Separator | None


def load_models(options: Options = Options(), threads: int = 0) -> Models:  # noqa: B008 (frozen)
    """Load the networks that `options` asks for, by ONNX Runtime on `threads` threads (0: one a core).

    Raises
    ------
    ModelError
        No such model, or a broken one.
    """
    from karyofast.runtimes.onnx import OnnxClassifier, OnnxSeparator

    separator = None
    if options.segment.method == "axis":
        separator = OnnxSeparator(find(options.segment.model, "separator"), threads)
    return Models(OnnxClassifier(find(options.classify.model, "classifier"), threads), separator)


def karyotype(
    metaphase: Metaphase,
    options: Options = Options(),  # noqa: B008 (frozen)
    models: Models | None = None,
    chromosomes: Sequence[Chromosome] | None = None,
) -> Karyotype:
    """Karyotype one metaphase.

    Parameters
    ----------
    metaphase : Metaphase
    options : Options
    models : Models, optional
        Loaded when not given; load them once for many images.
    chromosomes : sequence of Chromosome, optional
        Masks known already (drawn by hand, or true ones): detection and separation are left out.

    Returns
    -------
    Karyotype
        With `seconds` a stage. A blank picture gives an empty one with the flag "blank".
    """
    models = models or load_models(options)
    clock = _Clock()
    candidates: list[Candidate] = []
    if chromosomes is None and "blank" not in metaphase.flags:
        candidates = detect(metaphase, options.detect)
    clock.mark("detect")
    if chromosomes is None and options.segment.method == "axis" and options.segment.second_look:
        whole = _look_twice(metaphase, candidates, options, models, clock)
    else:
        if chromosomes is None:
            chromosomes = segment(metaphase, candidates, options.segment, models.separator)
        clock.mark("segment")
        straightened = tuple(straighten(metaphase, one) for one in chromosomes)
        clock.mark("straighten")
        labels = tuple(classify(straightened, models.classifier, batch=options.classify.batch))
        clock.mark("classify")
        whole = Way(tuple(chromosomes), straightened, labels)
    arrangement = arrange(whole.labels, options.arrange)
    clock.mark("arrange")
    flags = (*metaphase.flags, *(() if whole.chromosomes else ("empty",)), *arrangement.flags)
    return Karyotype(
        metaphase, tuple(candidates), whole.chromosomes, whole.straightened, whole.labels, arrangement, flags,
        clock.seconds,
    )  # fmt: skip


def _look_twice(
    metaphase: Metaphase, candidates: Sequence[Candidate], options: Options, models: Models, clock: _Clock
) -> Way:
    """Cut each candidate in the way that makes the likeliest cell; see `karyofast.second_look`."""
    if models.separator is None:
        raise OptionError("method 'axis' must be given a separator. Got: None. Load one with load_models.")
    cuts = partitions(metaphase, candidates, models.separator)
    clock.mark("segment")
    crops = [[tuple(straighten(metaphase, one) for one in way) for way in ways] for ways in cuts]
    clock.mark("straighten")
    # the cell's scale is that of the first ways: pieces of the others must not move it
    scale = CellScale.of([one for ways in crops for one in ways[0]])
    flat = [one for ways in crops for way in ways for one in way]
    labels = iter(classify(flat, models.classifier, scale, options.classify.batch))
    clock.mark("classify")
    offered = [
        [
            Way(tuple(way), crop, tuple(next(labels) for _ in way))
            for way, crop in zip(ways, ways_crops, strict=True)
        ]
        for ways, ways_crops in zip(cuts, crops, strict=True)
    ]
    chosen = choose(offered, lambda cell: arrange(cell, options.arrange).cost)
    clock.mark("second_look")
    return Way(
        tuple(one for way in chosen for one in way.chromosomes),
        tuple(one for way in chosen for one in way.straightened),
        tuple(one for way in chosen for one in way.labels),
    )


class _Clock:
    """Seconds a stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._last, 4)
        self._last = now
