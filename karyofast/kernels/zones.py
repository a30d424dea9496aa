"""Gaps between zones of a picture: wrapper that validates and allocates for csrc/zones_core.c."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import reference
from karyofast.kernels.dispatch import Impl, cpu_path, use_fast

try:
    from karyofast.kernels import _zones
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

MOST_ZONES = 2**24 - 1
"""Zone and distance share 64 bits."""
LONGEST = 2**20
"""Height and width together are below it, px, for the same reason."""


def zone_gaps(zones: NDArray[np.int32], count: int, impl: Impl = "auto") -> NDArray[np.float64]:
    """How far apart neighbouring zones lie: zones whose areas of nearest pixels meet.

    Distances are the chamfer of 5 x 5 with the weights of OpenCV's ``DIST_L2``: 1 to the side, 1.4 across a corner,
    2.1969 by a knight's step, within 2 % of Euclid's. A pixel equally near to several zones belongs to the first of
    them. The gap of two zones is the least sum of the distances of two pixels, side by side, of which one belongs to
    each.

    Parameters
    ----------
    zones : int32 (height, width)
        0 for no zone, 1 .. count for the zones; a zone need not be connected.
    count : int
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float64 (count, count)
        Gap in px, infinite where the areas of two zones do not meet, and on the diagonal.

    Raises
    ------
    TypeError
        `zones` is not int32.
    ValueError
        `zones` has not two axes or is too large, its values are not 0 .. count, or there are too many.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import numpy as np
    >>> zone_gaps(np.array([[1, 0, 0, 0, 2, 0, 3]], dtype=np.int32), 3).tolist()
    [[inf, 3.0, inf], [3.0, inf, 1.0], [inf, 1.0, inf]]
    """
    given: NDArray[Any] = np.asarray(zones)
    if given.dtype != np.int32:
        raise TypeError(f"`zones` must be int32. Got: {given.dtype}. Number the zones from 1.")
    if given.ndim != 2 or sum(given.shape) >= LONGEST:
        raise ValueError(f"`zones` must be (height, width), less than {LONGEST} together. Got: shape {given.shape}.")
    if not 0 <= count <= MOST_ZONES:
        raise ValueError(f"`count` must be 0 .. {MOST_ZONES}. Got: {count!r}.")
    if given.size and not 0 <= given.min() <= given.max() <= count:
        raise ValueError(f"`zones` must be 0 .. count. Got: {given.min()} .. {given.max()} and count={count}.")
    gap = np.full((count, count), np.iinfo(np.int64).max)
    fast = use_fast(impl, "zone_gaps", _missing)
    if given.size and count:
        if fast:
            _zones.zone_gaps(np.ascontiguousarray(given), gap, cpu_path(impl, "zone_gaps"))
        else:
            gap = reference.zone_gaps(given, count)
    return np.where(gap < np.iinfo(np.int64).max, gap / 65536, np.inf)
