"""Separation by lifted medial axes (``method="axis"``): a network draws the cores, this module reads instances.

A core pixel lives in (row, column, direction). Pixels next to one another in one direction belong together, and
so do two neighbouring directions that are on at one pixel outside of an overlap: a bend goes on from direction to
direction, while two chromosomes that cross go straight on through one another, and so fall into two components. Each
pixel of the foreground then goes to the core nearest to it; where the network sees an overlap, or two cores lie on
one another, it goes to every core within reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import edge_distance, lifted_cores
from karyofast.masks import largest, overlap_share, tight
from karyofast.segment_lift import LEAST_CORE_SHARE, ON, WIDTH, Lifted, Separator, lift, owners
from karyofast.types import Box, Candidate, Chromosome, Metaphase

OTHER_LEVELS = (0.3, 0.7, 0.85)
"""Probabilities from which a core pixel is on in the second looks: lower joins what a faint band cut, higher cuts."""

RIM = 0.15
"""Probability of foreground below which a pixel of a candidate is fluff: background or debris at its rim."""

LEAST_KEPT = 0.6
"""Share of a candidate that must be left without its fluff; where less is, the network's word is not taken."""

LEAST_FOREGROUND = 0.3
"""Share of a candidate that the network must hold for chromosome; nuclei and debris have next to none."""

LEAST_BIN = 5
"""Pixels of a piece of one direction below which it is noise: it would link directions that are apart."""

LEAST_CORE = 16
"""Pixels of a core at the network's scale: it is 0.56 widths broad, the shortest chromosome's about as long."""

INSIDE = 0.7
"""Share of a core that lies inside a larger one from which it is that one's echo in another direction."""

REACH = 0.75
"""Distance from the core, in widths, up to which a pixel of an overlap belongs to it."""

SAME = 0.85
"""Intersection over union from which two pieces may be one, so that a rim drawn otherwise is no other way to cut."""

THIN = 0.3
"""Widths up to which what two such pieces differ by is rim; what is thicker, as an arm is, makes them two."""

SMALL = 2.5
"""Area in squared widths below which a candidate may be debris: chromosome 21 has about 1.2, a C-group one 4."""

LEAST_AREA = 0.35
"""Area of a chromosome in squared widths below which it is a scrap."""


@dataclass(frozen=True, eq=False)
class Core:
    """One component of the lifted space: its pixels (flat, sorted, of the network's grid) and how sure they are."""

    pixels: NDArray[np.int64]
    score: float


class _Held(NamedTuple):
    """Pixels of a candidate: row and column in its box, and where they lie on the network's grid."""

    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    y: NDArray[np.intp]
    x: NDArray[np.intp]


Decoder = Callable[[NDArray[np.float32], float], Sequence[Core]]
"""Cores of the network's answer (2 + directions, rows, columns), on from a probability."""


def separate(
    metaphase: Metaphase, candidates: Sequence[Candidate], separator: Separator, decode: Decoder | None = None
) -> list[Chromosome]:
    """Separate all candidates of a metaphase.

    Parameters
    ----------
    metaphase : Metaphase
    candidates : sequence of Candidate
    separator : Separator
    decode : Decoder, optional
        Finds the cores; `find_cores` when not given.

    Returns
    -------
    list of Chromosome
        In the order of the candidates; a candidate in which the network draws no core passes as it is, one that it does
        not hold for chromosome at all is dropped.
    """
    if not candidates:
        return []
    lifted = lift(metaphase, candidates, separator)
    return [one for ways in partitions(metaphase, candidates, lifted, (), decode) for one in ways[0]]


def partitions(
    metaphase: Metaphase,
    candidates: Sequence[Candidate],
    lifted: Lifted,
    other_levels: Sequence[float] = OTHER_LEVELS,
    decode: Decoder | None = None,
    others: Sequence[Decoder] = (),
) -> list[list[list[Chromosome]]]:
    """The ways in which each candidate may be cut.

    Parameters
    ----------
    metaphase : Metaphase
    candidates : sequence of Candidate
    lifted : Lifted
    other_levels : sequence of float
        Probabilities of a core, beside `ON`, that are tried.
    decode : Decoder, optional
        As in `separate`.
    others : sequence of Decoder
        Each gives a further way.

    Returns
    -------
    list of list of list of Chromosome
        For each candidate its ways, the first is that of `separate`; ways that cut alike are given once.
    """
    maps, zoom = lifted.maps, lifted.zoom
    owner = owners(candidates, metaphase.shape, maps.shape[1:])
    decode = decode or _lifted_cores
    groups = [_by_candidate(decode(maps, level), owner) for level in (ON, *other_levels)]
    groups += [_by_candidate(other(maps, ON), owner) for other in others]
    ways: list[list[list[Chromosome]]] = [[] for _ in candidates]
    foreground, core = maps[0].ravel(), maps[2:].max(axis=0).ravel()
    for number, (one, here) in enumerate(zip(candidates, _places(owner, len(candidates)), strict=True)):
        stained_dirt = metaphase.polarity == "dark"
        if _debris(foreground[here], core[here], number in groups[0], stained_dirt):
            ways[number].append([])
            continue
        whole, held = False, _held(one, maps, zoom)
        for group in groups:
            cores = group.get(number, [])
            if len(cores) < 2 and whole:
                continue  # the same mask again
            whole = whole or len(cores) < 2
            pieces = _divide(number, one, cores, held, maps[1], zoom)
            way = [known_piece(piece, ways[number], WIDTH / zoom) for piece in pieces]
            if not any(alike(way, known) for known in ways[number]):
                ways[number].append(way)
    return ways


def _places(owner: NDArray[np.int32], count: int) -> list[NDArray[np.int64]]:
    """Flat places of the grid's pixels of each of `count` candidates."""
    there = np.flatnonzero(owner >= 0)
    names = owner.ravel()[there]
    order = np.argsort(names, kind="stable")
    return np.split(there[order], np.searchsorted(names[order], np.arange(1, count)))


def _lifted_cores(maps: NDArray[np.float32], threshold: float) -> list[Core]:
    return find_cores(maps[2:], threshold, maps[1] > ON)


def _debris(foreground: NDArray[np.float32], core: NDArray[np.float32], has_core: bool, stained_dirt: bool) -> bool:
    """Whether a candidate is none of chromosomes, by the network's foreground and cores on its pixels.

    `stained_dirt` says whether dirt looks as chromosomes do in this light.
    """
    if len(foreground) == 0:
        return False
    if not has_core and float((foreground > ON).mean()) < LEAST_FOREGROUND:
        return True
    return stained_dirt and len(core) < SMALL * WIDTH**2 and float((core > ON).mean()) < LEAST_CORE_SHARE


def _by_candidate(cores: Sequence[Core], owner: NDArray[np.int32]) -> dict[int, list[Core]]:
    """The cores of each candidate; those that lie mostly outside of all are left out."""
    groups: dict[int, list[Core]] = {}
    for core in cores:
        owners = owner.ravel()[core.pixels]
        owners = owners[owners >= 0]
        if len(owners) > 0.3 * len(core.pixels):
            groups.setdefault(int(np.bincount(owners).argmax()), []).append(core)
    return groups


def known_piece(one: Chromosome, ways: Sequence[Sequence[Chromosome]], width: float) -> Chromosome:
    """The piece of an earlier way that has the same mask, give or take a rim, or the piece itself.

    `width` is that of a chromosome, px.
    """
    return next((other for way in ways for other in way if _same(one, other, width)), one)


def _same(one: Chromosome, other: Chromosome, width: float) -> bool:
    less, more = sorted((one.area, other.area))
    # what two masks share is no more than the smaller of them
    if less / more <= SAME or overlap_share(one, other) <= SAME:
        return False
    top, left = min(one.box.top, other.box.top), min(one.box.left, other.box.left)
    bottom, right = (max(a.box.slices[axis].stop for a in (one, other)) for axis in (0, 1))
    apart = np.zeros((bottom - top, right - left), dtype=np.uint8)
    for piece in (one, other):
        window = apart[piece.box.top - top :, piece.box.left - left :][: piece.box.height, : piece.box.width]
        window ^= piece.mask
    side = max(3, round(THIN * width) | 1)
    # nothing but background lies around the canvas
    return not np.any(cv2.erode(np.pad(apart, 1), np.ones((side, side), dtype=np.uint8)))


def alike(one: Sequence[Chromosome], other: Sequence[Chromosome]) -> bool:
    """Whether two ways are made of the same pieces."""
    return {id(piece) for piece in one} == {id(piece) for piece in other}


def find_cores(
    directions: NDArray[np.float32], threshold: float = ON, crossed: NDArray[np.bool_] | None = None
) -> list[Core]:
    """The components of the lifted space.

    Parameters
    ----------
    directions : float32 (directions, rows, columns)
        Probability that a core runs through a pixel in each direction; the last is a neighbour of the first.
    threshold : float
        Probability from which a pixel is on.
    crossed : bool (rows, columns), optional
        Where chromosomes overlap: there neighbouring directions are not joined, which would make one of two that cross
        at less than some 60 degrees.

    Returns
    -------
    list of Core
        Without scraps and without echoes (a core that lies inside a larger one).
    """
    pixels, starts, scores = lifted_cores(directions, threshold, LEAST_BIN, crossed)
    cores = [Core(pixels[first:last], score) for (first, last), score in zip(pairwise(starts), scores, strict=True)]
    return _without_echoes([core for core in cores if len(core.pixels) >= LEAST_CORE])


def _without_echoes(cores: list[Core]) -> list[Core]:
    """Drop each core that lies mostly inside larger ones."""
    kept: list[Core] = []
    covered = np.zeros(1 + max((int(core.pixels[-1]) for core in cores), default=0), dtype=bool)  # pixels rise
    for core in sorted(cores, key=lambda one: -len(one.pixels)):
        if covered[core.pixels].mean() < INSIDE:
            kept.append(core)
            covered[core.pixels] = True
    return kept


def _held(candidate: Candidate, lifted: NDArray[np.float32], zoom: float) -> _Held:
    """The pixels of a candidate without the fluff at its rim."""
    box = candidate.box
    rows, cols = np.nonzero(candidate.mask)
    y = np.clip(np.rint((rows + box.top + 0.5) * zoom - 0.5).astype(int), 0, lifted.shape[1] - 1)
    x = np.clip(np.rint((cols + box.left + 0.5) * zoom - 0.5).astype(int), 0, lifted.shape[2] - 1)
    clean = lifted[0, y, x] >= RIM
    if clean.mean() < LEAST_KEPT:
        return _Held(rows, cols, y, x)
    return _Held(rows[clean], cols[clean], y[clean], x[clean])


def _divide(
    number: int,
    candidate: Candidate,
    cores: Sequence[Core],
    held: _Held,
    overlap: NDArray[np.float32],
    zoom: float,
) -> list[Chromosome]:
    """Give the pixels that are `held` of one candidate to its cores; `overlap` is the network's."""
    box, (rows, cols, y, x) = candidate.box, held
    if len(cores) < 2:
        mask = np.zeros(candidate.mask.shape, dtype=bool)
        mask[rows, cols] = True
        return [_chromosome(largest(mask), box, cores[0].score if cores else 0.5, number)]
    top, left = int(y.min()), int(x.min())
    window = Box(top, left, int(y.max()) + 1 - top, int(x.max()) + 1 - left)
    distance = np.stack([_distance(core, overlap.shape[1], window)[y - top, x - left] for core in cores])
    nearest = distance.argmin(axis=0)
    shared = (overlap[y, x] > ON) & (distance <= REACH * WIDTH)
    mine = (distance == 0) | shared
    mine[nearest, np.arange(len(rows))] = True
    found = []
    for core, chosen in zip(cores, mine, strict=True):
        mask = np.zeros(candidate.mask.shape, dtype=bool)
        mask[rows[chosen], cols[chosen]] = True
        mask = largest(mask)
        if np.count_nonzero(mask) * zoom**2 >= LEAST_AREA * WIDTH**2:
            found.append(_chromosome(mask, box, core.score, number))
    return _flagged(found, candidate) or [Chromosome(box, candidate.mask, score=0.3, candidate=number)]


def _distance(core: Core, columns: int, window: Box) -> NDArray[np.float32]:
    """Distance of each pixel of the window to the core, px of the network's grid, which has so many `columns`."""
    y, x = np.divmod(core.pixels, columns)
    y, x = y - window.top, x - window.left
    inside = (y >= 0) & (y < window.height) & (x >= 0) & (x < window.width)
    there = np.zeros((window.height, window.width), dtype=bool)
    there[y[inside], x[inside]] = True
    return edge_distance(there).astype(np.float32)


def _chromosome(mask: NDArray[np.bool_], box: Box, score: float, number: int) -> Chromosome:
    return Chromosome(*tight(mask, box), score=score, candidate=number)


def _flagged(found: list[Chromosome], candidate: Candidate) -> list[Chromosome]:
    """Mark those that share pixels with another as overlapping, the others of a cluster as touching."""
    if len(found) < 2:
        return found
    count = np.zeros(candidate.mask.shape, dtype=np.int32)
    views = []
    for one in found:
        top, left = one.box.top - candidate.box.top, one.box.left - candidate.box.left
        views.append(count[top : top + one.box.height, left : left + one.box.width])
        views[-1][...] += one.mask
    flagged = []
    for one, view in zip(found, views, strict=True):
        flag = "overlap" if bool((view[one.mask] > 1).any()) else "touching"
        flagged.append(Chromosome(one.box, one.mask, one.score, one.candidate, (*one.flags, flag)))
    return flagged
