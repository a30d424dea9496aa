"""VGG-16 (paper 5.4) for one-channel chromosome crops: 24 classes and the orientation of the p arm.

The convolutional part is configuration D of Simonyan and Zisserman (2015) with batch normalisation; its parameters bear
torchvision's names (`vgg16_bn`: ``features.0.weight`` ...), so its ImageNet weights load as they are. The two layers of
4096 are replaced by one of 256: a straightened crop leaves 4 x 1 cells of 512 features, not 7 x 7.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from karyofast.errors import ModelError

CONFIGURATION: tuple[int | str, ...] = (
    64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M",
)  # fmt: skip
"""Channels of the 3x3 convolutions of configuration D; M: 2x2 max pooling."""

CLASS_COUNT = 24

NOTHING = 2 * CLASS_COUNT
"""Output of a crop that shows no whole single chromosome: a piece of one, two that touch, debris."""


class Vgg16(nn.Module):
    """VGG-16 with batch normalisation and a small head.

    Parameters
    ----------
    input_size : (rows, columns)
        Size of a crop; multiples of 32.
    hidden : int
        Width of the head's only hidden layer.
    dropout : float
        Share of the head's inputs dropped in training.
    """

    def __init__(self, input_size: tuple[int, int] = (128, 32), hidden: int = 256, dropout: float = 0.5) -> None:
        super().__init__()
        if input_size[0] % 32 or input_size[1] % 32 or min(input_size) < 32:
            raise ModelError(f"input_size must be multiples of 32. Got: {input_size}.")
        self.input_size = input_size
        self.features = _features()
        cells = (input_size[0] // 32) * (input_size[1] // 32)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(512 * cells, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, NOTHING + 1),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Joint logits of class and orientation, and of `NOTHING`.

        Parameters
        ----------
        crops : float32 (n, 1, rows, columns)

        Returns
        -------
        float32 (n, 49)
            First 24: the classes with the p arm up, then the same with the p arm down, then `NOTHING`.
        """
        logits: Tensor = self.head(self.features(crops))
        return logits


def split(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Class probabilities float32 (n, 24) and probability that the p arm is up float32 (n,) of joint logits (n, 49).

    What a row of classes falls short of 1 is the probability of `NOTHING`.
    """
    joint = torch.softmax(logits, dim=1)
    up, down = joint[:, :CLASS_COUNT], joint[:, CLASS_COUNT:NOTHING]
    classes = up + down
    return classes, up.sum(dim=1) / classes.sum(dim=1).clamp(min=1e-9)


class Recogniser(nn.Module):
    """A network made indifferent to which end of the crop is up, as `karyofast.classify.read` makes an exported one.

    A crop and the same crop turned by 180 degrees are read together, so that the class does not depend on the end that
    straightening happened to start from, and the orientation answers the turn exactly.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """What `split` gives of both readings together."""
        straight = self.network(crops)
        turned = self.network(torch.flip(crops, dims=(2, 3)))
        swapped = torch.cat([turned[:, CLASS_COUNT:NOTHING], turned[:, :CLASS_COUNT], turned[:, NOTHING:]], dim=1)
        return split(0.5 * (straight + swapped))


def load_imagenet(network: Vgg16, weights: Mapping[str, Tensor]) -> list[str]:
    """Load the convolutional part from a state dict of torchvision's `vgg16_bn`.

    The first convolution of three colour channels is summed over them, which answers a grey picture as the original
    answers the same picture in three equal channels. The classifier's layers are left out.

    Returns
    -------
    list of str
        The names that were loaded.

    Raises
    ------
    ModelError
        The state dict is not one of `vgg16_bn`.
    """
    wanted = {f"features.{name}": value for name, value in network.features.state_dict().items()}
    missing = sorted(set(wanted) - set(weights))
    if missing:
        raise ModelError(f"weights must be a vgg16_bn state dict. Got: one without {missing[0]}.")
    loaded = {}
    for name, own in wanted.items():
        value = weights[name]
        if name == "features.0.weight" and value.shape[1] == 3:
            value = value.sum(dim=1, keepdim=True)
        if value.shape != own.shape:
            raise ModelError(f"weights[{name!r}] must have shape {tuple(own.shape)}. Got: {tuple(value.shape)}.")
        loaded[name] = value
    network.load_state_dict(loaded, strict=False)
    return sorted(loaded)


def _features() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 1
    for step in CONFIGURATION:
        if isinstance(step, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, step, 3, padding=1), nn.BatchNorm2d(step), nn.ReLU(inplace=True)]
        channels = step
    return nn.Sequential(*layers)
