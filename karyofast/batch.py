"""Karyotype many images into a folder: resumable, one bad image never stops the others; a full disk does.

What lies where, and when an image counts as done, is told in `karyofast.run_folder`; how one is done in
`karyofast.batch_image`; how they are spread over processes in `karyofast.batch_workers`, over a cluster in
`karyofast.batch_dask`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karyofast import __version__, report, run_folder, run_parts, run_scripts
from karyofast.batch_facts import describe, models_of
from karyofast.batch_image import Analyse, Setup, examine, in_turn
from karyofast.batch_workers import LOCAL, Bounds, spread
from karyofast.config import Options
from karyofast.errors import NotBuiltError, OptionError, OutputError
from karyofast.pipeline import Models
from karyofast.report import CASES, PAGE, SUMMARY, SummaryRow
from karyofast.run_folder import INSTANCES, RUN, Shard, Task
from karyofast.run_log import opened
from karyofast.summary import case_of, case_pattern, case_row, case_rows, write_cases

if TYPE_CHECKING:
    from karyofast.batch_store import Store

OF_ALL = (RUN, SUMMARY, CASES, INSTANCES, PAGE)
"""Files that tell of the run as a whole."""


def run(
    inputs: Sequence[Path | str],
    out: Path,
    options: Options = Options(),  # noqa: B008 (frozen)
    *,
    models: Models | None = None,
    jobs: int = 1,
    force: bool = False,
    edits: Path | None = None,
    shard: Shard | None = None,
    bounds: Bounds = Bounds(),  # noqa: B008 (frozen)
    dask: str | None = None,
    case_regex: str | None = None,
    log: Path | None = None,
    analyse: Analyse | None = None,
    store: Store | None = None,
    progress: Callable[[SummaryRow], None] | None = None,
) -> list[SummaryRow]:
    """Karyotype images into `out`; a rerun does only what is missing, changed or failed.

    What was corrected by hand in `out` (`karyofast.batch_edit`) stays so, unless its picture or script has changed.

    Parameters
    ----------
    inputs : sequence of Path or str
        Picture files, or their URLs; see `karyofast.remote.expand`.
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
    dask : str, optional
        Cluster that does the images, see `karyofast.batch_dask.connected`; `jobs` are the workers of ``local``.
    case_regex : str, optional
        Finds the case of an image in its path, see `karyofast.summary.case_of`; the cases are written to
        ``cases.csv``.
    log : Path, optional
        File to which events are appended as JSON, one a line, see `karyofast.run_log`.
    analyse : callable, optional
        Stands in for `karyofast.pipeline.karyotype`; with several jobs it must be picklable.
    store : Store, optional
        The folder at a URL that `out`, an empty one, mirrors; see `karyofast.batch_store.run`.
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
        jobs, with bounds or with `dask`; `dask` with bounds, with jobs of a cluster that is there already, or of
        no such form;
        `case_regex` is no regular expression; a script in `edits` that is none, or belongs to no image. Nothing is
        written then.
    OutputError
        `out` cannot be written to, or not any more; the same call goes on from there.
    ModelError
        A model that cannot be used.
    NotBuiltError
        `dask` without Dask.
    KaryofastError
        No cluster, or one that is lost; the same call goes on from there.
    """
    _check_processes(models, jobs, bounds, dask)
    pattern = None if case_regex is None else case_pattern(case_regex)
    now = describe(options, {} if analyse else models_of(options, models))
    with writing(out):
        content, tasks = begin(inputs, out, now, force=force, edits=edits, shard=shard, store=store)
    setup = Setup(options, run_folder.fingerprint(now), analyse, store)
    rows: dict[Task, SummaryRow] = {}

    def tell(task: Task, row: SummaryRow) -> None:
        rows[task] = row if pattern is None else replace(row, case=case_of(task.image, pattern))
        if progress:
            progress(rows[task])

    with opened(log) as events:
        events.write(
            "start",
            folder=store.url if store else str(out),
            images=len(tasks),
            jobs=jobs,
            shard=shard and str(shard),
            **now,
        )
        for task in tasks:
            earlier = None if force else run_parts.finished(task, setup.settings)
            if earlier is not None:
                tell(task, earlier)
        events.write("resumed", images=len(rows))

        def new(task: Task, row: SummaryRow) -> None:
            if store:
                store.take(task)
            tell(task, row)
            events.write("image", **asdict(rows[task]))

        pending = [task for task in tasks if task not in rows]
        if pending and dask:
            from karyofast.batch_dask import spread_dask

            spread_dask(setup, pending, dask, jobs, new)
        elif pending and (bounds != Bounds() or min(jobs, len(pending)) > 1):
            spread(setup, pending, min(jobs, len(pending)), new, bounds)
        elif pending:
            in_turn(pending, partial(examine, told=lambda stage: None, **setup.parts(models=models)), new)
        ordered = [rows[task] for task in tasks]
        made = (f"summary-{shard}.csv",) if shard else OF_ALL
        with writing(out):
            if shard:
                report.write_summary(out / made[0], ordered)
            else:
                end(tasks, out, ordered, content, case_regex)
        if store:
            store.publish(out, made)
        events.write("end", images=len(pending), failed=sum(row.status == "failed" for row in ordered))
    return ordered


def _check_processes(models: Models | None, jobs: int, bounds: Bounds, dask: str | None) -> None:
    if jobs < 1:
        raise OptionError(f"`jobs` must be 1 or more. Got: {jobs}.")
    if models is not None and (jobs > 1 or bounds != Bounds() or dask):
        raise OptionError(
            "`models` cannot be handed to other processes. Leave `models` out, or `jobs`, `bounds` and `dask`."
        )
    if dask and bounds != Bounds():
        raise OptionError("`timeout` and `memory` bound processes of this machine. Leave them out, or `dask`.")
    if dask and dask != LOCAL and jobs > 1:
        raise OptionError(f"`jobs` are the workers of `dask` 'local'. Got: {jobs} with {dask!r}, which has its own.")
    if dask and dask != LOCAL and "://" not in dask and not Path(dask).is_file():
        raise OptionError(
            f"`dask` must be 'local', an address as tcp://host:8786, or the file of a scheduler. Got: {dask!r}."
        )
    if dask and find_spec("distributed") is None:
        raise NotBuiltError("`dask` needs Dask. Install it: pip install 'karyofast[dask]'.")


def begin(
    inputs: Sequence[Path | str],
    out: Path,
    now: dict[str, Any],
    *,
    force: bool = False,
    edits: Path | None = None,
    shard: Shard | None = None,
    store: Store | None = None,
) -> tuple[dict[str, Any], list[Task]]:
    """Compare with an earlier run in `out` and read the scripts, then write run.json.

    Parameters
    ----------
    inputs : sequence of Path or str
    out : Path
    now : dict
        From `describe`.
    force, edits, shard, store
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
    if store:
        store.fetch(out)
    try:
        earlier = run_folder.read_run(out)
    except OptionError:
        if not force:
            raise
        earlier = None
    if earlier is not None and not force:
        run_folder.check_same(out, earlier, now)
    folders = dict(earlier["folders"]) if earlier else {}
    tasks = run_folder.tasks(inputs, out, folders, store.url if store else "")
    if edits is not None:
        tasks = run_scripts.with_scripts(tasks, out, edits)
    folders.update({task.source: task.folder.name for task in tasks})
    images = {"inputs": [task.image for task in tasks], "results": [task.folder.name for task in tasks]}
    content = {**now, **images, "folders": folders}
    out.mkdir(parents=True, exist_ok=True)
    if shard is None:
        for name in OF_ALL:
            run_folder.sweep(out, name)
    if shard is None or content != earlier:  # other shards may be reading it
        run_folder.write_json(out / RUN, content)
        if store:
            store.publish(out, [RUN])
    return content, [task for task in tasks if shard is None or shard.holds(task.path)]


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
    seconds = run_parts.write_instances(out / INSTANCES, done, {"description": f"karyofast {__version__} run"})
    report.html(rows, out, {task.image: task.folder.name for task in tasks}, _facts(content))
    edited = [task.folder for task, row in zip(tasks, rows, strict=True) if row.edits]
    edits = {folder.name: run_parts.read_part(folder)["made_from"]["edits"] for folder in edited}
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
