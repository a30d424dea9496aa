"""The moving average of a network's weights, which generalises better than the weights of any one step."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class Learner(nn.Module, Generic[Network]):
    """A network and the moving average of its weights, which is what a training keeps."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.average = copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network: weights and moments keep the share `decay` of what they were.

    Polyak and Juditsky (1992), with exponential weights. In the first of the `step` s taken the average follows at
    once, and at the first step wholly: it must not remember random weights.
    """
    decay = min(decay, step / (10 + step))
    for mine, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.lerp_(new, 1.0 - decay)
        else:
            mine.copy_(new)
