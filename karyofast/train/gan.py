"""Train a generator of chromosomes: MD-GAN, typical GAN or MGAN; a killed run goes on from its checkpoint."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from karyofast import __version__, config
from karyofast.errors import DataError, OptionError, TrainingError
from karyofast.files import replacing, write_whole
from karyofast.io import write_png
from karyofast.models.mdgan import Discriminator, Fed, Gan, Generator, Kind, Latent, Reading
from karyofast.models.store import find, write_manifest
from karyofast.train.gan_graph import ReplayedStep
from karyofast.train.gan_step import StepOptions, gan_step, set_share, settled_share, state_of
from karyofast.train.loop import LOG, State, claim, log
from karyofast.train.machine import keep_freed_memory, quick_bfloat16
from karyofast.train.sheet import sheet
from karyofast.types import CLASSES

MODEL = "model"
"""Folder of the finished generator in its run folder."""

SAMPLES = "samples"
"""Folder of the sample sheets in the run folder."""

DATA = "data.json"
"""What the run was trained on, in the run folder."""

PAIRS = 192
"""Pairs of pictures that the diversity is measured on: its standard error is then some hundredths."""

BATCH = 256
"""Pictures drawn at once."""

ROUNDING = 1e-3
"""What a crop may pass -1 and 1 by: interpolation rounds."""

COLUMNS = 10
"""Pictures in a row of a sample sheet."""


@dataclass(frozen=True)
class GanOptions:
    """Everything that decides a training run; written to its folder first."""

    kind: Kind = "mdgan"
    latent: Reading = "mixture"
    """how eq. 8 is read, see `karyofast.models.mdgan`; of MD-GAN alone"""
    conditional: bool = False
    """one network for all classes, told the class; else what it is given is one class, or labels are not heeded"""
    steps: int = 4000
    batch: int = 64
    size: tuple[int, int] = (64, 32)
    """(rows, columns) of a crop, multiples of 16"""
    width: int = 16
    """channels of the widest layers in rows; each doubling of the picture halves them from eight times this"""
    latent_size: int = 64
    """values that the generator is fed a picture"""
    distributions: int = 8
    """K of eq. 8; generators of MGAN"""
    gaussians: int = 8
    """n_j of eq. 9"""
    diffaugment: bool = True
    """change pictures before the discriminator sees them, see `karyofast.train.diffaugment`"""
    mirror: bool = True
    """left and right of a chromosome are one: half of the real crops are mirrored"""
    mixed: bool = True
    """bfloat16 where it is quick: on a GPU, and on a CPU that has it"""
    every: int = 100
    """steps between checkpoints, lines of the log, sample sheets and looks for a collapse"""
    grace: int = 1000
    """steps before a collapse is looked for: a generator begins with one picture"""
    least_diversity: float = 0.25
    """a generator whose pictures differ less than this, in shares of what real ones do, has collapsed"""
    seed: int = 0
    how: StepOptions = field(default_factory=StepOptions)

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "width", "latent_size", "distributions", "gaussians", "every"):
            if getattr(self, name) < (2 if name == "batch" else 1):
                raise OptionError(f"{name} must be positive, batch at least 2. Got: {getattr(self, name)!r}.")


class GanSampler:
    """Draws pictures with a trained generator.

    Parameters
    ----------
    generator : Generator
        The average of a training.
    options : GanOptions
    labels : sequence of int
        Classes that a conditional one was trained on.
    device : str
    """

    def __init__(self, generator: Fed, options: GanOptions, labels: tuple[int, ...] = (), device: str = "cpu") -> None:
        self.options, self.labels, self.device = options, labels, device
        self._generator = generator.to(device).eval()

    @torch.inference_mode()
    def sample(
        self, n: int, rng: np.random.Generator, label: int | NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Draw `n` pictures.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator
        label : int or int64 (n,), optional
            Index into `karyofast.types.CLASSES`, of one for all or of each; a conditional network needs it.

        Returns
        -------
        float32 (n, rows, columns)
            As what it was trained on: -1 is background.

        Raises
        ------
        OptionError
            A class that the network was not trained on, none where it needs one, or one where it knows none.
        """
        labels = self._checked(n, label)
        made = [np.zeros((0, *self.options.size), np.float32)]
        for first in range(0, n, BATCH):
            some = min(BATCH, n - first)
            draws = self._generator.latent.draw(some, rng).to(self.device)
            wanted = None if labels is None else torch.from_numpy(labels[first : first + some]).to(self.device)
            made.append(self._generator(draws, wanted)[:, 0].float().cpu().numpy())
        return np.concatenate(made)

    def _checked(self, n: int, label: int | NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        if not self.options.conditional:
            if label is not None:
                raise OptionError(f"label must be None: the network is not conditional. Got: {label!r}.")
            return None
        known = ", ".join(CLASSES[one] for one in self.labels)
        if label is None:
            raise OptionError(f"label must be a class of the conditional network ({known}). Got: None.")
        labels = np.broadcast_to(np.asarray(label, dtype=np.int64), (n,)).copy()
        if unknown := sorted(set(labels.tolist()) - set(self.labels)):
            raise OptionError(f"label must be a class that the network was trained on ({known}). Got: {unknown[0]}.")
        return labels


def train_gan(
    crops: NDArray[np.float32],
    labels: NDArray[np.int64] | None,
    folder: Path,
    options: GanOptions = GanOptions(),
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
    _write_model(sampler, folder)
    return sampler


_RETRY = "no model is written. Try another --seed, a lower --rate or more chromosomes."


def gan_of(options: GanOptions, device: str = "cpu") -> Gan:
    """The networks of a run, with their first weights."""
    torch.manual_seed(options.seed)
    classes = len(CLASSES) if options.conditional else 0
    generators = options.distributions if options.kind == "mgan" else 1
    latent = Latent(options.kind, options.latent, options.latent_size, options.distributions, options.gaussians)
    generator = Generator(latent, options.size, options.width, classes, generators)
    discriminator = Discriminator(options.size, options.width, classes, generators)
    for module in (*generator.modules(), *discriminator.modules()):
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.02)
    gan = Gan(generator, discriminator)
    return gan.to(device, memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def load_gan(folder: Path, device: str = "cpu") -> GanSampler:
    """Load a finished generator.

    Parameters
    ----------
    folder : Path
        A run folder of `train_gan`, or the model folder in it.
    device : str

    Raises
    ------
    ModelError
        No finished generator there, or a broken one.
    """
    from safetensors.torch import load_file

    info = find(str(folder / MODEL if (folder / MODEL).is_dir() else folder) + "/", "generator")
    options = config.from_dict(GanOptions, info.values["options"], f"{info.folder}: ")
    generator = gan_of(options).average
    generator.load_state_dict(load_file(info.weights))
    return GanSampler(generator, options, tuple(info.values["labels"]), device)


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


def _write_model(sampler: GanSampler, folder: Path) -> None:
    from safetensors.torch import save_file

    place = folder / MODEL
    place.mkdir(exist_ok=True)
    weights = place / "model.safetensors"
    with replacing(weights) as temporary:
        tensors = sampler._generator.state_dict().items()
        save_file({name: one.detach().cpu().contiguous() for name, one in tensors}, temporary)
    values = {
        "labels": list(sampler.labels),
        "classes": list(CLASSES),
        "options": asdict(sampler.options),
        "training": json.loads((folder / DATA).read_text(encoding="utf-8")),
    }
    write_manifest(place, folder.name or MODEL, "generator", weights, values)
