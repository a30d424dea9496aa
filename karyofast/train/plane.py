"""Where a generator collapses, seen on the plane (paper, Figure 8): mixtures of Gaussians whose modes can be counted.

Three mixtures: the Denver groups as the paper has them, the ring of 8 and the grid of 25 that such studies use
(Srivastava et al., NeurIPS 2017). Every kind of generator has the same two small networks, step and budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from karyofast.errors import OptionError
from karyofast.ideogram import load_ideogram
from karyofast.models.mdgan import Draws, Fed, Gan, Judged, Kind, Latent, Reading
from karyofast.train.gan_step import StepOptions, gan_step, set_share, settled_share, state_of
from karyofast.types import GROUPS

Target = Literal["denver", "ring", "grid"]

NEAR = 3.0
"""A point within this many standard deviations of a mode is of high quality."""

FOUND = 0.1
"""A mode is found when its high-quality points are this share of what it should have."""

POINTS = 2500
"""Points that a generator is measured on: 100 a mode of the grid."""

SPREAD = 3.0
"""Factor of the first weights of a generator: what it makes covers a grid of 8 by 8 before it has learned anything."""

WAVES = 32
"""Waves of random direction and length that the discriminator sees a point by (Rahimi and Recht, NeurIPS 2007): by the
coordinates alone a small network is slow to see modes as narrow as these."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Gaussians of one width on the plane.

    Attributes
    ----------
    modes : float64 (n, 2)
    deviation : float
    weights : float64 (n,)
        Sum 1.
    """

    modes: NDArray[np.float64]
    deviation: float
    weights: NDArray[np.float64]

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Points float32 (n, 2)."""
        of_mode = rng.choice(len(self.modes), n, p=self.weights)
        return (self.modes[of_mode] + self.deviation * rng.standard_normal((n, 2))).astype(np.float32)


@dataclass(frozen=True)
class PlaneOptions:
    """One run on the plane."""

    target: Target = "grid"
    kind: Kind = "mdgan"
    latent: Reading = "mixture"
    steps: int = 4000
    batch: int = 256
    width: int = 128
    """units of each of the two hidden layers of both networks"""
    latent_size: int = 2
    narrow: float = 0.01
    """see `karyofast.models.mdgan.Latent`"""
    blur: float = 0.5
    """standard deviation of the noise on what the discriminator sees at first: narrow modes far apart then touch, and a
    generator is drawn to each (Sonderby et al., ICLR 2017)"""
    clear: float = 0.3
    """share of the steps in which it falls to nothing"""
    settle: float = 0.35
    """share of the steps, the last ones, in which the rates fall to nothing"""
    every: int = 250
    """steps between measurements"""
    seed: int = 0
    how: StepOptions = field(default_factory=lambda: StepOptions(rate=2.5e-4, ahead=4.0, ema=0.995))

    def __post_init__(self) -> None:
        if self.blur < 0.0:
            raise OptionError(f"blur must be at least 0. Got: {self.blur!r}.")
        for name in ("clear", "settle"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise OptionError(f"{name} must be 0 to 1. Got: {getattr(self, name)!r}.")


@dataclass(frozen=True)
class PlaneScore:
    """A generator after some steps.

    Attributes
    ----------
    step : int
    modes : int
        Modes that are found, see `FOUND`.
    high_quality : float
        Share of points within `NEAR` standard deviations of a mode.
    reverse_kl : float
        Divergence of the shares of the modes from the true weights, in nats; each point counts for its nearest mode.
    """

    step: int
    modes: int
    high_quality: float
    reverse_kl: float


@dataclass(frozen=True, eq=False)
class PlaneRun:
    """What one run has made: its scores and the points float32 (`POINTS`, 2) of each."""

    options: PlaneOptions
    scores: tuple[PlaneScore, ...]
    points: tuple[NDArray[np.float32], ...]


def mixture(target: Target) -> Mixture:
    """The mixture to be learned.

    ``ring``: 8 modes at radius 2, deviation 0.02; ``grid``: 25 modes 2 apart, deviation 0.05; ``denver``: a mode for
    each group A to G, X with C and Y with G, at the mean length and centromere index of its members (ideogram of 550
    bands), both scaled to a spread of 2, weighted by the number of chromosomes in a male cell, deviation 0.1.

    Raises
    ------
    OptionError
        Another name.
    """
    if target == "ring":
        angle = 2.0 * np.pi * np.arange(8) / 8
        return _even(2.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1), 0.02)
    if target == "grid":
        side = np.arange(-4.0, 4.1, 2.0)
        return _even(np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2), 0.05)
    if target != "denver":
        raise OptionError(f"target must be denver, ring or grid. Got: {target!r}.")
    ideogram = load_ideogram(550)
    members = {name: list(one) for name, one in GROUPS.items() if name != "sex"}
    members["C"].append("X")
    members["G"].append("Y")
    shape = [
        np.mean([(ideogram[one].length, ideogram[one].centromere_index) for one in names], axis=0)
        for names in members.values()
    ]
    copies = [sum(1 if one in ("X", "Y") else 2 for one in names) for names in members.values()]
    weights = np.array(copies) / sum(copies)
    modes = np.array(shape)
    modes = 2.0 * (modes - modes.mean(axis=0)) / modes.std(axis=0)
    return Mixture(modes, 0.1, weights)


def _even(modes: NDArray[np.float64], deviation: float) -> Mixture:
    return Mixture(modes, deviation, np.full(len(modes), 1.0 / len(modes)))


def run_plane(options: PlaneOptions, progress: Callable[[int, int], None] | None = None) -> PlaneRun:
    """Train one generator on the plane, in some seconds on one core.

    Parameters
    ----------
    options : PlaneOptions
    progress : callable, optional
        Called with (step, steps) after each step.
    """
    target = mixture(options.target)
    networks = _networks(options)
    state = state_of(networks, options.how)
    scores, points = [], []
    for step in range(options.steps):
        rng = np.random.default_rng([options.seed, 1, step])
        set_share(state, options.how, settled_share(step, options.steps, options.settle))
        left = max(0.0, 1.0 - step / max(1.0, options.clear * options.steps))
        cast(PlaneDiscriminator, networks.discriminator).blurred(options.blur * left, options.seed, step)
        gan_step(state, torch.from_numpy(target.draw(options.batch, rng)), None, rng, options.how)
        if state.step % options.every == 0 or state.step == options.steps:
            made = _drawn(networks.average, np.random.default_rng([options.seed, 2]))
            scores.append(score_points(made, target, state.step))
            points.append(made)
        if progress:
            progress(state.step, options.steps)
    return PlaneRun(options, tuple(scores), tuple(points))


def score_points(points: NDArray[np.float32], target: Mixture, step: int = 0) -> PlaneScore:
    """Score points float32 (n, 2); points that are not finite are of no mode."""
    apart = np.linalg.norm(points[:, None].astype(np.float64) - target.modes, axis=2)
    apart = np.where(np.isfinite(apart), apart, np.inf)
    nearest = apart.argmin(axis=1)
    good = apart.min(axis=1) <= NEAR * target.deviation
    count = len(target.modes)
    of_good = np.bincount(nearest[good], minlength=count) / len(points)
    share = np.bincount(nearest, minlength=count) / len(points)
    some = share > 0
    return PlaneScore(
        step=step,
        modes=int((of_good >= FOUND * target.weights).sum()),
        high_quality=float(good.mean()),
        reverse_kl=float((share[some] * np.log(share[some] / target.weights[some])).sum()),
    )


class PlaneGenerator(Fed):
    """Two hidden layers; with several generators (MGAN) the first is each one's own."""

    def __init__(self, latent: Latent, width: int, generators: int = 1) -> None:
        super().__init__()
        self.latent, self.generators = latent, generators
        self.first = nn.Linear(latent.size, generators * width)
        self.second, self.last = nn.Linear(width, width), nn.Linear(width, 2)
        for layer in (self.first, self.second, self.last):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.first.weight.mul_(SPREAD)
            # without them every unit would bend along a line through the middle of what is fed
            self.first.bias.uniform_(-1.0, 1.0)

    def forward(self, draws: Draws, labels: Tensor | None = None) -> Tensor:
        """Points float32 (n, 2); the plane has no classes."""
        values = self.first(self.latent(draws))
        if self.generators > 1:
            values = values.view(len(values), self.generators, -1)[torch.arange(len(values)), draws.which]
        points: Tensor = self.last(torch.relu(self.second(torch.relu(values))))
        return points


class PlaneDiscriminator(nn.Module):
    """Two hidden layers behind `WAVES` waves."""

    def __init__(self, width: int, generators: int = 1) -> None:
        super().__init__()
        self.waves: Tensor
        self.register_buffer("waves", torch.randn(2, WAVES))
        self.layers = nn.Sequential(
            nn.Linear(2 + 2 * WAVES, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)
        )
        self.last = nn.Linear(width, 1)
        self.made_by = nn.Linear(width, generators) if generators > 1 else None
        self._blur, self._noise = 0.0, torch.Generator()

    def blurred(self, deviation: float, seed: int, step: int) -> None:
        """Set the noise on what is seen in a step."""
        self._blur = deviation
        self._noise.manual_seed(seed * 1_000_003 + step)

    def forward(self, points: Tensor, labels: Tensor | None = None) -> Judged:
        """As `karyofast.models.mdgan.Discriminator`, of points float32 (n, 2)."""
        if self._blur:
            points = points + self._blur * torch.randn(points.shape, generator=self._noise)
        phase = points @ self.waves
        features = self.layers(torch.cat([points, phase.sin(), phase.cos()], dim=1))
        return Judged(self.last(features)[:, 0], None if self.made_by is None else self.made_by(features))


def _networks(options: PlaneOptions) -> Gan:
    torch.manual_seed(options.seed)
    latent = Latent(options.kind, options.latent, options.latent_size, narrow=options.narrow)
    generators = latent.distributions if options.kind == "mgan" else 1
    return Gan(PlaneGenerator(latent, options.width, generators), PlaneDiscriminator(options.width, generators))


@torch.inference_mode()
def _drawn(generator: Fed, rng: np.random.Generator) -> NDArray[np.float32]:
    points: NDArray[np.float32] = generator(generator.latent.draw(POINTS, rng)).numpy()
    return points
