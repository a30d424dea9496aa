"""A picture with the outlines of regions: what `karyofast detect` and `karyofast segment` show."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.types import CLASSES, Metaphase, Region
from karyofast.view import LARGEST_OVERLAY, OVERLAY_ZOOM, class_colour

_SUBPIXEL_BITS = 4
"""OpenCV draws coordinates given in 1/16 px."""


def outlines(metaphase: Metaphase, regions: Sequence[Region], zoom: float | None = None) -> NDArray[np.uint8]:
    """Draw the outline of every region over the picture, neighbours in the list in far colours.

    Parameters
    ----------
    metaphase : Metaphase
    regions : sequence of Region
        Candidates or chromosomes of the picture; they may overlap.
    zoom : float, optional
        Magnification; 2 when not given, less where that would pass 3000 px a side.

    Returns
    -------
    uint8 (height, width, 3)
        RGB.

    Examples
    --------
    >>> grey = np.full((40, 30), 200, np.uint8)
    >>> outlines(Metaphase(grey, 200 - grey, "dark"), []).shape
    (80, 60, 3)
    """
    height, width = metaphase.shape
    zoom = zoom or min(OVERLAY_ZOOM, LARGEST_OVERLAY / max(height, width, 1))
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    method = cv2.INTER_LINEAR if zoom > 1 else cv2.INTER_AREA
    grey = np.asarray(cv2.resize(metaphase.grey, size, interpolation=method), dtype=np.uint8)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    for number, one in enumerate(regions):
        padded = np.pad(one.mask.astype(np.uint8), 1)
        contours, _ = cv2.findContours(padded, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        # the padding moves the mask by one px, and the middle of a pixel lies half a px inside it
        origin = np.array([one.box.left - 0.5, one.box.top - 0.5])
        scaled = [((contour + origin) * zoom - 0.5) * 2**_SUBPIXEL_BITS for contour in contours]
        lines = [np.rint(line).astype(np.int32) for line in scaled]
        colour = class_colour(number % len(CLASSES))
        cv2.polylines(picture, lines, True, colour, 2, cv2.LINE_AA, _SUBPIXEL_BITS)
    return picture
