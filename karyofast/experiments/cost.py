"""What the preset full would cost: seconds a step, measured where it runs, times the steps that it takes."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from karyofast.experiments.fit import FitOptions, fit
from karyofast.experiments.generated import gan_options
from karyofast.experiments.networks import Classes
from karyofast.experiments.plan import PRESETS, PaperOptions, Scope, trials
from karyofast.files import write_whole
from karyofast.models.vgg16 import Vgg16
from karyofast.train.gan import train_gan
from karyofast.types import CLASSES

COST = "cost.json"

STEPS = {"cpu": 3, "cuda": 12}
"""Steps taken to time some: those of the second half but the last, in which a generator also shows what it makes. On a
GPU the first ones are launched one by one, then captured."""


@dataclass(frozen=True)
class Cost:
    """Of the preset full, by the seconds a step on one machine.

    Attributes
    ----------
    device : str
    trainings, generators : int
        Classifiers, and generators (24 of one class each count as 24).
    step, generator_step : float
        Seconds.
    hours : float
        Of all training steps; straightening, reading and scoring take little beside them.
    """

    device: str
    trainings: int
    generators: int
    step: float
    generator_step: float
    hours: float


def cost_of_full(folder: Path, device: str) -> Cost:
    """Measure the cost of the preset full on this machine, or read it from the run folder where it was measured."""
    path = folder / COST
    if path.exists():
        kept = Cost(**json.loads(path.read_text(encoding="utf-8")))
        if kept.device == _named(device):
            return kept
    options, scope = PRESETS["full"]
    step, generator_step = _step(options, device), _generator_step(options, device)
    cost = _cost(options, scope, _named(device), step, generator_step)
    write_whole(path, json.dumps(asdict(cost), indent=1) + "\n")
    return cost


def _cost(options: PaperOptions, scope: Scope, device: str, step: float, generator_step: float) -> Cost:
    planned = trials(("table1", "table2", "few"), options, scope)
    vgg = sum(one.arm.network == "cnn" for one in planned)
    sets = {(one.arm.extra, one.cells, one.seed) for one in planned if one.arm.extra in ("mdgan", "conditional")}
    single, conditional = (sum(kind == extra for extra, _, _ in sets) for kind in ("mdgan", "conditional"))
    generator_steps = single * len(CLASSES) * options.gan_steps + conditional * options.conditional_steps
    # the small networks of Table 2 are left out: a step of theirs is a small share of one of VGG-16's
    seconds = vgg * options.steps * step + generator_steps * generator_step
    return Cost(device, len(planned), single * len(CLASSES) + conditional, step, generator_step, seconds / 3600.0)


def _step(options: PaperOptions, device: str) -> float:
    """Seconds of a step of VGG-16."""
    values = np.zeros((options.batch, *options.frame.size), np.float32)
    labels = np.zeros(options.batch, np.int64)
    network = Classes(Vgg16(options.frame.size))

    def train(steps: int, ended: Callable[..., None]) -> None:
        fit(network, values, labels, FitOptions(steps, options.batch), device, ended)

    return _timed(train, device)


def _generator_step(options: PaperOptions, device: str) -> float:
    values = np.zeros((options.gan_batch, *options.frame.size), np.float32)
    values[: len(values) // 2] = -1.0

    def train(steps: int, ended: Callable[..., None]) -> None:
        how = replace(gan_options("mdgan", options, 0), steps=steps, every=steps, grace=steps + 1)
        with tempfile.TemporaryDirectory() as folder:
            train_gan(values, None, Path(folder), how, False, device, ended)

    return _timed(train, device)


def _timed(train: Callable[[int, Callable[..., None]], object], device: str) -> float:
    """Seconds of a step of what trains for a number of steps and tells when each has ended."""
    ends: list[float] = []

    def ended(*_: object) -> None:
        if device == "cuda":
            torch.cuda.synchronize()
        ends.append(time.perf_counter())

    steps = STEPS[device]
    train(steps, ended)
    first, last = steps // 2, steps - 1
    return (ends[last - 1] - ends[first - 1]) / (last - first)


def _named(device: str) -> str:
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return f"CPU, {torch.get_num_threads()} threads"
