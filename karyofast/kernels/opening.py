"""Greyscale opening by a disk: wrapper that validates and allocates for csrc/opening_core.c."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karyofast.errors import OptionError
from karyofast.kernels import reference_shape
from karyofast.kernels.dispatch import Impl, cpu_path, use_fast
from karyofast.kernels.rim import float_picture

try:
    from karyofast.kernels import _opening
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

WIDEST = 255
"""Largest diameter, px: what the kernel keeps of a picture's rows grows with its square."""


def disk_opening(image: NDArray[np.float32], diameter: int, impl: Impl = "auto") -> NDArray[np.float32]:
    """Greyscale opening by a disk: what of the image stands under a surface that the disk can reach from below.

    Parameters
    ----------
    image : float32 (height, width)
        Finite. What lies beyond it does not count.
    diameter : int
        Odd, px: of OpenCV's ``MORPH_ELLIPSE``.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float32 (height, width)

    Raises
    ------
    TypeError
        `image` is not float32.
    ValueError
        `image` has not two axes, or `diameter` is not odd or not in 1 .. 255.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    References
    ----------
    Serra, "Image analysis and mathematical morphology", 1982.

    Examples
    --------
    >>> import numpy as np
    >>> disk_opening(np.array([[0, 9, 0, 5, 5, 5, 0]], dtype=np.float32), 3).tolist()
    [[0.0, 0.0, 0.0, 5.0, 5.0, 5.0, 0.0]]
    """
    given = float_picture(image, "image")
    if diameter % 2 != 1 or not 1 <= diameter <= WIDEST:
        raise OptionError(f"`diameter` must be odd and in 1 .. {WIDEST}. Got: {diameter!r}.")
    fast = use_fast(impl, "disk_opening", _missing)
    if given.size == 0:
        return given.copy()
    import cv2

    disk = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)), dtype=np.uint8)
    if not fast:
        return reference_shape.disk_opening(given, disk)
    out = np.empty(given.shape, dtype=np.float32)
    reach = (disk.sum(axis=1, dtype=np.int32) - 1) // 2
    _opening.disk_opening(np.ascontiguousarray(given), reach, out, cpu_path(impl, "disk_opening"))
    return out
