"""The whole way on one screen: image, candidates, chromosomes, straightened crops, labels, arrangement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from karyofast import __version__, edit
from karyofast.arrange import arrange, cost
from karyofast.classify import CellScale, Runtime, classify
from karyofast.config import ArrangeOptions, Options
from karyofast.detect import examine
from karyofast.edit_script import Script
from karyofast.errors import OptionError
from karyofast.models.store import find
from karyofast.quality import measure
from karyofast.second_look import look
from karyofast.second_look_moves import Piece, strangeness
from karyofast.segment import segment, unseparated, ways
from karyofast.segment_axis import Separator
from karyofast.sizes import SCRAP, surprise, typical_area
from karyofast.straighten import straighten
from karyofast.types import CLASSES, Arrangement, Candidate, Chromosome, Dropped, Karyotype, Label, Metaphase

FIRM = 1e6
"""Nats that a class earns which a person said: no sum of prices of a cell outbids it."""


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
    dropped: list[Dropped] = []
    given = chromosomes is not None
    if not given and "blank" not in metaphase.flags:
        candidates, dropped = examine(metaphase, options.detect)
    clock.mark("detect")
    if chromosomes is None and options.segment.method == "axis" and options.segment.second_look:
        pieces = _look_twice(metaphase, candidates, options, models, clock)
    else:
        if chromosomes is None:
            chromosomes = segment(metaphase, candidates, options.segment, models.separator)
        clock.mark("segment")
        pieces = _Reader(metaphase, options, models, clock)(chromosomes)
    dropped += unseparated(candidates, [piece.chromosome for piece in pieces])
    typical = _typical(pieces)
    if not given:
        pieces, scraps = _without_scraps(pieces, typical)
        dropped += scraps
    sizes = surprise([piece.chromosome.area for piece in pieces], typical)
    arrangement = arrange([piece.label for piece in pieces], options.arrange, sizes)
    clock.mark("arrange")
    chromosomes = tuple(piece.chromosome for piece in pieces)
    quality = measure(metaphase, chromosomes)
    clock.mark("quality")
    return Karyotype(
        metaphase,
        tuple(candidates),
        chromosomes,
        tuple(piece.straightened for piece in pieces),
        tuple(piece.label for piece in pieces),
        arrangement,
        _flags(metaphase, arrangement),
        clock.seconds,
        tuple(dropped),
        quality=quality,
    )


def _flags(metaphase: Metaphase, arrangement: Arrangement) -> tuple[str, ...]:
    return (*metaphase.flags, *(() if arrangement.assigned else ("empty",)), *arrangement.flags)


def revise(
    karyotype: Karyotype,
    script: Script,
    options: Options = Options(),  # noqa: B008 (frozen)
    models: Models | None = None,
) -> Karyotype:
    """Correct a karyotype by a script: new masks are straightened and classified, the whole cell is arranged again.

    A class that the script says is kept whatever the crop, the size or the prices say. Nothing is dropped here for
    its size.

    Parameters
    ----------
    karyotype : Karyotype
        As `karyotype` or an earlier `revise` gave it.
    script : Script
    options : Options
        Those of the karyotype.
    models : Models, optional
        Loaded when not given and a mask is new.

    Raises
    ------
    OptionError
        An operation that cannot be done, or more chromosomes of one class than the arrangement has places for; names
        the file, the operation and the reason.
    """
    clock = _Clock()
    parts, dropped = edit.apply(karyotype, script)
    new = [part.chromosome for part in parts if part.reading is None]
    crops = [straighten(karyotype.metaphase, one) for one in new]
    if new and models is None:
        models = load_models(options)
    # the scale of the cell as the script found it: what it was read at
    scale = CellScale.of(karyotype.straightened or crops)
    read = classify(crops, models.classifier, scale, options.classify.batch) if new and models else []
    fresh = iter(zip(crops, read, strict=True))
    readings = [part.reading or next(fresh) for part in parts]
    labels = [part.label(label) for part, (_, label) in zip(parts, readings, strict=True)]
    arrangement = _arranged_as_said(parts, labels, options, script)
    chromosomes = tuple(part.chromosome for part in parts)
    quality = measure(karyotype.metaphase, chromosomes)
    clock.mark("edit")
    masks = edit.fingerprint(karyotype.chromosomes)
    edits = (*karyotype.edits, script.trail(masks, __version__))
    done = sum(len(one["operations"]) for one in edits)
    return replace(
        karyotype,
        chromosomes=chromosomes,
        straightened=tuple(crop for crop, _ in readings),
        labels=tuple(labels),
        arrangement=arrangement,
        flags=(*_flags(karyotype.metaphase, arrangement), f"edited by hand {done}"),
        seconds={**karyotype.seconds, "edit": round(karyotype.seconds.get("edit", 0.0) + clock.seconds["edit"], 4)},
        dropped=tuple(dropped),
        edits=edits,
        quality=quality,
    )


def _arranged_as_said(
    parts: Sequence[edit.Part], labels: Sequence[Label], options: Options, script: Script
) -> Arrangement:
    """The arrangement in which every class that a person said is kept."""
    areas = [part.chromosome.area for part in parts]
    sizes = surprise(areas, typical_area(areas, [label.probabilities for label in labels]))
    said = [(row, part.said) for row, part in enumerate(parts) if part.said is not None]
    for row, index in said:
        sizes[row] = 0.0
        sizes[row, index] = -FIRM
    arrangement = arrange(labels, options.arrange, sizes)
    lost = [index for row, index in said if arrangement.assigned[row] != index]
    if lost:
        raise OptionError(
            f"{script.where}: more chromosomes are said to be {CLASSES[lost[0]]} than a cell has places for. "
            f"Got: {sum(index == lost[0] for _, index in said)}."
        )
    return replace(arrangement, cost=arrangement.cost + FIRM * len(said))


def _typical(pieces: Sequence[Piece]) -> float | None:
    """Area of a chromosome of relative area 1, see `karyofast.sizes.typical_area`."""
    return typical_area([one.chromosome.area for one in pieces], [one.label.probabilities for one in pieces])


def _without_scraps(pieces: Sequence[Piece], typical: float | None) -> tuple[list[Piece], list[Dropped]]:
    """The pieces that are large enough for a chromosome, and the others, for a reviewer to see."""
    least = SCRAP * (typical or 0.0)
    small = [one.chromosome for one in pieces if one.chromosome.area < least]
    scraps = [Dropped(one.box, one.mask, "segment", "smaller than any chromosome") for one in small]
    return [one for one in pieces if one.chromosome.area >= least], scraps


def _look_twice(
    metaphase: Metaphase, candidates: Sequence[Candidate], options: Options, models: Models, clock: _Clock
) -> list[Piece]:
    """Cut each candidate in the way that makes the likeliest cell; see `karyofast.second_look`."""
    if models.separator is None:
        raise OptionError("method 'axis' must be given a separator. Got: None. Load one with load_models.")
    offered = ways(metaphase, candidates, options.segment, models.separator)
    clock.mark("segment")
    reader = _Reader(metaphase, options, models, clock)
    # the cell's scale is that of the separator's own ways: pieces of the others must not move it
    reader([one for ways in offered for one in ways[0]])
    chosen = look(candidates, offered, reader, partial(_cost, options=options.arrange))
    clock.mark("second_look")
    return reader.settled([piece for way in chosen for piece in way])


def _cost(pieces: Sequence[Piece], options: ArrangeOptions) -> float:
    sizes = np.array([piece.sizes for piece in pieces]) if pieces else None
    return cost([piece.label for piece in pieces], options, sizes)


class _Reader:
    """Straightens and classifies chromosomes of one cell; the first ones asked for set the cell's scale."""

    def __init__(self, metaphase: Metaphase, options: Options, models: Models, clock: _Clock) -> None:
        self._metaphase, self._options, self._models, self._clock = metaphase, options, models, clock
        self._scale: CellScale | None = None
        self._typical: float | None = None
        self._known: dict[int, Piece] = {}
        self._once: set[int] = set()

    def __call__(self, chromosomes: Sequence[Chromosome]) -> list[Piece]:
        new = [one for one in chromosomes if id(one) not in self._known]
        if self._known:
            self._clock.mark("second_look")
        straightened = [straighten(self._metaphase, one) for one in new]
        self._clock.mark("straighten")
        # what the second look tries beside the separator's own ways is read once only: most of it is not taken
        first = self._scale is None
        self._scale = self._scale or CellScale.of(straightened)
        batch = self._options.classify.batch
        labels = classify(straightened, self._models.classifier, self._scale, batch, both_ends=first)
        self._clock.mark("classify")
        if first:
            self._typical = typical_area([one.area for one in new], [label.probabilities for label in labels])
        sizes = surprise([one.area for one in new], self._typical)
        for one, crop, label, size in zip(new, straightened, labels, sizes, strict=True):
            self._known[id(one)] = Piece(one, crop, label, strangeness(one, crop), size)
        if not first:
            self._once.update(id(one) for one in new)
        return [self._known[id(one)] for one in chromosomes]

    def settled(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces, those that were read once now read from both ends."""
        once = [piece for piece in pieces if id(piece.chromosome) in self._once]
        crops = [piece.straightened for piece in once]
        labels = classify(crops, self._models.classifier, self._scale, self._options.classify.batch)
        self._clock.mark("classify")
        better = {id(piece): replace(piece, label=label) for piece, label in zip(once, labels, strict=True)}
        return [better.get(id(piece), piece) for piece in pieces]


class _Clock:
    """Seconds a stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, stage: str) -> None:
        """Add the time since the last mark to a stage."""
        now = time.perf_counter()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._last, 4)
        self._last = now
