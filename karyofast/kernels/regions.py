"""The regions of a component tree, with their attributes, as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from karyofast.types import Box, read_only


@dataclass(frozen=True, eq=False)
class RegionTree:
    """Extremal regions of an image: the connected components of its lower level sets ``image <= level``.

    Each distinct region stands once, at the lowest level at which it has that shape; children come before
    their parents. A region's pixels are ``order[start : start + area]``: nested regions, nested ranges.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the image, px.
    connectivity : {4, 8}
    order : int32 (pixels,)
        Flat row-major indices of the pixels at or below the bound on the level.
    level : int32 (n,)
        Grey level of the region: its highest pixel.
    parent : int32 (n,)
        Index of the smallest larger region, -1 at a root.
    start, area : int32 (n,)
        Range of the region in `order`; area in px.
    box : int32 (n, 4)
        Top, left, height, width, px.
    euler : int32 (n,)
        Euler number for this connectivity: 1 minus the number of holes.
    perimeter : int32 (n,)
        Pixel sides between the region and what is not in it, the image's rim included.
    moments : int64 (n, 5)
        Sums over the pixels of row, column, row squared, column squared, row times column; (0, 5) where not asked for.
    grey_sum, grey_sum2 : int64 (n,)
        Sums of grey level and of its square.
    """

    shape: tuple[int, int]
    connectivity: int
    order: NDArray[np.int32]
    level: NDArray[np.int32]
    parent: NDArray[np.int32]
    start: NDArray[np.int32]
    area: NDArray[np.int32]
    box: NDArray[np.int32]
    euler: NDArray[np.int32]
    perimeter: NDArray[np.int32]
    moments: NDArray[np.int64]
    grey_sum: NDArray[np.int64]
    grey_sum2: NDArray[np.int64]

    def __post_init__(self) -> None:
        for column in fields(self)[2:]:
            object.__setattr__(self, column.name, read_only(getattr(self, column.name)))

    def __len__(self) -> int:
        return len(self.level)

    def pixels(self, index: int) -> NDArray[np.int32]:
        """Flat row-major indices of the pixels of region `index`: a view, in no order of their own."""
        start = int(self.start[index])
        return self.order[start : start + int(self.area[index])]

    def mask(self, index: int) -> tuple[Box, NDArray[np.bool_]]:
        """Box of region `index` and its mask inside the box."""
        box = Box(*(int(value) for value in self.box[index]))
        pixels, width = self.pixels(index), self.shape[1]
        # from places in the picture to places in the box
        places = pixels - pixels // width * (width - box.width) - (box.top * box.width + box.left)
        mask = np.zeros(box.height * box.width, dtype=bool)
        mask[places] = True
        return box, mask.reshape(box.height, box.width)
