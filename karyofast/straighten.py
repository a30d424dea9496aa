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
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import CurveFit, edge_distance, evenly, inner_path, nearest, own_run, principal_curve, prolonged
from karyofast.masks import largest
from karyofast.smooth import smoothed
from karyofast.types import Chromosome, Metaphase, Region, Straightened

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

TOUCHED = 0.05
"""Share of a sample that the mask must cover for it to belong to the chromosome."""

CURVE = CurveFit(REACH, BENDS, STIFFNESS, ROUNDS, MOST_BENDS, OUT)
"""How the axis of a bent chromosome is fitted."""

LINE = replace(CURVE, most_bends=0)
"""The same for a straight one."""


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
    mask = _whole(_padded(region.mask, pad))
    image = _padded(density, pad)
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
    straight, length, breadth = principal_axis(points)
    straight = prolonged(straight, mask, breadth, OUT)
    area = len(points)
    if length * breadth <= PLAIN * area:
        return straight, area / _length(straight)
    step = 1 + area // ENOUGH
    some, weights = points[::step].astype(np.float64), weights[::step]
    straight = principal_curve(straight, mask, some, weights, LINE)
    path, width = _inner_path(mask)
    curve = principal_curve(prolonged(path, mask, width, OUT), mask, some, weights, CURVE)
    inside = _length(curve) - 2.0 * OUT
    bent = inside**2 >= SHORT * area and _cost(curve, area, some, weights) < _cost(straight, area, some, weights)
    axis = curve if bent else straight
    return axis, area / _length(axis)


def _cost(axis: NDArray[np.float64], area: int, points: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Mean squared distance of the pixels from the axis, px^2, dearer for bends."""
    apart = nearest(axis, points)[1]
    return float(apart**2 @ weights / weights.sum()) * (1.0 + BENDING * _turning(axis, area / _length(axis)))


def _inner_path(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """The path along the inside between the two pixels farthest apart, without its blunt ends, and its width."""
    path, reach = inner_path(mask, edge_distance(~mask))
    width = float(np.count_nonzero(mask) / max(reach, 1.0))
    axis = evenly(smoothed(path.astype(np.float64), max(0.45 * width, 1.0)))
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


def _padded(values: NDArray[Any], pad: int) -> NDArray[Any]:
    """`np.pad` with zeros in a fifth of its time, which is most of it for something as small as a chromosome."""
    around = np.zeros((values.shape[0] + 2 * pad, values.shape[1] + 2 * pad), dtype=values.dtype)
    around[pad:-pad, pad:-pad] = values
    return around


def _whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest component, without holes: an axis needs one connected body."""
    mask = largest(mask)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled.astype(bool)


def principal_axis(points: NDArray[np.int64]) -> tuple[NDArray[np.float64], float, float]:
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


def _sample(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], axis: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Density and soft mask on rows across the axis."""
    tangent = np.gradient(smoothed(axis, 1.5), axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    half = int(np.ceil(width * (0.75 + MARGIN)))
    offsets = np.arange(-half, half + 1, dtype=np.float64)
    rows = (axis[:, :1] + normal[:, :1] * offsets).astype(np.float32)
    cols = (axis[:, 1:] + normal[:, 1:] * offsets).astype(np.float32)
    soft = np.asarray(cv2.remap(mask.astype(np.float32), cols, rows, cv2.INTER_LINEAR), np.float32)
    values = np.asarray(cv2.remap(image.astype(np.float32), cols, rows, cv2.INTER_LINEAR), np.float32)
    body = own_run(axis, rows, cols, soft, FOLD * width, TOUCHED)
    return values * body, body
