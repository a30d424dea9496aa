"""Karyotype many images into a folder: resumable, one bad image never stops the others.

What lies where, and when an image counts as done, is told in `karyofast.run_folder`; how images are spread over
processes in `karyofast.batch_workers`.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from karyofast import __version__, pipeline, report, run_folder, run_scripts
from karyofast.batch_workers import spread
from karyofast.config import Options, to_dict
from karyofast.edit_script import Script
from karyofast.errors import KaryofastError, OptionError, OutputError
from karyofast.io import read_metaphase
from karyofast.models.store import ModelInfo, find
from karyofast.pipeline import Models
from karyofast.report import PAGE, SUMMARY, SummaryRow
from karyofast.run_folder import INSTANCES, RUN, Task
from karyofast.types import Karyotype, Metaphase

Analyse = Callable[[Metaphase], Karyotype]
Revise = Callable[[Karyotype, Script], Karyotype]

INFO = {"description": f"karyofast {__version__} run"}
"""What instances.coco.json says of itself."""

LIBRARIES = ("numpy", "scipy", "numba", "opencv-python-headless", "onnxruntime")
"""Packages that results depend on; their versions stand in run.json."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """What a process needs to do images; crosses to worker processes.

    Attributes
    ----------
    options : Options
    settings : str
        Fingerprint of the run, written with each result.
    analyse : callable or None
        Stands in for the pipeline.
    """

    options: Options
    settings: str
    analyse: Analyse | None = None

    def load(self, threads: int = 0, models: Models | None = None) -> Callable[[Task], SummaryRow]:
        """Load the models, on `threads` threads each (0: one a core); returns what does one image."""
        if self.analyse is None:
            models = models or pipeline.load_models(self.options, threads)
        analyse = self.analyse or partial(pipeline.karyotype, options=self.options, models=models)
        revise = partial(pipeline.revise, options=self.options, models=models)
        return partial(attempt, setup=self, analyse=analyse, revise=revise)


def run(
    inputs: Sequence[Path],
    out: Path,
    options: Options = Options(),  # noqa: B008 (frozen)
    *,
    models: Models | None = None,
    jobs: int = 1,
    force: bool = False,
    edits: Path | None = None,
    analyse: Analyse | None = None,
    progress: Callable[[SummaryRow], None] | None = None,
) -> list[SummaryRow]:
    """Karyotype images into `out`; a rerun does only what is missing, changed or failed.

    What was corrected by hand in `out` (`karyofast.batch_edit`) stays so, unless its picture or script has changed.

    Parameters
    ----------
    inputs : sequence of Path
        Picture files; see `karyofast.io.expand_inputs`.
    out : Path
        Folder of the run, made where it is missing.
    options : Options
    models : Models, optional
        Loaded when not given; only with one job.
    jobs : int
        Processes that work side by side, 1 or more.
    force : bool
        Do every image again, also where `out` holds results of other settings, or corrected ones.
    edits : Path, optional
        Folder of scripts of corrections, or of an earlier run, see `karyofast.run_scripts.with_scripts`.
    analyse : callable, optional
        Stands in for `karyofast.pipeline.karyotype`; with several jobs it must be picklable.
    progress : callable, optional
        Called with the row of each image when it is known, resumed ones at once.

    Returns
    -------
    list of SummaryRow
        One an image, in the order of `inputs`.

    Raises
    ------
    OptionError
        `out` holds results of other settings and `force` is not given; `jobs` below 1, or `models` with several
        jobs; a script in `edits` that is none, or belongs to no image. Nothing is written then.
    OutputError
        `out` cannot be written to.
    ModelError
        A model that cannot be used.
    """
    if jobs < 1:
        raise OptionError(f"`jobs` must be 1 or more. Got: {jobs}.")
    if models is not None and jobs > 1:
        raise OptionError(f"`models` cannot be handed to other processes. Got: jobs={jobs}. Leave `models` out.")
    now = describe(options, {} if analyse else models_of(options, models))
    with writing(out):
        tasks = begin(inputs, out, now, force, edits)
    setup = Setup(options, run_folder.fingerprint(now), analyse)
    rows: dict[Task, SummaryRow] = {}

    def tell(task: Task, row: SummaryRow) -> None:
        rows[task] = row
        if progress:
            progress(row)

    for task in tasks:
        earlier = None if force else run_folder.finished(task, setup.settings)
        if earlier is not None:
            tell(task, earlier)
    pending = [task for task in tasks if task not in rows]
    if min(jobs, len(pending)) > 1:
        spread(setup, pending, min(jobs, len(pending)), tell)
    elif pending:
        do = setup.load(models=models)
        for task in pending:
            tell(task, do(task))
    ordered = [rows[task] for task in tasks]
    with writing(out):
        run_folder.finish(out, tasks, ordered, INFO)
    return ordered


def attempt(task: Task, setup: Setup, analyse: Analyse, revise: Revise) -> SummaryRow:
    """Do one image: read, analyse, write. Every error becomes a row "failed" with its reason."""
    try:
        run_folder.clear(task)
        made_from = run_folder.source_of(task, setup.settings)
        karyotype = analyse(read_metaphase(task.path, setup.options.polarity))
        for script in task.scripts:
            karyotype = revise(karyotype, script)
        return run_folder.write_result(task, karyotype, made_from, setup.options.arrange)
    except KaryofastError as error:
        _log.debug("%s: failed", task.path, exc_info=True)
        return report.failed_row(task.image, str(error))
    except Exception as error:  # the one place where it is caught: what no one foresaw in one image must not end a
        # night's run; type and message stand in the summary, the way there in the log (--verbose)
        _log.debug("%s: failed unexpectedly", task.path, exc_info=True)
        return report.failed_row(task.image, f"unexpected {type(error).__name__}: {error}")


def begin(
    inputs: Sequence[Path], out: Path, now: dict[str, Any], force: bool = False, edits: Path | None = None
) -> list[Task]:
    """Compare with an earlier run in `out` and read the scripts, then write run.json; the tasks, with their scripts.

    Parameters
    ----------
    inputs : sequence of Path
    out : Path
    now : dict
        From `describe`.
    force : bool
    edits : Path, optional
        See `run`.

    Raises
    ------
    OptionError
        See `run`.
    """
    try:
        earlier = run_folder.read_run(out)
    except OptionError:
        if not force:
            raise
        earlier = None
    if earlier is not None and not force:
        run_folder.check_same(out, earlier, now)
    folders = dict(earlier["folders"]) if earlier else {}
    tasks = run_folder.tasks(inputs, out, folders)
    if edits is not None:
        tasks = run_scripts.with_scripts(tasks, out, edits)
    folders.update({task.source: task.folder.name for task in tasks})
    out.mkdir(parents=True, exist_ok=True)
    for name in (RUN, SUMMARY, INSTANCES, PAGE):
        run_folder.sweep(out, name)
    images = {"inputs": [task.image for task in tasks], "results": [task.folder.name for task in tasks]}
    run_folder.write_json(out / RUN, {**now, **images, "folders": folders, "edits": {}})
    return tasks


def describe(options: Options, models: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What run.json says besides the inputs: settings, models, versions."""
    return {
        "karyofast": __version__,
        "options": to_dict(options),
        "models": models,
        "versions": {"python": platform.python_version(), **{name: library_version(name) for name in LIBRARIES}},
    }


def library_version(name: str) -> str:
    """Version of an installed package, "" where it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def models_of(options: Options, models: Models | None = None) -> dict[str, dict[str, str]]:
    """Name and hash of the models that a run uses.

    Raises
    ------
    ModelError
        No such model, or a broken one.
    """
    if models is not None:
        # a runtime of the caller's own need not come from a model directory
        pairs = {"classifier": models.classifier, "separator": models.separator}
        infos = {kind: getattr(model, "info", type(model)) for kind, model in pairs.items() if model is not None}
    else:
        infos = {"classifier": find(options.classify.model, "classifier")}
        if options.segment.method == "axis":
            infos["separator"] = find(options.segment.model, "separator")
    return {
        kind: {"name": info.name, "sha256": info.sha256}
        if isinstance(info, ModelInfo)
        else {"name": getattr(info, "__qualname__", str(info)), "sha256": ""}
        for kind, info in infos.items()
    }


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Say in words what keeps `out` from being written to."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{out}: cannot be written to: {error}. Name a folder with room that may be.") from error
