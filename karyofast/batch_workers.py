"""Spread images over processes: each loads the models once and takes one image after another.

A pipe to each worker, rather than a pool: when a worker dies (killed for its memory, a crash in a library), it is
known which image it had. That image fails, a new worker takes the place, the others go on.
"""

from __future__ import annotations

import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Protocol

from karyofast.errors import KaryofastError
from karyofast.report import SummaryRow, failed_row
from karyofast.run_folder import Task


class Loadable(Protocol):
    """What a worker process is given: `load` makes the function that does one image."""

    def load(self, threads: int = 0) -> Callable[[Task], SummaryRow]:
        """Load what is needed, for `threads` threads."""
        ...


class _Worker:
    """A process, the pipe to it and the image that it has."""

    def __init__(self, setup: Loadable, threads: int) -> None:
        # spawned, not forked: a fork copies locks that threads of OpenCV and ONNX Runtime may hold
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        level = logging.getLogger().getEffectiveLevel()
        self.process: SpawnProcess = context.Process(target=_work, args=(theirs, setup, threads, level), daemon=True)
        self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.ready = False

    def give(self, task: Task | None) -> None:
        """Hand over an image, or None: no more."""
        self.task = task
        with suppress(BrokenPipeError):  # it died: the next look at the pipe says so
            self.pipe.send(task)


def spread(setup: Loadable, tasks: Sequence[Task], jobs: int, tell: Callable[[Task, SummaryRow], None]) -> None:
    """Do `tasks` in `jobs` processes; `tell` is called here with each row as it comes.

    Raises
    ------
    KaryofastError
        A worker that cannot start.
    """
    threads = max(1, cores() // jobs)
    waiting = deque(tasks)
    workers = [_Worker(setup, threads) for _ in range(jobs)]
    try:
        while workers:
            for pipe in wait([worker.pipe for worker in workers]):
                worker = next(one for one in workers if one.pipe is pipe)
                if not _hear(worker, tell):
                    workers.remove(worker)
                    if waiting:
                        workers.append(_Worker(setup, threads))
                elif waiting:
                    worker.give(waiting.popleft())
                else:
                    worker.give(None)
                    worker.process.join()
                    workers.remove(worker)
    finally:
        # only after an error or Ctrl-C is any left; a half-done image has no part and is done again
        for worker in workers:
            worker.process.terminate()
            worker.process.join()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _hear(worker: _Worker, tell: Callable[[Task, SummaryRow], None]) -> bool:
    """Take what a worker says: that it is ready, or the row of its image. False: it has died."""
    try:
        said = worker.pipe.recv()
    except (EOFError, ConnectionError) as error:
        worker.process.join()
        how = f"a worker process ended with code {worker.process.exitcode}"
        if not worker.ready or worker.task is None:
            raise KaryofastError(
                f"{how} before its first image. Run with --jobs 1; from a script of your own, call `run` under "
                '`if __name__ == "__main__":`.'
            ) from error
        tell(worker.task, failed_row(worker.task.image, f"{how} (-9: killed, mostly for its memory); take fewer jobs."))
        return False
    if isinstance(said, KaryofastError):
        raise said
    if worker.task is not None:
        tell(worker.task, said)
    worker.ready = True
    return True


def _work(pipe: Connection, setup: Loadable, threads: int, level: int) -> None:
    """A worker's life: load, say so, then one row for each image until None comes."""
    import cv2

    # Ctrl-C reaches every process of the terminal; the parent alone decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    cv2.setNumThreads(threads)
    try:
        do = setup.load(threads)
    except KaryofastError as error:
        pipe.send(error)
        return
    pipe.send(None)
    while (task := pipe.recv()) is not None:
        pipe.send(do(task))
