"""Pictures as PNG files: the row above is taken off each row, and what is left is packed as runs.

Smaller than OpenCV's own choice on overlays and karyograms, which are enlarged pictures, and sooner done.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.errors import ImageError

LONGEST = 2**31 - 1
"""Most bytes of a chunk."""

SETTINGS = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # from OpenCV 4.12 on
    SETTINGS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


def encoded(image: NDArray[np.uint8]) -> bytes:
    r"""An image as the bytes of a PNG file.

    Parameters
    ----------
    image : uint8 (height, width) or (height, width, 3)
        Grey or RGB.

    Raises
    ------
    ImageError
        Another shape, no pixels, or more than a PNG file holds.

    Examples
    --------
    >>> encoded(np.zeros((2, 3), np.uint8))[:4]
    b'\x89PNG'
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ImageError(f"a PNG must be uint8, grey or RGB. Got: {image.dtype}, shape {image.shape}.")
    if not 0 < image.size < LONGEST:
        raise ImageError(f"a PNG must have 1 to {LONGEST - 1} values. Got: shape {image.shape}.")
    done, data = cv2.imencode(".png", image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR), SETTINGS)
    if not done:
        raise ImageError(f"a PNG of shape {image.shape} cannot be written.")
    return data.tobytes()
