"""The networks of the paper's Table 2, built for a run's settings."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from karyofast.experiments.plan import Arm, PaperOptions
from karyofast.models.convnet import SharmaCnn, SlimVgg
from karyofast.models.mlp import Mlp
from karyofast.models.siamese import Siamese
from karyofast.models.slim import Slim
from karyofast.models.vgg16 import CLASS_COUNT, NOTHING, Vgg16
from karyofast.train.start import slim_widths, start_from

START_CROPS = 256
"""Crops on which the batch normalisations of a start are unfolded."""

PLAIN_RATE = 1e-3
"""Highest peak rate of a network without batch normalisation."""


class Classes(nn.Module):
    """A network that reads class and orientation, asked for the class alone: logits (n, 24)."""

    def __init__(self, network: Vgg16 | Slim) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        """Logits float32 (n, 24) of crops float32 (n, 1, rows, columns)."""
        joint = self.network(crops).float()
        return torch.logaddexp(joint[:, :CLASS_COUNT], joint[:, CLASS_COUNT:NOTHING])


def build(arm: Arm, options: PaperOptions, values: NDArray[np.float32], seed: int) -> nn.Module:
    """The network of an arm with its first weights.

    Parameters
    ----------
    arm : Arm
    options : PaperOptions
    values : float32 (n, rows, columns)
        What it will be trained on.
    seed : int
    """
    torch.manual_seed(seed)
    size = options.frame.size
    if arm.network in ("mlp2", "mlp5"):
        return Mlp(size, layers=int(arm.network[-1]))
    if arm.network == "sharma":
        return SharmaCnn(size)
    if arm.network == "swati":
        return Siamese(size)
    if options.cnn == "slim":
        return SlimVgg(size)
    network = Vgg16(size) if options.cnn == "vgg16" else _slim(options)
    if arm.start:
        chosen = np.random.default_rng([seed, 2]).permutation(len(values))[:START_CROPS]
        start_from(network, options.start, torch.from_numpy(values[chosen][:, None]))
        _freeze(network.features, options.frozen)
    return Classes(network)


def rate_of(arm: Arm, options: PaperOptions) -> float:
    """Peak of the learning rate; what has no normalisation diverges at the rates of what has."""
    return min(options.rate, PLAIN_RATE) if arm.network in ("mlp2", "mlp5", "sharma") else options.rate


def _slim(options: PaperOptions) -> Slim:
    """As wide as the model that arms with a start go on from."""
    size = options.frame.size
    return Slim(size, slim_widths(options.start)) if options.start else Slim(size)


def _freeze(features: nn.Sequential, convolutions: int) -> None:
    """Keep the first convolutions and their normalisations as they are (paper 5.4)."""
    seen = 0
    for module in features:
        seen += isinstance(module, nn.Conv2d)
        if seen > convolutions:
            break
        module.requires_grad_(False)
