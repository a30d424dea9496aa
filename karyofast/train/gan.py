"""Train a generator of chromosomes: MD-GAN, typical GAN or MGAN; a killed run goes on from its checkpoint."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from karyofast import __version__
from karyofast.errors import DataError, OptionError, TrainingError
from karyofast.files import write_whole
from karyofast.io import write_png
from karyofast.train.gan_graph import ReplayedStep
from karyofast.train.gan_model import MODEL, GanOptions, GanSampler, gan_of
from karyofast.train.gan_step import gan_step, set_share, settled_share, state_of
from karyofast.train.loop import LOG, State, claim, log
from karyofast.train.machine import keep_freed_memory, quick_bfloat16
from karyofast.train.sheet import sheet
from karyofast.types import CLASSES

SAMPLES = "samples"
"""Folder of the sample sheets in the run folder."""

DATA = "data.json"
"""What the run was trained on, in the run folder."""

PAIRS = 192
"""Pairs of pictures that the diversity is measured on: its standard error is then some hundredths."""

ROUNDING = 1e-3
"""What a crop may pass -1 and 1 by: interpolation rounds."""

COLUMNS = 10
"""Pictures in a row of a sample sheet."""


def train_gan(
    crops: NDArray[np.float32],
    labels: NDArray[np.int64] | None,
    folder: Path,
    options: GanOptions = GanOptions(),  # noqa: B008 (frozen)
    resume: bool = True,
    device: str = "cpu",
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> GanSampler:
    """Train a generator of crops.

    Parameters
    ----------
    crops : float32 (n, rows, columns)
        Real ones, -1 (background) to 1; see `karyofast.classify.network_input`.
    labels : int64 (n,) or None
        Index into `karyofast.types.CLASSES`; heeded by a conditional network alone.
    folder : Path
        Run directory: options.toml, data.json, log.jsonl, checkpoint.pt, samples/, and at the end model/.
    options : GanOptions
    resume : bool
        Go on from the folder's checkpoint when it holds one made with the same options.
    device : str
        "cpu" or "cuda".
    progress : callable, optional
        Called with (step, steps, figures) after each step.

    Returns
    -------
    GanSampler
        Draws with the average of the generator.

    Raises
    ------
    DataError
        Crops that cannot be trained on.
    OptionError
        The folder belongs to a run with other options or other crops, or a conditional network is given no labels.
    TrainingError
        The training has diverged or collapsed; the run folder holds no model.
    """
    labels = _checked(crops, labels, options)
    keep_freed_memory()
    # by default cuDNN tries its algorithms and takes another one in every run
    torch.backends.cudnn.deterministic = True
    claim(folder, options, resume)
    _claim_data(folder, crops, labels, resume)
    gan = gan_of(options, device)
    state = state_of(gan, options.how)
    if resume and state.restore(folder):
        _rewind(folder, state.step)
    else:
        # what a former run made must not be taken for what this one makes
        for former in (MODEL, SAMPLES):
            shutil.rmtree(folder / former, ignore_errors=True)
    seen = tuple(int(one) for one in np.unique(labels)) if labels is not None else ()
    sampler = GanSampler(gan.average, options, seen, device)
    figures: dict[str, float] = {}
    low = 0
    real = torch.from_numpy(np.ascontiguousarray(crops[:, None])).to(device)
    classes = None if labels is None else torch.from_numpy(labels).to(device)
    step = _step_of(state, options, device)
    losses: list[tuple[Tensor, Tensor]] = []
    while state.step < options.steps:
        set_share(state, options.how, settled_share(state.step, options.steps))
        losses.append(step(*_batch(real, classes, state.step, options)))
        if state.step % options.every == 0 or state.step == options.steps:
            spent = np.mean([[float(one) for one in both] for both in losses], axis=0)
            losses = []
            if not np.isfinite(spent).all():
                raise TrainingError(f"{folder}: diverged by step {state.step}: {_RETRY}")
            figures = _look(sampler, crops, labels, state.step, folder)
            log(folder, {"step": state.step, "discriminator": spent[0], "generator": spent[1], **figures})
            figures["loss"] = float(spent[1])
            low = low + 1 if state.step >= options.grace and figures["diversity"] < options.least_diversity else 0
            _stop_collapsed(folder, state, figures, low, options)
            state.save(folder)
        if progress:
            progress(state.step, options.steps, figures)
    sampler.save(folder, json.loads((folder / DATA).read_text(encoding="utf-8")))
    return sampler


_RETRY = "no model is written. Try another --seed, a lower --rate or more chromosomes."


def diversity(
    sampler: GanSampler, crops: NDArray[np.float32], labels: NDArray[np.int64] | None, rng: np.random.Generator
) -> float:
    """How far two generated pictures of one class differ (Euclidean), divided by how far two real ones do."""
    first = rng.integers(len(crops), size=PAIRS)
    second = np.empty_like(first)
    for place, index in enumerate(first):
        of_class = np.flatnonzero(labels == labels[index]) if labels is not None else np.arange(len(crops))
        second[place] = rng.choice(of_class[of_class != index]) if len(of_class) > 1 else index
    wanted = labels[first] if labels is not None else None
    one, two = (sampler.sample(PAIRS, rng, wanted) for _ in range(2))
    return _apart(one, two) / max(_apart(crops[first], crops[second]), 1e-6)


def _apart(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.sqrt(((first - second) ** 2).mean(axis=(1, 2))).mean())


Step = Callable[[Tensor, Tensor | None, np.random.Generator], tuple[Tensor, Tensor]]


def _step_of(state: State, options: GanOptions, device: str) -> Step:
    """What takes a step on a batch, its labels and a generator of random numbers, and gives both losses."""
    half = options.mixed and quick_bfloat16(device)
    if device == "cuda":
        return ReplayedStep(state, options.how, options.diffaugment, half)
    return lambda real, labels, rng: gan_step(state, real, labels, rng, options.how, options.diffaugment, half)


def _batch(
    real: Tensor, labels: Tensor | None, step: int, options: GanOptions
) -> tuple[Tensor, Tensor | None, np.random.Generator]:
    """Some of `real` float32 (n, 1, rows, columns) and their labels; and what the step draws from further on."""
    rng = np.random.default_rng([options.seed, 1, step])
    chosen = rng.choice(len(real), options.batch, replace=len(real) < options.batch)
    of_batch = torch.from_numpy(chosen).to(real.device, non_blocking=True)
    batch = real[of_batch]
    if options.mirror:
        turned = torch.from_numpy(rng.random((len(batch), 1, 1, 1)) < 0.5).to(real.device, non_blocking=True)
        batch = torch.where(turned, batch.flip(3), batch)
    return batch, None if labels is None else labels[of_batch], rng


def _look(
    sampler: GanSampler, crops: NDArray[np.float32], labels: NDArray[np.int64] | None, step: int, folder: Path
) -> dict[str, float]:
    """Measure the diversity and draw a sample sheet: a row of each class, or of pictures of the one network."""
    options = sampler.options
    rng = np.random.default_rng([options.seed, 2])
    figures = {"diversity": diversity(sampler, crops, labels, rng)}
    rows = sampler.labels or tuple(range(-8, 0))
    made = [sampler.sample(COLUMNS, rng, label if label >= 0 else None) for label in rows]
    (folder / SAMPLES).mkdir(exist_ok=True)
    names = [CLASSES[label] if label >= 0 else "" for label in rows]
    write_png(folder / SAMPLES / f"step-{step:06d}.png", sheet(made, names))
    return figures


def _stop_collapsed(folder: Path, state: State, figures: dict[str, float], low: int, options: GanOptions) -> None:
    """Two looks in a row must be low, and the last one too: a generator may pass through a bad moment."""
    if math.isfinite(figures["diversity"]) and low < 2 and not (low and state.step == options.steps):
        return
    raise TrainingError(
        f"{folder}: collapsed by step {state.step}: its pictures differ {figures['diversity']:.2f} times as much as "
        f"real ones, at least {options.least_diversity} is asked for; {_RETRY}"
    )


def _checked(
    crops: NDArray[np.float32], labels: NDArray[np.int64] | None, options: GanOptions
) -> NDArray[np.int64] | None:
    """The labels that the network heeds."""
    if crops.ndim != 3 or len(crops) < 2 or crops.shape[1:] != options.size:
        raise DataError(f"crops must have shape (2 or more, {options.size[0]}, {options.size[1]}). Got: {crops.shape}.")
    if not np.isfinite(crops).all() or np.abs(crops).max() > 1.0 + ROUNDING:
        raise DataError("crops must be -1 to 1. Got: values outside, or NaN.")
    if not options.conditional:
        return None
    if labels is None or labels.shape != crops.shape[:1]:
        got = "None" if labels is None else f"shape {labels.shape}"
        raise OptionError(f"labels must have shape ({len(crops)},) for a conditional network. Got: {got}.")
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise DataError(f"labels must be 0 to {len(CLASSES) - 1}. Got: {labels.min()} to {labels.max()}.")
    return labels.astype(np.int64)


def _claim_data(folder: Path, crops: NDArray[np.float32], labels: NDArray[np.int64] | None, resume: bool) -> None:
    """Write what the run is trained on, or check that it is what the checkpoint was trained on."""
    digest = hashlib.sha256(np.ascontiguousarray(crops).tobytes())
    if labels is not None:
        digest.update(labels.tobytes())
    told = {"crops": len(crops), "sha256": digest.hexdigest(), "made_by": f"karyofast {__version__}"}
    path = folder / DATA
    if resume and path.exists() and json.loads(path.read_text(encoding="utf-8"))["sha256"] != told["sha256"]:
        raise OptionError(
            f"{folder} holds a run on other crops ({DATA}). Give another folder, or start with --no-resume."
        )
    write_whole(path, json.dumps(told, indent=2) + "\n")


def _rewind(folder: Path, step: int) -> None:
    """Take lines off the log that a killed run wrote after its last checkpoint."""
    path = folder / LOG
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
    write_whole(path, "".join(line + "\n" for line in kept))
