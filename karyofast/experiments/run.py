"""The paper's experiments in one run folder: each trial a file, so that a killed run goes on where it was."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from karyofast import __version__, config
from karyofast.crops import MANIFEST, digest_of
from karyofast.errors import DataError, OptionError
from karyofast.experiments.cost import cost_of_full
from karyofast.experiments.detection import SETS, detection_figures, figure6
from karyofast.experiments.figures import figure8, figure9
from karyofast.experiments.found import Found
from karyofast.experiments.inputs import INPUTS, read_inputs
from karyofast.experiments.plan import ALL_CELLS, PaperOptions, Part, Scope, Trial, groups, trials
from karyofast.experiments.report import write_report
from karyofast.experiments.trial import Bench, finished, run_group, run_trial, simulated_for
from karyofast.files import write_whole
from karyofast.train.workers import Task, side_by_side

RUN = "run.json"
FIGURE6 = "figure6.png"

CROPS = "bioimlab.zip"
"""The paper's own set of single chromosomes, in the folder of data sets."""

TRAINED: tuple[Part, ...] = ("table1", "table2", "few", "figure9", "figure11")
"""Parts that need single chromosomes."""

Tell = Callable[[str, int, int], None]
"""Called with (what is done, steps done, steps in all)."""


def run_paper(
    parts: Sequence[Part],
    data: Path,
    out: Path,
    options: PaperOptions,
    scope: Scope,
    device: str = "cpu",
    threads: int = 0,
    tell: Tell | None = None,
) -> Path:
    """Run experiments of the paper and write their report.

    Parameters
    ----------
    parts : sequence of str
        Of `karyofast.experiments.plan.PARTS`.
    data : Path
        Folder of the data sets (``bioimlab.zip``, ``gband``, ``mfish``); or single chromosomes, see
        `karyofast.crops.CropSource`, for the parts that need no more.
    out : Path
        Run folder; what is finished in it is not done again.
    options : PaperOptions
    scope : Scope
        Training sets larger than the training split are replaced by all of it.
    device : str
        "cpu" or "cuda".
    threads : int
        CPU threads, 0: one a core.
    tell : callable, optional

    Returns
    -------
    Path
        The report, HTML; the same as Markdown lies beside it. It is also written when the run is stopped.

    Raises
    ------
    DataError
        Data that the parts need and that is not there.
    OptionError
        The folder holds a run with other options or data.
    """
    if threads:
        torch.set_num_threads(threads)
    told = tell or (lambda *_: None)
    trained = any(part in TRAINED for part in parts)
    places = _places(parts, data, trained)
    claim(out, options, places.get(CROPS))
    found = Found(out, tuple(parts), options, scope)
    try:
        if trained:
            jobs = torch.get_num_threads()
            inputs = read_inputs(places[CROPS], options.frame, out / INPUTS, jobs, lambda *at: told("straighten", *at))
            cells = len(np.unique(inputs.part("train").cell))
            found = replace(found, scope=possible(scope, cells), cells=cells, unseen=len(inputs.part("test")))
            bench = Bench(out, places[CROPS], inputs, options, device, jobs)
            _run_trials(trials(parts, options, found.scope), bench, found, told)
            if "figure9" in parts:
                figure9(bench, told)
            found = replace(found, cost=cost_of_full(out, device))
        if "detection" in parts:
            detection_figures(data, out, told)
        if "figure6" in parts and not (out / FIGURE6).exists():
            figure6(data, out / FIGURE6, threads, told)
        if "figure8" in parts:
            found = replace(found, plane=tuple(figure8(out, scope.plane_seeds, options, told, torch.get_num_threads())))
    finally:
        page = write_report(found)
    return page


def _run_trials(planned: Sequence[Trial], bench: Bench, found: Found, tell: Tell) -> None:
    """Run trials, on several cores of a CPU side by side; what was done is found also when they are stopped."""
    # a run that is stopped tells of all that is there
    found.results.update(finished(planned, bench.folder))
    try:
        if bench.jobs > 1 and bench.device == "cpu":
            waiting = [trial for trial in planned if trial not in found.results]
            for persons in {trial.arm.persons for trial in waiting if trial.arm.extra == "simulated"}:
                simulated_for(persons, bench, tell)
            given = bench.folder, bench.data, bench.options
            tasks = [Task(group[-1].key, run_group, (group, *given)) for group in groups(waiting)]
            side_by_side(tasks, bench.jobs, tell)
        for trial in planned:
            found.results[trial] = run_trial(trial, bench, tell)
    finally:
        found.results.update(finished(planned, bench.folder))


def possible(scope: Scope, cells: int) -> Scope:
    """A scope whose training sets are no larger than what is there."""
    kept = tuple(one for one in scope.cells if one < cells)
    return replace(scope, cells=(*kept, ALL_CELLS) if len(kept) < len(scope.cells) else kept)


def claim(out: Path, options: PaperOptions, crops: Path | None) -> None:
    """Write what a run folder is for, or check that it is for the same.

    Raises
    ------
    OptionError
        The folder holds a run with other options or other chromosomes.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / RUN
    told: dict[str, Any] = {"options": config.to_dict(options), "crops_sha256": digest_of(crops) if crops else None}
    if path.exists():
        kept = _read(path)
        if crops is None:
            told["crops_sha256"] = kept["crops_sha256"]
        elif kept["crops_sha256"] is None:
            kept["crops_sha256"] = told["crops_sha256"]
        for name, value in json.loads(json.dumps(told)).items():
            if kept[name] != value:
                raise OptionError(f"{out} holds a run with other {name} ({RUN}). Give another folder with --out.")
    told |= {"made_by": f"karyofast {__version__}", "torch": torch.__version__, "machine": platform.machine()}
    write_whole(path, json.dumps(told, indent=1) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {name: kept[name] for name in ("options", "crops_sha256")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionError(f"{path}: is not of a run of karyofast paper: {error}. Give another folder.") from error


def _places(parts: Sequence[Part], data: Path, trained: bool) -> dict[str, Path]:
    """Where the data of the parts lies."""
    if not data.exists():
        raise DataError(
            f"{data}: no such file or folder. Name the folder of {CROPS}, {' and '.join(SETS)} with --data."
        )
    places = {}
    if trained:
        crops = data / CROPS if (data / CROPS).exists() else data
        if crops.is_dir() and not (crops / MANIFEST).exists():
            raise DataError(f"{data}: must hold {CROPS}, or manifest.csv and its pictures. Got: neither.")
        places[CROPS] = crops
    for part, needed in (("detection", SETS), ("figure6", SETS[:1])):
        for name in needed if part in parts else ():
            if not (data / name / "instances.json").exists():
                raise DataError(f"{data}: must hold {name}/instances.json for {part}. Got: no such file.")
    return places
