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
    checked = _as_boxes(boxes)
    if not use_fast(impl, "two_class_variance", _missing):
        _check_inside(checked, image.shape)
        return reference.two_class_variance(image, checked)
    out, key = np.empty(len(checked), dtype=np.float64), np.empty(len(checked), dtype=np.int64)
    if not _variance.chain_keys(checked, image.shape[0], image.shape[1], key):
        _check_inside(checked, image.shape)
    path = cpu_path(impl, "two_class_variance")
    grey = np.ascontiguousarray(image)
    rank: NDArray[np.int64] = np.argsort(key).astype(np.int64, copy=False)  # V is exact: the order of equals is free
    in_bands(
        lambda begin, end: _variance.two_class_variance(grey, checked, rank[begin:end], out, path), len(rank), threads
    )
    return out


def _as_boxes(boxes: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(boxes)
    if given.size == 0:
        return np.empty((0, 4), dtype=np.int64)
    if given.ndim != 2 or given.shape[1] != 4 or given.dtype.kind not in "iu":
        raise ValueError(
            f"`boxes` must be whole numbers of shape (n, 4): top, left, height, width. "
            f"Got: {given.dtype} of shape {given.shape}."
        )
    return np.ascontiguousarray(given, dtype=np.int64)


def _check_inside(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> None:
    corner, size = boxes[:, :2], boxes[:, 2:]
    bad = (corner < 0) | (size < 1) | (size > np.array(shape) - corner)
    if bad.any():
        raise ValueError(
            f"`boxes` must lie in the image of shape {shape} and hold a pixel. "
            f"Got: {boxes[bad.any(axis=1)][0].tolist()}. Clip it first."
        )
