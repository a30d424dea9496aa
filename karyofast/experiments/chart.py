"""A line chart as a picture: means over seeds, with their spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Points = Sequence[tuple[float, float, float]]
"""(x, mean, standard deviation or 0) each."""

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 62, 250, 44, 52
"""Margins, px; the legend stands in the right one."""

COLOURS = (
    (31, 90, 166), (196, 62, 42), (38, 132, 72), (142, 80, 168), (214, 140, 22), (70, 70, 70), (24, 160, 170),
    (190, 80, 130), (120, 100, 60), (110, 150, 30), (90, 110, 190), (230, 110, 90),
)  # fmt: skip
INK, FAINT = (25, 25, 25), (215, 215, 215)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def chart(lines: Mapping[str, Points], title: str, across: str) -> NDArray[np.uint8]:
    """Draw lines over one axis, accuracy in percent upwards.

    Parameters
    ----------
    lines : mapping
        Name -> points; a line without points has its place in the legend alone.
    title : str
    across : str
        What the axis shows.

    Returns
    -------
    uint8 (height, width, 3)
        RGB.
    """
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    places = sorted({x for points in lines.values() for x, _, _ in points})
    ends = [mean + sign * spread for points in lines.values() for _, mean, spread in points for sign in (-1, 1)]
    low = 10 * math.floor(min(ends, default=0.0) / 10)
    high = 10 * math.ceil(max(ends, default=100.0) / 10)
    high = max(high, low + 10)
    # training sets of 5 to 100 cells: equal steps from one to the next
    at = {x: LEFT + (WIDTH - LEFT - RIGHT) * (k + 0.5) / len(places) for k, x in enumerate(places)}

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)

    for level in range(low, high + 1, 10):
        cv2.line(picture, (LEFT, round(up(level))), (WIDTH - RIGHT, round(up(level))), FAINT, 1)
        _text(picture, str(level), LEFT - 34, round(up(level)) + 5)
    for x in places:
        _text(picture, f"{x:g}", round(at[x]) - 8, HEIGHT - BOTTOM + 20)
    _text(picture, title, LEFT, TOP - 18, 0.52)
    _text(picture, across, LEFT, HEIGHT - 12)
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        nodes = [(round(at[x]), round(up(mean))) for x, mean, _ in points]
        for (x, mean, spread), node in zip(points, nodes, strict=True):
            cv2.line(
                picture, (round(at[x]), round(up(mean - spread))), (round(at[x]), round(up(mean + spread))), colour, 1
            )
            cv2.circle(picture, node, 4, colour, -1, cv2.LINE_AA)
        if nodes:
            cv2.polylines(picture, [np.array(nodes, np.int32)], False, colour, 2, cv2.LINE_AA)
        legend = TOP + 10 + 22 * number
        cv2.line(picture, (WIDTH - RIGHT + 14, legend - 4), (WIDTH - RIGHT + 36, legend - 4), colour, 3)
        _text(picture, name, WIDTH - RIGHT + 44, legend)
    return picture


def _text(picture: NDArray[np.uint8], text: str, left: int, bottom: int, size: float = 0.42) -> None:
    cv2.putText(picture, text, (left, bottom), _FONT, size, INK, 1, cv2.LINE_AA)
