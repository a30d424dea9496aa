"""The cheapest assignment of rows to columns: wrapper that validates and allocates for csrc/assign_core.c."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from karyofast.kernels import reference
from karyofast.kernels.dispatch import Impl, use_fast

try:
    from karyofast.kernels import _assign
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None


def assign(costs: ArrayLike, impl: Impl = "auto") -> NDArray[np.int64]:
    """A column for each row, none for two, so that the sum of their costs is least.

    The compiled side answers as `scipy.optimize.linear_sum_assignment`, its choice among equally cheap assignments
    included, and does without loading SciPy, which takes longer than a cell's assignments do.

    Parameters
    ----------
    costs : float (n, m)
        Finite; no more rows than columns.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    int64 (n,)

    Raises
    ------
    ValueError
        A shape is wrong, or a cost is not finite.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> assign([[1.0, 2.0, 9.0], [1.0, 3.0, 9.0]]).tolist()
    [1, 0]
    """
    given = np.ascontiguousarray(costs, dtype=np.float64)
    if given.ndim != 2 or given.shape[0] > given.shape[1]:
        raise ValueError(f"`costs` must have two axes, no more rows than columns. Got: shape {given.shape}.")
    if not np.isfinite(given).all():
        raise ValueError("`costs` must be finite. Got: NaN or infinity. Bar a column by a large cost.")
    if not use_fast(impl, "assign", _missing):
        return reference.assign(given)
    column_of = np.empty(len(given), dtype=np.int64)
    if len(given):
        _assign.assign(given, column_of)
    return column_of
