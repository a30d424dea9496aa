"""The whole way on one screen: image, candidates, chromosomes, straightened crops, labels, arrangement."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from karyofast import __version__, edit
from karyofast.arrange import UNPLACED, arrange, cost
from karyofast.classify import CellScale, Runtime, classify
from karyofast.config import ArrangeOptions, Options
from karyofast.detect import examine
from karyofast.edit_script import Script
from karyofast.errors import OptionError
from karyofast.models.store import CLASSIFIERS, classifier_for, find
from karyofast.quality import measure
from karyofast.second_look import look
from karyofast.second_look_moves import Piece, strangeness
from karyofast.segment import segment, unseparated, ways
from karyofast.segment_axis import Separator
from karyofast.sizes import SCRAP, surprise, typical_area
from karyofast.straighten import straighten
from karyofast.types import (
    CLASSES,
    Arrangement,
    Candidate,
    Chromosome,
    Dropped,
    Karyotype,
    Label,
    Metaphase,
    Polarity,
)

FIRM = 1e6
"""Nats that a class earns which a person said: no sum of prices of a cell outbids it."""

NO_CHROMOSOME = 0.9
"""Probability of no whole chromosome from which a small piece without a place in the cell is debris."""

SMALL = 0.7
"""Relative area up to which such a piece is no chromosome left joined to another: two 21 have it."""


@dataclass(frozen=True, eq=False)
class Models:
    """The networks.

    Attributes
    ----------
    classifier : callable
        Gives the one for pictures of a polarity.
    separator : Separator or None
        None where the method needs none.
    """

    classifier: Callable[[Polarity], Runtime]
    separator: Separator | None


def load_models(options: Options = Options(), threads: int = 0) -> Models:  # noqa: B008 (frozen)
    """The networks that `options` asks for, on `threads` CPU threads (0: one a core).

    A classifier that depends on the polarity is loaded with the first picture that needs it. Its runtime is an
    option; the separator is run by ONNX Runtime on the CPU.

    Raises
    ------
    ModelError
        No such model, or a broken one.
    NotBuiltError, OptionError
        A runtime that is not there, or cannot do what it is asked for; see `karyofast.runtimes.load`.
    """
    from karyofast.runtimes.load import load_classifier
    from karyofast.runtimes.onnx import OnnxSeparator

    separator = None
    if options.segment.method == "axis":
        separator = OnnxSeparator(find(options.segment.model, "separator"), threads)
    for polarity in CLASSIFIERS:
        find(classifier_for(options.classify.model, polarity), "classifier")
    classifier = cache(partial(load_classifier, options.classify, threads))
    # what cannot be loaded is to be told before the first picture, not with each
    classifier("bright" if options.polarity == "bright" else "dark")
    return Models(classifier, separator)


def karyotype(
    metaphase: Metaphase,
    options: Options = Options(),  # noqa: B008 (frozen)
    models: Models | None = None,
    chromosomes: Sequence[Chromosome] | None = None,
    clock: Clock | None = None,
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
    clock : Clock, optional
        Is told which stage begins, and may have run before (while the picture was read).

    Returns
    -------
    Karyotype
        With `seconds` a stage. A blank picture gives an empty one with the flag "blank".
    """
    models = models or load_models(options)
    clock = clock or Clock()
    clock.begin("detect")
    candidates: list[Candidate] = []
    dropped: list[Dropped] = []
    given = chromosomes is not None
    if not given and "blank" not in metaphase.flags:
        candidates, dropped = examine(metaphase, options.detect)
    clock.begin("segment")
    if chromosomes is None and options.segment.method == "axis" and options.segment.second_look:
        pieces = _look_twice(metaphase, candidates, options, models, clock)
    else:
        if chromosomes is None:
            chromosomes = segment(metaphase, candidates, options.segment, models.separator)
        pieces = _Reader(metaphase, options, models, clock)(chromosomes)
    clock.begin("arrange")
    dropped += unseparated(candidates, [piece.chromosome for piece in pieces])
    typical = _typical(pieces)
    if not given:
        pieces, scraps = _without_scraps(pieces, typical)
        dropped += scraps
    arrangement = _arranged(pieces, typical, options.arrange)
    if not given:
        pieces, debris = _without_debris(pieces, arrangement, typical)
        dropped += debris
        arrangement = _arranged(pieces, typical, options.arrange) if debris else arrangement
    clock.begin("quality")
    chromosomes = tuple(piece.chromosome for piece in pieces)
    quality = measure(metaphase, chromosomes)
    clock.end()
    return Karyotype(
        metaphase,
        tuple(candidates),
        chromosomes,
        tuple(piece.straightened for piece in pieces),
        tuple(piece.label for piece in pieces),
        arrangement,
        _flags(metaphase, arrangement),
        dict(clock.seconds),
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
    clock: Clock | None = None,
) -> Karyotype:
    """Correct a karyotype by a script: new masks are straightened and classified, the whole cell is arranged again.

    A class that the script says is kept whatever the crop, the size or the prices say. Nothing is dropped here for
    its size or as debris.

    Parameters
    ----------
    karyotype : Karyotype
        As `karyotype` or an earlier `revise` gave it.
    script : Script
    options : Options
        Those of the karyotype.
    models : Models, optional
        Loaded when not given and a mask is new.
    clock : Clock, optional
        The one of the karyotype, which goes on; else its `seconds` do.

    Raises
    ------
    OptionError
        An operation that cannot be done, or more chromosomes of one class than the arrangement has places for; names
        the file, the operation and the reason.
    """
    if clock is None:
        clock = Clock()
        clock.seconds.update(karyotype.seconds)
    clock.begin("edit")
    parts, dropped = edit.apply(karyotype, script)
    new = [part.chromosome for part in parts if part.reading is None]
    crops = [straighten(karyotype.metaphase, one) for one in new]
    if new and models is None:
        models = load_models(options)
    # the scale of the cell as the script found it: what it was read at
    scale = CellScale.of(karyotype.straightened or crops)
    runtime = models.classifier(karyotype.metaphase.polarity) if new and models else None
    read = classify(crops, runtime, scale, options.classify.batch) if runtime else []
    fresh = iter(zip(crops, read, strict=True))
    readings = [part.reading or next(fresh) for part in parts]
    labels = [part.label(label) for part, (_, label) in zip(parts, readings, strict=True)]
    arrangement = _arranged_as_said(parts, labels, options, script)
    chromosomes = tuple(part.chromosome for part in parts)
    quality = measure(karyotype.metaphase, chromosomes)
    clock.end()
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
        seconds=dict(clock.seconds),
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


def _without_debris(
    pieces: Sequence[Piece], arrangement: Arrangement, typical: float | None
) -> tuple[list[Piece], list[Dropped]]:
    """The pieces without small ones that found no place and are read as no chromosome, and these.

    Large ones may be several chromosomes that were not separated: they stay, unplaced, for a reviewer.
    """
    most = SMALL * (typical or 0.0)
    debris = [
        place == UNPLACED and one.label.nothing >= NO_CHROMOSOME and one.chromosome.area < most
        for one, place in zip(pieces, arrangement.assigned, strict=True)
    ]
    left_out = [one.chromosome for one, is_debris in zip(pieces, debris, strict=True) if is_debris]
    kept = [one for one, is_debris in zip(pieces, debris, strict=True) if not is_debris]
    return kept, [Dropped(one.box, one.mask, "segment", "read as no chromosome") for one in left_out]


def _arranged(pieces: Sequence[Piece], typical: float | None, options: ArrangeOptions) -> Arrangement:
    sizes = surprise([piece.chromosome.area for piece in pieces], typical)
    return arrange([piece.label for piece in pieces], options, sizes)


def _look_twice(
    metaphase: Metaphase, candidates: Sequence[Candidate], options: Options, models: Models, clock: Clock
) -> list[Piece]:
    """Cut each candidate in the way that makes the likeliest cell; see `karyofast.second_look`."""
    if models.separator is None:
        raise OptionError("method 'axis' must be given a separator. Got: None. Load one with load_models.")
    offered = ways(metaphase, candidates, options.segment, models.separator)
    reader = _Reader(metaphase, options, models, clock)
    # the cell's scale is that of the separator's own ways: pieces of the others must not move it
    reader([one for ways in offered for one in ways[0]])
    clock.begin("second_look")
    chosen = look(candidates, offered, reader, partial(_cost, options=options.arrange))
    return reader.settled([piece for way in chosen for piece in way])


def _cost(pieces: Sequence[Piece], options: ArrangeOptions) -> float:
    sizes = np.array([piece.sizes for piece in pieces]) if pieces else None
    return cost([piece.label for piece in pieces], options, sizes)


class _Reader:
    """Straightens and classifies chromosomes of one cell; the first ones asked for set the cell's scale."""

    def __init__(self, metaphase: Metaphase, options: Options, models: Models, clock: Clock) -> None:
        self._metaphase, self._options, self._clock = metaphase, options, clock
        self._runtime = models.classifier(metaphase.polarity)
        self._scale: CellScale | None = None
        self._typical: float | None = None
        self._known: dict[int, Piece] = {}
        self._once: set[int] = set()

    def __call__(self, chromosomes: Sequence[Chromosome]) -> list[Piece]:
        new = [one for one in chromosomes if id(one) not in self._known]
        self._clock.begin("straighten")
        straightened = [straighten(self._metaphase, one) for one in new]
        self._clock.begin("classify")
        # what the second look tries beside the separator's own ways is read once only: most of it is not taken
        first = self._scale is None
        self._scale = self._scale or CellScale.of(straightened)
        batch = self._options.classify.batch
        labels = classify(straightened, self._runtime, self._scale, batch, both_ends=first)
        if not first:
            self._clock.begin("second_look")
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
        self._clock.begin("classify")
        once = [piece for piece in pieces if id(piece.chromosome) in self._once]
        crops = [piece.straightened for piece in once]
        labels = classify(crops, self._runtime, self._scale, self._options.classify.batch)
        better = {id(piece): replace(piece, label=label) for piece, label in zip(once, labels, strict=True)}
        return [better.get(id(piece), piece) for piece in pieces]


class Clock:
    """Which stage is at work, and the seconds of those before it.

    Parameters
    ----------
    told : callable, optional
        Called with the name of each stage as it begins.

    Attributes
    ----------
    stage : str
        The one at work, "" before the first and after `end`.
    seconds : dict
        Seconds of each stage so far, without the one at work.
    """

    def __init__(self, told: Callable[[str], None] | None = None) -> None:
        self.stage = ""
        self.seconds: dict[str, float] = {}
        self._told = told
        self._since = time.perf_counter()

    def begin(self, stage: str) -> None:
        """End the stage at work and begin another."""
        now = time.perf_counter()
        if self.stage:
            self.seconds[self.stage] = round(self.seconds.get(self.stage, 0.0) + now - self._since, 4)
        self.stage, self._since = stage, now
        if stage and self._told:
            self._told(stage)

    def end(self) -> None:
        """End the stage at work."""
        self.begin("")
