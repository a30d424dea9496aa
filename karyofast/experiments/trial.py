"""One trial: a classifier trained on some cells and what an arm adds, and read on cells that it never saw."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from karyofast.config import from_dict
from karyofast.errors import DataError
from karyofast.experiments.added import composed, simulated
from karyofast.experiments.fit import FitOptions, fit, read
from karyofast.experiments.generated import generated
from karyofast.experiments.inputs import INPUTS, Inputs, training_cells
from karyofast.experiments.networks import build, rate_of
from karyofast.experiments.plan import PaperOptions, Trial
from karyofast.experiments.published import MEASURES
from karyofast.files import write_whole
from karyofast.types import CLASSES

TRIALS = "trials"
"""Folder of the results in the run folder."""

ADDED = "added"
"""Folder of what is added, and of the generators, in the run folder."""

Tell = Callable[[str, int, int], None]
"""Called with (what is done, steps done, steps in all)."""


@dataclass(frozen=True)
class Result:
    """What a trial has found.

    Attributes
    ----------
    right, asked : dict of str to int
        By class: chromosomes of unseen cells read rightly, and shown.
    real, added : int
        Chromosomes trained on.
    missing : list of str
        Classes that should have been generated and were not.
    loss : float
        Of the last tenth of the steps.
    seconds, added_seconds : float
        Of the training, and of making what is added (nearly nothing where an earlier trial had made it).
    """

    trial: Trial
    right: dict[str, int]
    asked: dict[str, int]
    real: int
    added: int
    missing: list[str]
    loss: float
    seconds: float
    added_seconds: float

    def accuracy(self, measure: str) -> float | None:
        """Accuracy by the name of a measure of the paper; None where no such chromosome was shown."""
        names = CLASSES if measure == "PT" else (measure.removeprefix("P"),)
        asked = sum(self.asked[name] for name in names)
        return sum(self.right[name] for name in names) / asked if asked else None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, with the accuracies beside the counts."""
        return {**asdict(self), "accuracy": {name: self.accuracy(name) for name in MEASURES}}

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read a result file.

        Raises
        ------
        DataError
            It is not one.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content.pop("accuracy")
            return cls(**{**content, "trial": from_dict(Trial, content["trial"])})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: must be the result of a trial. Got: {error}. Remove it to have it anew."
            ) from error


@dataclass(frozen=True, eq=False)
class Bench:
    """What the trials of a run share."""

    folder: Path
    data: Path
    inputs: Inputs
    options: PaperOptions
    device: str = "cpu"
    jobs: int = 2


def run_trial(trial: Trial, bench: Bench, tell: Tell) -> Result:
    """The result of a trial: read from its file, or run, and the file written whole."""
    path = bench.folder / TRIALS / f"{trial.key}.json"
    if path.exists():
        return Result.load(path)
    real = training_cells(bench.inputs, trial.cells, trial.seed)
    started = time.perf_counter()
    more, missing = _added(trial, real, bench, tell)
    made = time.perf_counter()
    values = np.concatenate([real.values, more.values])
    labels = np.concatenate([real.label, more.label])
    network = build(trial.arm, bench.options, values, trial.seed)
    how = FitOptions(
        bench.options.steps,
        bench.options.batch,
        rate_of(trial.arm, bench.options),
        trial.seed,
        trial.arm.affine,
        real=len(real) if trial.arm.balanced and len(more) else 0,
    )
    loss = fit(network, values, labels, how, bench.device, lambda done, steps: tell(trial.key, done, steps))
    unseen = bench.inputs.part("test")
    said = read(network, unseen.values, bench.device)
    result = Result(
        trial=trial,
        right=_by_class(unseen.label[said == unseen.label]),
        asked=_by_class(unseen.label),
        real=len(real),
        added=len(more),
        missing=missing,
        loss=loss,
        seconds=round(time.perf_counter() - made, 2),
        added_seconds=round(made - started, 2),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(result.to_dict(), indent=1) + "\n")
    return result


def run_group(group: Sequence[Trial], folder: Path, data: Path, options: PaperOptions) -> None:
    """Run trials one after the other in a process of their own, on the CPU; their results are files."""
    bench = Bench(folder, data, Inputs.load(folder / INPUTS), options, jobs=1)
    for trial in group:
        run_trial(trial, bench, lambda *_: None)


def finished(planned: Sequence[Trial], folder: Path) -> dict[Trial, Result]:
    """The results of a run folder that are there; raises the `DataError` of `Result.load`."""
    paths = {trial: folder / TRIALS / f"{trial.key}.json" for trial in planned}
    return {trial: Result.load(path) for trial, path in paths.items() if path.exists()}


def _added(trial: Trial, real: Inputs, bench: Bench, tell: Tell) -> tuple[Inputs, list[str]]:
    """What the arm adds to the real chromosomes, and the classes that it should add and cannot."""
    arm = trial.arm
    none = real.only(np.zeros(len(real), bool))
    if arm.extra == "none" or not arm.persons:
        return none, []
    frame, persons = bench.options.frame, arm.persons
    kept = bench.folder / ADDED
    kept.mkdir(exist_ok=True)
    if arm.extra == "simulated":
        return simulated_for(persons, bench, tell), []
    if arm.extra == "composed":
        cells = sorted(set(real.cell.tolist()))
        path = kept / f"{_set_name('composed', trial.cells, trial.seed)}_np{persons}.npz"
        return composed(bench.data, cells, persons, frame, path, trial.seed, lambda *at: tell("compose", *at)), []
    return generated_for(arm.extra, real, persons, trial.cells, trial.seed, bench, tell)


def simulated_for(persons: int, bench: Bench, tell: Tell) -> Inputs:
    """The simulated chromosomes that every trial of a run shares; made by the first that needs them."""
    path = bench.folder / ADDED / f"simulated{persons}.npz"
    path.parent.mkdir(exist_ok=True)
    return simulated(persons, bench.options.frame, path, 0, bench.jobs, lambda *at: tell("simulate", *at))


def generated_for(
    kind: Literal["mdgan", "conditional"],
    real: Inputs,
    persons: int,
    cells: int,
    seed: int,
    bench: Bench,
    tell: Tell,
) -> tuple[Inputs, list[str]]:
    """What the generators of some training cells and a seed give, see `karyofast.experiments.generated.generated`."""
    name = _set_name(kind, cells, seed)
    folder = bench.folder / ADDED / name

    def told(done: int, steps: int, _: dict[str, float]) -> None:
        tell(name, done, steps)

    return generated(kind, real, persons, bench.options, folder, seed, bench.device, told)


def _set_name(kind: str, cells: int, seed: int) -> str:
    return f"{kind}_cells{cells or 'all'}_seed{seed}"


def _by_class(labels: np.ndarray) -> dict[str, int]:
    counts = np.bincount(labels, minlength=len(CLASSES))
    return {name: int(count) for name, count in zip(CLASSES, counts, strict=True)}
