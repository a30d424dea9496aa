"""Straighten: lay a chromosome along its medial axis.

The axis is a principal curve (Hastie and Stuetzle 1989): a line that runs through the mean of the pixels nearest to
each of its points. Such a line is found from a start, and two are tried: the straight principal axis of the mask, and
the path between the two pixels farthest from one another along the inside, where a step costs the less the farther
it keeps from the rim. The start whose curve lies closest to the pixels wins; a bend has to pay for itself, or the
splayed arms of a short chromosome would be taken for one. The picture is then sampled on straight rows across the axis.

References
----------
T. Hastie, W. Stuetzle, "Principal curves", Journal of the American Statistical Association 84 (406), 1989.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from karyofast.kernels import edge_distance
from karyofast.masks import largest
from karyofast.types import Chromosome, Metaphase, Region, Straightened

CENTRING = 2.0
"""Exponent of the rim distance in the cost of a step: large enough to keep a path in the middle of a bend."""

ROUNDS = 3
"""Times that a curve is fitted to its pixels; then it moves by under a tenth of a pixel."""

ENOUGH = 500
"""Pixels of a mask that a curve is fitted to: their means along it are known to a tenth of a pixel then."""

BENDS = 0.7
"""Degree of the polynomials for each width of a curve's length: a chromosome does not bend twice within one width."""

REACH = 0.9
"""Widths from the curve beyond which a pixel is not fitted: an arm of another chromosome must not pull it aside."""

MOST_BENDS = 5
"""Degree above the first of the polynomials that a curve is made of, at most."""

STIFFNESS = 1e-4
"""Weight of a curve's bends against its pixels: half of the highest term is left, all of the lowest."""

OUT = 2
"""Steps that an axis goes on past the mask."""

BLUNT = 0.6
"""Widths by which a medial axis stops short of the mask's ends: there a path runs to a corner."""

BENDING = 0.20
"""Share by which the mean squared distance must shrink for each radian that a curve turns more than a straight axis."""

SHORT = 2.6
"""Length over width below which a chromosome has a straight axis: what looks like a bend there is splayed arms."""

PLAIN = 1.0
"""Area of the rectangle of equal moments over that of the mask, up to which only the straight axis is tried."""

MARGIN = 0.25
"""Part of the width added on either side of a row, so that soft edges stay in the crop."""

FOLD = 1.2
"""Widths along the axis by which a pixel may lie nearer to another row than the one that samples it: beyond, it is the
other arm of a hairpin or the inner side of a sharp bend."""

_STEPS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 2.0**0.5), (1, -1, 2.0**0.5))


def straighten(metaphase: Metaphase, chromosome: Chromosome) -> Straightened:
    """Straighten one chromosome of a metaphase.

    Parameters
    ----------
    metaphase : Metaphase
    chromosome : Chromosome
        Its mask must hold at least one pixel.

    Returns
    -------
    Straightened
        Rows one pixel apart along the axis; what is outside the mask is 0.
    """
    return straighten_patch(metaphase.density[chromosome.box.slices], chromosome)


def straighten_patch(density: NDArray[np.uint8], region: Region) -> Straightened:
    """Straighten the chromosome `region`, given the density inside its box.

    Parameters
    ----------
    density : uint8 (region.box.height, region.box.width)
    region : Region

    Raises
    ------
    ValueError
        The mask is empty, or density has another shape than the mask.
    """
    if density.shape != region.mask.shape:
        raise ValueError(f"density must have the shape of the mask {region.mask.shape}. Got: {density.shape}.")
    if not region.mask.any():
        raise ValueError("region must have at least one pixel in its mask. Got: an empty mask.")
    pad = 3
    mask = _whole(np.pad(region.mask, pad))
    image = np.pad(density, pad)
    axis, width = _whole_axis(mask, image)
    crop, inside = _sample(image, mask, axis, width)
    rows = np.flatnonzero(inside.sum(axis=1) > 0.5)
    kept = slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, len(axis))
    crop, inside, axis = crop[kept], inside[kept], axis[kept]
    widths = inside.sum(axis=1)
    profile = crop.sum(axis=1) / np.maximum(widths, 1.0)
    origin = np.array([region.box.top - pad, region.box.left - pad])
    return Straightened(
        crop=np.clip(np.rint(crop), 0, 255).astype(np.uint8),
        axis=(axis + origin).astype(np.float32),
        widths=widths.astype(np.float32),
        profile=profile.astype(np.float32),
    )


def medial_axis(mask: NDArray[np.bool_], density: NDArray[np.uint8] | None = None) -> tuple[NDArray[np.float64], float]:
    """The medial axis of a mask that does not touch the border of its array.

    Parameters
    ----------
    mask : bool (height, width)
    density : uint8 (height, width), optional
        Weighs the pixels, so that a soft rim and the light between two arms count little.

    Returns
    -------
    axis : float64 (n, 2)
        Row, column; neighbours about 1 px apart; ends about half a width short of the mask's ends.
    width : float
        Typical width of the mask across the axis, px.
    """
    whole, width = _whole_axis(mask, density)
    cut = int(BLUNT * width)
    return (whole[cut : len(whole) - cut] if len(whole) > 2 * cut + 4 else whole), width


def _whole_axis(mask: NDArray[np.bool_], density: NDArray[np.uint8] | None) -> tuple[NDArray[np.float64], float]:
    """The medial axis from one end of the mask to the other, just out of it, and the typical width."""
    points = np.argwhere(mask)
    weights = np.ones(len(points)) if density is None else density[mask].astype(np.float64) + 1.0
    straight, length, breadth = _principal_axis(points)
    straight = _prolong(straight, mask, breadth)
    if length * breadth <= PLAIN * len(points):
        return straight, len(points) / _length(straight)
    area = len(points)
    step = 1 + area // ENOUGH
    some, weights = points[::step], weights[::step]
    straight = _principal_curve(straight, mask, area, some, weights, bends=0)
    path, width = _inner_path(mask, points)
    if len(path) < 3:
        return straight, area / _length(straight)
    curve = _principal_curve(_prolong(path, mask, width), mask, area, some, weights)
    inside = _length(curve) - 2.0 * OUT
    bent = inside**2 >= SHORT * area and _cost(curve, area, some, weights) < _cost(straight, area, some, weights)
    axis = curve if bent else straight
    return axis, area / _length(axis)


def _principal_curve(
    axis: NDArray[np.float64],
    mask: NDArray[np.bool_],
    area: int,
    points: NDArray[np.int64],
    weights: NDArray[np.float64],
    bends: int = MOST_BENDS,
) -> NDArray[np.float64]:
    """The curve that `axis` settles to when it is fitted again and again to the pixels nearest to its points."""
    for _ in range(ROUNDS):
        width = area / _length(axis)
        apart, nearest = cKDTree(axis).query(points)
        own = np.where(apart <= REACH * width, weights, 0.0)
        sums = [np.bincount(nearest, part, len(axis)) for part in (own, *(own * points.T))]
        used = np.flatnonzero(sums[0])
        if len(used) < 3:
            break
        mass, place = sums[0][used] / sums[0].sum(), np.stack(sums[1:], axis=1)[used] / sums[0][used, None]
        degree = 1 + min(bends, max(1, round(BENDS * _length(axis) / width) - 1))
        along = np.linspace(-1.0, 1.0, used[-1] - used[0] + 1)
        basis = np.polynomial.legendre.legvander(along, degree)
        order = np.arange(degree + 1)
        here = basis[used - used[0]]
        moments = np.einsum("na,n,nb->ab", here, mass, here) + np.diag(STIFFNESS * (order * (order - 1.0)) ** 2)
        weighed = np.linalg.solve(moments, np.einsum("na,n,nx->ax", here, mass, place))
        cut = round(0.5 * width)
        curve = np.einsum("na,ax->nx", basis, weighed)
        axis = _prolong(_even(curve[cut : len(curve) - cut] if len(curve) > 2 * cut + 4 else curve), mask, 0.6 * width)
    return axis


def _cost(axis: NDArray[np.float64], area: int, points: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """Mean squared distance of the pixels from the axis, px^2, dearer for bends."""
    apart = cKDTree(axis).query(points)[0]
    return float(np.average(apart**2, weights=weights)) * (1.0 + BENDING * _turning(axis, area / _length(axis)))


def _inner_path(mask: NDArray[np.bool_], points: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """The path along the inside between the two pixels farthest apart, without its blunt ends, and its width."""
    depth = edge_distance(~mask)
    plain, weighted = _graphs(mask, depth, points)
    start = int(np.argmax(_walk(plain, 0)))
    reach = _walk(plain, start)
    end = int(np.argmax(reach))
    width = float(len(points) / max(reach[end], 1.0))
    before = dijkstra(weighted, directed=False, indices=[start], return_predecessors=True)[1][0]
    path = [end]
    while path[-1] != start:
        path.append(int(before[path[-1]]))
    axis = _smooth(points[path].astype(np.float64), width)
    cut = int(BLUNT * width)
    return (axis[cut : len(axis) - cut] if len(axis) > 2 * cut + 8 else axis), width


def _length(axis: NDArray[np.float64]) -> float:
    return max(float(np.hypot(*np.diff(axis, axis=0).T).sum()), 1.0)


def _turning(axis: NDArray[np.float64], width: float) -> float:
    """Radians by which an axis turns in all, looked at over half a width."""
    reach = max(2, round(0.5 * width))
    if len(axis) <= 2 * reach:
        return 0.0
    steps = axis[reach:] - axis[:-reach]
    angle = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
    return float(np.abs(np.diff(angle[::reach])).sum())


def _whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest component, without holes: an axis needs one connected body."""
    mask = largest(mask)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _principal_axis(points: NDArray[np.int64]) -> tuple[NDArray[np.float64], float, float]:
    """Straight axis through the centre of pixels, with the length and breadth of the rectangle of equal moments.

    Sums of integers and no linear algebra: the same on every machine to the last bit.
    """
    count = len(points)
    total, rows, cols = points.sum(axis=0), points[:, 0], points[:, 1]
    down = float(count * (rows * rows).sum() - total[0] ** 2) / count**2 + 1.0 / 12.0
    across = float(count * (cols * cols).sum() - total[1] ** 2) / count**2 + 1.0 / 12.0
    mixed = float(count * (rows * cols).sum() - total[0] * total[1]) / count**2
    angle = 0.5 * math.atan2(2.0 * mixed, down - across)
    middle, half_range = 0.5 * (down + across), math.hypot(0.5 * (down - across), mixed)
    # a rectangle of side s has variance s^2/12 along it
    length, breadth = math.sqrt(12.0 * (middle + half_range)), math.sqrt(12.0 * max(middle - half_range, 1.0 / 12.0))
    half = max(0.5 * (length - breadth), 1.0)
    steps = np.linspace(-half, half, max(3, int(2 * half) + 1))
    return total / count + steps[:, None] * np.array([math.cos(angle), math.sin(angle)]), length, breadth


def _graphs(
    mask: NDArray[np.bool_], depth: NDArray[np.float64], points: NDArray[np.int64]
) -> tuple[csr_array, csr_array]:
    """Graph of the mask's pixels with steps at their length, and at their length over the rim distance."""
    number = np.full(mask.shape, -1, dtype=np.int64)
    number[mask] = np.arange(len(points))
    heads, tails, plain, weighted = [], [], [], []
    for down, right, length in _STEPS:
        rows, cols = points[:, 0], points[:, 1]
        other = number[rows + down, cols + right]
        here = np.flatnonzero(other >= 0)
        there = other[here]
        middle = 0.5 * (depth[rows[here], cols[here]] + depth[points[there, 0], points[there, 1]])
        heads.append(here)
        tails.append(there)
        plain.append(np.full(len(here), length))
        weighted.append(length / middle**CENTRING)
    index = (np.concatenate(heads), np.concatenate(tails))
    shape = (len(points), len(points))
    return (
        csr_array((np.concatenate(plain), index), shape=shape),
        csr_array((np.concatenate(weighted), index), shape=shape),
    )


def _walk(graph: csr_array, start: int) -> NDArray[np.float64]:
    """Distance of every pixel from `start` along the graph, -1 where there is no way."""
    distances = dijkstra(graph, directed=False, indices=[start])[0]
    return np.where(np.isfinite(distances), distances, -1.0)


def _smooth(path: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Points about 1 px apart on a smoothed path."""
    smoothed = gaussian_filter1d(path, sigma=max(0.45 * width, 1.0), axis=0, mode="nearest")
    return _even(smoothed)


def _even(path: NDArray[np.float64]) -> NDArray[np.float64]:
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    count = max(3, round(float(along[-1])) + 1)
    at = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(at, along, path[:, 0]), np.interp(at, along, path[:, 1])], axis=1)


def _prolong(axis: NDArray[np.float64], mask: NDArray[np.bool_], width: float) -> NDArray[np.float64]:
    """Prolong both ends straight until well outside of the mask."""
    reach = int(2.0 * width) + 4
    look = max(2, min(len(axis) - 1, round(0.7 * width)))
    steps = np.arange(1, reach + 1)[:, None]
    head = axis[0] - axis[look]
    tail = axis[-1] - axis[-1 - look]
    head /= max(float(np.hypot(*head)), 1e-9)
    tail /= max(float(np.hypot(*tail)), 1e-9)
    return np.concatenate(
        [
            _until_out(axis[0] + steps * head, mask)[::-1],
            axis,
            _until_out(axis[-1] + steps * tail, mask),
        ]
    )


def _until_out(points: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The points up to where the mask has ended for good: two pixels past its last touch of the axis's strip."""
    row, col = np.rint(points).astype(int).T
    inside = (row >= 0) & (row < mask.shape[0]) & (col >= 0) & (col < mask.shape[1])
    hit = np.zeros(len(points), dtype=bool)
    hit[inside] = mask[row[inside], col[inside]]
    out = np.flatnonzero(~hit)
    return points[: (int(out[0]) if len(out) else len(points)) + OUT]


def _sample(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], axis: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Density and soft mask on rows across the axis."""
    tangent = np.gradient(gaussian_filter1d(axis, sigma=1.5, axis=0, mode="nearest"), axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    half = int(np.ceil(width * (0.75 + MARGIN)))
    offsets = np.arange(-half, half + 1, dtype=np.float64)
    rows = (axis[:, :1] + normal[:, :1] * offsets).astype(np.float32)
    cols = (axis[:, 1:] + normal[:, 1:] * offsets).astype(np.float32)
    soft = np.asarray(cv2.remap(mask.astype(np.float32), cols, rows, cv2.INTER_LINEAR), np.float32)
    values = np.asarray(cv2.remap(image.astype(np.float32), cols, rows, cv2.INTER_LINEAR), np.float32)
    # keep the body of this row's chromosome only: in a hairpin the rows of one arm also cross the other
    nearest = cKDTree(axis).query(np.stack([rows, cols], axis=-1))[1]
    soft[np.abs(nearest - np.arange(len(axis))[:, None]) > FOLD * width] = 0.0
    body = _middle_run(soft)
    return values * body, body


def _middle_run(soft: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each row the run of mask that holds, or lies nearest to, the middle."""
    on = soft > 0.05
    columns = np.arange(soft.shape[1])
    middle = soft.shape[1] // 2
    seed = np.where(on, np.abs(columns - middle), soft.shape[1]).argmin(axis=1)[:, None]
    before = np.maximum.accumulate(np.where(on, -1, columns), axis=1)
    after = np.minimum.accumulate(np.where(on, soft.shape[1], columns)[:, ::-1], axis=1)[:, ::-1]
    left, right = np.take_along_axis(before, seed, axis=1), np.take_along_axis(after, seed, axis=1)
    return np.where(on & (columns > left) & (columns < right), soft, np.float32(0.0))
