"""One image of a run: read, analysed, corrected, written; every error of it becomes a row."""

from __future__ import annotations

import errno
import logging
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from karyofast import __version__, batch_facts, pipeline, remote, run_folder, run_parts
from karyofast.batch_workers import Do
from karyofast.clock import Clock
from karyofast.config import Options
from karyofast.errors import ImageError, KaryofastError, ModelError, OutputError
from karyofast.io import read_metaphase
from karyofast.pipeline import Models
from karyofast.report import SummaryRow
from karyofast.run_folder import Task
from karyofast.summary import failed_row
from karyofast.types import Karyotype, Metaphase, Polarity

if TYPE_CHECKING:
    from karyofast.batch_store import Store

T = TypeVar("T")

Analyse = Callable[[Metaphase], Karyotype]

Write = Callable[[], SummaryRow]
"""Draws and writes an image that was looked at; gives its row."""

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
    store : Store or None
        Where the results go, when OUT lies at a URL.
    """

    options: Options
    settings: str
    analyse: Analyse | None = None
    store: Store | None = None

    def check(self) -> None:
        """Raise `ModelError` where this process would not make the results of the run that it is for."""
        here = batch_facts.describe(self.options, {} if self.analyse else batch_facts.models_of(self.options))
        if run_folder.fingerprint(here) != self.settings:
            raise ModelError(
                f"{platform.node()}: has another karyofast or other models than the run. Got: {__version__}, "
                f"{here['models']}. Install the same."
            )

    def load(self, threads: int = 0, models: Models | None = None) -> Do:
        """Load the models, on `threads` threads each (0: one a core); returns what does one image."""
        return partial(attempt, **self.parts(threads, models))

    def parts(self, threads: int = 0, models: Models | None = None) -> dict[str, Any]:
        """What `attempt` and `examine` are given besides the image; the models are loaded where none are given."""
        analyse: Callable[..., Karyotype]
        if self.analyse:
            analyse = partial(_stand_in, analyse=self.analyse)
        else:
            models = models or pipeline.load_models(self.options, threads)
            analyse = partial(pipeline.karyotype, options=self.options, models=models)
        revise = partial(pipeline.revise, options=self.options, models=models)
        return {"setup": self, "analyse": analyse, "revise": revise}


def setup_of(options: Options) -> Setup:
    """What a process needs to do images with `options`; raises the `ModelError` of a model that is not there."""
    return Setup(options, run_folder.fingerprint(batch_facts.describe(options, batch_facts.models_of(options))))


def _stand_in(metaphase: Metaphase, clock: Clock, analyse: Analyse) -> Karyotype:
    clock.begin("analyse")
    return analyse(metaphase)


def attempt(
    task: Task,
    told: Callable[[str], None],
    setup: Setup,
    analyse: Callable[..., Karyotype],
    revise: Callable[..., Karyotype],
) -> SummaryRow:
    """Do one image: read, analyse, correct, draw, write. Every error becomes a row "failed" with its stage and reason.

    Raises
    ------
    OutputError
        Nothing can be written any more: the images that follow would fail too.
    """
    return examine(task, told, setup, analyse, revise)()


def examine(
    task: Task,
    told: Callable[[str], None],
    setup: Setup,
    analyse: Callable[..., Karyotype],
    revise: Callable[..., Karyotype],
) -> Write:
    """The first half of `attempt`: read, analyse and correct one image; returns what draws and writes it, once."""
    clock = Clock(told)
    clock.begin("read")

    def look() -> Write:
        made_from = run_parts.source_of(task, setup.settings)
        with ExitStack() as stack:
            placed = stack.enter_context(setup.store.place(task)) if setup.store else task
            with _disk(placed):
                run_parts.clear(placed)
            karyotype = analyse(read_picture(placed, setup.options.polarity), clock=clock)
            for script in task.scripts:
                karyotype = revise(karyotype, script, clock=clock)
            kept = stack.pop_all()

        def write() -> SummaryRow:
            with kept, _disk(placed):
                return run_parts.write_result(placed, karyotype, made_from, setup.options.arrange, clock)

        return partial(_or_failed, task, clock, write)

    found = _or_failed(task, clock, look)
    return partial(_itself, found) if isinstance(found, SummaryRow) else found


def _itself(row: SummaryRow) -> SummaryRow:
    return row


def _or_failed(task: Task, clock: Clock, act: Callable[[], T]) -> T | SummaryRow:
    """What `act` gives, or the row of the error that it ends with."""
    try:
        return act()
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


def in_turn(tasks: Sequence[Task], look: Callable[[Task], Write], tell: Callable[[Task, SummaryRow], None]) -> None:
    """Do images in this process: one is drawn and written by a thread while the next is looked at.

    One waits at most, so that the memory of two images is taken; rows are told in order, each when the next image has
    been looked at. What drawing, compressing and the disk take is hidden where there is a second core.

    Parameters
    ----------
    tasks : sequence of Task
    look : callable
        `examine` of a task.
    tell : callable
        Called with each row, by this thread.

    Raises
    ------
    OutputError
        Nothing can be written any more.
    """
    with ThreadPoolExecutor(1, "writer") as writer:
        before: tuple[Task, Future[SummaryRow]] | None = None
        for task in tasks:
            try:
                write = look(task)
            finally:  # Ctrl-C, too, comes after the row of what is written
                if before:
                    tell(before[0], before[1].result())
            before = task, writer.submit(write)
        if before:
            tell(before[0], before[1].result())


def read_picture(task: Task, polarity: Literal["auto"] | Polarity) -> Metaphase:
    """The picture of a task; raises the `ImageError` of `karyofast.io.read_metaphase`."""
    if not task.remote:
        metaphase = read_metaphase(task.path, polarity)
        return replace(metaphase, name=Path(task.called).stem) if task.called else metaphase
    with remote.fetched(task.source) as copy:
        try:
            return read_metaphase(copy, polarity)
        except ImageError as error:
            raise ImageError(str(error).replace(str(copy), task.source)) from error


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
