"""Jobs on the disk: their pictures until they are done, their results until they are fetched or too old.

``STATE/ID/job.json`` is written when every picture of the job has arrived; a folder without it is none. Picture N is
``N.image``, which goes when it is done; its result is the folder ``N`` (as in a run, see `karyofast.run_folder`), its
failure ``N.json``. So a process that is killed loses no finished picture, and the next one goes on with the others.
"""

from __future__ import annotations

import fcntl
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID, uuid4

from karyofast.errors import KaryofastError, OptionError
from karyofast.files import write_whole
from karyofast.report import SummaryRow, failed_row
from karyofast.run_folder import DRAWN, PART, Task
from karyofast.run_parts import clear, read_part
from karyofast.serve.pool import Pool

JOB, LOCK = "job.json", ".lock"

_log = logging.getLogger(__name__)


@dataclass
class Job:
    """One job.

    Attributes
    ----------
    id : UUID
    created : float
        Seconds since 1970.
    names : tuple of str
        Of its pictures, as the client called them; never a path that is opened.
    folder : Path
    rows : list
        One a picture, None where it is not done.
    """

    id: UUID
    created: float
    names: tuple[str, ...]
    folder: Path
    rows: list[SummaryRow | None]

    def task(self, number: int) -> Task:
        """What a worker is given for picture `number`."""
        upload = self.folder / f"{number}.image"
        return Task(upload, self.folder / str(number), upload.name, self.names[number])


class Jobs:
    """The jobs of a state folder, which this process alone may use.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    pool : Pool
    told : callable
        Called with each row.
    keep_seconds : float
        How long a finished job is kept.

    Raises
    ------
    OptionError
        Another process uses the folder, or it cannot be written to.
    """

    def __init__(self, folder: Path, pool: Pool, told: Callable[[SummaryRow], None], keep_seconds: float) -> None:
        self._folder, self._pool, self._told, self._keep = folder, pool, told, keep_seconds
        self._jobs: dict[UUID, Job] = {}
        self._lock = Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._held = (folder / LOCK).open("w")
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._held.close()
            raise OptionError(f"`state` {folder}: another service uses it. Name another folder.") from None
        except OSError as error:
            raise OptionError(f"`state` {folder}: cannot be used: {error}. Name a folder that may be.") from error

    def resume(self) -> None:
        """Take over the jobs that an earlier process left, and go on with them."""
        for folder in sorted(one for one in self._folder.iterdir() if one.is_dir()):
            job = _read(folder)
            if job is None:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            with self._lock:
                self._jobs[job.id] = job
            left = [number for number, row in enumerate(job.rows) if row is None]
            self._await(job, left, self._pool.submit_all([job.task(number) for number in left], bounded=False))

    def close(self) -> None:
        """Leave the folder to another process."""
        self._held.close()

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """A folder for pictures ``0.image``, ``1.image``, ...; it goes where no job was made of it."""
        folder = self._folder / str(uuid4())
        folder.mkdir()
        try:
            yield folder
        finally:
            if not (folder / JOB).exists():
                shutil.rmtree(folder, ignore_errors=True)

    def add(self, folder: Path, names: Sequence[str]) -> Job:
        """Make a job of a draft; when this returns, it outlives the process.

        Raises
        ------
        BusyError
            Too many pictures wait.
        """
        job = Job(UUID(folder.name), time.time(), tuple(names), folder, [None] * len(names))
        answers = self._pool.submit_all([job.task(number) for number in range(len(names))])
        write_whole(folder / JOB, json.dumps({"created": job.created, "names": names}))
        with self._lock:
            self._jobs[job.id] = job
        self._await(job, range(len(names)), answers)
        return job

    def find(self, job: UUID) -> Job | None:
        """A job by its id."""
        with self._lock:
            return self._jobs.get(job)

    def remove(self, job: UUID) -> bool:
        """Forget a job and its results; whether there was one. What of it waits is left out."""
        with self._lock:
            found = self._jobs.pop(job, None)
        if found is None:
            return False
        (found.folder / JOB).unlink(missing_ok=True)  # first: what is left after a kill is no job
        shutil.rmtree(found.folder, ignore_errors=True)
        return True

    def expire(self) -> None:
        """Forget the finished jobs that are older than they are kept."""
        oldest = time.time() - self._keep
        with self._lock:
            old = [job.id for job in self._jobs.values() if job.created < oldest and None not in job.rows]
        for job in old:
            self.remove(job)

    def _await(self, job: Job, numbers: Sequence[int], answers: Sequence[Future[SummaryRow]]) -> None:
        for number, answer in zip(numbers, answers, strict=True):
            answer.add_done_callback(partial(self._done, job, number))

    def _done(self, job: Job, number: int, answer: Future[SummaryRow]) -> None:
        """Keep what came of a picture; called by the thread that had it done."""
        if answer.cancelled() or self._pool.closed:
            return  # the next process goes on with it
        task = job.task(number)
        if self.find(job.id) is None:
            if job.folder.exists() and not (job.folder / JOB).exists():
                shutil.rmtree(job.folder, ignore_errors=True)
            return
        try:
            row = answer.result()
        except KaryofastError as error:
            row = failed_row(task.image, str(error))
        row = told_to_client(row, task)
        try:
            if row.status == "failed":
                clear(task)
                write_whole(job.folder / f"{number}.json", json.dumps(asdict(row)))
            task.path.unlink(missing_ok=True)
        except OSError:  # a full disk: it is done again by the next process
            _log.warning("%s: the result of picture %d cannot be kept.", job.id, number, exc_info=True)
        job.rows[number] = row
        self._told(row)


def told_to_client(row: SummaryRow, task: Task) -> SummaryRow:
    """The row without the path of the upload, which is nobody's business."""
    error = row.error.removeprefix(f"{task.path}: ").replace(str(task.path), task.image)
    return SummaryRow(**{**asdict(row), "error": error})


def _read(folder: Path) -> Job | None:
    """The job of a folder; None where it is none, or not whole."""
    try:
        told: dict[str, Any] = json.loads((folder / JOB).read_text(encoding="utf-8"))
        names = tuple(str(name) for name in told["names"])
        job = Job(UUID(folder.name), float(told["created"]), names, folder, [])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    job.rows = [_row(job.task(number), folder / f"{number}.json") for number in range(len(names))]
    return job


def _row(task: Task, failure: Path) -> SummaryRow | None:
    """What an earlier process made of a picture; None where it must be done."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        row = SummaryRow(**read_part(task.folder)["row"])
        if all((task.folder / name).is_file() for name in (PART, *DRAWN)):
            task.path.unlink(missing_ok=True)
            return row
    with suppress(OSError, ValueError, KeyError, TypeError):
        return SummaryRow(**json.loads(failure.read_text(encoding="utf-8")))
    if not task.path.exists():
        return failed_row(task.image, "its picture is not there any more.", stage="read")
    return None
