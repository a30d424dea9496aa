"""Train the separator (AxisNet) on composed scenes and on real pictures with known masks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from karyofast.errors import DataError
from karyofast.models.average import Learner, follow
from karyofast.models.axisnet import BINS, AxisNet
from karyofast.train.ahead import drawn_ahead
from karyofast.train.axes import Example, Picture, composed, cut
from karyofast.train.compose import ComposeOptions, PieceStore
from karyofast.train.loop import State, claim, log, one_cycle
from karyofast.train.machine import keep_freed_memory, quick_bfloat16
from karyofast.train.start import start_separator

CHECKED = 24
"""Scenes, never trained on, on which the loss is watched."""


@dataclass(frozen=True)
class SeparatorOptions:
    """Everything that decides a training run; written to its folder first."""

    steps: int = 1800
    """of the first cycle of the learning rate"""
    more: int = 1000
    """steps of a second cycle, of half the peak rate"""
    batch: int = 8
    rate: float = 3e-3
    decay: float = 0.01
    warm: float = 0.1
    real: float = 0.3
    """share of examples out of real pictures, when there are any"""
    core_weight: float = 3.0
    """weight of a core pixel that is on: of each direction's pixels about one in fifty is"""
    seed: int = 0
    every: int = 100
    """steps between checkpoints"""
    average: float = 0.998
    """share that the moving average of the weights, which is what is kept, holds on to a step"""
    start: str = ""
    """separator to start from, see `karyofast.train.start.start_separator`; none: random weights"""
    scene: ComposeOptions = field(default_factory=ComposeOptions)


def train(
    store: PieceStore,
    pictures: Sequence[Picture],
    folder: Path,
    options: SeparatorOptions = SeparatorOptions(),
    resume: bool = True,
    device: str = "cpu",
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
    workers: int = 0,
) -> AxisNet:
    """Train an AxisNet.

    Parameters
    ----------
    store : PieceStore
        Chromosomes to compose scenes of.
    pictures : sequence of Picture
        Real pictures with known masks; may be empty.
    folder : Path
        Run directory: options.toml, log.jsonl, checkpoint.pt.
    options : SeparatorOptions
    resume : bool
        Go on from the folder's checkpoint when it holds one made with the same options.
    device : str
        "cpu" or "cuda".
    progress : callable, optional
        Called with (step, steps, figures) after each step.
    workers : int
        Processes that compose the coming scenes; 0: the training itself composes each.

    Returns
    -------
    AxisNet
        With the moving average of the weights.

    Raises
    ------
    DataError
        The store holds no cell.
    OptionError
        The folder belongs to a run with other options.
    """
    if not store.cells:
        raise DataError("the data set must have chromosomes of training cases. Got: none.")
    keep_freed_memory()
    claim(folder, options, resume)
    torch.manual_seed(options.seed)
    network: AxisNet = AxisNet().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = Learner(network)
    optimizer = torch.optim.AdamW(learner.network.parameters(), lr=options.rate, weight_decay=options.decay)
    state = State(learner, optimizer)
    if not (resume and state.restore(folder)) and options.start:
        rng = np.random.default_rng([options.seed, 3])
        some = np.stack([_example(store, pictures, rng, options).density for _ in range(CHECKED)])
        start_separator(learner.network, options.start, torch.from_numpy(some[:, None]).to(device))
    watched = _watched(store, pictures, options)
    started, losses = time.perf_counter(), []
    total = options.steps + options.more
    for batch in drawn_ahead(_drawn, (store, pictures, options), range(state.step, total), workers):
        state.set_rate(_rate(state.step, options))
        losses.append(_step(state, learner, batch, options, device))
        if progress:
            progress(state.step, total, {"loss": losses[-1]})
        if state.step % options.every == 0 or state.step == total:
            state.save(folder)
            figures = {"step": state.step, "loss": float(np.mean(losses)), **measure(learner.average, watched, device)}
            log(folder, {**figures, "seconds": round(time.perf_counter() - started, 1)})
            losses = []
    return learner.average


def _drawn(shared: tuple[PieceStore, Sequence[Picture], SeparatorOptions], step: int) -> _Batch:
    store, pictures, options = shared
    rng = np.random.default_rng([options.seed, 1, step])
    batch = [_example(store, pictures, rng, options) for _ in range(options.batch)]
    return _Batch(
        np.stack([one.density for one in batch])[:, None],
        np.stack([one.targets for one in batch]),
        np.stack([one.weight for one in batch])[:, None],
    )


class _Batch(NamedTuple):
    """Densities (n, 1, rows, columns), targets (n, channels, rows, columns), weights (n, 1, rows, columns)."""

    density: NDArray[np.float32]
    targets: NDArray[np.uint8]
    weight: NDArray[np.float32]


def _rate(step: int, options: SeparatorOptions) -> float:
    if step < options.steps:
        return options.rate * one_cycle(step / options.steps, options.warm)
    return 0.5 * options.rate * one_cycle((step - options.steps) / options.more, options.warm)


def measure(network: AxisNet, examples: Sequence[Example], device: str = "cpu") -> dict[str, float]:
    """Dice of foreground, overlap and cores over examples that were not trained on."""
    network.eval()
    both = np.zeros((3, 2))
    for one in examples:
        with torch.inference_mode():
            on = network(torch.from_numpy(one.density)[None, None].to(device))[0].float().cpu().numpy() > 0
        for row, part in enumerate((slice(0, 1), slice(1, 2), slice(2, None))):
            true = one.targets[part] > 0
            seen = on[part] & (one.weight > 0)
            true = true & (one.weight > 0)
            both[row] += 2 * np.count_nonzero(true & seen), np.count_nonzero(true) + np.count_nonzero(seen)
    dice = both[:, 0] / np.maximum(both[:, 1], 1)
    return {"dice_foreground": float(dice[0]), "dice_overlap": float(dice[1]), "dice_core": float(dice[2])}


def _watched(store: PieceStore, pictures: Sequence[Picture], options: SeparatorOptions) -> list[Example]:
    rng = np.random.default_rng([options.seed, 2])
    return [_example(store, pictures, rng, options) for _ in range(CHECKED)]


def _example(
    store: PieceStore, pictures: Sequence[Picture], rng: np.random.Generator, options: SeparatorOptions
) -> Example:
    if pictures and rng.random() < options.real:
        return cut(pictures[int(rng.integers(len(pictures)))], rng, options.scene.side, BINS)
    return composed(store, rng, options.scene, BINS)


def _step(state: State, learner: Learner[AxisNet], batch: _Batch, options: SeparatorOptions, device: str) -> float:
    density, wanted, weight = (torch.from_numpy(one).to(device) for one in batch)
    learner.network.train()
    state.optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device, torch.bfloat16, enabled=quick_bfloat16(device)):
        logits = learner.network(density.to(memory_format=torch.channels_last))
    loss = _loss(logits.float(), wanted.float(), weight, options.core_weight)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(learner.network.parameters(), 5.0)
    state.optimizer.step()
    follow(learner.average, learner.network, options.average, state.step)
    state.step += 1
    return float(loss.detach())


def _loss(logits: Tensor, wanted: Tensor, weight: Tensor, core_weight: float) -> Tensor:
    """Weighted cross entropy of every channel plus the Dice loss of foreground, overlap and cores."""
    emphasis = torch.full((logits.shape[1], 1, 1), core_weight, device=logits.device)
    emphasis[0] = 1.0
    entropy = binary_cross_entropy_with_logits(logits, wanted, pos_weight=emphasis, reduction="none") * weight
    share = torch.sigmoid(logits) * weight
    true = wanted * weight
    dice = logits.new_zeros(())
    for part in (slice(0, 1), slice(1, 2), slice(2, None)):
        meet = (share[:, part] * true[:, part]).sum()
        dice = dice + 1.0 - (2.0 * meet + 1.0) / (share[:, part].sum() + true[:, part].sum() + 1.0)
    per_channel = entropy.mean(dim=(0, 2, 3))
    return per_channel[0] + 2.0 * per_channel[1] + 4.0 * per_channel[2:].mean() + 0.5 * dice
