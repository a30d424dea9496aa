"""Exact distances from OpenCV, the same in every run."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def to_nearest_zero(mask: NDArray[np.bool_] | NDArray[np.uint8]) -> NDArray[np.float64]:
    """Euclidean distance of each set pixel to the nearest one that is not.

    OpenCV's exact transform differs in its last bit from run to run, which would decide between paths that cost the
    same. The squares of its distances are whole numbers and are made so again.

    Parameters
    ----------
    mask : bool or uint8 (height, width)
        With at least one pixel that is not set.

    Returns
    -------
    float64 (height, width)
        px; 0 where the mask is not set.

    Examples
    --------
    >>> to_nearest_zero(np.array([[0, 1, 1]], dtype=np.uint8)).tolist()
    [[0.0, 1.0, 2.0]]
    """
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.sqrt(np.rint(depth.astype(np.float64) ** 2)))
