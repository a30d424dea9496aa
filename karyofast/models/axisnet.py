"""AxisNet: a small U-Net that draws the medial axes of chromosomes, lifted by their direction.

Of each pixel it tells whether a chromosome covers it, whether more than one does, and for each of `BINS` directions
whether the core (the pixels near the medial axis) of a chromosome runs through it in that direction. Where two
chromosomes cross, two directions are on at the same pixel, so the two cores never meet in the lifted space of (row,
column, direction); where two touch, their cores stay apart in the plane.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

BINS = 12
"""Directions over 180 degrees: two chromosomes that cross at 45 degrees or more have a free bin between them."""

CHANNELS = 2 + BINS
"""Foreground, overlap, then the core in each direction."""

WIDTHS = (16, 32, 64, 96, 128)
"""Channels at each halving of the resolution: the last sees about ten chromosome widths."""


class AxisNet(nn.Module):
    """U-Net with batch normalisation, nearest upsampling and skip connections.

    Parameters
    ----------
    widths : tuple of int
        Channels at each halving of the resolution.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.stride = 2 ** (len(widths) - 1)
        self.down = nn.ModuleList(
            _double(before, after) for before, after in zip((1, *widths[:-1]), widths, strict=True)
        )
        self.up = nn.ModuleList(_double(below + here, here) for here, below in pairwise(widths))
        self.head = nn.Conv2d(widths[0], CHANNELS, 1)

    def forward(self, density: Tensor) -> Tensor:
        """Logits float32 (n, CHANNELS, rows, columns) of density float32 (n, 1, rows, columns).

        Rows and columns must be multiples of ``stride``; the density is divided by the picture's typical one.
        """
        kept = []
        values = density
        for number, block in enumerate(self.down):
            values = block(values if number == 0 else nn.functional.max_pool2d(values, 2))
            kept.append(values)
        for number in range(len(self.up) - 1, -1, -1):
            wider = nn.functional.interpolate(values, scale_factor=2.0, mode="nearest")
            values = self.up[number](torch.cat([wider, kept[number]], dim=1))
        logits: Tensor = self.head(values)
        return logits


def _double(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True),
    )  # fmt: skip
