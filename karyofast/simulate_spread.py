"""Lay the chromosomes of a cell out on the picture: most apart, some touching, some crossing.

Pairs that touch or cross are laid first, on an empty slide, so that their number comes out exactly; then the
others find free places in the cell's disc, the large ones first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from karyofast.config import SimulateOptions
from karyofast.errors import OptionError
from karyofast.simulate_chromosome import DrawnChromosome

Draw = Callable[[str, float | None], DrawnChromosome]
"""Draw a chromosome by its name, its p arm along a heading in degrees (None: any)."""

_GAP = 3
"""px of free background kept around a chromosome that touches none; 2 would do, 3 survives the blur"""
_BORDER = 4
"""px of background kept along the picture's edge"""
_FILL = 0.24
"""share of the cell's disc that chromosomes cover; by eye on unlabelled G-band pictures"""
_TRIES = 400
"""places tried before a pair or a chromosome is given up"""
_RIM = np.ones((2 * _GAP + 1, 2 * _GAP + 1), dtype=np.uint8)
CROSSING_LENGTH = 2.5
"""a chromosome in a crossing is at least this many widths long, else nothing sticks out"""


@dataclass(frozen=True, eq=False)
class Placed:
    """A drawn chromosome and the (row, column) of its patch's corner in the picture."""

    drawn: DrawnChromosome
    top: int
    left: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the patch in the picture."""
        rows, columns = self.drawn.mask.shape
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)


class _Slide:
    """Where chromosomes lie already, each with a rim of `_GAP`: `taken`, bool (height, width)."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.taken = np.zeros(shape, dtype=bool)

    def fits(self, place: Placed) -> bool:
        """Whether `place` lies inside the picture and apart from all others."""
        rows, columns = place.slices
        inside = min(rows.start, columns.start, self.shape[0] - rows.stop, self.shape[1] - columns.stop) >= _BORDER
        return bool(inside and not np.any(self.taken[place.slices] & place.drawn.mask))

    def add(self, place: Placed) -> None:
        """Lay `place`."""
        halo = cv2.dilate(np.pad(place.drawn.mask, _GAP).astype(np.uint8), _RIM) > 0
        rows, columns = place.slices
        # `_BORDER` keeps the rim inside the picture.
        self.taken[rows.start - _GAP : rows.stop + _GAP, columns.start - _GAP : columns.stop + _GAP] |= halo


def spread(
    rng: np.random.Generator, names: Sequence[str], draw: Draw, width: float, options: SimulateOptions
) -> tuple[Placed, ...]:
    """Lay out one cell.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all randomness.
    names : sequence of str
        What to draw for each chromosome: a class, or a file.
    draw : callable
        Draws one of them at a heading.
    width : float
        Usual width of a chromosome, px.
    options : SimulateOptions
        size, touching and crossing are used.

    Returns
    -------
    tuple of Placed
        In the order of `names`.

    Raises
    ------
    OptionError
        The picture is too small for the chromosomes, or there are too few of them for the pairs.
    """
    pairs = options.touching + options.crossing
    if 2 * pairs > len(names):
        raise OptionError(
            f"`touching` + `crossing` must be at most half the chromosomes, {len(names) // 2}. Got: {pairs}."
        )
    drawn = [draw(name, None) for name in names]
    slide = _Slide(options.size)
    disc = _Disc.of(rng, drawn, options.size)
    where: dict[int, Placed] = {}
    # A hidden guest is no crossing: both need arms that stick out.
    long = [i for i in rng.permutation(len(names)) if len(drawn[i].axis) * 0.5 >= CROSSING_LENGTH * width]
    if len(long) < 2 * options.crossing:
        raise OptionError(
            f"`crossing` must be at most {len(long) // 2} for these chromosomes. Got: {options.crossing}."
        )
    partners = [int(i) for i in long[: 2 * options.crossing]]
    rest = [int(i) for i in rng.permutation(len(names)) if int(i) not in set(partners)]
    pairs_of = [(a, b, True) for a, b in zip(partners[::2], partners[1::2], strict=True)]
    touching = rest[: 2 * options.touching]
    pairs_of += [(a, b, False) for a, b in zip(touching[::2], touching[1::2], strict=True)]
    for a, b, crosses in pairs_of:
        where[a], where[b] = _lay_pair(rng, slide, disc, drawn[a], names[b], draw, crosses)
    for i in sorted(rest[2 * options.touching :], key=lambda i: -int(drawn[i].mask.sum())):
        where[i] = _lay_free(rng, slide, disc, drawn[i])
    return tuple(where[i] for i in range(len(names)))


@dataclass(frozen=True)
class _Disc:
    """The ellipse in which a cell spread: middle (row, column) and half axes, px."""

    middle: tuple[float, float]
    radii: tuple[float, float]

    @classmethod
    def of(cls, rng: np.random.Generator, drawn: Sequence[DrawnChromosome], size: tuple[int, int]) -> _Disc:
        area = float(sum(int(one.mask.sum()) for one in drawn))
        radius = np.sqrt(area / _FILL / np.pi)
        flat = float(np.exp(rng.normal(0.0, 0.08)))
        radii = [min(radius * flat, 0.5 * size[0] - _BORDER), min(radius / flat, 0.5 * size[1] - _BORDER)]
        # Where the picture leaves room, the cell lies off its middle.
        free = [0.5 * side - r - _BORDER for side, r in zip(size, radii, strict=True)]
        middle = [0.5 * side + 0.5 * rng.uniform(-room, room) for side, room in zip(size, free, strict=True)]
        return cls((middle[0], middle[1]), (radii[0], radii[1]))

    def places(self, rng: np.random.Generator, drawn: DrawnChromosome) -> Iterator[Placed]:
        """Random places with the patch's middle in the ellipse, which grows while they are asked for."""
        for k in range(_TRIES):
            grown = 1.0 + 0.6 * (k / _TRIES)
            angle, radius = rng.uniform(0.0, 2.0 * np.pi), np.sqrt(rng.uniform()) * grown
            row = self.middle[0] + self.radii[0] * radius * np.sin(angle)
            column = self.middle[1] + self.radii[1] * radius * np.cos(angle)
            yield Placed(drawn, int(row - drawn.mask.shape[0] / 2), int(column - drawn.mask.shape[1] / 2))


def _lay_free(rng: np.random.Generator, slide: _Slide, disc: _Disc, drawn: DrawnChromosome) -> Placed:
    for place in disc.places(rng, drawn):
        if slide.fits(place):
            slide.add(place)
            return place
    raise _too_small(slide.shape)


def _lay_pair(
    rng: np.random.Generator,
    slide: _Slide,
    disc: _Disc,
    host: DrawnChromosome,
    name: str,
    draw: Draw,
    crosses: bool,
) -> tuple[Placed, Placed]:
    """Lay `host` and, across it or against it, the chromosome `name`."""
    for first in disc.places(rng, host):
        if not slide.fits(first):
            continue
        second = _crossing(rng, first, name, draw) if crosses else _touching(rng, first, draw(name, None))
        if second is not None and slide.fits(second):
            slide.add(first)
            slide.add(second)
            return first, second
    raise _too_small(slide.shape)


def _crossing(rng: np.random.Generator, host: Placed, name: str, draw: Draw) -> Placed | None:
    """A chromosome whose axis crosses the host's under 40 to 140 degrees, both with arms on either side."""
    at = host.drawn.axis[int(rng.uniform(0.2, 0.8) * (len(host.drawn.axis) - 1))]
    guest = draw(name, host.drawn.orientation + float(rng.uniform(40.0, 140.0)))
    own = guest.axis[int(rng.uniform(0.25, 0.75) * (len(guest.axis) - 1))]
    place = Placed(guest, round(host.top + float(at[0] - own[0])), round(host.left + float(at[1] - own[1])))
    shared = _overlap(host, place)
    # Curved neighbours may also lie along each other; a crossing hides no more than two fifths of either.
    if 0 < shared <= 0.4 * min(int(host.drawn.mask.sum()), int(guest.mask.sum())):
        return place
    return None


def _touching(rng: np.random.Generator, host: Placed, guest: DrawnChromosome) -> Placed | None:
    """The guest pushed out of the host, a pixel at a time, until they share none."""
    towards = rng.uniform(0.0, 2.0 * np.pi)
    at, own = host.drawn.axis[rng.integers(len(host.drawn.axis))], guest.axis[rng.integers(len(guest.axis))]
    start = Placed(guest, round(host.top + float(at[0] - own[0])), round(host.left + float(at[1] - own[1])))
    for step in range(max(guest.mask.shape) + max(host.drawn.mask.shape)):
        place = replace(
            start,
            top=start.top + round(step * np.sin(towards)),
            left=start.left + round(step * np.cos(towards)),
        )
        if _overlap(host, place) == 0:
            return place if step else None
    return None


def _overlap(a: Placed, b: Placed) -> int:
    """Pixels that both masks cover."""
    low = max(a.top, b.top), max(a.left, b.left)
    high = min(a.slices[0].stop, b.slices[0].stop), min(a.slices[1].stop, b.slices[1].stop)
    if low[0] >= high[0] or low[1] >= high[1]:
        return 0
    views = [p.drawn.mask[low[0] - p.top : high[0] - p.top, low[1] - p.left : high[1] - p.left] for p in (a, b)]
    return int(np.count_nonzero(views[0] & views[1]))


def _too_small(size: tuple[int, int]) -> OptionError:
    return OptionError(
        f"`size` must leave room for all chromosomes. Got: {size[0]} x {size[1]} px. "
        "Take a larger picture, or smaller `length` and `width`."
    )
