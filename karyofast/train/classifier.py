"""Train the classifier on straightened crops, split by case; a killed run goes on from its checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from karyofast.classify import Frame, network_input
from karyofast.config import Staining
from karyofast.errors import DataError, OptionError
from karyofast.models.average import Learner, follow
from karyofast.models.slim import WIDTHS, Slim
from karyofast.models.store import find
from karyofast.models.vgg16 import CLASS_COUNT, NOTHING, Recogniser, Vgg16
from karyofast.runtimes.onnx import frame_of
from karyofast.runtimes.torch import network_of
from karyofast.train.ahead import drawn_ahead
from karyofast.train.augment import Augmentation, augmented
from karyofast.train.crops import CropSet
from karyofast.train.loop import State, claim, log, one_cycle
from karyofast.train.machine import keep_freed_memory, quick_bfloat16
from karyofast.train.start import start_from

SAVE_EVERY = 50
"""Steps between checkpoints within an epoch: a killed run loses some minutes at most."""

START_CROPS = 256
"""Crops on which the batch normalisations of a start are unfolded: their moments then hold to a few percent."""


WARMTH = 2.0
"""Temperature at which teachers are heard."""

Network = Literal["vgg16", "slim"]

FRAMES: dict[Network, Frame] = {"vgg16": Frame(), "slim": Frame(112, 32, 48.0, 1.2)}
"""How crops are laid out for each network."""


@dataclass(frozen=True)
class TrainOptions:
    """Everything that decides a training run; written to its folder first."""

    epochs: int = 8
    """of the first cycle of the learning rate"""
    more: int = 3
    """epochs of a second cycle"""
    more_rate: float = 5e-4
    """peak of the second cycle"""
    batch: int = 64
    rate: float = 1.5e-3
    """peak of the one-cycle learning rate"""
    decay: float = 0.02
    smoothing: float = 0.05
    """label smoothing"""
    warm: float = 0.15
    """share of the steps over which the rate rises"""
    seed: int = 0
    network: Network = "vgg16"
    profile: bool = False
    """the network sees the band profile beside the crop; slim alone"""
    width: float = 1.0
    """multiplies the channels of slim (Howard et al. 2017)"""
    frame: Frame = field(default_factory=Frame)
    simulated: int = 60
    """simulated cells to train on beside the real ones"""
    composed: int = 0
    """metaphases composed of the training cells to train on too, as the pipeline cuts them"""
    stain: Staining = "giemsa"
    """of the simulated and the composed cells"""
    oriented: bool = True
    """whether the p arm is up in the pictures of the data set"""
    variants: int = 3
    """straightened variants of each chromosome"""
    straight: bool = True
    """False: the crops of the data set are stood up as they are, see `karyofast.crops.stood_up`"""
    left_out: tuple[str, ...] = ()
    """cells of the data set whose labels are wrong there: neither trained on nor scored"""
    cells: int = 0
    """of the training cells, drawn by the seed, to train on; 0: all"""
    everything: bool = False
    """train on the test cases too; for weights that another set scores"""
    late: float = 0.75
    """share of the first cycle after which crops are also defocused: pki3 is sharper than most metaphases"""
    late_defocus: float = 1.4
    """rows, see `Augmentation.defocus`"""
    start: str = ""
    """weights to start from, see `karyofast.train.start.start_from`; none: random ones"""
    frozen: int = 0
    """convolutions from the input on whose weights stay as they started"""
    average: float = 0.998
    """share that the moving average of the weights, which is what is kept, holds on to a step"""
    teachers: tuple[str, ...] = ()
    """models whose mean answer is learned beside the truth (Hinton et al. 2015); each a plain chain of layers"""
    taught: float = 0.7
    """share of the loss that is of the teachers"""
    augmentation: Augmentation = field(default_factory=Augmentation)


def train(
    crops: CropSet,
    folder: Path,
    options: TrainOptions = TrainOptions(),
    resume: bool = True,
    device: str = "cpu",
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
    workers: int = 0,
) -> Vgg16 | Slim:
    """Train a classifier on the training cases of `crops`.

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
    workers : int
        Processes that draw the coming batches; 0: the training itself draws each.

    Returns
    -------
    Vgg16 or Slim
        With the moving average of the weights.

    Raises
    ------
    DataError
        No training crops.
    OptionError
        The folder belongs to a run with other options.
    ModelError
        A teacher or a start is not there, or is of another network.
    """
    chosen = np.arange(len(crops.label)) if options.everything else crops.part("train")
    if len(chosen) == 0:
        raise DataError("the data set must have chromosomes of training cases. Got: none.")
    if options.frozen and options.network != "vgg16":
        raise OptionError(f"convolutions can be frozen in vgg16 alone. Got: {options.frozen} in {options.network}.")
    if options.profile and options.network != "slim":
        raise OptionError(f"the band profile is an input of slim alone. Got: {options.network}.")
    if options.width != 1.0 and options.network != "slim":
        raise OptionError(f"slim alone can be narrower or wider. Got: {options.width} of {options.network}.")
    keep_freed_memory()
    teachers = [_Teacher(one, device) for one in options.teachers]
    claim(folder, options, resume)
    plan = _Plan(crops, chosen, options, tuple(one.frame for one in teachers))
    learner = Learner[Vgg16 | Slim](_network(options, device))
    trained = [parameter for parameter in learner.network.parameters() if parameter.requires_grad]
    state = State(learner, torch.optim.AdamW(trained, lr=options.rate, weight_decay=options.decay))
    if not (resume and state.restore(folder)) and options.start:
        _start(learner.network, crops, chosen, options, device)
    figures: dict[str, float] = {}
    started, losses = time.perf_counter(), []
    for batch in drawn_ahead(_drawn, plan, range(state.step, plan.steps), workers):
        state.set_rate(_rate(state.step, plan.first, plan.steps, options))
        losses.append(_step(state, learner, batch, teachers, options, device))
        epoch, within = divmod(state.step, plan.per_epoch)
        if within == 0 or state.step % SAVE_EVERY == 0:
            state.save(folder)
        if progress:
            progress(state.step, plan.steps, {**figures, "loss": losses[-1]})
        if within == 0:
            figures = measure(learner.average, options.frame, crops, crops.part("validation"), device)
            line = {"epoch": epoch, "loss": float(np.mean(losses)), **figures}
            log(folder, {**line, "seconds": round(time.perf_counter() - started, 1)})
            started, losses = time.perf_counter(), []
    return learner.average


class _Teacher:
    """What a trained network says of crops laid out for it."""

    def __init__(self, name: str, device: str) -> None:
        info = find(name, "classifier")
        self.frame = frame_of(info)
        layers = network_of(info).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._layers, self._device = layers.eval(), device

    @torch.no_grad()
    def __call__(self, crops: NDArray[np.float32]) -> Tensor:
        inputs = torch.from_numpy(crops).to(self._device, memory_format=torch.channels_last)
        with torch.autocast(self._device, torch.bfloat16, enabled=quick_bfloat16(self._device)):
            logits = self._layers(inputs)
        return torch.softmax(logits.float() / WARMTH, dim=1)


@dataclass(frozen=True, eq=False)
class _Plan:
    """What decides the batch of each step."""

    crops: CropSet
    chosen: NDArray[np.int64]
    options: TrainOptions
    frames: tuple[Frame, ...]
    """of the teachers"""

    @property
    def per_epoch(self) -> int:
        return len(self.chosen) // self.options.batch or 1

    @property
    def first(self) -> int:
        """Steps of the first cycle."""
        return self.per_epoch * self.options.epochs

    @property
    def steps(self) -> int:
        return self.first + self.per_epoch * self.options.more


class _Batch(NamedTuple):
    """Inputs (n, 1, rows, columns), outputs that are right (n,), whether up is known (n,), inputs of each teacher."""

    inputs: NDArray[np.float32]
    right: NDArray[np.int64]
    oriented: NDArray[np.bool_]
    seen: list[NDArray[np.float32]]


def _drawn(plan: _Plan, step: int) -> _Batch:
    options = plan.options
    epoch, position = divmod(step, plan.per_epoch)
    order = np.random.default_rng([options.seed, epoch]).permutation(plan.chosen)
    batch = order[position * options.batch : (position + 1) * options.batch]
    how = options.augmentation
    if step >= options.late * plan.first:
        how = replace(how, defocus=options.late_defocus)

    def draw(frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        # each crop is changed in the same way for every frame
        rngs = np.random.default_rng([options.seed, 1, step]).spawn(len(batch))
        changed = [augmented(plan.crops, int(one), frame, rng, how) for one, rng in zip(batch, rngs, strict=True)]
        return np.stack([values for values, _ in changed])[:, None], np.array([right for _, right in changed])

    drawn = {frame: draw(frame) for frame in (options.frame, *plan.frames)}
    inputs, right = drawn[options.frame]
    return _Batch(inputs, right, plan.crops.oriented[batch], [drawn[frame][0] for frame in plan.frames])


def _network(options: TrainOptions, device: str) -> Vgg16 | Slim:
    torch.manual_seed(options.seed)
    slim = options.network == "slim"
    channels = tuple(max(1, round(options.width * one)) for one in WIDTHS)
    network = Slim(options.frame.size, channels, profile=options.profile) if slim else Vgg16(options.frame.size)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for module in _frozen(network, options):
        module.requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def _frozen(network: torch.nn.Module, options: TrainOptions) -> list[torch.nn.Module]:
    """The layers before the first convolution that is trained; a convolution is followed by its normalisation."""
    if not options.frozen:
        return []
    layers = list(network.get_submodule("features").children())
    convolutions = [at for at, module in enumerate(layers) if isinstance(module, torch.nn.Conv2d)]
    return layers[: convolutions[options.frozen] if options.frozen < len(convolutions) else len(layers)]


def _start(
    network: Vgg16 | Slim, crops: CropSet, chosen: NDArray[np.int64], options: TrainOptions, device: str
) -> None:
    """Load the weights that the options name."""
    rng = np.random.default_rng([options.seed, 2])
    some = rng.choice(chosen, min(START_CROPS, len(chosen)), replace=False)
    drawn = np.stack([augmented(crops, int(index), options.frame, rng, options.augmentation)[0] for index in some])
    start_from(network, options.start, torch.from_numpy(drawn[:, None]).to(device))


def _rate(step: int, first: int, steps: int, options: TrainOptions) -> float:
    if step < first:
        return options.rate * one_cycle(step / first, options.warm)
    return options.more_rate * one_cycle((step - first) / (steps - first), options.warm)


def _step(
    state: State,
    learner: Learner[Vgg16 | Slim],
    batch: _Batch,
    teachers: list[_Teacher],
    options: TrainOptions,
    device: str,
) -> float:
    # dropout draws from torch's own generator: seeded by the step, a resumed run drops what an unbroken one does
    torch.manual_seed(options.seed * 1_000_003 + state.step)
    learner.network.train()
    for module in _frozen(learner.network, options):
        module.eval()
    state.optimizer.zero_grad(set_to_none=True)
    inputs = torch.from_numpy(batch.inputs).to(device, memory_format=torch.channels_last)
    with torch.autocast(device, torch.bfloat16, enabled=quick_bfloat16(device)):
        logits = learner.network(inputs).float()
    right, oriented = torch.from_numpy(batch.right).to(device), torch.from_numpy(batch.oriented).to(device)
    loss = joint_loss(logits, right, oriented, options.smoothing)
    if teachers:
        said = torch.stack([teacher(seen) for teacher, seen in zip(teachers, batch.seen, strict=True)]).mean(dim=0)
        heard = WARMTH**2 * cross_entropy(logits / WARMTH, said)
        loss = (1.0 - options.taught) * loss + options.taught * heard
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(learner.network.parameters(), 5.0)
    state.optimizer.step()
    follow(learner.average, learner.network, options.average, state.step)
    state.step += 1
    return float(loss.detach())


def joint_loss(logits: Tensor, right: Tensor, oriented: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy of class and orientation, and of the class alone where the orientation is not known.

    Parameters
    ----------
    logits : float32 (n, 49)
        See `Vgg16`.
    right : int64 (n,)
        Class, plus 24 where the p arm is down; or `NOTHING`.
    oriented : bool (n,)
        Whether up and down are known; else either of the two is right.
    smoothing : float
        Of the labels.
    """
    said = torch.log_softmax(logits, dim=1)
    up, down = said[:, :CLASS_COUNT], said[:, CLASS_COUNT:NOTHING]
    either = torch.cat([torch.logaddexp(up, down), said[:, NOTHING:]], dim=1)
    one = torch.where(right == NOTHING, CLASS_COUNT, right % CLASS_COUNT)
    known = cross_entropy(said, right, label_smoothing=smoothing, reduction="none")
    unknown = cross_entropy(either, one, label_smoothing=smoothing, reduction="none")
    return torch.where(oriented, known, unknown).mean()


def predict(
    network: Vgg16 | Slim,
    frame: Frame,
    crops: CropSet,
    indices: NDArray[np.int64],
    device: str = "cpu",
    mirror: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = np.asarray,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Class probabilities (n, 24) and that the p arm is up (n,) of crops as they are, or changed by `mirror`."""
    reader = Recogniser(network).eval()
    classes, ups = [], []
    for first in range(0, len(indices), 64):
        seen = [(np.ascontiguousarray(mirror(crops.crops[i][0])), crops.scales[i]) for i in indices[first : first + 64]]
        inputs = [network_input(crop, scale, frame) for crop, scale in seen]
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=quick_bfloat16(device)):
            probabilities, up = reader(torch.from_numpy(np.stack(inputs)[:, None]).to(device))
        classes.append(probabilities.float().cpu().numpy())
        ups.append(up.float().cpu().numpy())
    if not classes:
        return np.zeros((0, CLASS_COUNT), np.float32), np.zeros(0, np.float32)
    return np.concatenate(classes), np.concatenate(ups)


def measure(
    network: Vgg16 | Slim, frame: Frame, crops: CropSet, indices: NDArray[np.int64], device: str = "cpu"
) -> dict[str, float]:
    """Share of crops whose class, and whose orientation, is right, and that are taken for no chromosome."""
    if len(indices) == 0:
        return {}
    classes, up = predict(network, frame, crops, indices, device)
    known = crops.oriented[indices]
    right_way_up = (up >= 0.5)[known] == crops.upright[indices, 0][known]
    return {
        "class": float(np.mean(classes.argmax(axis=1) == crops.label[indices])),
        "orientation": float(np.mean(right_way_up)) if known.any() else 0.0,
        "nothing": float(np.mean(classes.sum(axis=1) < 0.5)),
    }
