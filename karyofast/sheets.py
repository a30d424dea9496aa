"""Masks side by side on sheets: what looks at a pixel and the shape around it does many small ones at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROOM = 2**17
"""Pixels that a sheet is filled up to: few calls, and still in the cache. What is larger has one of its own."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Some of the masks, apart from one another.

    Attributes
    ----------
    mask : bool (height, width)
    places : dict of int to (slice, slice)
        Rows and columns of each mask, its margin included, by its number.
    """

    mask: NDArray[np.bool_]
    places: dict[int, tuple[slice, slice]]

    def numbers(self) -> NDArray[np.int32]:
        """Whose place each pixel is, -1 for nobody's."""
        owner = np.full(self.mask.shape, -1, dtype=np.int32)
        for number, place in self.places.items():
            owner[place] = number
        return owner


def sheets(masks: Sequence[NDArray[np.bool_]], margin: int) -> Iterator[Sheet]:
    """All masks, each with `margin` free pixels or more around it.

    Each begins in an even row and column: OpenCV numbers components by blocks of 2 x 2 pixels, so those of one mask
    come in the order that they would have without the others.

    Parameters
    ----------
    masks : sequence of bool (rows, columns)
    margin : int
        At least 1, unless the masks bring their own.

    Yields
    ------
    Sheet
    """
    sizes = [tuple((side + 2 * margin + 1) // 2 * 2 for side in mask.shape) for mask in masks]
    batch: list[int] = []
    area = 0
    for number in sorted(range(len(masks)), key=lambda at: -sizes[at][0]):  # so each row is as high as its first
        height, width = sizes[number]
        if batch and area + height * width > ROOM:
            yield _laid(masks, sizes, batch, area, margin)
            batch, area = [], 0
        batch.append(number)
        area += height * width
    if batch:
        yield _laid(masks, sizes, batch, area, margin)


def _laid(
    masks: Sequence[NDArray[np.bool_]], sizes: Sequence[tuple[int, ...]], batch: Sequence[int], area: int, margin: int
) -> Sheet:
    """A sheet of about a square, filled row by row."""
    across = max(math.isqrt(area), *(sizes[number][1] for number in batch))
    places = {}
    top = left = bottom = 0
    for number in batch:
        height, width = sizes[number]
        if left + width > across:
            top, left = bottom, 0
        bottom = max(bottom, top + height)
        places[number] = (slice(top, top + height), slice(left, left + width))
        left += width
    canvas = np.zeros((bottom, across), dtype=bool)
    for number, (rows, columns) in places.items():
        height, width = masks[number].shape
        first, start = rows.start + margin, columns.start + margin
        canvas[first : first + height, start : start + width] = masks[number]
    return Sheet(canvas, places)
