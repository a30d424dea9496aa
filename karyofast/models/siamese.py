"""Siamese network and MLP after Swati et al. (ICCV workshops 2017): likeness is learned first, then the class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from karyofast.errors import ModelError
from karyofast.models.vgg16 import CLASS_COUNT

CHANNELS = (32, 64, 128)
"""Of the three convolutions of a twin."""

MARGIN = 1.0
"""Distance beyond which two chromosomes of different classes cost nothing; embeddings have the length 1."""


class Siamese(nn.Module):
    """A twin that embeds a crop, and an MLP that reads the class from the embedding.

    The twin is trained on pairs with `contrastive_loss`, then kept as it is while the MLP is trained; the paper says no
    more than that the two are combined, sizes are ours.

    Parameters
    ----------
    input_size : (rows, columns)
        Size of a crop; multiples of 8.
    embedding : int
        Values that a crop is embedded as.
    hidden : int
        Width of the MLP's hidden layer.

    Raises
    ------
    ModelError
        `input_size` is no multiple of 8.
    """

    def __init__(self, input_size: tuple[int, int], embedding: int = 64, hidden: int = 128) -> None:
        super().__init__()
        if input_size[0] % 8 or input_size[1] % 8 or min(input_size) < 8:
            raise ModelError(f"input_size must be multiples of 8. Got: {input_size}.")
        steps: list[nn.Module] = []
        before = 1
        for channels in CHANNELS:
            steps += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
            steps.append(nn.MaxPool2d(2))
            before = channels
        cells = math.prod(side // 8 for side in input_size)
        self.twin = nn.Sequential(*steps, nn.Flatten(), nn.Linear(before * cells, embedding))
        self.mlp = nn.Sequential(nn.Linear(embedding, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, CLASS_COUNT))

    def embed(self, crops: Tensor) -> Tensor:
        """Embeddings float32 (n, embedding) of length 1."""
        return nn.functional.normalize(self.twin(crops).float(), dim=1)

    def forward(self, crops: Tensor) -> Tensor:
        """Logits float32 (n, 24) of crops float32 (n, 1, rows, columns)."""
        logits: Tensor = self.mlp(self.embed(crops))
        return logits


def contrastive_loss(embedded: Tensor, labels: Tensor) -> Tensor:
    """Contrastive loss (Hadsell et al. 2006) over all pairs of a batch, like and unlike ones in equal parts.

    Parameters
    ----------
    embedded : float32 (n, embedding)
    labels : int64 (n,)

    Returns
    -------
    float32 ()
        Of like pairs the squared distance, of unlike ones the square of what the distance falls short of `MARGIN`.
    """
    first, second = torch.triu_indices(len(labels), len(labels), offset=1, device=embedded.device)
    squared = (embedded[first] - embedded[second]).square().sum(dim=1)
    like = labels[first] == labels[second]
    # the root of nothing has no slope
    short = (MARGIN - squared.clamp(min=1e-8).sqrt()).clamp(min=0.0).square()
    none = embedded.sum() * 0.0
    return (squared[like].mean() if like.any() else none) + (short[~like].mean() if (~like).any() else none)
