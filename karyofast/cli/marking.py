"""What `detect` and `segment` share: regions found in each picture, drawn over it and written as COCO."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import typer

from karyofast.cli.output import SOME_FAILED, complain, each, make_folder, print_json
from karyofast.errors import KaryofastError
from karyofast.types import Metaphase, Region

if TYPE_CHECKING:
    from karyofast.run_folder import Task

R = TypeVar("R", bound=Region)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One call of a verb.

    Attributes
    ----------
    inputs : sequence of str
        Files, folders and globs.
    out : Path
        Folder for the results.
    picture, coco : str
        Name of the drawing in a picture's folder, and of the COCO file.
    noun : str
        What the regions are called.
    """

    inputs: Sequence[str]
    out: Path
    polarity: Literal["auto", "dark", "bright"]
    picture: str
    coco: str
    noun: str
    as_json: bool
    quiet: bool


def mark(job: Job, find: Callable[[Metaphase], Sequence[R]], describe: Callable[[R], dict[str, Any]]) -> None:
    """Find the regions of every picture, write and print them.

    Parameters
    ----------
    job : Job
    find : callable
        The regions of a picture.
    describe : callable
        What the COCO file says of a region besides its mask.

    Raises
    ------
    ImageError
        An input that names nothing.
    typer.Exit
        With `SOME_FAILED` when a picture could not be used; each is named on stderr.
    """
    from karyofast import coco, run_folder
    from karyofast.io import expand_inputs

    tasks = run_folder.tasks(expand_inputs(job.inputs), job.out, {})
    make_folder(job.out)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    report: list[dict[str, Any]] = []
    for task in each(tasks, len(tasks), job.noun, job.quiet):
        path = task.path
        try:
            metaphase, regions = _one(job, task, find)
        except Exception as error:  # as in karyofast.batch: what no one foresaw in one picture must not stop the others
            _log.debug("%s: failed", path, exc_info=True)
            report.append({"image": str(path), job.noun: None, "flags": [], "error": _reason(error)})
            complain(f"karyofast: {_named(path, error)}")
            continue
        height, width = metaphase.shape
        images.append({"id": len(images) + 1, "file_name": path.name, "height": height, "width": width})
        annotations += [
            coco.annotation(len(annotations) + number, len(images), None, region, metaphase.shape, **describe(region))
            for number, region in enumerate(regions, 1)
        ]
        report.append({"image": str(path), job.noun: len(regions), "flags": list(metaphase.flags), "error": None})
    coco.write(job.out / job.coco, coco.document(images, annotations, {"description": f"karyofast {job.noun}"}))
    _print(job, report)


def _one(job: Job, task: Task, find: Callable[[Metaphase], Sequence[R]]) -> tuple[Metaphase, Sequence[R]]:
    from karyofast.io import read_metaphase, write_png
    from karyofast.view_regions import outlines

    metaphase = read_metaphase(task.path, job.polarity)
    regions = find(metaphase)
    task.folder.mkdir(exist_ok=True)
    write_png(task.folder / job.picture, outlines(metaphase, regions))
    return metaphase, regions


def _named(path: Path, error: BaseException) -> str:
    text = _reason(error)
    return text if str(path) in text else f"{path}: {text}"


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, KaryofastError | OSError) else f"unexpected {type(error).__name__}: {error}"


def _print(job: Job, report: Sequence[dict[str, Any]]) -> None:
    failed = sum(line["error"] is not None for line in report)
    if job.as_json:
        print_json({"coco": str(job.out / job.coco), "images": list(report)})
    else:
        for line in report:
            if line["error"] is None:
                flags = f"  ({', '.join(line['flags'])})" if line["flags"] else ""
                typer.echo(f"{line['image']}  {line[job.noun]} {job.noun}{flags}")
        if not job.quiet:
            typer.echo(f"{len(report) - failed} of {len(report)} images done; masks in {job.out / job.coco}")
    if failed:
        raise typer.Exit(SOME_FAILED)
