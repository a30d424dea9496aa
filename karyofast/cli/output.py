"""What the verbs print: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer

T = TypeVar("T")

USAGE = 2
"""Exit code of a call or a file of settings that must be changed; nothing was done."""

SOME_FAILED = 3
"""Exit code of a run that went to its end although some inputs could not be used."""

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""

Advance = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what to show)."""


@contextmanager
def progress(title: str, quiet: bool) -> Iterator[Advance]:
    """A progress bar on stderr; nothing is shown when `quiet`, or where stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, text="")
        yield lambda done, total, text: bar.update(task, completed=done, total=total, text=text)


def each(items: Iterable[T], total: int, title: str, quiet: bool) -> Iterator[T]:
    """`items` one by one, with a progress bar."""
    with progress(title, quiet) as advance:
        for number, item in enumerate(items):
            advance(number, total, str(item) if isinstance(item, str) else "")
            yield item
            advance(number + 1, total, "")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def complain(text: str) -> None:
    """One line on stderr; shown with --quiet too."""
    typer.echo(text, err=True)


def make_folder(path: Path) -> None:
    """Make the folder of results.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    from karyofast.errors import OutputError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made: {error}. Name a folder that may be written to.") from error
