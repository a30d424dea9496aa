"""MD-GAN (paper 5.1-5.3), and the typical GAN and the MGAN that it is compared with: one family of networks.

They differ in what their generator is fed. A typical GAN draws from one normal distribution. MD-GAN draws from one of K
distributions, each a mixture of Gaussians (eq. 8 and 9). MGAN (Hoang et al., ICLR 2018) draws from one normal
distribution and has K generators, which share their convolutions, and a discriminator that also tells them apart.

Equation 8, D_j(Z) = P_Z(Z) + M_j(Z), can be read in two ways:

- ``density``, literally: Z is uniform in 0 to 1, P_Z and M_j are densities, and each coordinate of what the generator
  is fed is their sum at that coordinate of Z;
- ``mixture``, as what is drawn: a sample of the normal distribution P_Z plus one of the mixture M_j, so that each of
  the K n_j Gaussians is a place of its own around which the generator is fed. The places lie evenly at first (a Sobol
  sequence), with a spread of 1, and are narrow beside it.

Means and variances of the Gaussians are trained with the generator: the paper does not say how they are set.
"""

from __future__ import annotations

import copy
import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from karyofast.errors import ModelError
from karyofast.models.average import towards

Kind = Literal["mdgan", "gan", "mgan"]
Reading = Literal["density", "mixture"]

STRIDE = 16
"""Four convolutions of the generator each double the picture, four poolings of the discriminator halve it."""

_NARROW = 0.15
"""Standard deviation of a Gaussian of the reading "density": n_j = 8 of them over 0 to 1 leave a wavy sum."""

_LEAK = 0.2
"""Slope of Leaky ReLU below zero."""


class Draws(NamedTuple):
    """Random numbers for n pictures, drawn on the CPU so that every device is fed the same.

    Attributes
    ----------
    which : int64 (n,)
        The distribution, or with MGAN the generator, 0 to K - 1.
    part : int64 (n,)
        The Gaussian of the mixture, 0 to n_j - 1.
    base : float32 (n, size)
        Uniform in 0 to 1 with the reading "density", else standard normal.
    spread : float32 (n, size)
        Standard normal: where in its Gaussian.
    """

    which: Tensor
    part: Tensor
    base: Tensor
    spread: Tensor

    def to(self, device: str) -> Draws:
        """The same on a device."""
        return Draws(*(one.to(device, non_blocking=True) for one in self))


class Judged(NamedTuple):
    """What a discriminator says of n pictures.

    Attributes
    ----------
    score : float32 (n,)
        Logits of being real.
    made_by : float32 (n, generators) or None
        Logits of each generator, where there are several.
    named : float32 (n, classes) or None
        Logits of each class, of a conditional network.
    """

    score: Tensor
    made_by: Tensor | None = None
    named: Tensor | None = None

    def float(self) -> Judged:
        """The same in float32."""
        made_by, named = (None if one is None else one.float() for one in (self.made_by, self.named))
        return Judged(self.score.float(), made_by, named)


class Latent(nn.Module):
    """What a generator is fed.

    Parameters
    ----------
    kind : {"mdgan", "gan", "mgan"}
    reading : {"density", "mixture"}
        Of eq. 8; of MD-GAN alone.
    size : int
        Values a picture.
    distributions, gaussians : int
        K and n_j.
    narrow : float
        Standard deviation of P_Z, and of each Gaussian at first, with the reading "mixture"; the places have one of 1.
    """

    def __init__(
        self,
        kind: Kind,
        reading: Reading,
        size: int,
        distributions: int = 8,
        gaussians: int = 8,
        narrow: float = 0.3,
    ) -> None:
        super().__init__()
        self.narrow = narrow
        self.size, self.gaussians = size, gaussians
        self.distributions = 1 if kind == "gan" else distributions
        self.reading = reading if kind == "mdgan" else None
        if self.reading:
            shape = (distributions, gaussians, size)
            density = self.reading == "density"
            self.mean = nn.Parameter(torch.rand(shape) if density else _even(shape))
            self.log_deviation = nn.Parameter(torch.full(shape, math.log(_NARROW if density else narrow)))

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Random numbers for `n` pictures."""
        shape = (n, self.size)
        base = rng.random(shape) if self.reading == "density" else rng.standard_normal(shape)
        return Draws(
            torch.from_numpy(rng.integers(self.distributions, size=n)),
            torch.from_numpy(rng.integers(self.gaussians, size=n)),
            torch.from_numpy(base.astype(np.float32)),
            torch.from_numpy(rng.standard_normal(shape).astype(np.float32)),
        )

    def forward(self, draws: Draws) -> Tensor:
        """What the generator is fed, float32 (n, size)."""
        if self.reading is None:
            return draws.base
        if self.reading == "density":
            mean, deviation = self.mean[draws.which], self.log_deviation[draws.which].exp()
            of_mixture = _density((draws.base[:, None] - mean) / deviation) / deviation
            return _density(draws.base) + of_mixture.mean(dim=1)
        place = draws.which, draws.part
        return self.narrow * draws.base + self.mean[place] + self.log_deviation[place].exp() * draws.spread


class Fed(nn.Module):
    """A generator of any kind: what it is fed is drawn by its `latent`."""

    latent: Latent


class Generator(Fed):
    """One fully connected layer and four convolutions (paper 5.3), each after the doubling of rows and columns.

    Parameters
    ----------
    latent : Latent
    size : (rows, columns)
        Of a picture; multiples of `STRIDE`.
    width : int
        Channels of the last hidden layer; doubled at each layer towards the input.
    classes : int
        Classes of a conditional network, 0: none. Each class has its own scale and shift in the normalisations.
    generators : int
        First layers side by side (MGAN).

    Raises
    ------
    ModelError
        `size` is no multiple of `STRIDE`.
    """

    def __init__(
        self, latent: Latent, size: tuple[int, int], width: int = 32, classes: int = 0, generators: int = 1
    ) -> None:
        super().__init__()
        self.latent = latent
        self.cells = _cells(size)
        self.widths = (8 * width, 4 * width, 2 * width, width)
        self.generators = generators
        self.first = nn.Linear(latent.size, generators * self.widths[0] * math.prod(self.cells))
        self.norms = nn.ModuleList(_Norm(channels, classes) for channels in self.widths)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in zip(self.widths, (*self.widths[1:], 1), strict=True)
        )

    def forward(self, draws: Draws, labels: Tensor | None = None) -> Tensor:
        """Pictures float32 (n, 1, rows, columns) in -1 to 1; `labels` int64 (n,) for a conditional network."""
        values = self.first(self.latent(draws))
        if self.generators > 1:
            values = values.view(len(values), self.generators, -1)[
                torch.arange(len(values), device=values.device), draws.which
            ]
        values = values.view(-1, self.widths[0], *self.cells)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            values = torch.relu(norm(values, labels))
            values = convolution(nn.functional.interpolate(values, scale_factor=2.0, mode="nearest"))
        return torch.tanh(values)


class Discriminator(nn.Module):
    """Four convolutions, four poolings, one fully connected layer; batch normalisation and Leaky ReLU (paper 5.3).

    Parameters
    ----------
    size, width, classes
        As of `Generator`; a class of a conditional network is heeded as by Miyato and Koyama (ICLR 2018), and it is
        also asked which class a picture is of, as by Odena et al. (ICML 2017).
    generators : int
        Generators to tell apart (MGAN); 1: none.
    """

    def __init__(self, size: tuple[int, int], width: int = 32, classes: int = 0, generators: int = 1) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(zip((1, *widths[:-1]), widths, strict=True)):
            layers.append(nn.Conv2d(before, after, 3, padding=1))
            if number:
                # normalised, the first layer would forget how dark a picture is
                layers.append(nn.BatchNorm2d(after))
            layers += [nn.LeakyReLU(_LEAK), nn.AvgPool2d(2)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        features = widths[-1] * math.prod(_cells(size))
        self.last = nn.Linear(features, 1)
        self.of_class = nn.Embedding(classes, features) if classes else None
        self.named = nn.Linear(features, classes) if classes else None
        self.made_by = nn.Linear(features, generators) if generators > 1 else None
        if self.of_class is not None:
            nn.init.zeros_(self.of_class.weight)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Judged:
        """What it says of pictures float32 (n, 1, rows, columns); `labels` int64 (n,) for a conditional network."""
        features = self.layers(pictures)
        score = self.last(features)[:, 0]
        if self.of_class is not None:
            score = score + (self.of_class(labels) * features).sum(dim=1) / math.sqrt(features.shape[1])
        made_by, named = (None if one is None else one(features) for one in (self.made_by, self.named))
        return Judged(score, made_by, named)


class Gan(nn.Module):
    """Generator, discriminator, and the moving average of the generator, which is what pictures are drawn with."""

    def __init__(self, generator: Fed, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.average: Fed = copy.deepcopy(generator).requires_grad_(False).eval()

    def follow(self, kept: float | Tensor) -> None:
        """Move the average towards the generator, see `karyofast.models.average.towards`."""
        towards(self.average, self.generator, kept)


class _Norm(nn.Module):
    """Batch normalisation, with scale and shift of each class where there are classes."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not classes)
        self.scale = nn.Embedding(classes, channels) if classes else None
        self.shift = nn.Embedding(classes, channels) if classes else None
        if self.scale is not None and self.shift is not None:
            nn.init.ones_(self.scale.weight)
            nn.init.zeros_(self.shift.weight)

    def forward(self, values: Tensor, labels: Tensor | None) -> Tensor:
        normal: Tensor = self.norm(values)
        if self.scale is None or self.shift is None:
            return normal
        scale, shift = self.scale(labels)[:, :, None, None], self.shift(labels)[:, :, None, None]
        scaled: Tensor = normal * scale + shift
        return scaled


def _cells(size: tuple[int, int]) -> tuple[int, int]:
    if size[0] % STRIDE or size[1] % STRIDE or min(size) < STRIDE:
        raise ModelError(f"size must be multiples of {STRIDE}. Got: {size}.")
    return size[0] // STRIDE, size[1] // STRIDE


def _even(shape: tuple[int, int, int]) -> Tensor:
    """Means spread evenly over a cube, with a standard deviation of 1."""
    seed = int(torch.randint(2**31, (1,)))
    sequence = torch.quasirandom.SobolEngine(shape[2], scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    drawn: Tensor = sequence.draw(shape[0] * shape[1])
    return (2.0 * drawn.view(shape) - 1.0) * math.sqrt(3.0)


def _density(values: Tensor) -> Tensor:
    """Standard normal density."""
    return torch.exp(-0.5 * values * values) / math.sqrt(2.0 * math.pi)
