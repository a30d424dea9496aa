"""Cut-out chromosomes, enlarged and turned: what composed metaphases and training scenes are made of."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

PAD = 3
"""px of background about a chromosome's own picture, and about a turned one."""


def turned(
    density: NDArray[Any],
    mask: NDArray[np.bool_],
    axis: NDArray[Any],
    zoom: float,
    degrees: float,
    mirrored: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """A chromosome enlarged and turned about its middle, in a square patch that holds it whole.

    Parameters
    ----------
    density : (height, width)
        Number of any type; what lies beyond it is 0.
    mask : bool (height, width)
    axis : (n, 2)
        Row, column, px.
    zoom : float
    degrees : float
        Counter-clockwise.
    mirrored : bool
        Left and right change sides after the turn.

    Returns
    -------
    density : float32 (side, side)
    mask : bool (side, side)
    axis : float64 (n, 2)
        In the patch.
    """
    height, width = density.shape
    side = int(np.hypot(height, width) * zoom) + 2 * PAD
    matrix = cv2.getRotationMatrix2D((0.5 * (width - 1), 0.5 * (height - 1)), degrees, zoom)
    matrix[:, 2] += [0.5 * (side - width), 0.5 * (side - height)]
    if mirrored:
        mirror = np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        matrix = (mirror @ np.vstack([matrix, [0.0, 0.0, 1.0]]))[:2]
    patch = cv2.warpAffine(density.astype(np.float32), matrix, (side, side), flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(mask.astype(np.float32), matrix, (side, side)) > 0.5
    line = (axis[:, ::-1] @ matrix[:, :2].T + matrix[:, 2])[:, ::-1]
    return np.asarray(patch, np.float32), inside, np.asarray(line, np.float64)
