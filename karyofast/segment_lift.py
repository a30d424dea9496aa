"""What the separator's network says of a picture: maps lifted by direction, and chromosomes that detection missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import edge_distance
from karyofast.masks import largest, shared_pixels, tight
from karyofast.sheets import Sheet, sheets
from karyofast.types import Box, Candidate, Dropped, Metaphase

WIDTH = 12.0
"""Chromosome width in px at which the network was trained."""

REACH = 48
"""px of the network's grid around the candidates that it is shown: what lies farther away is no part of the cell."""

WORTHWHILE = 0.8
"""Share of the picture's grid above which all of it is shown."""

ON = 0.5
"""Probability from which a pixel is on."""

LEAST_CORE_SHARE = 0.25
"""Share of a small candidate that must be core in transmitted light, where dirt takes the stain: of the small
chromosomes of unlabelled G-band pictures each has 0.35 or more, rings and specks of dirt have less than 0.2. In
fluorescence only DNA shines, and the rule would cost more than it brings: on the mfish slides for training 32 of 1112
small chromosomes, faint ones, for 11 of 49 small candidates that are none."""

MISSED_AREA = (0.8, 8.0)
"""Area in squared widths of a chromosome that detection missed: what is smaller may be dirt, what is larger a cluster
that a filter rightly took for none."""

MISSED_FOREGROUND = 0.8
"""Mean probability of foreground of such a chromosome."""

MISSED_DENSITY = 0.5
"""Its mean density over the candidates': what is fainter is out of focus or another cell's."""


RING = (0.25, 0.5)
"""Distance in widths from such a chromosome in which its surroundings are looked at: beyond its own rim."""

CLEAR = 0.45
"""Share of the surroundings that must be less than half as dense as it is: texture of a nucleus has nucleus around."""


@dataclass(frozen=True, eq=False)
class Lifted:
    """What the network says of a picture, and at which scale.

    Attributes
    ----------
    maps : float32 (2 + directions, rows, columns)
        Probabilities of foreground, of overlap, and of a core in each direction, on the network's grid.
    zoom : float
        Pixels of the network's grid a pixel of the picture.
    level : float
        Mean density of the candidates.
    """

    maps: NDArray[np.float32]
    zoom: float
    level: float


class Separator(Protocol):
    """What runs the network (`karyofast.runtimes`)."""

    stride: int

    def lifted(self, density: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (2 + directions, rows, columns) of density (rows, columns), both multiples of `stride`."""
        ...


def typical_width(candidates: Sequence[Candidate]) -> float:
    """Typical chromosome width of a cell, px: twice the median of the candidates' largest inner radius.

    Clusters share the width of what they are made of, so the median holds with many of them.
    """
    return width_of(inner_radii(sheets([one.mask for one in candidates], 1)))


def inner_radii(laid: Iterable[Sheet]) -> dict[int, float]:
    """Of each mask on some sheets, by its number, the radius of the largest disk inside, px."""
    radii = {}
    for sheet in laid:
        depth = edge_distance(~sheet.mask)
        radii.update({number: float(depth[place].max()) for number, place in sheet.places.items()})
    return radii


def width_of(radii: Mapping[int, float]) -> float:
    """The typical width that such radii tell, px."""
    return 2.0 * float(np.median(list(radii.values()))) if radii else WIDTH


def lift(metaphase: Metaphase, candidates: Sequence[Candidate], separator: Separator) -> Lifted:
    """Show a picture to the network, at the scale and the density that its candidates tell.

    Parameters
    ----------
    metaphase : Metaphase
    candidates : sequence of Candidate
        At least one.
    separator : Separator
    """
    zoom = WIDTH / max(typical_width(candidates), 3.0)
    size = (max(1, round(metaphase.shape[1] * zoom)), max(1, round(metaphase.shape[0] * zoom)))
    covered = np.zeros(metaphase.shape, dtype=bool)
    for one in candidates:
        covered[one.box.slices] |= one.mask
    level = max(float(metaphase.density[covered].mean()), 1.0)
    resized = cv2.resize(metaphase.density.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    shown = np.asarray(resized / level, dtype=np.float32)
    where = _around(candidates, zoom, shown.shape, separator.stride)
    return Lifted(_run(shown, where, separator, turned=metaphase.polarity == "bright"), zoom, level)


def missed(
    metaphase: Metaphase, candidates: Sequence[Candidate], dropped: Sequence[Dropped], lifted: Lifted
) -> list[Candidate]:
    """Chromosomes that the network sees where detection has no candidate: beside a nucleus, on a smear.

    Parameters
    ----------
    metaphase : Metaphase
    candidates : sequence of Candidate
    dropped : sequence of Dropped
        What detection left out on purpose; a chromosome's worth of it is not taken back, and nothing of another cell.
    lifted : Lifted

    Returns
    -------
    list of Candidate
        Disjoint, clear of the candidates and of the picture's rim.
    """
    foreground, core = lifted.maps[0], lifted.maps[2:].max(axis=0)
    covered = (owners(candidates, metaphase.shape, foreground.shape) >= 0).astype(np.uint8)
    taken = np.asarray(cv2.dilate(covered, np.ones((5, 5), dtype=np.uint8)) > 0)
    seen = ((foreground > ON) & ~taken).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(seen, connectivity=8)
    least, most = (share * WIDTH**2 for share in MISSED_AREA)
    found = []
    for number in range(1, len(stats)):
        left, top, width, height, area = (int(value) for value in stats[number])
        here = labels[top : top + height, left : left + width] == number
        inside = (slice(top, top + height), slice(left, left + width))
        at_rim = left == 0 or top == 0 or left + width == seen.shape[1] or top + height == seen.shape[0]
        if not least <= area <= most or at_rim or float(foreground[inside][here].mean()) < MISSED_FOREGROUND:
            continue
        if float((core[inside][here] > ON).mean()) < LEAST_CORE_SHARE:
            continue
        one = _enlarged(here, top, left, lifted, metaphase.shape)
        density = float(metaphase.density[one.box.slices][one.mask].mean())
        if density < MISSED_DENSITY * lifted.level or _left_out(one, dropped):
            continue
        if _stands_out(metaphase, one, density, WIDTH / lifted.zoom):
            found.append(one)
    return found


def _enlarged(here: NDArray[np.bool_], top: int, left: int, lifted: Lifted, shape: tuple[int, int]) -> Candidate:
    """A candidate of the picture from a mask at a place of the network's grid."""
    first_row, first_col = (int((at - 1) / lifted.zoom) for at in (top, left))
    first_row, first_col = max(first_row, 0), max(first_col, 0)
    rows = min(shape[0] - first_row, int((here.shape[0] + 2) / lifted.zoom) + 2)
    cols = min(shape[1] - first_col, int((here.shape[1] + 2) / lifted.zoom) + 2)
    # the middle of the picture's pixel p lies at (p + 0.5) * zoom - 0.5 on the network's grid
    y = ((np.arange(rows) + first_row + 0.5) * lifted.zoom - 0.5 - top).astype(np.float32)
    x = ((np.arange(cols) + first_col + 0.5) * lifted.zoom - 0.5 - left).astype(np.float32)
    drawn = cv2.remap(here.astype(np.float32), *np.meshgrid(x, y), cv2.INTER_LINEAR) > 0.5
    return Candidate(*tight(largest(np.asarray(drawn)), Box(first_row, first_col, rows, cols)))


def _stands_out(metaphase: Metaphase, one: Candidate, density: float, width: float) -> bool:
    """Whether most of what lies around is far paler: a nucleus may lie on one side, but not all around."""
    rim, ring = max(1, round(RING[0] * width)), max(2, round(RING[1] * width))
    padded = np.pad(one.mask, ring).astype(np.uint8)
    near, far = (
        cv2.dilate(padded, np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)) > 0 for reach in (rim, ring)
    )
    rows, cols = np.nonzero(far & ~near)
    rows, cols = rows + one.box.top - ring, cols + one.box.left - ring
    inside = (rows >= 0) & (cols >= 0) & (rows < metaphase.shape[0]) & (cols < metaphase.shape[1])
    around = metaphase.density[rows[inside], cols[inside]]
    return bool((around < 0.5 * density).mean() >= CLEAR) if len(around) else True


def _left_out(one: Candidate, dropped: Sequence[Dropped]) -> bool:
    """Whether detection left out on purpose what `one` shows: not a large thing that it happens to lie on."""
    return any(
        shared_pixels(one, other) > 0.5 * one.area and (other.reason == "another cell" or other.area < 3 * one.area)
        for other in dropped
    )


def owners(candidates: Sequence[Candidate], shape: tuple[int, int], there: tuple[int, ...]) -> NDArray[np.int32]:
    """Which candidate each pixel of the network's grid belongs to, -1 for none."""
    owner = np.full(shape, -1.0, dtype=np.float32)
    for number, one in enumerate(candidates):
        owner[one.box.slices][one.mask] = number
    return np.asarray(cv2.resize(owner, there[::-1], interpolation=cv2.INTER_NEAREST), dtype=np.int32)


def _around(candidates: Sequence[Candidate], zoom: float, shape: tuple[int, ...], stride: int) -> tuple[slice, slice]:
    """Rows and columns of the network's grid on which the candidates lie, with `REACH` around them.

    All of them where that would save little.
    """
    box = np.array([one.box for one in candidates], dtype=np.float64) * zoom
    # on the strides of the whole picture: what the network says of a pixel depends on where they begin
    top, left = (np.maximum(0, box[:, :2].min(axis=0) - REACH) // stride * stride).astype(int).tolist()
    bottom, right = np.minimum(shape, np.ceil((box[:, :2] + box[:, 2:]).max(axis=0) + REACH)).astype(int).tolist()
    if (bottom - top) * (right - left) > WORTHWHILE * shape[0] * shape[1]:
        return slice(0, shape[0]), slice(0, shape[1])
    return slice(top, bottom), slice(left, right)


def _run(
    shown: NDArray[np.float32], where: tuple[slice, slice], separator: Separator, turned: bool
) -> NDArray[np.float32]:
    """What the network says of a part of what it is shown, zeros elsewhere.

    With `turned` the mean of that and of what it says of the part turned by half, in which directions are the same.
    """
    part = shown[where]
    rows, cols = part.shape
    padded = np.pad(part, ((0, -rows % separator.stride), (0, -cols % separator.stride)))
    seen = separator.lifted(padded)
    if turned:
        seen = 0.5 * (seen + separator.lifted(np.ascontiguousarray(padded[::-1, ::-1]))[:, ::-1, ::-1])
    maps = np.zeros((len(seen), *shown.shape), dtype=np.float32)
    maps[:, where[0], where[1]] = seen[:, :rows, :cols]
    return maps
