"""A slim residual network that reads what `karyofast.models.vgg16.Vgg16` reads, for small devices.

Residual blocks (He et al. 2016) of two 3x3 convolutions instead of configuration D: a seventeenth of its arithmetic, a
ninth of its weights. Outputs are the same 49.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from karyofast.classify import FLOOR
from karyofast.errors import ModelError
from karyofast.models.vgg16 import NOTHING

WIDTHS = (16, 32, 80, 160, 256)
"""Channels at each halving of the resolution."""

NARROW = 64
"""Channels that the head sees of each cell of the last resolution."""


OUTSIDE = 0.5
"""Standard deviations above `FLOOR` up to which a pixel is background."""


class Slim(nn.Module):
    """Residual convolutions and a small head.

    Parameters
    ----------
    input_size : (rows, columns)
        Size of a crop; multiples of 16.
    widths : tuple of int
        Channels at each halving of the resolution.
    hidden : int
        Width of the head's only hidden layer.
    dropout : float
        Share of the head's inputs dropped in training.
    profile : bool
        Beside each crop the network sees its band profile: in each row the mean of what lies inside the chromosome.
    """

    def __init__(
        self,
        input_size: tuple[int, int] = (112, 32),
        widths: tuple[int, ...] = WIDTHS,
        hidden: int = 256,
        dropout: float = 0.4,
        profile: bool = False,
    ) -> None:
        super().__init__()
        step = 2 ** (len(widths) - 1)
        if input_size[0] % step or input_size[1] % step or min(input_size) < step:
            raise ModelError(f"input_size must be multiples of {step}. Got: {input_size}.")
        self.input_size = input_size
        self.profile = profile
        layers: list[nn.Module] = []
        for before, after in zip((2 if profile else 1, *widths[:-1]), widths, strict=True):
            layers += [_Residual(before, after), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers[:-1])
        cells = (input_size[0] // step) * (input_size[1] // step)
        self.head = nn.Sequential(
            nn.Conv2d(widths[-1], NARROW, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(NARROW * cells, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, NOTHING + 1),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Joint logits float32 (n, 49) of crops float32 (n, 1, rows, columns), as those of `Vgg16`."""
        seen = torch.cat([crops, _band_profile(crops)], dim=1) if self.profile else crops
        logits: Tensor = self.head(self.features(seen))
        return logits


def _band_profile(crops: Tensor) -> Tensor:
    """The mean inside of each row, in all of its columns; `FLOOR` where a row has no inside."""
    inside = (crops > FLOOR + OUTSIDE).to(crops.dtype)
    pixels = inside.sum(dim=3, keepdim=True)
    mean = ((crops - FLOOR) * inside).sum(dim=3, keepdim=True) / pixels.clamp(min=1.0) + FLOOR
    return mean.expand_as(crops)


class _Residual(nn.Module):
    """Two normalised convolutions; the second adds to what the first gave."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)

    def forward(self, values: Tensor) -> Tensor:
        once = torch.relu(self.first_norm(self.first(values)))
        return torch.relu(self.second_norm(self.second(once)) + once)
