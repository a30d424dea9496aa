"""The moving average of a network's weights, which generalises better than the weights of any one step."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Learner(nn.Module, Generic[Network]):
    """A network and the moving average of its weights, which is what a training keeps."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.average = copy.deepcopy(network).requires_grad_(False).eval()


def kept(decay: float, step: int) -> float:
    """Share that an average keeps in a step, the first is 0: it follows at once, not to remember random weights."""
    return min(decay, step / (10 + step))


def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network, at the end by the share 1 - `decay` a step.

    Polyak and Juditsky (1992), with exponential weights.
    """
    towards(average, network, kept(decay, step))


@torch.no_grad()
def towards(average: nn.Module, network: nn.Module, share: float | Tensor) -> None:
    """Move the average towards the network: weights and moments keep a share of what they were."""
    for mine, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.lerp_(new, 1.0 - share)
        else:
            mine.copy_(new)
