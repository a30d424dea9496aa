"""Lines of text on pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

INK: Colour = (25, 25, 25)

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def write(
    image: NDArray[np.uint8],
    text: str,
    x: int,
    y: int,
    size: float,
    colour: Colour,
    anchor: str = "left",
    bold: bool = False,
    halo: bool = False,
) -> None:
    """Write a line whose baseline is at `y` and whose capitals are `size` px high."""
    text = _plain(text)
    x -= {"left": 0, "middle": text_width(text, size, bold) // 2, "right": text_width(text, size, bold)}[anchor]
    font = (_FONT, _font_scale(size))
    if halo:
        for down, right in ((-1, -1), (-1, 1), (1, -1), (1, 1), (0, 2), (0, -2), (2, 0), (-2, 0)):
            cv2.putText(image, text, (x + right, y + down), *font, INK, _thickness(size, bold), cv2.LINE_AA)
    cv2.putText(image, text, (x, y), *font, colour, _thickness(size, bold), cv2.LINE_AA)


def _plain(text: str) -> str:
    """OpenCV 4 draws ASCII only."""
    return text.encode("ascii", "replace").decode("ascii")


def _font_scale(size: float) -> float:
    (_, height), _ = cv2.getTextSize("H", _FONT, 1.0, 1)
    return size / max(height, 1)


def _thickness(size: float, bold: bool) -> int:
    return max(1, round(size / 16)) + int(bold)


def text_width(text: str, size: float, bold: bool = False) -> int:
    """Width of a line, px."""
    (width, _), _ = cv2.getTextSize(_plain(text), _FONT, _font_scale(size), _thickness(size, bold))
    return int(width)


def fitting(text: str, size: float, room: int, bold: bool = False) -> str:
    """`text`, shortened until it fits into `room` px."""
    if not text or text_width(text, size, bold) <= room:
        return text
    letters = len(text)
    while letters and text_width(text[:letters] + "...", size, bold) > room:
        letters -= 1
    return text[:letters] + "..."
