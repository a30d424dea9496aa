"""Smoothing along a line: of its points, or of what was measured on them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

REACH = 4.0
"""Standard deviations at which the bell is cut off."""


def smoothed(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Values along the first axis, weighted by a Gaussian of `sigma` rows; past an end its value goes on.

    Parameters
    ----------
    values : float64 (n,) or (n, m)
    sigma : float
        Above 0.

    Returns
    -------
    float64
        Of the shape of `values`; that of ``scipy.ndimage.gaussian_filter1d(values, sigma, axis=0, mode="nearest")``
        within rounding, without loading SciPy.
    """
    size = 1, 2 * int(REACH * sigma + 0.5) + 1
    columns = values.reshape(len(values), -1)  # OpenCV takes one axis for a row
    drawn = cv2.GaussianBlur(columns, size, sigmaX=1.0, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.float64).reshape(values.shape)
