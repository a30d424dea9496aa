"""Pictures of what separation got wrong: one tile a failure, the true outlines beside the predicted ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.evaluate_failures import Fate, ImageFailures
from karyofast.types import Box, Metaphase, Region
from karyofast.view_regions import outlines

PANEL = 190
"""Height and width of either half of a tile, px."""
GAP = 6
CAPTION = 34
AROUND = 8
"""Pixels of the picture shown around what a failure concerns."""
MOST_ZOOM = 5.0
COLUMNS, LINES = 4, 6
"""Tiles of a sheet."""

_INK, _PAPER = (25, 25, 25), 255


@dataclass(frozen=True, eq=False)
class Tile:
    """One failure: its kind and its picture, uint8 (height, width, 3), RGB."""

    kind: str
    picture: NDArray[np.uint8]


def tiles(metaphase: Metaphase, image: ImageFailures) -> list[Tile]:
    """One tile for each failure of a picture; chromosomes that one prediction joins share theirs.

    Parameters
    ----------
    metaphase : Metaphase
    image : ImageFailures

    Returns
    -------
    list of Tile
        The concerned chromosomes are drawn with their neighbours: on the left as they are, on the right as they were
        found.
    """
    true = [one.region for one in image.truth.instances]
    groups: dict[tuple[str, tuple[int, ...]], list[Fate]] = {}
    for fate in image.fates:
        for kind in fate.kinds:
            # what has no prediction stands alone
            key = fate.predicted if kind == "joined" else (-1 - fate.index,)
            groups.setdefault((kind, key), []).append(fate)
    found = []
    for (kind, _), fates in groups.items():
        concerned = [true[one.index] for one in fates]
        predicted = sorted({number for one in fates for number in one.predicted})
        told = ", ".join(f"{one.area:.1f}" for one in fates)
        angle = min((one.angle for one in fates if one.angle is not None), default=None)
        text = f"{kind}, area {told}, {fates[0].contact if angle is None else f'crossing {angle:.0f} degrees'}"
        found.append(Tile(kind, _drawn(metaphase, image, concerned, predicted, text)))
    for number in image.invented:
        found.append(Tile("invented", _drawn(metaphase, image, [], [number], "invented")))
    return found


def sheets(pictures: Sequence[Tile]) -> list[NDArray[np.uint8]]:
    """Tiles of one kind on sheets of `COLUMNS` by `LINES`.

    Returns
    -------
    list of uint8 (height, width, 3)
        RGB; the last one is as high as it must be.
    """
    drawn = []
    for first in range(0, len(pictures), COLUMNS * LINES):
        some = pictures[first : first + COLUMNS * LINES]
        lines = -(-len(some) // COLUMNS)
        height, width = some[0].picture.shape[:2]
        sheet = np.full((lines * (height + GAP), COLUMNS * (width + 2 * GAP), 3), _PAPER, np.uint8)
        for number, tile in enumerate(some):
            top, left = number // COLUMNS * (height + GAP), number % COLUMNS * (width + 2 * GAP)
            sheet[top : top + height, left : left + width] = tile.picture
        drawn.append(sheet)
    return drawn


def _drawn(
    metaphase: Metaphase, image: ImageFailures, true: Sequence[Region], predicted: Sequence[int], text: str
) -> NDArray[np.uint8]:
    """One tile: a caption over two panels."""
    window = _window([*true, *(image.predicted[number] for number in predicted)], metaphase.shape)
    # what the failure concerns comes first and so has the first colours
    left = [*true, *(one.region for one in image.truth.instances if not any(one.region is other for other in true))]
    rest = [one for number, one in enumerate(image.predicted) if number not in predicted]
    right = [*(image.predicted[number] for number in predicted), *rest]
    tile = np.full((CAPTION + PANEL, 2 * PANEL + GAP, 3), _PAPER, np.uint8)
    for line, words in enumerate((image.truth.image.file_name, text)):
        cv2.putText(tile, words, (2, 13 + 15 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    for start, regions in ((0, left), (PANEL + GAP, right)):
        panel = _panel(metaphase, regions, window)
        tile[CAPTION : CAPTION + panel.shape[0], start : start + panel.shape[1]] = panel
    return tile


def _panel(metaphase: Metaphase, regions: Sequence[Region], window: Box) -> NDArray[np.uint8]:
    """A window of the picture with the outlines of the regions that reach into it."""
    part = Metaphase(metaphase.grey[window.slices], metaphase.density[window.slices], metaphase.polarity)
    moved = [
        Region(Box(one.box.top - window.top, one.box.left - window.left, one.box.height, one.box.width), one.mask)
        for one in regions
        if _meets(one.box, window)
    ]
    zoom = min(MOST_ZOOM, PANEL / max(window.height, window.width))
    return outlines(part, moved, zoom)[:PANEL, :PANEL]


def _meets(box: Box, window: Box) -> bool:
    return (
        box.top < window.top + window.height
        and window.top < box.top + box.height
        and box.left < window.left + window.width
        and window.left < box.left + box.width
    )


def _window(regions: Sequence[Region], shape: tuple[int, int]) -> Box:
    """The box around regions and some px more, inside the picture."""
    top = max(0, min(one.box.top for one in regions) - AROUND)
    left = max(0, min(one.box.left for one in regions) - AROUND)
    bottom = min(shape[0], max(one.box.top + one.box.height for one in regions) + AROUND)
    right = min(shape[1], max(one.box.left + one.box.width for one in regions) + AROUND)
    return Box(top, left, bottom - top, right - left)
