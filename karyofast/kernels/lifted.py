"""Components of a picture that is lifted by direction: wrapper that validates for csrc/lifted_core.c."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from karyofast.kernels import reference
from karyofast.kernels.dispatch import Impl, use_fast

try:
    from karyofast.kernels import _lifted
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None


def lifted_cores(
    values: ArrayLike, threshold: float, least: int, crossed: ArrayLike | None = None, impl: Impl = "auto"
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The components of what is on in (direction, row, column).

    Pixels that touch in one direction, corners included, are a piece; one of fewer than `least` pixels is none. Pieces
    of neighbouring directions, the last and the first included, belong together when they share a pixel that is not
    crossed.

    Parameters
    ----------
    values : float32 (directions, rows, columns)
    threshold : float
        A pixel is on above it.
    least : int
    crossed : bool (rows, columns), optional
        None: nowhere.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    pixels : int64 (n,)
        Places in the flat picture (rows, columns), of one component after the other; those of one rise.
    starts : int64 (components + 1,)
        Where the pixels of each begin, and their number. They are in the order in which their first pixels come,
        direction by direction.
    scores : float64 (components,)
        Mean over the directions of the mean value over the pixels that are on in each.

    Raises
    ------
    ValueError
        `values` does not have three axes, `crossed` not the last two of them.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> values = np.zeros((2, 3, 4), dtype=np.float32)
    >>> values[0, 1, :2] = values[1, 1, 1:3] = 1.0
    >>> pixels, starts, scores = lifted_cores(values, 0.5, 1)
    >>> pixels.tolist(), starts.tolist(), scores.tolist()
    ([4, 5, 6], [0, 3], [1.0])
    """
    given = np.ascontiguousarray(values, dtype=np.float32)
    if given.ndim != 3:
        raise ValueError(f"`values` must be (directions, rows, columns). Got: shape {given.shape}.")
    mask = None if crossed is None else np.ascontiguousarray(crossed, dtype=bool)
    if mask is not None and mask.shape != given.shape[1:]:
        raise ValueError(f"`crossed` must be (rows, columns) of `values`, {given.shape[1:]}. Got: shape {mask.shape}.")
    if not use_fast(impl, "lifted_cores", _missing):
        return reference.lifted_cores(given, threshold, least, mask)
    if not given.size:
        return np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0)
    return _lifted.lifted_cores(given, threshold, least, None if mask is None else mask.view(np.uint8))
