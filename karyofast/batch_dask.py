"""Spread images over a Dask cluster: processes of one or many machines that see pictures and OUT by the same paths.

A worker loads the models once and does one image at a time, on as many threads as it was started with. Dask gives the
image of a worker that is lost to another one; an image that has brought several workers down fails alone. The workers
write what belongs to an image, as local processes do; what tells of the whole run is written by the process that calls.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import cast
from uuid import uuid4

from distributed import (
    CancelledError,
    Client,
    Future,
    KilledWorker,
    LocalCluster,
    WorkerPlugin,
    as_completed,
    get_worker,
)
from distributed.worker import Worker

from karyofast.batch_image import Setup
from karyofast.batch_workers import LOCAL, Do, cores, interrupts_held, limit_threads
from karyofast.errors import KaryofastError
from karyofast.run_folder import Task
from karyofast.run_parts import clear
from karyofast.summary import SummaryRow, failed_row

RETRIES = 2
"""Further attempts at an image whose worker cannot write, or has other models: another worker may do better."""

PATIENCE = 60.0
"""Seconds within which there must be a scheduler, and a worker."""


def spread_dask(
    setup: Setup, tasks: Sequence[Task], cluster: str, jobs: int, tell: Callable[[Task, SummaryRow], None]
) -> None:
    """Do `tasks` on a cluster, see `connected`; `tell` is called here with each row as it comes.

    Raises
    ------
    KaryofastError
        No cluster, or one that is lost; workers with another karyofast or other models, or that cannot write.
    """
    name = f"karyofast-{uuid4().hex}"
    waiting = deque(enumerate(tasks))
    given: dict[Future[SummaryRow], Task] = {}
    with connected(cluster, jobs) as client:
        client.register_plugin(_Images(setup), name=name)
        done = as_completed()

        def hand_out() -> None:
            # one image a worker: Dask blames all that a worker has for its end
            while waiting and len(given) < max(1, len(client.nthreads())):
                number, task = waiting.popleft()
                future = client.submit(_do, _anywhere(task), name, key=f"{name}-{number}", retries=RETRIES)
                given[future] = task
                done.add(future)

        try:
            hand_out()
            for future in done:
                task = given.pop(future)
                tell(task, _row(future, task, cluster))
                future.release()  # else it is done again when the worker that had it ends
                hand_out()
        finally:
            with suppress(OSError, TimeoutError, ValueError, KeyError):  # the scheduler may be gone, or its workers
                client.unregister_worker_plugin(name)


@contextmanager
def connected(cluster: str, jobs: int = 1) -> Iterator[Client]:
    """A client of a cluster that has a worker.

    Parameters
    ----------
    cluster : str
        ``local``: started on this machine with `jobs` processes, which share its cores, and ended afterwards. Else the
        address of a scheduler, as tcp://host:8786, or the file that one has written (``dask scheduler --scheduler-file
        FILE``), which is how workers of a batch system (Slurm, PBS) find it.
    jobs : int

    Raises
    ------
    KaryofastError
        No scheduler there, or one without workers.
    """
    # Dask has set its own when it was imported, and tells of every connection
    logging.getLogger("distributed").setLevel(max(logging.getLogger().getEffectiveLevel(), logging.INFO + 1))
    if cluster == LOCAL:
        threads = max(1, cores() // jobs)
        with interrupts_held():  # also in the workers: Ctrl-C is for this process
            own = LocalCluster(n_workers=jobs, threads_per_worker=threads, dashboard_address="127.0.0.1:0")
        with own, Client(own) as client:
            yield client
        return
    where = {"address": cluster} if "://" in cluster else {"scheduler_file": cluster}
    try:
        client = Client(**where, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise KaryofastError(f"{cluster}: no Dask scheduler answers: {error}. Start one: dask scheduler.") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise KaryofastError(f"{cluster}: has no workers. Start some: dask worker ADDRESS --nthreads 1.") from error
        yield client


class _Images(WorkerPlugin):
    """What a worker keeps between the images of a run: the models, loaded with the first one."""

    def __init__(self, given: Setup) -> None:
        self._given = given

    def setup(self, worker: Worker) -> None:
        """Called in the worker."""
        self._threads = worker.state.nthreads
        self._lock = Lock()
        self._do: Do | None = None

    def do(self, task: Task) -> SummaryRow:
        """Do one image; others that the worker has been given wait."""
        with self._lock:
            if self._do is None:
                self._given.check()
                limit_threads(self._threads)
                self._do = self._given.load(self._threads)
            return self._do(task, lambda stage: None)


def _do(task: Task, name: str) -> SummaryRow:
    """What the cluster calls."""
    return cast(_Images, get_worker().plugins[name]).do(task)


def _anywhere(task: Task) -> Task:
    """The task for a process with another working folder."""
    path, folder = (Path(os.path.abspath(one)) for one in (task.path, task.folder))
    return replace(task, path=path, folder=folder, called=task.image)


def _row(future: Future[SummaryRow], task: Task, cluster: str) -> SummaryRow:
    """The row of an image that the cluster is done with, as this process would have written it."""
    try:
        row = future.result()
    except KilledWorker as error:
        with suppress(OSError):
            clear(task)
        return failed_row(task.image, f"{error.allowed_failures + 1} workers ended while they had it.")
    except KaryofastError:
        raise
    except CancelledError as error:
        raise KaryofastError(f"{cluster}: the scheduler is lost; the same command goes on from there.") from error
    except Exception as error:  # whatever a worker without this karyofast, or its libraries, runs into
        raise KaryofastError(
            f"{cluster}: a worker failed: {type(error).__name__}: {error}. Install the same karyofast there as here."
        ) from error
    return replace(row, error=row.error.replace(os.path.abspath(task.path), str(task.path)))
