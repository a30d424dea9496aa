"""Processes that karyotype for the service: pictures wait in line, one that takes too long costs its process.

A thread beside each process hands it one picture after another, as `karyofast.batch_workers` does for a run. What
belongs to a job waits until no single picture does.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Thread

from karyofast.batch_image import Setup
from karyofast.batch_workers import Bounds, Do, Worker, cores
from karyofast.errors import ImageError, KaryofastError
from karyofast.io import size_of
from karyofast.report import SummaryRow, failed_row
from karyofast.run_folder import Task
from karyofast.serve.options import ServeOptions

RETRY = 5.0
"""Seconds until a worker is started again that could not load its models."""

_log = logging.getLogger(__name__)


class BusyError(KaryofastError, RuntimeError):
    """More pictures wait already than may."""


class TimeLimitError(KaryofastError, TimeoutError):
    """A picture took longer than it may; its worker was ended."""


class LostError(KaryofastError, RuntimeError):
    """A worker died of a picture, or the service was stopped."""


@dataclass(frozen=True)
class Bounded:
    """A `Setup` that refuses pictures of more than `megapixels` before they are decoded."""

    setup: Setup
    megapixels: float

    def load(self, threads: int = 0) -> Do:
        """Load the models; see `Setup.load`."""
        return partial(_bounded, do=self.setup.load(threads), most=self.megapixels)


def _bounded(task: Task, told: Callable[[str], None], do: Do, most: float) -> SummaryRow:
    try:
        height, width = size_of(task.path)
    except ImageError as error:
        return failed_row(task.image, str(error), stage="read")
    if height * width > most * 1e6:
        reason = f"has {width} x {height} pixels, more than the {most:g} million that this service takes."
        return failed_row(task.image, reason, stage="read")
    return do(task, told)


@dataclass
class _Item:
    task: Task
    answer: Future[SummaryRow] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Pool:
    """The processes, and the pictures that wait for them.

    Parameters
    ----------
    setup : Setup
    options : ServeOptions
        How many processes, which share the cores; what one picture may take, and how long or how many may wait.
    lost : callable
        Called when a process had to be ended, or died.

    Attributes
    ----------
    ready : int
        Processes that have their models.
    trouble : str
        Why the last one could not start, "" when it could.
    closed : bool
        It takes no more, and what is lost now was not the picture's fault.
    """

    def __init__(self, setup: Setup, options: ServeOptions, lost: Callable[[], None]) -> None:
        self._setup, self._options, self._lost = Bounded(setup, options.megapixels), options, lost
        self._bounds = Bounds(options.seconds, options.memory)
        self._threads = max(1, cores() // options.workers)
        self._single: deque[_Item] = deque()
        self._batch: deque[_Item] = deque()
        self._change = Condition()
        self._workers: list[Worker] = []
        self._crew = [Thread(target=self._live, daemon=True) for _ in range(options.workers)]
        self.ready, self.trouble, self.closed = 0, "", False

    def start(self) -> None:
        """Start the processes; they load their models meanwhile."""
        for thread in self._crew:
            thread.start()

    def waiting(self) -> int:
        """Pictures that no process has yet."""
        return len(self._single) + len(self._batch)

    def submit(self, task: Task) -> Future[SummaryRow]:
        """Have one picture done next but those that wait already.

        The future gives its row, of status "failed" too, or raises `BusyError` when it has waited too long,
        `TimeLimitError`, `LostError` or `OutputError`.
        """
        return self._add([task], self._single)[0]

    def submit_all(self, tasks: Sequence[Task], bounded: bool = True) -> list[Future[SummaryRow]]:
        """Have the pictures of a job done, when no single one waits.

        Raises
        ------
        BusyError
            With them more than `backlog` would wait, and they are `bounded`; none is taken then.
        """
        with self._change:
            most = self._options.backlog
            if bounded and len(self._batch) + len(tasks) > most:
                raise BusyError(f"{len(self._batch)} pictures of jobs wait, {len(tasks)} more would be above {most}.")
            return self._add(tasks, self._batch)

    def close(self) -> None:
        """End the processes, whatever they are doing; what waits is cancelled."""
        with self._change:
            self.closed = True
            for item in (*self._single, *self._batch):
                item.answer.cancel()
            for worker in self._workers:
                worker.process.kill()
            self._change.notify_all()
        for thread in self._crew:
            if thread.is_alive():
                thread.join()

    def _add(self, tasks: Sequence[Task], line: deque[_Item]) -> list[Future[SummaryRow]]:
        items = [_Item(task) for task in tasks]
        with self._change:
            line.extend(items)
            self._change.notify(len(items))
        return [item.answer for item in items]

    def _live(self) -> None:
        """A thread's life: a process, and one picture after another for it."""
        worker: Worker | None = None
        while not self.closed:
            worker = worker or self._hired()
            item = self._next() if worker else None
            if worker and item and item.answer.set_running_or_notify_cancel() and not self._do(worker, item):
                self._dismiss(worker)
                worker = None
        if worker:
            self._dismiss(worker)

    def _hired(self) -> Worker | None:
        """A process with its models, or after a while None."""
        with self._change:
            if self.closed:
                return None
            worker = Worker(self._setup, self._threads, self._bounds.memory)
            self._workers.append(worker)
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            said = LostError("a worker process ended before it had its models.")
        with self._change:
            self.trouble = str(said) if isinstance(said, KaryofastError) else ""
            if not self.trouble:
                self.ready += 1
                return worker
            self._workers.remove(worker)
            worker.end()
            if not self.closed:
                _log.error("a worker cannot start: %s", self.trouble)
                self._change.wait_for(lambda: self.closed, RETRY)
        return None

    def _dismiss(self, worker: Worker) -> None:
        with self._change:
            self.ready -= 1
            self._workers.remove(worker)
        worker.end()
        if not self.closed:
            self._lost()

    def _next(self) -> _Item | None:
        with self._change:
            self._change.wait_for(lambda: self.closed or self.waiting() > 0)
            if self.closed:
                return None
            while self._single:
                item = self._single.popleft()
                if time.monotonic() < item.since + self._options.queue_seconds:
                    return item
                if item.answer.set_running_or_notify_cancel():
                    item.answer.set_exception(BusyError("The picture waited too long for its turn. Come back."))
            return self._batch.popleft() if self._batch else None

    def _do(self, worker: Worker, item: _Item) -> bool:
        """Have one picture done; whether the process is still good afterwards."""
        worker.give(item.task)
        try:
            said = self._heard(worker)
        except TimeLimitError as error:
            item.answer.set_exception(error)
            return False
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode
            where = f" in the stage {worker.stage}" if worker.stage else ""
            item.answer.set_exception(
                LostError("the service was stopped." if self.closed else f"a worker ended with code {code}{where}.")
            )
            return False
        if isinstance(said, KaryofastError):
            item.answer.set_exception(said)
        else:
            item.answer.set_result(said)
        return True

    def _heard(self, worker: Worker) -> SummaryRow | KaryofastError:
        """The row of its picture, or what kept it from writing one."""
        while True:
            left = worker.left(self._bounds.seconds)
            if not worker.pipe.poll(None if left == math.inf else max(left, 0.0)):
                with suppress(OSError):
                    worker.process.kill()
                raise TimeLimitError(
                    f"took longer than {self._bounds.seconds:g} s, in the stage {worker.stage or 'read'}."
                )
            said: SummaryRow | KaryofastError | str = worker.pipe.recv()
            if not isinstance(said, str):
                return said
            worker.stage = said
