"""Multilayer perceptrons on the grey values of a crop, as older chromosome classifiers use them (paper 6.3)."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from karyofast.errors import ModelError
from karyofast.models.vgg16 import CLASS_COUNT


class Mlp(nn.Module):
    """Fully connected layers with ReLU between them.

    Parameters
    ----------
    input_size : (rows, columns)
        Size of a crop.
    layers : int
        Layers with weights; the paper compares 2 and 5.
    hidden : int
        Width of each but the last. The paper does not tell it.

    Raises
    ------
    ModelError
        Fewer than one layer.
    """

    def __init__(self, input_size: tuple[int, int], layers: int = 2, hidden: int = 256) -> None:
        super().__init__()
        if layers < 1:
            raise ModelError(f"layers must be at least 1. Got: {layers}.")
        widths = (math.prod(input_size), *(hidden,) * (layers - 1), CLASS_COUNT)
        steps: list[nn.Module] = [nn.Flatten()]
        for number, (before, after) in enumerate(pairwise(widths)):
            steps += [nn.ReLU(inplace=True)] if number else []
            steps.append(nn.Linear(before, after))
        self.layers = nn.Sequential(*steps)

    def forward(self, crops: Tensor) -> Tensor:
        """Logits float32 (n, 24) of crops float32 (n, 1, rows, columns)."""
        logits: Tensor = self.layers(crops)
        return logits
