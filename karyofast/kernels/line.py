"""Lines, and points near them: wrappers that validate.

A line is float64 (n, 2), row and column, finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import reference_axis
from karyofast.kernels.dispatch import Impl, cpu_path, use_fast

try:
    from karyofast.kernels import _axis
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None


def nearest(
    line: NDArray[Any], points: NDArray[Any], impl: Impl = "auto"
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The point of a line that is nearest to each of some points, and how far it is.

    Parameters
    ----------
    line : float (n, 2)
        Row, column; one or more.
    points : float (m, 2)
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    at : int64 (m,)
        Index into `line`; of equally near ones the first.
    distance : float64 (m,)

    Raises
    ------
    ValueError
        A shape is wrong, `line` is empty, or a coordinate is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> at, distance = nearest(np.array([[0.0, 0.0], [0.0, 2.0]]), np.array([[0.0, 1.0], [3.0, 2.0]]))
    >>> at.tolist(), distance.tolist()
    ([0, 1], [1.0, 3.0])
    """
    line, points = check_line(line, "line", 1), check_line(points, "points", 0)
    if not use_fast(impl, "nearest", _missing):
        return reference_axis.nearest(line, points)
    at, square = np.empty(len(points)), np.empty(len(points))
    if len(points):
        _axis.nearest(line, points, at, square, cpu_path(impl, "nearest"))
    return at.astype(np.int64), np.sqrt(square)


def beside(
    line: NDArray[Any], points: NDArray[Any], chosen: NDArray[np.bool_], reach: float, impl: Impl = "auto"
) -> tuple[NDArray[np.float32], bool]:
    """The chosen points that lie near a line, for a fit.

    Parameters
    ----------
    line : float (n, 2)
        Row, column; one or more.
    points : float (m, 2)
        Whole numbers below 2^24.
    chosen : bool (m,)
    reach : float
        Largest distance from the nearest point of the line, px.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    near : float32 (k, 2)
        X, y: column before row, as OpenCV has it; in the order of the points.
    bent : bool
        They do not all lie on one straight line; none and one do.

    Raises
    ------
    ValueError
        A shape is wrong, `line` is empty, or a coordinate is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.array([[0.0, 1.0], [1.0, 0.0], [9.0, 9.0]])
    >>> near, bent = beside(np.array([[0.0, 0.0]]), points, np.array([True, True, True]), 2.0)
    >>> near.tolist(), bent
    ([[1.0, 0.0], [0.0, 1.0]], False)
    """
    line, points = check_line(line, "line", 1), check_line(points, "points", 0)
    wanted = np.ascontiguousarray(chosen, dtype=np.bool_)
    if wanted.shape != (len(points),):
        raise ValueError(f"`chosen` must be of the shape (m,) of `points`. Got: {wanted.shape} and {points.shape}.")
    if not use_fast(impl, "beside", _missing):
        return reference_axis.beside(line, points, wanted, reach)
    out = np.empty((len(points), 2), dtype=np.float32)
    found = _axis.beside(line, points, wanted.view(np.uint8), reach, out) if len(points) else -1
    return out[: found if found >= 0 else -1 - found], found >= 0


def evenly(line: NDArray[np.float64], impl: Impl = "auto") -> NDArray[np.float64]:
    """Points at equal steps of about 1 px on a line.

    Parameters
    ----------
    line : float (n, 2)
        One point or more.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float64 (m, 2)
        From the first point to the last; m is the rounded length and 1, at least 3.

    Raises
    ------
    ValueError
        The shape is wrong, the line empty, or a coordinate not finite.

    Examples
    --------
    >>> import numpy as np
    >>> evenly(np.array([[0.0, 0.0], [0.0, 3.0]]))[:, 1].tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    line = check_line(line, "line", 1)
    return _axis.evenly(line) if use_fast(impl, "evenly", _missing) else reference_axis.evenly(line)


def check_line(values: NDArray[Any], name: str, least: int) -> NDArray[np.float64]:
    """`values` as a line of at least so many points, for the compiled side; ValueError where it is none."""
    given = np.ascontiguousarray(values, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) < least or not np.isfinite(given).all():
        raise ValueError(
            f"`{name}` must be {least} or more pairs of finite row, column. Got: shape {given.shape}, or others."
        )
    return given
