"""Contours of a cluster's chromosomes from ellipses (paper section 4, eq. 6), and whose each pixel is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import beside, edge_distance, nearest, relevance
from karyofast.kernels.rim import rimmed
from karyofast.ridge import Link, Piece

STRIDE = 2.5
"""Widths of medial axis a seed: short enough for an ellipse to follow a bend, long enough to fit one to."""

REACH = 0.8
"""Widths from the medial axis up to which an edge pixel counts in a fit: half a width is where the rim lies.

Eq. 6 alone hardly falls with the distance beyond a few px, and gives a seed rims behind other chromosomes."""

LEAST_EDGE = 6
"""Edge pixels of a fit: an ellipse has five parameters."""

WHOLE = 0.8
"""Share of an ellipse that lies in the cluster from which it is whole."""

MINOR = (0.4, 1.6)
"""Minor axis of a whole ellipse, in widths."""

LEAST_AREA = 0.7
"""Area of a chromosome in squared widths: the shortest is about as long as it is broad."""

LEAST_OVERLAP = 0.5
"""Thickness of a crossing, in widths; what two ellipses share along a touch is thinner."""


@dataclass(frozen=True, eq=False)
class Part:
    """A chromosome in the making.

    Attributes
    ----------
    axis : float64 (n, 2)
        Row, column of the pixels of its medial axis, in no order.
    covered : bool (height, width)
        What its whole ellipses cover.
    """

    axis: NDArray[np.float64]
    covered: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Contours:
    """What ellipses are fitted to.

    Attributes
    ----------
    mask : bool (height, width)
        The cluster.
    points : float64 (n, 2)
        Row, column of the edge pixels.
    gradients : float64 (n, 2)
        Of the density at them.
    """

    mask: NDArray[np.bool_]
    points: NDArray[np.float64]
    gradients: NDArray[np.float64]


def stretches(piece: Piece, width: float) -> list[NDArray[np.float64]]:
    """A piece's path in equally long stretches of at most `STRIDE` widths; the mean of each is a seed."""
    count = max(1, int(np.ceil(len(piece.path) / (STRIDE * width))))
    short, longer = divmod(len(piece.path), count)  # the first ones are a point longer, as numpy.array_split has it
    ends = [number * short + min(number, longer) for number in range(count + 1)]
    return [piece.path[first:last] for first, last in pairwise(ends)]


def groups(pieces: Sequence[Piece], joins: Sequence[Link]) -> list[list[int]]:
    """Pieces that are linked, directly or by way of others."""
    owner = list(range(len(pieces)))
    for link in joins:
        old, new = owner[link.one[0]], owner[link.other[0]]
        owner = [new if one == old else one for one in owner]
    return [[at for at, one in enumerate(owner) if one == group] for group in sorted(set(owner))]


def parts(
    contours: Contours, pieces: Sequence[Piece], joins: Sequence[Link], weight: float, width: float
) -> list[Part]:
    """Chromosomes with at least one whole ellipse.

    Parameters
    ----------
    contours : Contours
    pieces : sequence of Piece
    joins : sequence of Link
        Which of their ends go on into one another (`ridge.links`).
    weight : float
        Lambda of eq. 6.
    width : float
        Typical width of a chromosome, px.
    """
    if not pieces:
        return []
    own = [stretches(piece, width) for piece in pieces]
    first = np.cumsum([0, *(len(some) for some in own)])
    axes = [stretch for some in own for stretch in some]
    best, _ = relevance(contours.points, contours.gradients, [axis.sum(axis=0) / len(axis) for axis in axes], weight)
    found = []
    for group in groups(pieces, joins):
        covered = np.zeros(contours.mask.shape, dtype=bool)
        axis = [pieces[number].path for number in group]
        for number in group:
            for seed in range(first[number], first[number + 1]):
                inside = _fitted(contours, best == seed, axes[seed], width)
                if inside is not None:
                    covered |= inside
        for link in joins:
            if link.one[0] in group:
                sides = [first[at] if end == 0 else first[at + 1] - 1 for at, end in (link.one, link.other)]
                one, other = (pieces[at].path[-1 if end else 0] for at, end in (link.one, link.other))
                axis.append(_way(one, other))
                along = np.concatenate([*(axes[side] for side in sides), axis[-1]])
                inside = _fitted(contours, (best == sides[0]) | (best == sides[1]), along, width)
                if inside is not None:
                    covered |= inside & _about(one, other, covered.shape, width)
        if covered.any():
            found.append(Part(np.concatenate(axis), covered))
    return found


def _way(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pixels of the straight way between two ends."""
    corner = np.minimum(one, other)
    (x, y), (to_x, to_y) = ((end - corner)[::-1].astype(int).tolist() for end in (one, other))
    line = np.zeros((max(y, to_y) + 1, max(x, to_x) + 1), np.uint8)
    cv2.line(line, (x, y), (to_x, to_y), 1)
    return np.asarray(np.argwhere(line) + corner)


def _about(
    one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...], width: float
) -> NDArray[np.bool_]:
    """The disc about two ends in which the ellipse of both counts."""
    (row, col), (to_row, to_col) = one.astype(int).tolist(), other.astype(int).tolist()
    disc = np.zeros(shape, np.uint8)
    reach = 0.5 * math.hypot(row - to_row, col - to_col) + 0.5 * width
    cv2.circle(disc, ((col + to_col) // 2, (row + to_row) // 2), round(reach), 1, cv2.FILLED)
    return disc.view(bool)


def _fitted(
    contours: Contours, chosen: NDArray[np.bool_], axis: NDArray[np.float64], width: float
) -> NDArray[np.bool_] | None:
    """Pixels of the cluster in the ellipse through the chosen edge pixels near `axis`; None if it is not whole.

    An ellipse is whole when its minor axis is that of a chromosome and nearly all of it lies in the cluster.
    """
    points, bent = beside(axis, contours.points, chosen, REACH * width)
    if len(points) < LEAST_EDGE or not bent:
        return None
    # where its equations are singular, the fit shakes the points at random
    cv2.setRNGSeed(0)
    (x, y), axes, angle = cv2.fitEllipseDirect(points)
    if not math.isfinite(x + y + axes[0] + axes[1] + angle):
        return None
    # the edges are those of the eroded cluster: one pixel in on either side
    minor, major = min(axes) + 2.0, max(axes) + 2.0
    if not MINOR[0] * width <= minor <= MINOR[1] * width or major > 2.0 * sum(contours.mask.shape):
        return None
    drawn = np.zeros(contours.mask.shape, np.uint8)
    cv2.ellipse(drawn, ((x, y), (axes[0] + 2.0, axes[1] + 2.0), angle), 1, cv2.FILLED)
    inside = drawn.view(bool) & contours.mask
    # the area of the whole ellipse, also of what the canvas cuts off
    return inside if np.count_nonzero(inside) >= WHOLE * math.pi * minor * major / 4.0 else None


def divide(mask: NDArray[np.bool_], found: Sequence[Part], width: float) -> tuple[list[NDArray[np.bool_]], list[Part]]:
    """Give every pixel of a cluster to its chromosomes.

    To those whose ellipses cover it; where none does, and where two do in a strip too thin for a crossing, to the one
    with the nearest medial axis. A chromosome that gets too little is dropped and its pixels are given anew.

    Returns
    -------
    masks : list of bool (height, width)
        One a chromosome that is left, `mask` itself if there are none or one; together they are `mask`.
    left : list of Part
        The chromosomes that are left.
    """
    left = list(found)
    while len(left) > 1:
        masks = connected(_given(mask, left, width))
        areas = [int(np.count_nonzero(one)) for one in masks]
        least = int(np.argmin(areas))
        if areas[least] >= LEAST_AREA * width**2:
            return masks, left
        del left[least]
    return [mask], left


def _given(mask: NDArray[np.bool_], found: Sequence[Part], width: float) -> list[NDArray[np.bool_]]:
    covers = np.stack([one.covered & mask for one in found])
    times = covers.sum(axis=0, dtype=np.uint16)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((times > 1).view(np.uint8), connectivity=8)
    for label, (left, top, across, down, _) in enumerate(stats[1:count].tolist(), start=1):
        box = (slice(top, top + down), slice(left, left + across))
        here = labels[box] == label
        if 2.0 * float(edge_distance(~rimmed(here, 1)).max()) >= LEAST_OVERLAP * width:
            continue
        places = np.argwhere(here) + np.array([top, left])
        rows, cols = places.T
        away = np.where(covers[:, rows, cols], _away(found, places), np.inf)
        covers[:, rows, cols] = away.argmin(axis=0) == np.arange(len(found))[:, None]
    unclaimed = np.argwhere(mask & (times == 0))
    rows, cols = unclaimed.T
    owner = np.repeat(np.arange(len(found)), [len(one.axis) for one in found])
    covers[owner[nearest(np.concatenate([one.axis for one in found]), unclaimed)[0]], rows, cols] = True
    return list(covers)


def _away(found: Sequence[Part], points: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each point from the medial axis of each part (parts, points), px."""
    return np.stack([nearest(one.axis, points)[1] for one in found])


def connected(masks: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.bool_]]:
    """Each mask's largest component; its other ones go to the neighbour that they touch most, or stay."""
    whole = []
    scraps: list[tuple[int, NDArray[np.bool_]]] = []
    for number, mask in enumerate(masks):
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        if count == 2:
            whole.append(mask)
            continue
        largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:])) if count > 1 else 0
        whole.append(mask & (labels == largest))
        scraps += [(number, labels == label) for label in range(1, count) if label != largest]
    result = [one.copy() for one in whole]
    for number, scrap in scraps:
        rim = cv2.dilate(scrap.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        touch = [int(np.count_nonzero(rim & one)) for one in whole]
        result[int(np.argmax(touch)) if max(touch) > 0 else number] |= scrap
    return result
