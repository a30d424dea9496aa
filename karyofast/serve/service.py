"""The service without HTTP: the pool, the jobs, and one picture at a time."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import IO

from karyofast.batch_image import Setup
from karyofast.errors import ImageError, OutputError
from karyofast.io import kind_of
from karyofast.report import KARYOGRAM, KARYOTYPE, OVERLAY, SummaryRow
from karyofast.run_folder import Task
from karyofast.serve.answers import Reading
from karyofast.serve.jobs import Jobs
from karyofast.serve.metrics import Metrics
from karyofast.serve.options import MEBIBYTE, ServeOptions
from karyofast.serve.pool import Pool

NAME = 120
"""Characters of a picture's name that are kept."""

SCRATCH = "scratch"
"""Folder in STATE of the pictures that are at work outside jobs; emptied at each start."""


class KindError(ImageError):
    """A picture of a kind that is not read."""


class Service:
    """All that belongs to one running service.

    Parameters
    ----------
    setup : Setup
        Of the workers.
    options : ServeOptions
    """

    def __init__(self, setup: Setup, options: ServeOptions) -> None:
        self.options = options
        self.metrics = Metrics()
        self.pool = Pool(setup, options, self.metrics.lost.inc)
        self._temporary = None if options.state else TemporaryDirectory(prefix="karyofast-")
        state = options.state or Path(self._temporary.name if self._temporary else "")
        self.jobs = Jobs(state / "jobs", self.pool, self.metrics.image, options.keep_hours * 3600.0)
        self._scratch = state / SCRATCH
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(exist_ok=True)
        self.metrics.waiting.set_function(self.pool.waiting)
        self.metrics.ready.set_function(lambda: self.pool.ready)

    def start(self) -> None:
        """Start the workers; go on with the jobs of an earlier process."""
        self.pool.start()
        self.jobs.resume()

    def close(self) -> None:
        """End the workers and leave the state folder, with the jobs as they are."""
        self.pool.close()
        self.jobs.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        if self._temporary:
            self._temporary.cleanup()

    @contextmanager
    def single(self, source: IO[bytes], name: str | None) -> Iterator[Task]:
        """A picture outside jobs, and the folder of its result; both go at the end."""
        folder = Path(mkdtemp(dir=self._scratch))
        try:
            path = folder / "0.image"
            self.keep(source, path)
            yield Task(path, folder / "0", path.name, plain_name(name))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, source: IO[bytes], path: Path) -> None:
        """Write an upload to a path of our own.

        Raises
        ------
        KindError
            No kind of picture that is read, by its first bytes.
        ImageError
            Too large.
        OutputError
            No room.
        """
        head = source.read(8)
        if kind_of(head) is None:
            raise KindError("image must be a TIFF, PNG, JPEG or BMP. Got: something else, by its first bytes.")
        most, got = int(self.options.max_mib * MEBIBYTE), len(head)
        try:
            with path.open("xb") as file:
                file.write(head)
                while block := source.read(MEBIBYTE):
                    got += len(block)
                    if got > most:
                        raise ImageError(f"image must have {most} bytes or less. Got: more.")
                    file.write(block)
        except OSError as error:
            raise OutputError(f"the picture cannot be kept: {error.strerror}.") from error


def plain_name(name: str | None) -> str:
    """What a client calls its picture: the last part, without control characters; it names no file of ours.

    Examples
    --------
    >>> plain_name("../../etc/cell 7.tif"), plain_name(None)
    ('cell 7.tif', 'image')
    """
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in last if sign.isprintable()).strip()[:NAME] or "image"


def reading(row: SummaryRow, folder: Path, pictures: bool) -> Reading:
    """The answer from an image's folder.

    Raises
    ------
    OSError
        Its files are not there.
    """

    def encoded(name: str) -> str | None:
        return base64.b64encode((folder / name).read_bytes()).decode("ascii") if pictures else None

    return Reading(
        name=row.image,
        iscn=row.iscn,
        count=row.count or 0,
        low_confidence=row.low_confidence or 0,
        quality=row.quality or 0.0,
        seconds=row.seconds or 0.0,
        karyotype=json.loads((folder / KARYOTYPE).read_text(encoding="utf-8")),
        karyogram_png=encoded(KARYOGRAM),
        overlay_png=encoded(OVERLAY),
    )
