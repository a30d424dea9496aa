"""Contact sheets of crops: a row for each class, or for each distribution of a generator."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

GAP = 4
"""Pixels between two crops."""

NAMES = 40
"""Pixels on the left for the names of the rows."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def sheet(crops: Sequence[NDArray[np.float32]], names: Sequence[str], zoom: int = 2) -> NDArray[np.uint8]:
    """Draw crops in rows, dark on white.

    Parameters
    ----------
    crops : sequence of float32 (n, rows, columns)
        One array a row of the sheet, all of one size of crop; -1 is background, see `karyofast.classify.network_input`.
    names : sequence of str
        Of the rows.
    zoom : int
        Pixels of the sheet a pixel of a crop.

    Returns
    -------
    uint8 (height, width)
    """
    tall, wide = zoom * crops[0].shape[1] + GAP, zoom * crops[0].shape[2] + GAP
    page = np.full((GAP + tall * len(crops), NAMES + wide * max(len(row) for row in crops)), 255, np.uint8)
    for number, (row, name) in enumerate(zip(crops, names, strict=True)):
        top = GAP + number * tall
        cv2.putText(page, name, (4, top + tall // 2), _FONT, 0.45, 0, 1, cv2.LINE_AA)
        for place, crop in enumerate(row):
            grey = np.rint(127.5 * (1.0 - np.clip(crop, -1.0, 1.0))).astype(np.uint8)
            left = NAMES + place * wide
            page[top : top + tall - GAP, left : left + wide - GAP] = grey.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return page
