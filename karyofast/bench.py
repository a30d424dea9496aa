"""What this machine does: the kernels, the stages and the classifiers on one simulated metaphase, drawn here.

A figure for comparing machines and for planning a run; how good the results are is another matter. A picture with more
chromosomes or pixels takes longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from karyofast import pipeline
from karyofast.batch_image import Setup
from karyofast.classify import CellScale, classify
from karyofast.config import Options
from karyofast.errors import KaryofastError, OptionError
from karyofast.io import read_metaphase, write_png
from karyofast.kernels.ops import OPERATIONS
from karyofast.models.store import CLASSIFIERS
from karyofast.pipeline import Models
from karyofast.run_folder import Task
from karyofast.run_parts import read_part
from karyofast.simulate import simulate_metaphase
from karyofast.types import Metaphase

KARYOTYPE, SEED = "46,XY", 0
"""The cell that is drawn."""


@dataclass(frozen=True)
class Spread:
    """The median of some measurements, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """That of at least one measurement."""
        return cls(*(float(f"{value:.4g}") for value in (median(values), min(values), max(values))))


def measure(rounds: int = 5) -> dict[str, Any]:
    """Measure this machine, each thing `rounds` times after a first time that does not count.

    Parameters
    ----------
    rounds : int
        1 or more.

    Returns
    -------
    dict
        ``picture``, ``rounds``, ``load_s`` (seconds until the models are there), ``kernels_ms`` and ``stages_ms``
        (milliseconds by name, as `Spread`), ``image_ms``, ``images_per_s`` (one process, from reading to writing) and
        ``crops_per_s`` by polarity.

    Raises
    ------
    OptionError
        `rounds` below 1.
    KaryofastError
        The picture cannot be karyotyped on this machine.
    """
    if rounds < 1:
        raise OptionError(f"`rounds` must be 1 or more. Got: {rounds}.")
    with TemporaryDirectory(prefix="karyofast-") as folder:
        path = Path(folder) / "simulated.png"
        write_png(path, simulate_metaphase(np.random.default_rng(SEED), KARYOTYPE).image)
        began = time.perf_counter()
        models = pipeline.load_models()
        loading = time.perf_counter() - began
        images = [_image(path, models) for _ in range(rounds + 1)][1:]
        metaphase = read_metaphase(path)
    totals = [sum(seconds.values()) for seconds in images]
    return {
        "picture": f"simulated {KARYOTYPE}, {metaphase.shape[0]} x {metaphase.shape[1]} px",
        "rounds": rounds,
        "load_s": round(loading, 3),
        "kernels_ms": _kernels(metaphase, rounds),
        "stages_ms": {stage: asdict(Spread.of([1e3 * seconds[stage] for seconds in images])) for stage in images[0]},
        "image_ms": asdict(Spread.of([1e3 * total for total in totals])),
        "images_per_s": asdict(Spread.of([1 / total for total in totals])),
        "crops_per_s": _classifiers(metaphase, models, rounds),
    }


def _image(path: Path, models: Models) -> dict[str, float]:
    """Seconds of each stage of a picture, from reading it to writing its folder."""
    task = Task(path, path.parent / "result", path.name)
    row = Setup(Options(), "bench").load(models=models)(task, lambda stage: None)
    if row.status == "failed":
        raise KaryofastError(f"the simulated picture fails on this machine: {row.stage}: {row.error}")
    seconds: dict[str, float] = read_part(task.folder)["seconds"]
    return seconds


def _kernels(metaphase: Metaphase, rounds: int) -> dict[str, dict[str, float]]:
    found = {}
    for operation in OPERATIONS:
        arguments = operation.scene(metaphase.density)
        seconds = _timed(partial(operation.function, **arguments), rounds)
        found[operation.name] = asdict(Spread.of([1e3 * one for one in seconds]))
    return found


def _classifiers(metaphase: Metaphase, models: Models, rounds: int) -> dict[str, dict[str, float]]:
    """Crops a second of each classifier, on those of the picture; what they say does not matter here."""
    crops = pipeline.karyotype(metaphase, models=models).straightened
    scale = CellScale.of(crops)
    found: dict[str, dict[str, float]] = {}
    for polarity in CLASSIFIERS:
        runtime = models.classifier(polarity)
        seconds = _timed(partial(classify, crops, runtime, scale), rounds)
        found[polarity] = asdict(Spread.of([len(crops) / one for one in seconds]))
    return found


def _timed(do: Callable[[], Any], rounds: int) -> list[float]:
    """Seconds of each round; the first, which may compile, does not count."""
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        do()
        seconds.append(time.perf_counter() - began)
    return seconds[1:]
