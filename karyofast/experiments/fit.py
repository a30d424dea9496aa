"""Train one network of the experiments on what it is given, for a number of steps, and let it read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from karyofast.models.siamese import Siamese, contrastive_loss
from karyofast.train.loop import one_cycle
from karyofast.train.machine import keep_freed_memory, quick_bfloat16

WARM = 0.15
"""Share of the steps over which the rate rises."""

DECAY = 0.02
"""Weight decay (AdamW)."""

READ_AT_ONCE = 256
"""Crops read at once."""


@dataclass(frozen=True)
class Affine:
    """Plain augmentation: half ranges of a turn, a stretch and a shift, and mirrors both ways.

    The turn and the stretch are small, since a straightened chromosome stands upright and its size tells its class.
    """

    turn: float = 5.0
    """degrees"""
    stretch: float = 0.05
    """natural logarithm, rows and columns each"""
    shift: float = 0.03
    """share of the rows and of the columns"""


@dataclass(frozen=True)
class FitOptions:
    """How a network is trained."""

    steps: int = 400
    batch: int = 32
    rate: float = 3e-3
    """peak of the one-cycle learning rate"""
    seed: int = 0
    affine: bool = False
    real: int = 0
    """how many of the first crops are half of each batch; 0: batches are drawn from all alike"""


def fit(
    network: nn.Module,
    values: NDArray[np.float32],
    labels: NDArray[np.int64],
    options: FitOptions,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Train a network in place.

    Half of the steps of a `Siamese` train its twin on pairs, the other half its MLP.

    Parameters
    ----------
    network : nn.Module
        Gives logits (n, 24) of crops (n, 1, rows, columns).
    values : float32 (n, rows, columns)
    labels : int64 (n,)
    options : FitOptions
    device : str
        "cpu" or "cuda".
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    float
        Mean loss of the last tenth of the steps.
    """
    keep_freed_memory()
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    tell = progress or (lambda *_: None)
    if not isinstance(network, Siamese):
        return _descend(network, network, None, values, labels, options, (0, options.steps), device, tell)
    half = options.steps // 2
    if half:
        _descend(network.twin, network.twin, network.embed, values, labels, options, (0, half), device, tell)
    network.twin.requires_grad_(False)
    return _descend(network, network.mlp, None, values, labels, options, (half, options.steps), device, tell)


def _descend(
    network: nn.Module,
    trained: nn.Module,
    embed: Callable[[Tensor], Tensor] | None,
    values: NDArray[np.float32],
    labels: NDArray[np.int64],
    options: FitOptions,
    span: tuple[int, int],
    device: str,
    tell: Callable[[int, int], None],
) -> float:
    """Steps of one cycle; `embed` is given where likeness is learned, else `network` gives logits."""
    learned = [one for one in trained.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(learned, weight_decay=DECAY, fused=True)
    network.eval()
    trained.train()
    frozen = [module for module in trained.modules() if _is_frozen(module)]
    first, last = span
    losses = []
    for step in range(first, last):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * one_cycle((step - first) / (last - first), WARM)
        for module in frozen:
            module.eval()
        rng = np.random.default_rng([options.seed, 7, step])
        # dropout draws from torch's own generator
        torch.manual_seed(options.seed * 1_000_003 + step)
        chosen = _drawn(rng, len(labels), options)
        crops = torch.from_numpy(values[chosen][:, None]).to(device, non_blocking=True)
        if options.affine:
            crops = moved(crops, rng)
        wanted = torch.from_numpy(labels[chosen]).to(device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=quick_bfloat16(device)):
            out = (embed or network)(crops.to(memory_format=torch.channels_last)).float()
        loss = contrastive_loss(out, wanted) if embed else cross_entropy(out, wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.detach())
        tell(step + 1, options.steps)
    return float(torch.stack(losses[-max(1, len(losses) // 10) :]).mean())


def _drawn(rng: np.random.Generator, count: int, options: FitOptions) -> NDArray[np.int64]:
    """Which of `count` crops a batch is made of."""
    if not options.real:
        return rng.integers(count, size=options.batch)
    half = options.batch // 2
    others = rng.integers(options.real, count, size=options.batch - half)
    return np.concatenate([rng.integers(options.real, size=half), others])


def _is_frozen(module: nn.Module) -> bool:
    """Whether a layer's weights are kept: its moments are, too."""
    return isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad


def moved(crops: Tensor, rng: np.random.Generator, how: Affine = Affine()) -> Tensor:
    """Crops float32 (n, 1, rows, columns), each turned, stretched, shifted and mirrored at random; -1 beside them."""
    n, _, rows, columns = crops.shape
    turn = np.deg2rad(rng.uniform(-how.turn, how.turn, n))
    across, along = np.exp(rng.uniform(-how.stretch, how.stretch, (2, n))) * rng.choice([-1.0, 1.0], (2, n))
    # affine_grid counts from -1 to 1 on either side: a turn needs the shape of the crop
    matrix = np.stack(
        [
            np.stack([across * np.cos(turn), -along * np.sin(turn) * rows / columns], axis=1),
            np.stack([across * np.sin(turn) * columns / rows, along * np.cos(turn)], axis=1),
        ],
        axis=1,
    )
    shift = rng.uniform(-2.0 * how.shift, 2.0 * how.shift, (n, 2, 1))
    theta = torch.from_numpy(np.concatenate([matrix, shift], axis=2).astype(np.float32)).to(
        crops.device, non_blocking=True
    )
    grid = affine_grid(theta, list(crops.shape), align_corners=False)
    return grid_sample(crops + 1.0, grid, align_corners=False) - 1.0


def read(network: nn.Module, values: NDArray[np.float32], device: str = "cpu") -> NDArray[np.int64]:
    """The class that a network says of each crop, int64 (n,), of values float32 (n, rows, columns)."""
    network.eval()
    said = [np.zeros(0, np.int64)]
    for first in range(0, len(values), READ_AT_ONCE):
        crops = torch.from_numpy(values[first : first + READ_AT_ONCE][:, None]).to(device)
        with torch.inference_mode():
            said.append(network(crops).argmax(dim=1).cpu().numpy())
    return np.concatenate(said)
