"""A rim of free pixels around a picture, and what a picture has to be for a kernel."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

MAX_PIXELS = 2**31 - 1
"""Pixels are counted in 32 bits, together with a rim of one pixel."""

_T = TypeVar("_T", bound=np.generic)


def rimmed(values: NDArray[_T], margin: int) -> NDArray[_T]:
    """A copy with `margin` rows and columns of 0 on each side; `numpy.pad` takes ten times as long on small ones."""
    height, width = values.shape
    out = np.zeros((height + 2 * margin, width + 2 * margin), dtype=values.dtype)
    out[margin : margin + height, margin : margin + width] = values
    return out


def check_size(name: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError where a picture of that shape has more than `MAX_PIXELS`, its rim included."""
    height, width = shape
    if (height + 2) * (width + 2) > MAX_PIXELS:
        raise ValueError(
            f"`{name}` must have fewer than {MAX_PIXELS} pixels. Got: {height * width}. Cut it into tiles."
        )


def float_picture(values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """`values` as they are where they are float32 of two axes; else TypeError, ValueError."""
    given: NDArray[Any] = np.asarray(values)
    if given.dtype != np.float32:
        raise TypeError(f"`{name}` must be float32. Got: {given.dtype}. Convert it first.")
    if given.ndim != 2:
        raise ValueError(f"`{name}` must have two axes (rows, columns). Got: shape {given.shape}. Pass one channel.")
    return given
