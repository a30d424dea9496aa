"""The whole way on one screen: image, candidates, chromosomes, straightened crops, labels, arrangement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from karyofast.arrange import arrange
from karyofast.classify import Runtime, classify
from karyofast.config import Options
from karyofast.detect import detect
from karyofast.models.store import find
from karyofast.segment import segment
from karyofast.segment_axis import Separator
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
    if chromosomes is None:
        candidates = [] if "blank" in metaphase.flags else detect(metaphase, options.detect)
        clock.mark("detect")
        chromosomes = segment(metaphase, candidates, options.segment, models.separator)
        clock.mark("segment")
    straightened = [straighten(metaphase, one) for one in chromosomes]
    clock.mark("straighten")
    labels = classify(straightened, models.classifier, batch=options.classify.batch)
    clock.mark("classify")
    arrangement = arrange(labels, options.arrange)
    clock.mark("arrange")
    flags = [*metaphase.flags, *(("empty",) if not chromosomes else ()), *arrangement.flags]
    return Karyotype(
        metaphase, tuple(candidates), tuple(chromosomes), tuple(straightened), tuple(labels), arrangement,
        tuple(flags), clock.seconds,
    )  # fmt: skip


class _Clock:
    """Seconds a stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._last, 4)
        self._last = now
