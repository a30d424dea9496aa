"""Karyotype many images into a folder: resumable, one bad image never stops the others; a full disk does.

What lies where, and when an image counts as done, is told in `karyofast.run_folder`; how images are spread over
processes in `karyofast.batch_workers`.
"""

from __future__ import annotations

import errno
import logging
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from karyofast import __version__, pipeline, report, run_folder, run_scripts
from karyofast.batch_workers import Bounds, Do, spread
from karyofast.clock import Clock
from karyofast.config import Options, to_dict
from karyofast.errors import KaryofastError, OptionError, OutputError
from karyofast.io import read_metaphase
from karyofast.models.store import CLASSIFIERS, ModelInfo, classifier_for, find
from karyofast.pipeline import Models
from karyofast.report import CASES, PAGE, SUMMARY, SummaryRow
from karyofast.run_folder import INSTANCES, RUN, Shard, Task
from karyofast.run_log import opened
from karyofast.summary import case_of, case_pattern, case_row, case_rows, failed_row, write_cases
from karyofast.types import Karyotype, Metaphase

Analyse = Callable[[Metaphase], Karyotype]

LIBRARIES = ("numpy", "scipy", "numba", "opencv-python-headless", "onnxruntime")
"""Packages that results depend on; their versions stand in run.json."""

NO_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""Errors of writing that the next image would meet too."""

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

    def load(self, threads: int = 0, models: Models | None = None) -> Do:
        """Load the models, on `threads` threads each (0: one a core); returns what does one image."""
        analyse: Callable[..., Karyotype]
        if self.analyse:
            analyse = partial(_stand_in, analyse=self.analyse)
        else:
            models = models or pipeline.load_models(self.options, threads)
            analyse = partial(pipeline.karyotype, options=self.options, models=models)
        revise = partial(pipeline.revise, options=self.options, models=models)
        return partial(attempt, setup=self, analyse=analyse, revise=revise)


def _stand_in(metaphase: Metaphase, clock: Clock, analyse: Analyse) -> Karyotype:
    clock.begin("analyse")
    return analyse(metaphase)


def run(
    inputs: Sequence[Path],
    out: Path,
    options: Options = Options(),  # noqa: B008 (frozen)
    *,
    models: Models | None = None,
    jobs: int = 1,
    force: bool = False,
    edits: Path | None = None,
    shard: Shard | None = None,
    bounds: Bounds = Bounds(),  # noqa: B008 (frozen)
    case_regex: str | None = None,
    log: Path | None = None,
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
    shard : Shard, optional
        Do only this lot of the images and write its own summary, ``summary-I-of-N.csv``. Several shards may fill `out`
        side by side; the same run without a shard then takes over what they did and writes what tells of all.
    bounds : Bounds
        What one image may take; with bounds, one job is a process of its own too.
    case_regex : str, optional
        Finds the case of an image in its path, see `karyofast.summary.case_of`; the cases are written to
        ``cases.csv``.
    log : Path, optional
        File to which events are appended as JSON, one a line, see `karyofast.run_log`.
    analyse : callable, optional
        Stands in for `karyofast.pipeline.karyotype`; with several jobs it must be picklable.
    progress : callable, optional
        Called with the row of each image when it is known, resumed ones at once.

    Returns
    -------
    list of SummaryRow
        One an image of the shard, in the order of `inputs`.

    Raises
    ------
    OptionError
        `out` holds results of other settings and `force` is not given; `jobs` below 1, or `models` with several
        jobs or with bounds; `case_regex` is no regular expression; a script in `edits` that is none, or belongs to no
        image. Nothing is written then.
    OutputError
        `out` cannot be written to, or not any more; the same call goes on from there.
    ModelError
        A model that cannot be used.
    """
    if jobs < 1:
        raise OptionError(f"`jobs` must be 1 or more. Got: {jobs}.")
    if models is not None and (jobs > 1 or bounds != Bounds()):
        raise OptionError("`models` cannot be handed to other processes. Leave `models` out, or `jobs` and `bounds`.")
    pattern = None if case_regex is None else case_pattern(case_regex)
    now = describe(options, {} if analyse else models_of(options, models))
    with writing(out):
        content, tasks = begin(inputs, out, now, force=force, edits=edits, shard=shard)
    setup = Setup(options, run_folder.fingerprint(now), analyse)
    rows: dict[Task, SummaryRow] = {}

    def tell(task: Task, row: SummaryRow) -> None:
        rows[task] = row if pattern is None else replace(row, case=case_of(task.image, pattern))
        if progress:
            progress(rows[task])

    with opened(log) as events:
        events.write("start", folder=str(out), images=len(tasks), jobs=jobs, shard=shard and str(shard), **now)
        for task in tasks:
            earlier = None if force else run_folder.finished(task, setup.settings)
            if earlier is not None:
                tell(task, earlier)
        events.write("resumed", images=len(rows))

        def new(task: Task, row: SummaryRow) -> None:
            tell(task, row)
            events.write("image", **asdict(rows[task]))

        pending = [task for task in tasks if task not in rows]
        if pending and (bounds != Bounds() or min(jobs, len(pending)) > 1):
            spread(setup, pending, min(jobs, len(pending)), new, bounds)
        elif pending:
            do = setup.load(models=models)
            for task in pending:
                new(task, do(task, lambda stage: None))
        ordered = [rows[task] for task in tasks]
        with writing(out):
            if shard:
                report.write_summary(out / f"summary-{shard}.csv", ordered)
            else:
                end(tasks, out, ordered, content, case_regex)
        events.write("end", images=len(pending), failed=sum(row.status == "failed" for row in ordered))
    return ordered


def attempt(
    task: Task,
    told: Callable[[str], None],
    setup: Setup,
    analyse: Callable[..., Karyotype],
    revise: Callable[..., Karyotype],
) -> SummaryRow:
    """Do one image: read, analyse, correct, write. Every error becomes a row "failed" with its stage and reason.

    Raises
    ------
    OutputError
        Nothing can be written any more: the images that follow would fail too.
    """
    clock = Clock(told)
    clock.begin("read")
    try:
        made_from = run_folder.source_of(task, setup.settings)
        with _disk(task):
            run_folder.clear(task)
        karyotype = analyse(read_metaphase(task.path, setup.options.polarity), clock=clock)
        for script in task.scripts:
            karyotype = revise(karyotype, script, clock=clock)
        with _disk(task):
            return run_folder.write_result(task, karyotype, made_from, setup.options.arrange, clock)
    except OutputError:
        raise
    except KaryofastError as error:
        _log.debug("%s: failed", task.path, exc_info=True)
        return failed_row(task.image, str(error), stage=clock.stage)
    except MemoryError as error:
        return failed_row(task.image, f"asked for more memory than it may have ({error}).", stage=clock.stage)
    except Exception as error:  # the one place where it is caught: what no one foresaw in one image must not end a
        # night's run; type and message stand in the summary, the way there in the log (--verbose)
        _log.debug("%s: failed unexpectedly", task.path, exc_info=True)
        return failed_row(task.image, f"unexpected {type(error).__name__}: {error}", stage=clock.stage)


@contextmanager
def _disk(task: Task) -> Iterator[None]:
    """Tell a folder that nothing can be written to any more from trouble with one image's files."""
    try:
        yield
    except OSError as error:
        out = task.folder.parent
        if error.errno in NO_DISK or not os.access(out, os.W_OK | os.X_OK):
            raise OutputError(
                f"{out}: cannot be written to: {error}. Make room or name another folder; the same command goes on "
                "from there."
            ) from error
        raise


def begin(
    inputs: Sequence[Path],
    out: Path,
    now: dict[str, Any],
    *,
    force: bool = False,
    edits: Path | None = None,
    shard: Shard | None = None,
) -> tuple[dict[str, Any], list[Task]]:
    """Compare with an earlier run in `out` and read the scripts, then write run.json.

    Parameters
    ----------
    inputs : sequence of Path
    out : Path
    now : dict
        From `describe`.
    force, edits, shard
        See `run`.

    Returns
    -------
    content : dict
        That of run.json.
    tasks : list of Task
        The images to be done, with their scripts.

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
    images = {"inputs": [task.image for task in tasks], "results": [task.folder.name for task in tasks]}
    content = {**now, **images, "folders": folders}
    out.mkdir(parents=True, exist_ok=True)
    if shard is None:
        for name in (RUN, SUMMARY, CASES, INSTANCES, PAGE):
            run_folder.sweep(out, name)
    if shard is None or content != earlier:  # other shards may be reading it
        run_folder.write_json(out / RUN, content)
    return content, [task for task in tasks if shard is None or shard.holds(task.path)]


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
        pairs = {**{f"classifier_{one}": models.classifier(one) for one in CLASSIFIERS}, "separator": models.separator}
        infos = {kind: getattr(model, "info", type(model)) for kind, model in pairs.items() if model is not None}
    else:
        wanted = {f"classifier_{one}": classifier_for(options.classify, one) for one in CLASSIFIERS}
        infos = {kind: find(name, "classifier") for kind, name in wanted.items()}
        if options.segment.method == "axis":
            infos["separator"] = find(options.segment.model, "separator")
    return {
        kind: {"name": info.name, "sha256": info.sha256}
        if isinstance(info, ModelInfo)
        else {"name": getattr(info, "__qualname__", str(info)), "sha256": ""}
        for kind, info in infos.items()
    }


def end(
    tasks: Sequence[Task], out: Path, rows: Sequence[SummaryRow], content: dict[str, Any], case_regex: str | None
) -> None:
    """Write what tells of the run as a whole; `rows` run in parallel to `tasks`, `content` is that of run.json."""
    done = [task for task, row in zip(tasks, rows, strict=True) if row.status == "done"]
    report.write_summary(out / SUMMARY, rows)
    if case_regex is None:
        (out / CASES).unlink(missing_ok=True)
    else:
        write_cases(out / CASES, case_rows(rows))
    seconds = run_folder.write_instances(out / INSTANCES, done, {"description": f"karyofast {__version__} run"})
    report.html(rows, out, {task.image: task.folder.name for task in tasks}, _facts(content))
    edited = [task.folder for task, row in zip(tasks, rows, strict=True) if row.edits]
    edits = {folder.name: run_folder.read_part(folder)["made_from"]["edits"] for folder in edited}
    total = asdict(case_row("", rows))
    del total["case"]
    last = {"case_regex": case_regex, "total": total, "edits": edits, "seconds": seconds}
    run_folder.write_json(out / RUN, {**content, **last})


def _facts(content: dict[str, Any]) -> dict[str, str]:
    """What the page says of the run as a whole."""
    options = content["options"]
    models = {kind: f"{model['name']} {model['sha256'][:12]}".strip() for kind, model in content["models"].items()}
    return {
        "karyofast": content["karyofast"],
        "polarity": options["polarity"],
        "detector": options["detect"]["method"],
        "method": options["segment"]["method"],
        **models,
    }


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Say in words what keeps `out` from being written to."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{out}: cannot be written to: {error}. Name a folder with room that may be.") from error
