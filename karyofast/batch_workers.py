"""Spread images over processes: each loads the models once and takes one image after another.

A pipe to each worker, rather than a pool: when a worker dies (killed for its memory, a crash in a library) or takes
too long, it is known which image it had, and in which stage. That image fails, a new worker takes the place, the
others go on. While one worker waits for the disk, the others compute.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Thread
from typing import Protocol

from karyofast.errors import KaryofastError, OptionError
from karyofast.report import SummaryRow, failed_row
from karyofast.run_folder import Task
from karyofast.run_parts import clear

Do = Callable[[Task, Callable[[str], None]], SummaryRow]
"""Does one image; is given what to call with the name of each stage that begins."""

LOCAL = "local"
"""The Dask cluster that a run starts for itself, see `karyofast.batch_dask`."""

MEBIBYTE = 2**20

STATM = Path("/proc/self/statm")
"""Where Linux tells how much memory a process has asked for."""


class Loadable(Protocol):
    """What a worker process is given: `load` makes the function that does one image."""

    def load(self, threads: int = 0) -> Do:
        """Load what is needed, for `threads` threads."""
        ...


@dataclass(frozen=True)
class Bounds:
    """What one image may take.

    Attributes
    ----------
    seconds : float or None
        A worker that is longer at an image is ended, and the image fails.
    memory : int or None
        Memory, MiB, that a worker may take beside its models; what asks for more fails. Linux only.
    """

    seconds: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise OptionError(f"`timeout` must be a number of seconds above 0. Got: {self.seconds}.")
        if self.memory is not None and self.memory < 1:
            raise OptionError(f"`memory` must be 1 MiB or more. Got: {self.memory}.")
        if self.memory is not None and not STATM.exists():
            raise OptionError(f"`memory` can be bounded where there is {STATM}. Got: {self.memory}. Leave it out.")


class Worker:
    """A process, the pipe to it, the image that it has and the stage that the image is in.

    What comes out of `pipe`: None when the models are loaded; then for each image the names of its stages and its
    `SummaryRow`; a `KaryofastError` that keeps it from going on.

    Parameters
    ----------
    setup : Loadable
        Crosses to the process.
    threads : int
        Of each library in it.
    memory : int or None
        See `Bounds`.
    """

    def __init__(self, setup: Loadable, threads: int, memory: int | None = None) -> None:
        # spawned, not forked: a fork copies locks that threads of OpenCV and ONNX Runtime may hold
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        level = logging.getLogger().getEffectiveLevel()
        given = (theirs, setup, threads, memory, level)
        self.process: SpawnProcess = context.Process(target=_work, args=given, daemon=True)
        with interrupts_held():
            self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.stage = ""
        self.since = 0.0

    def give(self, task: Task | None) -> None:
        """Hand over an image, or None: no more."""
        self.task, self.stage, self.since = task, "", time.monotonic()
        with suppress(ConnectionError):  # it died: the next look at the pipe says so
            self.pipe.send(task)

    def left(self, seconds: float | None) -> float:
        """Seconds that its image may still take."""
        if seconds is None or self.task is None:
            return math.inf
        return self.since + seconds - time.monotonic()

    def end(self) -> None:
        """End it, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def spread(
    setup: Loadable,
    tasks: Sequence[Task],
    jobs: int,
    tell: Callable[[Task, SummaryRow], None],
    bounds: Bounds = Bounds(),
) -> None:
    """Do `tasks` in `jobs` processes; `tell` is called here with each row as it comes.

    The cores are shared out: OpenCV and ONNX Runtime of each process have as many threads as there are cores
    for each job.

    Raises
    ------
    KaryofastError
        A worker that cannot start, or results that cannot be written.
    """
    crew = _Crew(setup, tasks, jobs, tell, bounds)
    try:
        crew.work()
    finally:
        # only after an error or Ctrl-C is any left; a half-done image has no part and is done again
        for worker in crew.workers:
            worker.end()


class _Crew:
    """The workers and the images that wait for one."""

    def __init__(
        self,
        setup: Loadable,
        tasks: Sequence[Task],
        jobs: int,
        tell: Callable[[Task, SummaryRow], None],
        bounds: Bounds,
    ) -> None:
        self._setup, self._tell, self._bounds = setup, tell, bounds
        self._threads = max(1, cores() // jobs)
        self._waiting = deque(tasks)
        self.workers: list[Worker] = []
        for _ in range(jobs):
            self._hire()

    def work(self) -> None:
        """Until every image has its row."""
        while self.workers:
            for pipe in wait([worker.pipe for worker in self.workers], self._patience()):
                self._hear(next(one for one in self.workers if one.pipe is pipe))
            for worker in [one for one in self.workers if one.left(self._bounds.seconds) <= 0]:
                worker.end()
                self._lose(worker, f"took longer than the {self._bounds.seconds:g} s that `timeout` allows.")

    def _hire(self) -> None:
        self.workers.append(Worker(self._setup, self._threads, self._bounds.memory))

    def _patience(self) -> float | None:
        """Seconds until the first worker is late, None for never."""
        least = min(worker.left(self._bounds.seconds) for worker in self.workers)
        return None if least == math.inf else max(least, 0.0)

    def _hear(self, worker: Worker) -> None:
        """Take what a worker says: that it is ready, the stage or the row of its image, an error that ends all."""
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError) as error:
            worker.process.join()
            how = f"a worker process ended with code {worker.process.exitcode}"
            if worker.task is None:
                raise KaryofastError(
                    f"{how} before its first image. Run with --jobs 1; from a script of your own, call `run` under "
                    '`if __name__ == "__main__":`.'
                ) from error
            self._lose(worker, f"{how} (-9: killed, mostly for its memory); take fewer jobs.")
            return
        if isinstance(said, KaryofastError):
            raise said
        if isinstance(said, str):
            worker.stage = said
            return
        if worker.task is not None:
            self._tell(worker.task, said)
        self._give_next(worker)

    def _give_next(self, worker: Worker) -> None:
        """The next image, or leave to go."""
        if self._waiting:
            worker.give(self._waiting.popleft())
            if self._waiting:
                _fetch(self._waiting[0].path)
        else:
            worker.give(None)
            worker.process.join()
            self.workers.remove(worker)

    def _lose(self, worker: Worker, error: str) -> None:
        """A worker has ended: its image fails, another worker takes its place."""
        self.workers.remove(worker)
        if worker.task is not None:
            spent = time.monotonic() - worker.since
            with suppress(OSError):
                clear(worker.task)
            self._tell(worker.task, failed_row(worker.task.image, error, spent, worker.stage))
        if self._waiting:
            self._hire()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _fetch(path: Path) -> None:
    """Have the system read a picture ahead, while the images before it are worked on."""
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError):
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not make it wait
        try:
            os.posix_fadvise(number, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(number)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold SIGINT back, also in a process that is started meanwhile: it would die of Ctrl-C before it can ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # the first process that is spawned starts it, which lets SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, setup: Loadable, threads: int, memory: int | None, level: int) -> None:
    """A worker's life: load, say so, then one row for each image until None comes."""
    # Ctrl-C reaches every process of the terminal; the parent alone decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow, daemon=True).start()
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    limit_threads(threads)
    try:
        do = setup.load(threads)
    except KaryofastError as error:
        pipe.send(error)
        return
    if memory is not None:
        _limit_memory(memory)
    with suppress(EOFError, OSError):  # the parent has gone
        pipe.send(None)
        while (task := pipe.recv()) is not None:
            try:
                said: SummaryRow | KaryofastError = do(task, pipe.send)
            except KaryofastError as error:
                said = error
            pipe.send(said)


def _follow() -> None:
    """End with the parent, even where that was killed: the run that follows must be alone in its folder."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def limit_threads(threads: int) -> None:
    """Give the libraries that have threads as many as this process may use; ONNX Runtime is told when it loads."""
    import cv2

    cv2.setNumThreads(threads)


def _limit_memory(mebibytes: int) -> None:
    """Refuse this process more memory than it has now and `mebibytes`."""
    import resource

    pages = int(STATM.read_text(encoding="ascii").split()[5])  # data and stack
    most = pages * resource.getpagesize() + mebibytes * MEBIBYTE
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
