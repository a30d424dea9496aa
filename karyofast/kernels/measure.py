"""Measures of candidates and clusters: wrapper that validates and allocates for csrc/variance_core.c."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from karyofast.kernels import reference
from karyofast.kernels.bands import check_threads, in_bands
from karyofast.kernels.dispatch import Impl, cpu_path, use_fast

try:
    from karyofast.kernels import _variance
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

CHAIN_CELL = 8
"""Side of a cell, px: the centres of nested boxes move by less, those of neighbouring chromosomes lie further apart."""


def two_class_variance(
    image: NDArray[np.uint8], boxes: ArrayLike, impl: Impl = "auto", threads: int = 1
) -> NDArray[np.float64]:
    """Two-class variance V_i of each box (paper section 3, eq. 4).

    The box's pixels are cut at a threshold into two classes c and b, and
    ``V = (n_c * sum_c (I - A_c)^2 + n_b * sum_b (I - A_b)^2) / (n_c + n_b)``: as printed, each class's sum
    of squares is weighted by the size of the class, so V grows with the number of pixels; divide by it
    to compare boxes. The threshold is the mean of the two highest peaks of the box's histogram.

    - A peak is a grey level, or a run of neighbouring levels with equal counts, that holds more pixels than
      the levels beside it; a run counts as its lowest level.
    - Of equally high peaks the lower grey levels come first; a lone peak is itself the threshold.
    - A pixel at the threshold belongs to the lower class; a class without pixels adds nothing.

    Parameters
    ----------
    image : uint8 (height, width)
        Grey levels.
    boxes : int (n, 4)
        Top, left, height, width of each box, px; inside the image, at least one pixel each.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.
    threads : int
        Threads that share the boxes; worth it from some thousands.

    Returns
    -------
    float64 (n,)
        V of each box, squared grey levels times px.

    Raises
    ------
    TypeError
        `image` is not uint8.
    ValueError
        A shape is wrong, a box is empty or reaches out of the image, or `threads` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.array([[0, 0, 0, 200, 200, 204]], dtype=np.uint8)
    >>> two_class_variance(image, [[0, 0, 1, 6]])
    array([5.33333333])
    """
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise TypeError(f"`image` must be uint8. Got: {image.dtype}. Scale and convert it first.")
    if image.ndim != 2:
        raise ValueError(f"`image` must have two axes (height, width). Got: shape {image.shape}. Pass one channel.")
    check_threads(threads)
    checked = _checked_boxes(boxes, image.shape[0], image.shape[1])
    if not use_fast(impl, "two_class_variance", _missing):
        return reference.two_class_variance(image, checked)
    out = np.empty(len(checked), dtype=np.float64)
    path = cpu_path(impl, "two_class_variance")
    grey, rank = np.ascontiguousarray(image), _chains(checked)
    in_bands(
        lambda begin, end: _variance.two_class_variance(grey, checked, rank[begin:end], out, path), len(rank), threads
    )
    return out


def _chains(boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order that brings nested boxes next to one another: by the cell that the centre is in, then by size."""
    middle = (2 * boxes[:, :2] + boxes[:, 2:]) // (2 * CHAIN_CELL)
    size = np.minimum(boxes[:, 2] + boxes[:, 3], 2**20 - 1)
    key = (np.minimum(middle[:, 0], 2**21) << 42) | (np.minimum(middle[:, 1], 2**21) << 20) | size
    return np.argsort(key).astype(np.int64, copy=False)  # V is exact, so the order of equals does not show


def _checked_boxes(boxes: ArrayLike, height: int, width: int) -> NDArray[np.int64]:
    given = np.asarray(boxes)
    if given.size == 0:
        return np.empty((0, 4), dtype=np.int64)
    if given.ndim != 2 or given.shape[1] != 4 or given.dtype.kind not in "iu":
        raise ValueError(
            f"`boxes` must be whole numbers of shape (n, 4): top, left, height, width. "
            f"Got: {given.dtype} of shape {given.shape}."
        )
    checked = np.ascontiguousarray(given, dtype=np.int64)
    corner, size = checked[:, :2], checked[:, 2:]
    bad = (corner < 0) | (size < 1) | (corner + size > (height, width))
    if bad.any():
        raise ValueError(
            f"`boxes` must lie in the image of shape {(height, width)} and hold a pixel. "
            f"Got: {checked[bad.any(axis=1)][0].tolist()}. Clip it first."
        )
    return checked
