"""Calibrate a trained classifier: its probabilities are to be those with which it is right where it is used."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from karyofast.classify import Frame, network_input
from karyofast.models.vgg16 import CLASS_COUNT, NOTHING, Vgg16
from karyofast.train.crops import CropSet

RARE = 0.02
"""Share of the pieces of a separated metaphase that are no whole single chromosome; about one in a cell."""

TEMPERATURES = np.linspace(0.4, 1.6, 49)


def correct_prior(network: Vgg16, share: float) -> None:
    """Shift `NOTHING` from its share of the training crops to `RARE`, as Bayes' rule has it; changed in place."""
    if share <= 0.0:
        return
    with torch.no_grad():
        _last(network).bias[NOTHING] -= _log_odds(share) - _log_odds(RARE)


def temper(network: Vgg16, frame: Frame, crops: CropSet, indices: NDArray[np.int64]) -> float:
    """Divide the logits by the temperature that makes the true classes of some crops likeliest; changed in place.

    Label smoothing and averaging the readings of both ends leave a network less sure than it is right.

    Returns
    -------
    float
        The temperature; 1 without crops.
    """
    if len(indices) == 0:
        return 1.0
    network = network.eval()
    logits = []
    with torch.inference_mode():
        for first in range(0, len(indices), 64):
            some = indices[first : first + 64]
            inputs = torch.from_numpy(
                np.stack([network_input(crops.crops[i][0], crops.scales[i], frame) for i in some])[:, None]
            )
            logits.append(torch.stack([network(inputs), network(torch.flip(inputs, dims=(2, 3)))]))
    both = torch.cat(logits, dim=1).float()
    true = torch.from_numpy(crops.label[indices])

    def surprise(temperature: float) -> float:
        joint = torch.softmax(both / temperature, dim=2)
        classes = (joint[:, :, :CLASS_COUNT] + joint[:, :, CLASS_COUNT:NOTHING]).mean(dim=0)
        return float(-torch.log(classes[torch.arange(len(true)), true].clamp(min=1e-9)).mean())

    best = float(min(TEMPERATURES, key=surprise))
    with torch.no_grad():
        _last(network).weight.div_(best)
        _last(network).bias.div_(best)
    return best


def _last(network: Vgg16) -> torch.nn.Linear:
    return cast(torch.nn.Linear, network.head[-1])


def _log_odds(share: float) -> float:
    return math.log(share / (1.0 - share))
