"""The field that objects stand on: wrapper that validates and allocates for csrc/field_core.c."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karyofast.errors import OptionError
from karyofast.kernels import reference_field
from karyofast.kernels.dispatch import Impl, cpu_path, use_fast
from karyofast.kernels.rim import float_picture

try:
    from karyofast.kernels import _field
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

Field = tuple[NDArray[np.float32], NDArray[np.float32]]
"""The field, and how far the image stands above it."""


def cell_means(image: NDArray[np.float32], rows: int, cols: int, impl: Impl = "auto") -> NDArray[np.float32]:
    """Means over the cells of a coarser grid; a pixel on the border of two cells counts with its share of each.

    Parameters
    ----------
    image : float32 (height, width)
    rows, cols : int
        Cells along either side, at least 1 and no more than pixels.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float32 (rows, cols)

    Raises
    ------
    TypeError
        `image` is not float32.
    ValueError
        `image` has not two axes, or `rows` or `cols` is not allowed.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import numpy as np
    >>> cell_means(np.array([[0, 3, 6]], dtype=np.float32), 1, 2).tolist()
    [[1.0, 5.0]]
    """
    given = float_picture(image, "image")
    if not (1 <= rows <= given.shape[0] and 1 <= cols <= given.shape[1]):
        raise OptionError(f"`rows` and `cols` must be in 1 .. the sides, {given.shape}. Got: {rows} and {cols}.")
    if not use_fast(impl, "cell_means", _missing):
        return reference_field.cell_means(given, rows, cols)
    out = np.empty((rows, cols), dtype=np.float32)
    _field.cell_means(np.ascontiguousarray(given), out, cpu_path(impl, "cell_means"))
    return out


def above_field(
    image: NDArray[np.float32], coarse: NDArray[np.float32], out: Field | None = None, impl: Impl = "auto"
) -> Field:
    """A coarse surface drawn under an image, and how far the image stands above it.

    The surface is drawn bilinearly between the middles of its cells, beyond the outer ones as they are, and lowered to
    the image where it would stand above it.

    Parameters
    ----------
    image : float32 (height, width)
    coarse : float32 (rows, cols)
        The surface, no finer than the image, e.g. of `cell_means`.
    out : (float32 (height, width), float32 (height, width)), optional
        Where to write both: fresh memory costs more than the work.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    field, height : float32 (height, width)
        `height` is 0 or more.

    Raises
    ------
    TypeError
        `image` or `coarse` is not float32.
    ValueError
        One of them has not two axes or no values, `coarse` is finer, or `out` has not the shape of `image`.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import numpy as np
    >>> field, height = above_field(np.array([[3, 3, 9, 3]], dtype=np.float32), np.array([[2, 4]], dtype=np.float32))
    >>> field.tolist(), height.tolist()
    ([[2.0, 2.5, 3.5, 3.0]], [[1.0, 0.5, 5.5, 0.0]])
    """
    given, surface = float_picture(image, "image"), float_picture(coarse, "coarse")
    fine = surface.shape[0] > given.shape[0] or surface.shape[1] > given.shape[1]
    if fine or surface.size == 0:
        raise ValueError(
            f"`coarse` must have values and no side above {given.shape}. Got: {surface.shape}. Take cell_means."
        )
    field, height = (np.empty(given.shape, dtype=np.float32) for _ in range(2)) if out is None else out
    for one in (field, height):
        if one.shape != given.shape or one.dtype != np.float32 or not one.flags.c_contiguous:
            raise ValueError(
                f"`out` must be two float32 arrays of shape {given.shape}, row after row. Got: {one.dtype} {one.shape}."
            )
    if not use_fast(impl, "above_field", _missing):
        field[...], height[...] = reference_field.above_field(given, surface)
    else:
        path = cpu_path(impl, "above_field")
        _field.above_field(np.ascontiguousarray(given), np.ascontiguousarray(surface), field, height, path)
    return field, height


def count_down(height: NDArray[np.float32], scale: float, top: int, impl: Impl = "auto") -> NDArray[np.uint16]:
    """Heights as grey levels from above: `top` less each height times `scale`, rounded, halves up.

    Parameters
    ----------
    height : float32 (rows, columns)
        Not NaN.
    scale : float
        Levels of a unit of height; single precision counts.
    top : int
        Level of height 0, in 0 .. 65535; steps beyond it give 0, heights below 0 give `top`.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    uint16 (rows, columns)

    Raises
    ------
    TypeError
        `height` is not float32.
    ValueError
        `height` has not two axes, `scale` is not finite and positive, or `top` is not allowed.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import numpy as np
    >>> count_down(np.array([[-1, 0, 1, 2.5, 9]], dtype=np.float32), 2.0, 10).tolist()
    [[10, 10, 8, 5, 0]]
    """
    given = float_picture(height, "height")
    if not 0 <= top <= 65535:
        raise OptionError(f"`top` must be in 0 .. 65535. Got: {top!r}.")
    if not 0 < scale < np.finfo(np.float32).max:
        raise OptionError(f"`scale` must be finite and positive. Got: {scale!r}.")
    fast = use_fast(impl, "count_down", _missing)
    if given.size == 0:
        return np.empty(given.shape, dtype=np.uint16)
    if not fast:
        return reference_field.count_down(given, scale, top)
    out = np.empty(given.shape, dtype=np.uint16)
    _field.count_down(np.ascontiguousarray(given), scale, top, out, cpu_path(impl, "count_down"))
    return out
