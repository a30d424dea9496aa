"""Lines along a chromosome in its mask: the way inside, principal curves, rows across them: wrappers that validate.

A line is float64 (n, 2), row and column, finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.errors import OptionError
from karyofast.kernels import reference_axis
from karyofast.kernels.dispatch import Impl, cpu_path, use_fast
from karyofast.kernels.line import check_line

try:
    from karyofast.kernels import _axis, _inner
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

MOST_BENDS = 14
"""Largest `CurveFit.most_bends`: the compiled side has room for so many terms."""


@dataclass(frozen=True)
class CurveFit:
    """How a curve is fitted to the pixels of a mask, whose width is its area over the curve's length.

    Attributes
    ----------
    reach : float
        Widths from the curve up to which a pixel counts.
    bends : float
        Degree of the polynomials for each width of the curve's length.
    stiffness : float
        Weight of term k, times (k (k - 1))^2, against the pixels.
    rounds : int
        Times that it is fitted.
    most_bends : int
        Degree above the first, at most; 0 gives a straight line.
    out : int
        Steps of 1 px that the curve goes on past the mask.
    """

    reach: float
    bends: float
    stiffness: float
    rounds: int
    most_bends: int
    out: int

    def __post_init__(self) -> None:
        if not 0 <= self.most_bends <= MOST_BENDS:
            raise OptionError(f"`most_bends` must be in 0..{MOST_BENDS}. Got: {self.most_bends}.")


def inner_path(
    mask: NDArray[np.bool_], depth: NDArray[np.float64], impl: Impl = "auto"
) -> tuple[NDArray[np.int64], float]:
    """The way through a mask between the two pixels that are farthest apart along the inside.

    The first end is the pixel farthest from the first one of the mask, the second the pixel farthest from that; of
    equal ones the first in row-major order. Between them a step costs its length over the square of the depth at its
    middle, so that the way keeps away from the rim. A pixel is reached from the neighbour that makes its way the
    shortest, of equal ones from the one that was reached first. What is not connected to the first pixel is passed
    over.

    Parameters
    ----------
    mask : bool (height, width)
        At least one pixel.
    depth : float64 (height, width)
        Distance from the rim, px, above 0 and finite in the mask.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    path : int64 (n, 2)
        Row, column, from the second end to the first.
    reach : float
        How far apart they are, px.

    Raises
    ------
    ValueError
        A shape is wrong, the mask is empty, or a depth in it is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> path, reach = inner_path(np.ones((1, 4), dtype=bool), np.ones((1, 4)))
    >>> path[:, 1].tolist(), reach
    ([0, 1, 2, 3], 3.0)
    """
    mask, depth = _mask(mask), np.ascontiguousarray(depth, dtype=np.float64)
    if depth.shape != mask.shape:
        raise ValueError(f"`depth` must have the shape of `mask`, {mask.shape}. Got: {depth.shape}.")
    inside = depth[mask]
    if not len(inside) or not (inside > 0).all() or not np.isfinite(inside).all():
        raise ValueError("`mask` must have pixels, and `depth` be finite and above 0 in them. Got: others.")
    if not use_fast(impl, "inner_path", _missing):
        return reference_axis.inner_path(mask, depth)
    way = np.empty(len(inside), dtype=np.int64)
    count, reach = _inner.inner_path(mask.view(np.uint8), depth, way)
    return np.stack(np.divmod(way[:count], mask.shape[1]), axis=1), reach


def prolonged(
    line: NDArray[np.float64], mask: NDArray[np.bool_], width: float, out: int, impl: Impl = "auto"
) -> NDArray[np.float64]:
    """A line with both ends drawn on straight until they have left a mask.

    Parameters
    ----------
    line : float (n, 2)
        Three points or more.
    mask : bool (height, width)
    width : float
        That of the chromosome, px: an end has the direction of its last 0.7 widths, and goes on for 2 widths and 4 px
        at most.
    out : int
        Steps of 1 px beyond the last that lies in the mask.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float64 (m, 2)

    Raises
    ------
    ValueError
        A shape is wrong, a coordinate not finite, or `width` or `out` negative.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.array([[0.0, 2.0], [0.0, 3.0], [0.0, 4.0]])
    >>> prolonged(line, np.ones((1, 6), dtype=bool), 3.0, 1)[:, 1].tolist()
    [1.0, 0.0, -1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """
    line, mask = check_line(line, "line", 3), _mask(mask)
    if not 0.0 <= width < np.inf or out < 0:
        raise ValueError(f"`width` and `out` must be 0 or more. Got: {width} and {out}.")
    if not use_fast(impl, "prolonged", _missing):
        return reference_axis.prolonged(line, mask, width, out)
    return _axis.prolonged(line, mask.view(np.uint8), width, out)


def principal_curve(
    line: NDArray[np.float64],
    mask: NDArray[np.bool_],
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    fit: CurveFit,
    impl: Impl = "auto",
) -> NDArray[np.float64]:
    """The curve that a line settles to when it is fitted again and again to the pixels nearest to its points.

    Each round fits polynomials in the place along the line to the means of the pixels nearest to each of its points,
    cuts half a width off both ends, where the nearest pixels lie in a corner, and prolongs them out of the mask
    (`prolonged`). A line of which fewer than three points have pixels stays as it is.

    Parameters
    ----------
    line : float (n, 2)
        Three points or more.
    mask : bool (height, width)
        At least one pixel.
    points : float (m, 2)
        Row, column of the pixels that are fitted, some or all of the mask's, one or more.
    weights : float (m,)
        What each of them counts, above 0.
    fit : CurveFit
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float64 (k, 2)

    Raises
    ------
    ValueError
        A shape is wrong, the mask empty, a coordinate not finite, or a weight not above 0.

    References
    ----------
    T. Hastie, W. Stuetzle, "Principal curves", Journal of the American Statistical Association 84 (406), 1989.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((7, 24), dtype=bool)
    >>> mask[2:5, 2:22] = True
    >>> fit = CurveFit(reach=0.9, bends=0.7, stiffness=1e-4, rounds=3, most_bends=0, out=2)
    >>> points = np.argwhere(mask)
    >>> line = np.array([[2.0, 4.0], [2.0, 10.0], [2.0, 20.0]])
    >>> np.unique(principal_curve(line, mask, points, np.ones(len(points)), fit)[:, 0].round(6)).tolist()
    [3.0]
    """
    line, mask, points = check_line(line, "line", 3), _mask(mask), check_line(points, "points", 1)
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    if weights.shape != (len(points),) or not ((weights > 0) & (weights < np.inf)).all():
        raise ValueError(f"`weights` must be {len(points)} finite numbers above 0. Got: {weights.shape}, or others.")
    area = int(np.count_nonzero(mask))
    if not area:
        raise ValueError("`mask` must have at least one pixel. Got: none.")
    if not use_fast(impl, "principal_curve", _missing):
        return reference_axis.principal_curve(line, mask, points, weights, fit)
    how = (fit.reach, fit.bends, fit.stiffness, fit.rounds, fit.most_bends, fit.out)
    path = cpu_path(impl, "principal_curve")
    return _axis.principal_curve(line, mask.view(np.uint8), points, weights, area, how, path)


def own_run(
    line: NDArray[np.float64],
    rows: NDArray[np.float32],
    cols: NDArray[np.float32],
    soft: NDArray[np.float32],
    reach: float,
    least: float,
    impl: Impl = "auto",
) -> NDArray[np.float32]:
    """Of each row across a line the run of mask that holds its middle, or lies nearest to it.

    What is nearer to a point of the line more than `reach` rows away belongs there: in a hairpin the rows of one arm
    also cross the other. Of two runs equally near the middle the left one is taken.

    Parameters
    ----------
    line : float (n, 2)
        One point or more.
    rows, cols : float32 (n, across)
        Where the samples of each row lie in the picture.
    soft : float32 (n, across)
        Mask at them, 0 to 1.
    reach : float
        Rows.
    least : float
        Mask above which a sample belongs to a run.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float32 (n, across)
        `soft` in the runs, else 0.

    Raises
    ------
    ValueError
        A shape is wrong, or a coordinate of the line is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> across = np.array([[0.0, 1.0, 2.0, 3.0, 4.0]], dtype=np.float32)
    >>> soft = np.array([[1.0, 0.0, 1.0, 0.5, 0.0]], dtype=np.float32)
    >>> own_run(np.array([[0.0, 2.0]]), np.zeros_like(across), across, soft, 1.0, 0.05).tolist()
    [[0.0, 0.0, 1.0, 0.5, 0.0]]
    """
    line = check_line(line, "line", 1)
    rows, cols, soft = (np.ascontiguousarray(values, dtype=np.float32) for values in (rows, cols, soft))
    if soft.ndim != 2 or len(soft) != len(line) or not rows.shape == cols.shape == soft.shape:
        raise ValueError(
            f"`rows`, `cols` and `soft` must have one shape, a row a point of the line ({len(line)}). "
            f"Got: {rows.shape}, {cols.shape} and {soft.shape}."
        )
    if not use_fast(impl, "own_run", _missing):
        return reference_axis.own_run(line, rows, cols, soft, reach, least)
    body = np.zeros_like(soft)
    if body.size:
        _axis.own_run(line, rows, cols, soft, reach, least, body)
    return body


def _mask(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
    given: NDArray[Any] = np.asarray(values)
    if given.dtype != np.bool_ or given.ndim != 2 or not given.size:
        raise ValueError(f"`mask` must be bool (height, width), not empty. Got: {given.dtype} {given.shape}.")
    return np.ascontiguousarray(given)
