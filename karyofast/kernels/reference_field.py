"""References of the kernels of `field`: see `karyofast.kernels.reference`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cell_means(image: NDArray[np.float32], rows: int, cols: int) -> NDArray[np.float32]:
    """Weights of the rows, times the image, times weights of the columns."""
    down, across = _covered(image.shape[0], rows), _covered(image.shape[1], cols)
    return (down @ image.astype(np.float64) @ across.T).astype(np.float32)


def _covered(pixels: int, cells: int) -> NDArray[np.float64]:
    """(cells, pixels): which share of each cell each pixel covers."""
    ends = np.arange(cells + 1) * pixels / cells
    first, last = np.arange(pixels), np.arange(1, pixels + 1)
    covered = np.minimum(last, ends[1:, None]) - np.maximum(first, ends[:-1, None])
    return np.asarray(np.maximum(covered, 0) * cells / pixels)


def above_field(
    image: NDArray[np.float32], coarse: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Along the columns, then along the rows, in single precision; lowered to the image."""
    drawn = _drawn(_drawn(coarse.T, image.shape[1]).T, image.shape[0])
    field = np.minimum(drawn, image)
    return field, image - field


def _drawn(coarse: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """Rows of a surface drawn out to so many pixels, between the middles of its own."""
    cells = len(coarse)
    places = np.clip((np.arange(pixels) + 0.5) * (cells / pixels) - 0.5, 0, cells - 1)
    one = places.astype(int)
    first, second = coarse[one], coarse[np.minimum(one + 1, cells - 1)]
    return np.asarray(first + (second - first) * (places - one).astype(np.float32)[:, None], dtype=np.float32)


def count_down(height: NDArray[np.float32], scale: float, top: int) -> NDArray[np.uint16]:
    """In single precision, as the kernel."""
    steps = np.clip(height * np.float32(scale), np.float32(0), np.float32(top))
    return np.asarray(top - np.floor(steps + np.float32(0.5)), dtype=np.uint16)
