"""Matching of predicted masks to true ones: overlap, one-to-one pairs, counts.

A pair counts from an IoU of 0.5 on, that value included. Pairs are one-to-one and optimal: as many of them
as can be, and among those the choice with the largest sum of IoU. Masks that do not overlap one another
leave no choice (only one of them can cover half of a union), crossings do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from karyofast.masks import shared_pixels
from karyofast.types import Region

HIT = 0.5
"""IoU from which a prediction is the thing itself (DESIGN.md, "how to score")."""

MOSTLY = 0.5
"""Share of a prediction's pixels above which it lies mostly on something."""


@dataclass(frozen=True)
class Counts:
    """How many were asked for, how many were given, how many of these are right.

    Attributes
    ----------
    hits : int
        Pairs of a prediction and a truth.
    predicted : int
        Predictions that are right or wrong; those that lie on what is ignored are neither.
    true : int
        What was asked for.
    """

    hits: int = 0
    predicted: int = 0
    true: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.hits + other.hits, self.predicted + other.predicted, self.true + other.true)

    @property
    def precision(self) -> float | None:
        """Share of the predictions that are right; None where there are none."""
        return share(self.hits, self.predicted)

    @property
    def recall(self) -> float | None:
        """Share of what was asked for that was found; None where nothing was asked for."""
        return share(self.hits, self.true)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where there is neither prediction nor truth."""
        return share(2 * self.hits, self.predicted + self.true)

    def to_dict(self) -> dict[str, Any]:
        """Counts and shares, ready for JSON."""
        return {
            "hits": self.hits,
            "predicted": self.predicted,
            "true": self.true,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


def share(part: int, whole: int) -> float | None:
    """`part` of `whole`, None where there is no whole."""
    return part / whole if whole else None


def iou_matrix(predicted: Sequence[Region], true: Sequence[Region]) -> NDArray[np.float64]:
    """Intersection over union of all pairs.

    Parameters
    ----------
    predicted, true : sequence of Region
        In the same picture.

    Returns
    -------
    float64 (len(predicted), len(true))
        0 for a pair of empty masks. Pixels are looked at only where two boxes meet.

    Examples
    --------
    >>> from karyofast.types import Box
    >>> left = Region(Box(0, 0, 2, 4), np.ones((2, 4), bool))
    >>> right = Region(Box(0, 2, 2, 4), np.ones((2, 4), bool))
    >>> round(float(iou_matrix([left], [right])[0, 0]), 3)
    0.333
    """
    matrix = np.zeros((len(predicted), len(true)))
    if not matrix.size:
        return matrix
    ours, theirs = _bounds(predicted), _bounds(true)
    meet = np.all(ours[:, None, :2] < theirs[None, :, 2:], axis=2)
    meet &= np.all(theirs[None, :, :2] < ours[:, None, 2:], axis=2)
    areas = [one.area for one in predicted], [one.area for one in true]
    for i, j in np.argwhere(meet):
        common = shared_pixels(predicted[i], true[j])
        if common:
            matrix[i, j] = common / (areas[0][i] + areas[1][j] - common)
    return matrix


def match(iou: NDArray[np.float64], hit: float = HIT) -> list[tuple[int, int]]:
    """One-to-one pairs with an IoU of `hit` or more: the most pairs, then the largest sum of IoU.

    Parameters
    ----------
    iou : float64 (predicted, true)
    hit : float
        Least IoU of a pair, above 0.

    Returns
    -------
    list of (int, int)
        Row and column of each pair, by rows.

    Examples
    --------
    >>> match(np.array([[0.9, 0.6], [0.7, 0.0]]))
    [(0, 1), (1, 0)]
    """
    if not 0.0 < hit <= 1.0:
        raise ValueError(f"`hit` must be above 0 and at most 1. Got: {hit}.")
    if not iou.size:
        return []
    # one more pair outweighs any sum of IoU
    weights = np.where(iou >= hit, min(iou.shape) + 1.0 + iou, 0.0)
    rows, columns = linear_sum_assignment(weights, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if iou[i, j] >= hit]


def union(regions: Sequence[Region], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels (height, width) of any of the regions."""
    mask = np.zeros(shape, dtype=bool)
    for one in regions:
        mask[one.box.slices] |= one.mask
    return mask


def lies_mostly_on(region: Region, mask: NDArray[np.bool_]) -> bool:
    """Whether more than half of a region's pixels are on in `mask` (height, width); an empty region lies nowhere."""
    return int(np.count_nonzero(mask[region.box.slices] & region.mask)) > MOSTLY * region.area


def check_inside(regions: Sequence[Region], shape: tuple[int, int]) -> None:
    """Refuse regions that do not lie in a picture of `shape`: they belong to another picture.

    Raises
    ------
    ValueError
        Names the first such region.
    """
    for number, one in enumerate(regions):
        top, left, height, width = one.box
        if top < 0 or left < 0 or top + height > shape[0] or left + width > shape[1]:
            raise ValueError(
                f"`predicted` must lie inside the picture of {shape}. Got: region {number} with {one.box}. "
                "Compare masks and truth of the same picture at the same size."
            )


def _bounds(regions: Sequence[Region]) -> NDArray[np.int64]:
    """First row, first column, row and column past the last, one line a region."""
    boxes = np.array([one.box for one in regions], dtype=np.int64)
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
