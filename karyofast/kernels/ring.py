"""Ring radius transform, its ridge, and relevance (paper section 4): wrappers that validate and allocate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from karyofast.errors import OptionError
from karyofast.kernels import reference
from karyofast.kernels.bands import check_threads, in_bands
from karyofast.kernels.dispatch import Impl, cpu_path, numba_kernels, use_fast
from karyofast.kernels.rim import check_size, rimmed

try:
    from karyofast.kernels import _distance, _relevance, _ridge
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

LONGEST2 = 2**30
"""Squared distances are below it, px^2: they are added in 31 bits."""


def edge_distance(edges: NDArray[np.bool_], impl: Impl = "auto", threads: int = 1) -> NDArray[np.float64]:
    """Ring radius of each pixel: exact Euclidean distance to its nearest edge pixel (paper eq. 5).

    Parameters
    ----------
    edges : bool (height, width)
        Where the edge pixels are; may be empty.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.
    threads : int
        Threads that share the rows and columns; worth it from about a million pixels.

    Returns
    -------
    float64 (height, width)
        Distance between pixel centres, px; infinite where there is no edge at all.

    Raises
    ------
    TypeError
        `edges` is not bool.
    ValueError
        `edges` has not two axes or is too large, or `threads` is less than 1.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import numpy as np
    >>> edge_distance(np.array([[True, False, False], [False, False, False]]))[1].round(3).tolist()
    [1.0, 1.414, 2.236]
    """
    given: NDArray[Any] = np.asarray(edges)
    if given.dtype != np.bool_:
        raise TypeError(f"`edges` must be bool. Got: {given.dtype}. Compare it with a level first.")
    if given.ndim != 2:
        raise ValueError(f"`edges` must have two axes (height, width). Got: shape {given.shape}.")
    if given.shape[0] ** 2 + given.shape[1] ** 2 >= LONGEST2:
        raise ValueError(
            f"`edges` must have a diagonal below {LONGEST2**0.5:.0f} px. Got: {given.shape}. Cut it into tiles."
        )
    check_threads(threads)
    if not use_fast(impl, "edge_distance", _missing):
        return reference.edge_distance(given)
    path = cpu_path(impl, "edge_distance")
    flat = np.ascontiguousarray(given).view(np.uint8)
    out = np.empty(given.shape, dtype=np.float64)
    if given.size:
        depth = np.empty(given.shape, dtype=np.uint16)
        in_bands(lambda begin, end: _distance.columns(flat, begin, end, depth, path), given.shape[1], threads)
        in_bands(lambda begin, end: _distance.rows(depth, begin, end, out, path), given.shape[0], threads)
    return out


def relevance(
    points: ArrayLike,
    gradients: ArrayLike,
    seeds: ArrayLike,
    weight: float = 0.4,
    impl: Impl = "auto",
    threads: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The seed that each edge pixel belongs to, and how relevant it is (paper eq. 6).

    ``relevance(p, s) = (1 - weight) / (1 + dist(p, s)) + weight * (div(p, s) + 1) / 2`` with `dist` the
    Euclidean distance in px and `div` the cosine between the gradient at p and the direction from p to s;
    the cosine is 0 where the gradient vanishes or p is s. Of equally relevant seeds the first is taken.

    Parameters
    ----------
    points : float (n, 2)
        Row, column of the edge pixels.
    gradients : float (n, 2)
        Gradient of the density at them (row, column); any length.
    seeds : float (m, 2)
        Row, column of the seeds.
    weight : float
        Lambda of eq. 6, 0..1.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.
    threads : int
        Threads that share the edge pixels; worth it from some thousands.

    Returns
    -------
    best : int64 (n,)
        Index of the most relevant seed, -1 where there is no seed.
    value : float64 (n,)
        Its relevance, 0 where there is no seed.

    Raises
    ------
    OptionError
        `weight` is not in 0..1, or `threads` is less than 1.
    ValueError
        A shape is wrong, or a coordinate is not finite.

    Examples
    --------
    >>> best, value = relevance([[0, 0]], [[0, 1]], [[0, 4], [0, -3]], weight=0.5)
    >>> int(best[0]), round(float(value[0]), 3)
    (0, 0.6)
    """
    if not 0.0 <= weight <= 1.0:
        raise OptionError(f"`weight` must be in 0..1. Got: {weight!r}.")
    check_threads(threads)
    where = _pairs(points, "points")
    towards = _pairs(gradients, "gradients")
    centres = _pairs(seeds, "seeds")
    if len(where) != len(towards):
        raise ValueError(f"`gradients` must have one row a point. Got: {len(towards)} for {len(where)} points.")
    if not use_fast(impl, "relevance", _missing):
        return reference.relevance(where, towards, centres, float(weight))
    best, value = np.full(len(where), -1, dtype=np.int64), np.zeros(len(where), dtype=np.float64)
    if len(where) and len(centres):
        path = cpu_path(impl, "relevance")

        def band(begin: int, end: int) -> None:
            part = slice(begin, end)
            _relevance.relevance(where[part], towards[part], centres, float(weight), best[part], value[part], path)

        in_bands(band, len(where), threads)
    return best, value


def ridge(
    domain: NDArray[np.bool_], radius: NDArray[np.float64], least: float, impl: Impl = "auto"
) -> NDArray[np.bool_]:
    """Medial axis of a shape on the local maxima of its ring radius.

    Pixels are taken away by rising radius, equal ones in row-major order, as long as the 8-connected shape and
    its holes stay as they were; one that had to stay is tried again when a neighbour has gone. An end with a
    radius of `least` or more stays.

    Parameters
    ----------
    domain : bool (height, width)
        The shape; beyond the array is background.
    radius : float64 (height, width)
        Ring radius, px.
    least : float
        Ring radius from which an end of the ridge stays, px.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    bool (height, width)

    Raises
    ------
    TypeError
        `domain` is not bool.
    ValueError
        `domain` has not two axes or too many pixels, or `radius` is not of its shape or holds NaN.

    Examples
    --------
    >>> import numpy as np
    >>> bar = np.ones((3, 7), dtype=bool)
    >>> radius = np.array([[1.0] * 7, [1, 2, 2, 2, 2, 2, 1], [1.0] * 7])
    >>> ridge(bar, radius, 2.0)[1].astype(int).tolist()
    [0, 1, 1, 1, 1, 1, 0]
    """
    shape: NDArray[Any] = np.asarray(domain)
    if shape.dtype != np.bool_:
        raise TypeError(f"`domain` must be bool. Got: {shape.dtype}. Compare it with a level first.")
    height = np.asarray(radius, dtype=np.float64)
    if shape.ndim != 2 or height.shape != shape.shape or np.isnan(height).any():
        raise ValueError(
            f"`domain` and `radius` must have one shape (height, width), without NaN. "
            f"Got: {shape.shape} and {height.shape}."
        )
    check_size("domain", shape.shape)
    left = rimmed(shape, 1)
    if impl == "numba":
        numba_kernels().ridge(left, rimmed(height, 1), float(least))
    elif use_fast(impl, "ridge", _missing):
        if shape.size:
            _ridge.ridge(left.view(np.uint8), np.ascontiguousarray(height), float(least))
    else:
        return reference.ridge(shape, height, float(least))
    return left[1:-1, 1:-1]


def ridge_paths(
    ridge: NDArray[np.bool_], zones: NDArray[np.bool_], impl: Impl = "auto"
) -> list[tuple[NDArray[np.int64], tuple[int, int]]]:
    """The lines that zones leave of a ridge, each as the pixels of a walk along it.

    The walk begins at a pixel with the fewest neighbours, of those the first in row-major order, and goes on to the
    first neighbour not yet met: above, right, below, left, then the corners clockwise from above right. It ends where
    there is none, so of a line with branches some pixels may be missing.

    Parameters
    ----------
    ridge : bool (height, width)
        8-connected parts of it outside of the zones are lines.
    zones : bool (height, width)
        Its 8-connected parts are numbered from 0, as the lines are, in the order of their first blocks of 2 x 2 pixels.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    list of (int64 (n, 2), (int, int))
        Row, column; and the numbers of the zones beside the first and the last pixel, the highest of several, -1 for
        none. Where a line has one pixel its end counts as free.

    Raises
    ------
    TypeError
        An array is not bool.
    ValueError
        They have not two axes, not one shape or too many pixels.

    Examples
    --------
    >>> import numpy as np
    >>> ridge = np.array([[1, 0, 0, 1], [0, 1, 1, 0]], dtype=bool)
    >>> zones = np.array([[0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    >>> path, ends = ridge_paths(ridge, zones)[0]
    >>> path.tolist(), ends
    ([[0, 0], [1, 1], [1, 2]], (-1, 0))
    """
    line, around = np.asarray(ridge), np.asarray(zones)
    if line.dtype != np.bool_ or around.dtype != np.bool_:
        raise TypeError(f"`ridge` and `zones` must be bool. Got: {line.dtype} and {around.dtype}. Compare them first.")
    if line.ndim != 2 or line.shape != around.shape:
        raise ValueError(
            f"`ridge` and `zones` must have one shape (height, width). Got: {line.shape} and {around.shape}."
        )
    check_size("ridge", line.shape)
    fast = use_fast(impl, "ridge_paths", _missing)
    pixels = int(np.count_nonzero(line))
    if pixels == 0:
        return []
    if not fast:
        return reference.ridge_paths(line, around)
    order, end, zone = np.empty(pixels, np.int64), np.empty(pixels, np.int64), np.empty((pixels, 2), np.int32)
    on, off = (np.ascontiguousarray(mask).view(np.uint8) for mask in (line, around))
    count = _ridge.ridge_paths(on, off, order, end, zone)
    ends = end[:count].tolist()
    points = np.stack(np.divmod(order[: ends[-1] if ends else 0], line.shape[1]), axis=1)
    return [
        (points[first:last], (start, stop))
        for first, last, (start, stop) in zip([0, *ends], ends, zone[:count].tolist(), strict=False)
    ]


def _pairs(values: ArrayLike, name: str) -> NDArray[np.float64]:
    given = np.ascontiguousarray(values, dtype=np.float64)
    if given.size == 0:
        return np.empty((0, 2), dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != 2:
        raise ValueError(f"`{name}` must have shape (n, 2): row, column. Got: {given.shape}.")
    if not np.isfinite(given).all():
        raise ValueError(f"`{name}` must be finite. Got: NaN or infinity. Drop those rows first.")
    return given
