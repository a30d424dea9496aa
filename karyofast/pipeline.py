"""The whole way on one screen: image, candidates, chromosomes, straightened crops, labels, arrangement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from karyofast import __version__, edit
from karyofast.arrange import arrange
from karyofast.classify import CellScale, Runtime, classify
from karyofast.clock import Clock
from karyofast.config import Options
from karyofast.detect import examine
from karyofast.edit_script import Script
from karyofast.errors import OptionError
from karyofast.pieces import CellCost, Reader, arranged, typical_of_cell, without_debris, without_scraps
from karyofast.quality import measure
from karyofast.second_look import look
from karyofast.second_look_moves import Piece
from karyofast.segment import segment, unseparated, ways
from karyofast.segment_lift import Separator, lift, missed
from karyofast.sizes import surprise_in_cell
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

MISCUT = 0.5
"""Nats by which leaving a piece out is cheaper while the cuts are chosen: else two chromosomes would be joined to one,
which finds a place, where one of them finds none."""


@dataclass(frozen=True, eq=False)
class Models:
    """The networks.

    Attributes
    ----------
    classifier : callable
        Gives the one for pictures of a polarity.
    separator : callable or None
        The same of separators; None where the method needs none.
    """

    classifier: Callable[[Polarity], Runtime]
    separator: Callable[[Polarity], Separator] | None


def load_models(options: Options = Options(), threads: int = 0) -> Models:  # noqa: B008 (frozen)
    """The networks that `options` asks for, on `threads` CPU threads (0: one a core).

    With ``low_memory`` they run on one thread. One that depends on the polarity is loaded with the first picture that
    needs it. The classifier's runtime is an option; the separator is run by ONNX Runtime on the CPU.

    Raises
    ------
    ModelError
        No such model, or a broken one.
    NotBuiltError, OptionError
        A runtime that is not there, or cannot do what it is asked for; see `karyofast.runtimes.load`.
    """
    from karyofast.runtimes.load import load_classifiers, load_separators

    threads = 1 if options.low_memory else threads
    # what cannot be loaded is to be told before the first picture, not with each
    first: Polarity = "bright" if options.polarity == "bright" else "dark"
    separator = None
    if options.segment.learned:
        separator = load_separators(options.segment, threads, options.low_memory)
        separator(first)
    classifier = load_classifiers(options.classify, threads, options.low_memory)
    classifier(first)
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
    found = len(candidates)
    clock.begin("segment")
    if chromosomes is None and options.segment.method == "axis" and options.segment.second_look:
        candidates, pieces = _look_twice(metaphase, candidates, dropped, options, models, clock)
    else:
        if chromosomes is None:
            separator = models.separator and models.separator(metaphase.polarity)
            chromosomes = segment(metaphase, candidates, options.segment, separator)
        pieces = Reader(metaphase, models.classifier(metaphase.polarity), options.classify.batch, clock)(chromosomes)
    clock.begin("arrange")
    dropped += unseparated(candidates, [piece.chromosome for piece in pieces])
    typical = typical_of_cell(pieces)
    if not given:
        pieces, scraps = without_scraps(pieces, typical)
        dropped += scraps
    arrangement = arranged(pieces, typical, options.arrange)
    if not given:
        unsure = range(found, len(candidates))
        pieces, debris = without_debris(pieces, arrangement, typical, metaphase, unsure)
        dropped += debris
        arrangement = arranged(pieces, typical, options.arrange) if debris else arrangement
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
    sizes = surprise_in_cell(areas, labels)
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


def _look_twice(
    metaphase: Metaphase,
    candidates: list[Candidate],
    dropped: Sequence[Dropped],
    options: Options,
    models: Models,
    clock: Clock,
) -> tuple[list[Candidate], list[Piece]]:
    """Cut each candidate in the way that makes the likeliest cell; see `karyofast.second_look`.

    Returns the candidates, those that detection missed last, and the pieces.
    """
    if models.separator is None:
        raise OptionError("method 'axis' must be given a separator. Got: None. Load one with load_models.")
    if not candidates:
        return [], []
    lifted = lift(metaphase, candidates, models.separator(metaphase.polarity))
    candidates = [*candidates, *missed(metaphase, candidates, dropped, lifted)]
    offered = ways(metaphase, candidates, options.segment, lifted)
    reader = Reader(metaphase, models.classifier(metaphase.polarity), options.classify.batch, clock)
    # the cell's scale is that of the separator's own ways: pieces of the others must not move it
    reader([one for ways in offered for one in ways[0]])
    clock.begin("second_look")
    unplaced = max(0.0, options.arrange.unplaced_price - MISCUT)
    cost = CellCost(replace(options.arrange, unplaced_price=unplaced))
    chosen = look(candidates, offered, reader, cost, reader.sketch)
    return candidates, reader.settled([piece for way in chosen for piece in way])
