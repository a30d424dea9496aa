"""How solid masks are: wrappers that validate and allocate for csrc/solid_core.c."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from karyofast.kernels import reference_shape
from karyofast.kernels.dispatch import Impl, use_fast
from karyofast.kernels.rim import check_size

try:
    from karyofast.kernels import _solid
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None


def solidities(mask: NDArray[np.bool_], boxes: ArrayLike, impl: Impl = "auto") -> NDArray[np.float64]:
    """Of masks side by side the share that each has of its convex hull: 1 where it has no bay and no hole.

    Parameters
    ----------
    mask : bool (height, width)
    boxes : int (n, 4) or sequence of Box
        Top, left, height, width, px: where each mask lies.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float64 (n,)
        Pixels over those in the hull of their centres, whose rim counts half; 0 for a box without any.

    Raises
    ------
    TypeError
        `mask` is not bool.
    ValueError
        `mask` has not two axes, or a box does not lie in it.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.array([[1, 1, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]], dtype=bool)
    >>> solidities(mask, [(0, 0, 3, 2), (0, 0, 3, 4)]).tolist()
    [1.0, 0.8333333333333334]
    """
    given: NDArray[Any] = np.asarray(mask)
    if given.dtype != np.bool_:
        raise TypeError(f"`mask` must be bool. Got: {given.dtype}. Compare it with a level first.")
    if given.ndim != 2:
        raise ValueError(f"`mask` must have two axes (height, width). Got: shape {given.shape}.")
    box = np.ascontiguousarray(boxes, dtype=np.int64).reshape(-1, 4)
    ends = box[:, :2] + box[:, 2:]
    if not ((box >= 0).all() and (ends >= 0).all() and (ends <= given.shape).all()):
        raise ValueError(f"`boxes` must lie in the mask of {given.shape} px. Got one that does not.")
    if not use_fast(impl, "solidities", _missing):
        return reference_shape.solidities(given, box)
    out = np.zeros(len(box))
    if given.size and len(box):
        _solid.solidities(np.ascontiguousarray(given).view(np.uint8), box, out)
    return out


def fill_holes(mask: NDArray[np.bool_], most: float, impl: Impl = "auto") -> NDArray[np.bool_]:
    """A mask without its small holes: 4-connected parts of what is off that do not reach its rim.

    Parameters
    ----------
    mask : bool (height, width)
        Fewer than 2^31 pixels.
    most : float
        Area of a hole up to which it is filled, px.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    bool (height, width)
        `mask` itself where nothing is filled.

    Raises
    ------
    TypeError
        `mask` is not bool.
    ValueError
        `mask` has not two axes or is too large.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import numpy as np
    >>> ring = np.ones((3, 4), dtype=bool)
    >>> ring[1, 1:3] = False
    >>> bool(fill_holes(ring, 2).all()), fill_holes(ring, 1) is ring
    (True, True)
    """
    given: NDArray[Any] = np.asarray(mask)
    if given.dtype != np.bool_:
        raise TypeError(f"`mask` must be bool. Got: {given.dtype}. Compare it with a level first.")
    if given.ndim != 2:
        raise ValueError(f"`mask` must have two axes (height, width). Got: shape {given.shape}.")
    check_size("mask", given.shape)
    fast = use_fast(impl, "fill_holes", _missing)
    if given.size == 0:
        return given
    if not fast:
        return reference_shape.fill_holes(given, most)
    out = np.array(given, order="C")
    return out if _solid.fill_holes(out.view(np.uint8), most) else given
