"""The pieces of a cell on their way through the pipeline: read, weeded and arranged."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from karyofast.arrange import UNPLACED, CostFloor, arrange, least_cost, least_surprise, surprise_of
from karyofast.classify import CellScale, Runtime, classify, settle
from karyofast.clock import Clock
from karyofast.config import ArrangeOptions
from karyofast.second_look_moves import Piece, Sketch, strangeness
from karyofast.segment import HELD_FOR_DIRT
from karyofast.sizes import SCRAP, Typical, surprise, typical_of
from karyofast.straighten import straighten
from karyofast.types import CLASSES, Arrangement, Chromosome, Dropped, Metaphase, Straightened

NO_CHROMOSOME = 0.9
"""Probability of no whole chromosome from which a small piece without a place in the cell is debris."""

RATHER_NONE = 0.5
"""The same for a tiny one, and for one that the picture's rim cuts: a nucleus, or a chromosome of a neighbour cell."""

TINY = 0.25
"""Relative area below which a piece without a place is no whole chromosome: a 21, the smallest, has 0.35."""

DARK = 1.35
"""Mean density over the cell's median piece from which, in transmitted light, a piece that is rather no chromosome is
dirt: chromosomes that another crosses stay below 1.25 in the annotated G-band pictures, dirt was seen from 1.4 on."""

SMALL = 0.7
"""Relative area up to which such a piece is no chromosome left joined to another: two 21 have it."""


def typical_of_cell(pieces: Sequence[Piece]) -> Typical | None:
    """How large the chromosomes of a cell are, see `karyofast.sizes.typical_of`."""
    return typical_of([one.chromosome.area for one in pieces], [one.label.probabilities for one in pieces])


def without_scraps(pieces: Sequence[Piece], typical: Typical | None) -> tuple[list[Piece], list[Dropped]]:
    """The pieces that are large enough for a chromosome, and the others, for a reviewer to see."""
    least = SCRAP * typical.area if typical else 0.0
    small = [one.chromosome for one in pieces if one.chromosome.area < least]
    scraps = [Dropped(one.box, one.mask, "segment", "smaller than any chromosome") for one in small]
    return [one for one in pieces if one.chromosome.area >= least], scraps


def without_debris(
    pieces: Sequence[Piece],
    arrangement: Arrangement,
    typical: Typical | None,
    metaphase: Metaphase,
    unsure: Container[int] = (),
) -> tuple[list[Piece], list[Dropped]]:
    """The pieces without those that are surely no chromosome, and these.

    They found no place and are small and read as no chromosome, or are rather no chromosome than one and tiny or cut
    by the rim of the picture. Large ones within it may be several chromosomes that were not separated: they stay,
    unplaced, for a reviewer. What is far darker than the cell and rather no chromosome is dirt wherever it was
    placed. What comes of the candidates `unsure`, which detection did not find, or was held for dirt, must find a
    place.
    """
    most, tiny = (SMALL * typical.area, TINY * typical.area) if typical else (0.0, 0.0)
    density = np.array([_density(metaphase, one.chromosome) for one in pieces])
    too_dark = DARK * float(np.median(density)) if metaphase.polarity == "dark" and pieces else np.inf
    kept, left_out = [], []
    for one, place, dense in zip(pieces, arrangement.assigned, density, strict=True):
        nothing = one.label.nothing
        reason = ""
        if dense >= too_dark and nothing >= RATHER_NONE:
            reason = "darker than any chromosome"
        elif place == UNPLACED and one.chromosome.candidate in unsure:
            reason = "seen by the network alone, without a place in the cell"
        elif place == UNPLACED and HELD_FOR_DIRT in one.chromosome.flags:
            reason = "separation finds no chromosome in it"
        elif place == UNPLACED and nothing >= NO_CHROMOSOME and one.chromosome.area < most:
            reason = "read as no chromosome"
        elif place == UNPLACED and nothing >= RATHER_NONE and one.chromosome.area < tiny:
            reason = "rather no chromosome, and smaller than one"
        elif place == UNPLACED and nothing >= RATHER_NONE and _at_rim(one.chromosome, metaphase.shape):
            reason = "cut by the picture's rim, read as no chromosome"
        if reason:
            left_out.append(Dropped(one.chromosome.box, one.chromosome.mask, "segment", reason))
        else:
            kept.append(one)
    return kept, left_out


def _density(metaphase: Metaphase, one: Chromosome) -> float:
    return float(metaphase.density[one.box.slices][one.mask].mean())


def _at_rim(one: Chromosome, shape: tuple[int, int]) -> bool:
    box = one.box
    return box.top <= 0 or box.left <= 0 or box.top + box.height >= shape[0] or box.left + box.width >= shape[1]


def arranged(pieces: Sequence[Piece], typical: Typical | None, options: ArrangeOptions) -> Arrangement:
    """The labels of the cell, chosen together by bands and by size."""
    sizes = surprise([piece.chromosome.area for piece in pieces], typical)
    return arrange([piece.label for piece in pieces], options, sizes)


class CellCost:
    """`karyofast.arrange.cost` of a whole cell, in which what each piece says is worked out once.

    A sketch counts as if it were read with certainty as the class that suits the cell best.
    """

    def __init__(self, options: ArrangeOptions) -> None:
        self._options = options
        self._rows: dict[int, tuple[Piece | Sketch, NDArray[np.float64]]] = {}
        self._like: CostFloor | None = None
        self._shares: dict[int, NDArray[np.float64]] = {}

    def __call__(self, pieces: Sequence[Piece | Sketch]) -> float:
        """Nats of the labels and sizes of `pieces` together."""
        rows = np.array([self._row(one) for one in pieces]).reshape(len(pieces), len(CLASSES))
        return least_cost(rows, self._options, self._floors(pieces))

    def near(self, pieces: Sequence[Piece | Sketch]) -> None:
        """Bound the cells to come by one that they are much like: sooner, with the same results."""
        self._shares = {}
        rows = np.array([self._row(one) for one in pieces])
        self._like = CostFloor(rows, self._options) if pieces else None

    def least(self, pieces: Sequence[Piece | Sketch]) -> float:
        """Nats that the cost of `pieces` is not below."""
        floors = self._floors(pieces)
        return -math.inf if floors is None else float(floors.min())

    def _floors(self, pieces: Sequence[Piece | Sketch]) -> NDArray[np.float64] | None:
        if self._like is None or not pieces:
            return None
        new = [one for one in pieces if id(one) not in self._shares]
        if new:
            shares = self._like.shares(np.array([self._row(one) for one in new]))
            self._shares.update((id(one), share) for one, share in zip(new, shares, strict=True))
        return self._like.totals([self._shares[id(one)] for one in pieces])

    def _row(self, one: Piece | Sketch) -> NDArray[np.float64]:
        if id(one) not in self._rows:
            if isinstance(one, Sketch):
                row = one.sizes + least_surprise(self._options)
            else:
                row = surprise_of(one.label, one.sizes, self._options)
            # the piece is kept with its row: its id would be given away
            self._rows[id(one)] = one, row
        return self._rows[id(one)][1]


class Reader:
    """Straightens and classifies chromosomes of one cell; the first ones asked for set the cell's scale.

    Parameters
    ----------
    metaphase : Metaphase
    runtime : Runtime
        A loaded classifier.
    batch : int
        Crops handed to it at once.
    clock : Clock
        Is told of the stages "straighten" and "classify", and of "second_look" after all but the first call.
    """

    def __init__(self, metaphase: Metaphase, runtime: Runtime, batch: int, clock: Clock) -> None:
        self._metaphase, self._runtime, self._batch, self._clock = metaphase, runtime, batch, clock
        self._scale: CellScale | None = None
        self._typical: Typical | None = None
        self._known: dict[int, Piece] = {}
        self._crops: dict[int, tuple[Chromosome, Straightened]] = {}
        self._once: set[int] = set()

    def __call__(self, chromosomes: Sequence[Chromosome]) -> list[Piece]:
        """The pieces of `chromosomes`, in their order; those that were read before are not read again."""
        new = [one for one in chromosomes if id(one) not in self._known]
        self._clock.begin("straighten")
        straightened = [self._crop(one) for one in new]
        self._clock.begin("classify")
        # what the second look tries beside the separator's own ways is read once only: most of it is not taken
        first = self._scale is None
        self._scale = self._scale or CellScale.of(straightened)
        labels = classify(straightened, self._runtime, self._scale, self._batch, both_ends=first)
        if not first:
            self._clock.begin("second_look")
        if first:
            self._typical = typical_of([one.area for one in new], [label.probabilities for label in labels])
        sizes = surprise([one.area for one in new], self._typical)
        for one, crop, label, size in zip(new, straightened, labels, sizes, strict=True):
            self._known[id(one)] = Piece(one, crop, label, strangeness(one, crop, label), size)
        if not first:
            self._once.update(id(one) for one in new)
        return [self._known[id(one)] for one in chromosomes]

    def sketch(self, one: Chromosome) -> Piece | Sketch:
        """A chromosome's piece where it was read, else what its area says in the scale that the first ones set."""
        return self._known.get(id(one)) or Sketch(one, surprise([one.area], self._typical)[0], self._drawn)

    def _drawn(self, one: Chromosome) -> Straightened:
        """The crop of a chromosome that is sketched."""
        self._clock.begin("straighten")
        crop = self._crop(one)
        self._clock.begin("second_look")
        return crop

    def _crop(self, one: Chromosome) -> Straightened:
        if id(one) not in self._crops:
            # the chromosome is kept with its crop: its id would be given away
            self._crops[id(one)] = one, straighten(self._metaphase, one)
        return self._crops[id(one)][1]

    def settled(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces, those that were read once now read from both ends."""
        self._clock.begin("classify")
        once = [piece for piece in pieces if id(piece.chromosome) in self._once]
        if self._scale is None:  # nothing was read
            return list(pieces)
        crops = [piece.straightened for piece in once]
        labels = settle([piece.label for piece in once], crops, self._runtime, self._scale, self._batch)
        better = {id(piece): replace(piece, label=label) for piece, label in zip(once, labels, strict=True)}
        return [better.get(id(piece), piece) for piece in pieces]
