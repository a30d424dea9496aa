"""Small convolutional networks of the paper's comparison: a slim VGG, and the one after Sharma et al."""

from __future__ import annotations

from torch import Tensor, nn

from karyofast.errors import ModelError
from karyofast.models.vgg16 import CLASS_COUNT

SLIM = (16, 32, 64, 128)
"""Channels of the four stages of `SlimVgg`: a quarter of VGG-16's first four."""

SHARMA = (32, 64, 128, 256)
"""Channels of the four convolutions of `SharmaCnn`."""


class SlimVgg(nn.Module):
    """Four stages of two 3x3 convolutions with batch normalisation and a pooling, and VGG's head, narrow.

    It stands in for VGG-16 where an experiment must end on a CPU within minutes.

    Parameters
    ----------
    input_size : (rows, columns)
        Size of a crop; multiples of 16.
    hidden : int
        Width of the head's hidden layer.
    dropout : float
        Share of the head's inputs dropped in training.
    """

    def __init__(self, input_size: tuple[int, int], hidden: int = 128, dropout: float = 0.2) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        channels = 1
        for stage in SLIM:
            steps += [nn.Conv2d(channels, stage, 3, padding=1), nn.BatchNorm2d(stage), nn.ReLU(inplace=True)]
            # pooled first, to the same values: a quarter is left to rectify
            steps += [nn.Conv2d(stage, stage, 3, padding=1), nn.BatchNorm2d(stage), nn.MaxPool2d(2)]
            steps.append(nn.ReLU(inplace=True))
            channels = stage
        self.features = nn.Sequential(*steps)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels * _cells(input_size), hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, CLASS_COUNT),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Logits float32 (n, 24) of crops float32 (n, 1, rows, columns)."""
        logits: Tensor = self.head(self.features(crops))
        return logits


class SharmaCnn(nn.Module):
    """A plain CNN after Sharma et al. (CVPR workshops 2017), without their straightening by hand.

    The paper says no more of it than that it is much like its own CNN; four convolutions, each with ReLU, pooling and
    dropout and without normalisation, and two fully connected layers are our reading.

    Parameters
    ----------
    input_size : (rows, columns)
        Size of a crop; multiples of 16.
    hidden : int
        Width of the first fully connected layer.
    """

    def __init__(self, input_size: tuple[int, int], hidden: int = 512) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        channels = 1
        for stage in SHARMA:
            steps += [nn.Conv2d(channels, stage, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(0.1)]
            channels = stage
        self.layers = nn.Sequential(
            *steps,
            nn.Flatten(),
            nn.Linear(channels * _cells(input_size), hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(hidden, CLASS_COUNT),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Logits float32 (n, 24) of crops float32 (n, 1, rows, columns)."""
        logits: Tensor = self.layers(crops)
        return logits


def _cells(input_size: tuple[int, int]) -> int:
    """What four poolings leave of a crop."""
    if input_size[0] % 16 or input_size[1] % 16 or min(input_size) < 16:
        raise ModelError(f"input_size must be multiples of 16. Got: {input_size}.")
    return (input_size[0] // 16) * (input_size[1] // 16)
