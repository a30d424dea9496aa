"""Correct results of a run by hand (`karyofast.edit_script`), where they lie or into a run folder of their own.

The picture is karyotyped again, which gives the same masks, then the scripts that the result tells of already and the
new one are applied: so that `karyofast run --edits`, which does just that, gives the same result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from karyofast import batch, batch_facts, pipeline, report, run_folder, run_parts, run_scripts
from karyofast.batch_image import read_picture
from karyofast.clock import Clock
from karyofast.config import Options, from_dict
from karyofast.edit import fingerprint
from karyofast.edit_script import Script
from karyofast.errors import OptionError
from karyofast.pipeline import Models
from karyofast.report import SummaryRow
from karyofast.run_folder import RUN, Task
from karyofast.types import Karyotype


def edit(
    folder: Path,
    scripts: Mapping[str, Script],
    out: Path | None = None,
    *,
    models: Models | None = None,
    progress: Callable[[SummaryRow], None] | None = None,
) -> list[SummaryRow]:
    """Apply scripts to results of a run; all of them, or nothing is written.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    scripts : mapping of str to Script
        By the name of the result folder.
    out : Path, optional
        Run folder for the corrected results alone; they are replaced in `folder` when not given.
    models : Models, optional
        Those of the run; loaded when not given.
    progress : callable, optional
        Called with the row of each corrected result when it is known, before anything is written.

    Returns
    -------
    list of SummaryRow
        One a script, in their order.

    Raises
    ------
    OptionError
        No folder of a run, one of other settings, models or versions; a name that is no result in it; a result that
        is not whole, or whose picture has changed since; an operation that cannot be done.
    DataError, ImageError, ModelError
        A summary.csv, a picture or a model that cannot be used.
    OutputError
        The folder cannot be written to.
    """
    run = run_folder.read_run(folder)
    if run is None:
        raise OptionError(f"{folder}: must be the folder of a run. Got: no {RUN} in it.")
    options = from_dict(Options, run.get("options", {}), f"{folder / RUN}: options.")
    now = batch_facts.describe(options, batch_facts.models_of(options, models))
    if other := run_folder.differences(run, now):
        raise OptionError(f"{folder}: was made otherwise than here: {other}. Run the pictures again, then edit them.")
    rows = dict(run_folder.written(folder, run))
    known = {task.folder.name: task for task in rows}
    settings = run_folder.fingerprint(now)
    tasks = [_task(known, name, folder, settings) for name in scripts]
    cases = [rows[task].case for task in tasks]
    models = models or pipeline.load_models(options)
    made: list[tuple[Karyotype, Clock]] = []
    for task, script in zip(tasks, scripts.values(), strict=True):
        made.append(_edited(task, script, options, models))
        if progress:
            progress(report.summary_row(made[-1][0], task.image))
    out = out or folder
    with batch.writing(out):
        content = run
        if out.resolve() != folder.resolve():
            content, tasks = batch.begin([_given(task) for task in tasks], out, now)
            rows = {}
        for task, case, (karyotype, clock) in zip(tasks, cases, made, strict=True):
            made_from = run_parts.source_of(task, settings)
            row = run_parts.write_result(task, karyotype, made_from, options.arrange, clock)
            rows[task] = replace(row, case=case)
        batch.end(list(rows), out, list(rows.values()), content, run.get("case_regex"))
    return [rows[task] for task in tasks]


def _given(task: Task) -> Path | str:
    """The picture of a task as a run is given it."""
    return task.source if task.remote else Path(os.path.relpath(task.path))


def _task(known: Mapping[str, Task], name: str, folder: Path, settings: str) -> Task:
    """The image of a result that can be corrected."""
    if name not in known:
        raise OptionError(f"{folder}: has no result {name!r}. Got: {', '.join(known)}.")
    if run_parts.finished(known[name], settings) is None:
        raise OptionError(
            f"{known[name].folder}: is not whole, or {known[name].path} has changed since. Run the picture again."
        )
    return known[name]


def _edited(task: Task, script: Script, options: Options, models: Models) -> tuple[Karyotype, Clock]:
    """The karyotype of an image after the scripts it has seen already and its new one, and the time it took."""
    clock = Clock()
    clock.begin("read")
    karyotype = pipeline.karyotype(read_picture(task, options.polarity), options, models, clock=clock)
    for earlier in run_scripts.trail(task.folder):
        karyotype = pipeline.revise(karyotype, earlier, options, models, clock)
    if fingerprint(karyotype.chromosomes) != run_scripts.masks_of(task.folder):
        raise OptionError(
            f"{task.folder}: holds other masks than its picture gives here, by other libraries or another machine. "
            "Run the picture again and write the script for its numbers."
        )
    return pipeline.revise(karyotype, script, options, models, clock), clock
