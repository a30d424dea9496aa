"""Train the classifier: VGG-16 on straightened crops, split by case, with checkpoints that a killed run resumes from."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from karyofast import config
from karyofast.classify import network_input
from karyofast.errors import DataError, OptionError
from karyofast.models.vgg16 import CLASS_COUNT, Recogniser, Vgg16
from karyofast.train.crops import Augmentation, CropSet, augmented
from karyofast.train.machine import keep_freed_memory

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


@dataclass(frozen=True)
class TrainOptions:
    """Everything that decides a training run; written to its folder first."""

    epochs: int = 8
    batch: int = 64
    rate: float = 1.5e-3
    """peak of the one-cycle learning rate"""
    decay: float = 0.02
    smoothing: float = 0.05
    """label smoothing"""
    warm: float = 0.15
    """share of the steps over which the rate rises"""
    seed: int = 0
    rows: int = 96
    columns: int = 32
    variants: int = 3
    """straightened variants of each chromosome"""
    everything: bool = False
    """train on the test cases too; for weights that another set scores"""
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass
class _State:
    network: Vgg16
    optimizer: torch.optim.Optimizer
    step: int = 0


def train(
    crops: CropSet,
    folder: Path,
    options: TrainOptions = TrainOptions(),  # noqa: B008 (frozen)
    resume: bool = True,
    device: str = "cpu",
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Vgg16:
    """Train a VGG-16 on the training cases of `crops`.

    Parameters
    ----------
    crops : CropSet
    folder : Path
        Run directory: options.toml, log.jsonl, checkpoint.pt.
    options : TrainOptions
    resume : bool
        Go on from the folder's checkpoint when it holds one made with the same options.
    device : str
        "cpu" or "cuda".
    progress : callable, optional
        Called with (step, steps, figures) after each step.

    Raises
    ------
    DataError
        No training crops.
    OptionError
        The folder belongs to a run with other options.
    """
    chosen = np.arange(len(crops.label)) if options.everything else crops.part("train")
    if len(chosen) == 0:
        raise DataError("the data set must have chromosomes of training cases. Got: none.")
    keep_freed_memory()
    _claim(folder, options, resume)
    per_epoch = len(chosen) // options.batch or 1
    steps = per_epoch * options.epochs
    state = _start(options, device)
    checkpoint = folder / CHECKPOINT
    if resume and checkpoint.exists():
        _restore(state, checkpoint)
    figures: dict[str, float] = {}
    for epoch in range(state.step // per_epoch, options.epochs):
        order = np.random.default_rng([options.seed, epoch]).permutation(chosen)
        started, losses = time.perf_counter(), []
        for position in range(state.step % per_epoch, per_epoch):
            batch = order[position * options.batch : (position + 1) * options.batch]
            losses.append(_step(state, crops, batch, options, steps, device))
            if progress:
                progress(state.step, steps, {**figures, "loss": losses[-1]})
        _save(state, checkpoint)
        figures = measure(state.network, crops, crops.part("validation"), device)
        line = {"epoch": epoch + 1, "loss": float(np.mean(losses)), **figures}
        line["seconds"] = round(time.perf_counter() - started, 1)
        with (folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
    return state.network


def _claim(folder: Path, options: TrainOptions, resume: bool) -> None:
    """Write the options, or check that the run in the folder has the same."""
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "options.toml"
    if resume and (folder / CHECKPOINT).exists():
        if config.load(written, TrainOptions) != options:
            raise OptionError(
                f"{folder} holds a run with other options (options.toml). Give another folder, or start anew with --no-resume."
            )
        return
    (folder / CHECKPOINT).unlink(missing_ok=True)
    (folder / LOG).unlink(missing_ok=True)
    config.save(written, options)


def _start(options: TrainOptions, device: str) -> _State:
    torch.manual_seed(options.seed)
    network = Vgg16((options.rows, options.columns)).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return _State(network, torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=options.decay))


def _step(
    state: _State, crops: CropSet, batch: NDArray[np.int64], options: TrainOptions, steps: int, device: str
) -> float:
    size = (options.rows, options.columns)
    rng = np.random.default_rng([options.seed, 1, state.step])
    drawn = [augmented(crops, int(index), size, rng, options.augmentation) for index in batch]
    inputs = torch.from_numpy(np.stack([crop for crop, _ in drawn])[:, None]).to(device)
    joint = crops.label[batch] + CLASS_COUNT * np.array([not up for _, up in drawn])
    for group in state.optimizer.param_groups:
        group["lr"] = options.rate * _one_cycle(state.step / steps, options.warm)
    state.network.train()
    state.optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device, torch.bfloat16):
        logits = state.network(inputs.to(memory_format=torch.channels_last))
    loss = cross_entropy(logits.float(), torch.from_numpy(joint).to(device), label_smoothing=options.smoothing)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimizer.step()
    state.step += 1
    return float(loss.detach())


def _one_cycle(done: float, warm: float) -> float:
    """Share of the peak rate: a rise over `warm`, then half a cosine down to nothing."""
    return done / warm + 1e-3 if done < warm else 0.5 * (1.0 + math.cos(math.pi * (done - warm) / (1.0 - warm)))


def _save(state: _State, path: Path) -> None:
    kept: dict[str, Any] = {
        "network": state.network.state_dict(), "optimizer": state.optimizer.state_dict(), "step": state.step
    }  # fmt: skip
    torch.save(kept, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def _restore(state: _State, path: Path) -> None:
    kept = torch.load(path, weights_only=True)
    state.network.load_state_dict(kept["network"])
    state.optimizer.load_state_dict(kept["optimizer"])
    state.step = int(kept["step"])


def predict(
    network: Vgg16, crops: CropSet, indices: NDArray[np.int64], variant: int = 0, device: str = "cpu"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Class probabilities (n, 24) and probability that the p arm is up (n,) of unchanged crops."""
    reader = Recogniser(network).eval()
    classes, ups = [], []
    for first in range(0, len(indices), 64):
        inputs = [
            network_input(crops.crops[i][variant], crops.scales[i], network.input_size)
            for i in indices[first : first + 64]
        ]
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16):
            probabilities, up = reader(torch.from_numpy(np.stack(inputs)[:, None]).to(device))
        classes.append(probabilities.float().cpu().numpy())
        ups.append(up.float().cpu().numpy())
    if not classes:
        return np.zeros((0, CLASS_COUNT), np.float32), np.zeros(0, np.float32)
    return np.concatenate(classes), np.concatenate(ups)


def measure(network: Vgg16, crops: CropSet, indices: NDArray[np.int64], device: str = "cpu") -> dict[str, float]:
    """Share of crops whose class, and whose orientation, is right."""
    if len(indices) == 0:
        return {}
    classes, up = predict(network, crops, indices, device=device)
    return {
        "class": float(np.mean(classes.argmax(axis=1) == crops.label[indices])),
        "orientation": float(np.mean((up >= 0.5) == crops.upright[indices, 0])),
    }
