"""How a true chromosome lies among its neighbours: alone, touching one, or crossing one at some angle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karyofast.coco import Truth
from karyofast.masks import shared_pixels
from karyofast.straighten import straighten_patch
from karyofast.types import Region, Straightened

ALONE, TOUCHING = "alone", "touching"

CROSSINGS = ((30.0, "crossing under 30"), (60.0, "crossing 30 to 60"), (np.inf, "crossing over 60"))
"""Upper bound and name of the crossing angles, degrees."""

LEAST_CROSSING = 0.5
"""Pixels in common, in squared widths of the narrower one, from which two cross; rims that lap over touch."""

CONTACTS = (ALONE, TOUCHING, *(name for _, name in CROSSINGS))
"""Every kind of contact."""


def contacts(truth: Truth, index: int) -> tuple[str, float | None]:
    """The kind of contact of a true chromosome, and the angle of its sharpest crossing, degrees.

    It crosses those with which it shares `LEAST_CROSSING`, ignored ones included; one that crosses another is not
    called touching.

    Returns
    -------
    contact : str
        One of `CONTACTS`.
    angle : float or None
        0 to 90; None where it crosses nothing.
    """
    one = truth.instances[index]
    others = [other.region for number, other in enumerate(truth.instances) if number != index]
    common = [(other, shared_pixels(one.region, other)) for other in others]
    angles = [
        crossing_angle(one.region, other)
        for other, shared in common
        if shared and shared >= LEAST_CROSSING * min(_width(one.region), _width(other)) ** 2
    ]
    if angles:
        return next(name for bound, name in CROSSINGS if min(angles) < bound), min(angles)
    return (TOUCHING if one.touching or any(shared for _, shared in common) else ALONE), None


def crossing_angle(one: Region, other: Region) -> float:
    """Angle between the medial axes of two regions where they overlap.

    Parameters
    ----------
    one, other : Region
        With at least one pixel in common.

    Returns
    -------
    float
        Degrees, 0 (they lie along one another) to 90.

    Examples
    --------
    >>> from karyofast.types import Box
    >>> flat = Region(Box(13, 0, 4, 30), np.ones((4, 30), bool))
    >>> upright = Region(Box(0, 13, 30, 4), np.ones((30, 4), bool))
    >>> round(crossing_angle(flat, upright))
    90
    """
    top, left = min(one.box.top, other.box.top), min(one.box.left, other.box.left)
    bottom = max(one.box.top + one.box.height, other.box.top + other.box.height)
    right = max(one.box.left + one.box.width, other.box.left + other.box.width)
    both = np.ones((bottom - top, right - left), dtype=bool)
    for region in (one, other):
        full = np.zeros(both.shape, dtype=bool)
        full[
            region.box.top - top : region.box.top - top + region.box.height,
            region.box.left - left : region.box.left - left + region.box.width,
        ] = region.mask
        both &= full
    if not both.any():
        raise ValueError(f"`one` and `other` must have pixels in common. Got: none, boxes {one.box} and {other.box}.")
    place = np.argwhere(both).mean(axis=0) + np.array([top, left])
    cosine = abs(float(_direction(one, place) @ _direction(other, place)))
    return float(np.degrees(np.arccos(np.clip(cosine, 0.0, 1.0))))


def _width(region: Region) -> float:
    """Typical width of a region across its medial axis, px."""
    return float(np.median(_straightened(region).widths))


def _direction(region: Region, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vector along the medial axis of a region where it comes nearest to a place, over a width to either side."""
    straightened = _straightened(region)
    axis = straightened.axis.astype(np.float64)
    reach = max(2, round(float(np.median(straightened.widths))))
    at = int(np.argmin(np.hypot(*(axis - place).T)))
    along = axis[min(at + reach, len(axis) - 1)] - axis[max(at - reach, 0)]
    return np.asarray(along / max(float(np.hypot(*along)), 1e-9))


def _straightened(region: Region) -> Straightened:
    return straighten_patch(region.mask.astype(np.uint8) * np.uint8(255), region)
