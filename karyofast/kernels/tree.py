"""Component tree of an image: wrapper of csrc/tree_core.c."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.errors import OptionError
from karyofast.kernels import reference
from karyofast.kernels.dispatch import Impl, cpu_path, use_fast
from karyofast.kernels.regions import RegionTree
from karyofast.kernels.rim import MAX_PIXELS, check_size

try:
    from karyofast.kernels import _tree
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None


def component_tree(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    connectivity: int = 8,
    max_level: int | None = None,
    min_area: int = 1,
    moments: bool = True,
    impl: Impl = "auto",
) -> RegionTree:
    """Every extremal region of `image` (paper section 3, eq. 1 and 2) with its attributes.

    Minimum regions: connected components of ``image <= level``. For bright objects pass the inverted image.

    Parameters
    ----------
    image : uint8 or uint16 (height, width)
        Grey levels; may be empty, strided or read-only.
    connectivity : {8, 4}
        Adjacency of the pixels of a region.
    max_level : int, optional
        Bound: only regions at or below this level are built, which costs only their pixels. Default: all.
    min_area : int
        Smaller regions are left out, px; their pixels stay those of the regions that hold them. Costs nothing, and
        saves the writing of what is not looked at.
    moments : bool
        False leaves the column of that name without rows, which saves writing where few regions' are needed.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    RegionTree
        Regions, children before their parents; under a bound there may be several roots.

    Raises
    ------
    TypeError
        `image` is neither uint8 nor uint16.
    ValueError
        `image` has not two axes or too many pixels, or `connectivity`, `max_level` or `min_area` is not allowed.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import numpy as np
    >>> tree = component_tree(np.array([[0, 9, 0], [0, 9, 9]], dtype=np.uint8))
    >>> tree.area.tolist(), tree.level.tolist(), tree.parent.tolist()
    ([2, 1, 6], [0, 0, 9], [2, 2, -1])
    >>> tree.mask(0)[1].tolist()
    [[True], [True]]
    """
    grey: NDArray[Any] = np.asarray(image)
    bound = _checked(grey, connectivity, max_level)
    least = _least_area(min_area)
    fast = use_fast(impl, "component_tree", _missing)
    if not fast or grey.size == 0 or bound < 0:
        return reference.component_tree(grey, connectivity, bound, least, moments)
    order, ints, box, sums, greys = _tree.component_tree(
        np.ascontiguousarray(grey), connectivity, bound, least, moments, cpu_path(impl, "component_tree")
    )
    return RegionTree(
        shape=(grey.shape[0], grey.shape[1]),
        connectivity=connectivity,
        order=order,
        level=ints[0],
        parent=ints[1],
        start=ints[2],
        area=ints[3],
        box=box,
        euler=ints[4],
        perimeter=ints[5],
        moments=sums,
        grey_sum=greys[0],
        grey_sum2=greys[1],
    )


def _least_area(min_area: int) -> int:
    if int(min_area) != min_area or min_area < 1:
        raise OptionError(f"`min_area` must be a whole number of at least 1, px. Got: {min_area!r}. Round it.")
    return min(int(min_area), MAX_PIXELS)


def _checked(image: NDArray[Any], connectivity: int, max_level: int | None) -> int:
    """Raise on what cannot be done; the level bound as a number, -1 for no level at all."""
    if image.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"`image` must be uint8 or uint16. Got: {image.dtype}. Scale and convert it first.")
    if image.ndim != 2:
        raise ValueError(f"`image` must have two axes (height, width). Got: shape {image.shape}. Pass one channel.")
    check_size("image", image.shape)
    if connectivity not in (4, 8):
        raise OptionError(f"`connectivity` must be 4 or 8. Got: {connectivity!r}.")
    highest = 255 if image.dtype == np.uint8 else 65535
    if max_level is None:
        return highest
    if int(max_level) != max_level:
        raise OptionError(f"`max_level` must be a whole grey level or None. Got: {max_level!r}. Round it.")
    return max(-1, min(int(max_level), highest))


def largest_above(parent: NDArray[np.int32], value: NDArray[np.float64], impl: Impl = "auto") -> NDArray[np.float64]:
    """Of each region the largest value among the regions that hold it.

    Parameters
    ----------
    parent : int32 (n,)
        As of a `RegionTree`: a higher number than the region's own, -1 at a root.
    value : float64 (n,)
        Not NaN.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float64 (n,)
        At least 0; 0 at a root.

    Raises
    ------
    TypeError
        `parent` is not int32.
    ValueError
        `value` is not of its shape (n,), or a parent is not a later region.

    Examples
    --------
    >>> import numpy as np
    >>> largest_above(np.array([2, 2, 3, -1], dtype=np.int32), np.array([9.0, 8.0, 3.0, 4.0])).tolist()
    [4.0, 4.0, 4.0, 0.0]
    """
    above_of = np.ascontiguousarray(parent)
    if above_of.dtype != np.int32:
        raise TypeError(f"`parent` must be int32. Got: {above_of.dtype}. Take that of a RegionTree.")
    values = np.ascontiguousarray(value, dtype=np.float64)
    if above_of.ndim != 1 or values.shape != above_of.shape:
        raise ValueError(f"`value` must be of the shape (n,) of `parent`. Got: {values.shape} and {above_of.shape}.")
    later = (above_of > np.arange(len(above_of))) & (above_of < len(above_of))
    if not (later | (above_of == -1)).all():
        raise ValueError("`parent` must be the number of a later region or -1. Got another. Take that of a RegionTree.")
    if not use_fast(impl, "largest_above", _missing):
        return reference.largest_above(above_of, values)
    out = np.empty(len(values), dtype=np.float64)
    _tree.largest_above(above_of, values, out)
    return out
