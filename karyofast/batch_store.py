"""OUT at a URL: the folder of an image is made in a temporary one and sent when it is whole, its part last.

A mirror of OUT on this machine holds what a rerun and the tables need; drawings stand in it as empty files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from karyofast import batch, remote, run_folder, run_parts
from karyofast.config import Options
from karyofast.errors import KaryofastError, OptionError, OutputError
from karyofast.report import KARYOTYPE, PREVIEW, SummaryRow
from karyofast.run_folder import DRAWN, PART, RUN, Task

MIRRORED = (KARYOTYPE, PREVIEW, PART)
"""Files of an image that the mirror holds: the tables and the page are made of them."""


def run(inputs: Sequence[Path | str], url: str, options: Options, **given: Any) -> list[SummaryRow]:
    """Karyotype images into a folder at a URL, as `karyofast.batch.run` does it here, whose `given` and errors it has.

    A rerun there does only what is missing, changed or failed. Corrections by hand are made in a copy.
    """
    with TemporaryDirectory(prefix="karyofast-") as mirror:
        try:
            return batch.run(inputs, Path(mirror), options, store=Store(url.rstrip("/")), **given)
        except KaryofastError as error:
            raise type(error)(str(error).replace(mirror, url)) from error


@dataclass(frozen=True)
class Store:
    """The folder OUT at `url`; crosses to worker processes.

    Its methods raise `OutputError` where the URL cannot be read or written to.
    """

    url: str

    def fetch(self, mirror: Path) -> None:
        """Bring what an earlier run left there to `mirror`."""
        files, root = remote.at(self.url)
        with remote.told(OutputError, self.url, "read"):
            there = set(files.find(root))
            if f"{root}/{RUN}" not in there:
                return
            files.get_file(f"{root}/{RUN}", str(mirror / RUN))
        try:
            earlier = run_folder.read_run(mirror) or {"folders": {}}
        except OptionError:
            return  # told, or overruled by `force`, when it is read again
        self._bring([mirror / name for name in earlier["folders"].values()], there)

    def take(self, task: Task) -> None:
        """Bring the result of an image, or that it has none any more, to the mirror."""
        run_parts.clear(task)
        files, root = remote.at(self.url)
        with remote.told(OutputError, self.url, "read"):
            self._bring([task.folder], set(files.find(f"{root}/{task.folder.name}")))

    def _bring(self, folders: Iterable[Path], there: set[str]) -> None:
        files, root = remote.at(self.url)
        pairs = []
        for folder in folders:
            present = [name for name in (*DRAWN, PART) if f"{root}/{folder.name}/{name}" in there]
            if PART not in present:
                continue
            folder.mkdir(exist_ok=True)
            for name in present:
                (folder / name).touch()
            pairs += [(f"{root}/{folder.name}/{name}", str(folder / name)) for name in present if name in MIRRORED]
        if pairs:
            with remote.told(OutputError, self.url, "read"):
                files.get([source for source, _ in pairs], [target for _, target in pairs])

    @contextmanager
    def place(self, task: Task) -> Iterator[Task]:
        """The task with a temporary folder, for earlier results are removed; what is in it at the end is sent."""
        files, root = remote.at(self.url)
        there = f"{root}/{task.folder.name}"
        with remote.told(OutputError, self.url, "written to"):
            present = set(files.find(there))
            for name in (PART, *DRAWN):
                if f"{there}/{name}" in present:
                    files.rm_file(f"{there}/{name}")
        with TemporaryDirectory(prefix="karyofast-") as folder:
            here = Path(folder) / task.folder.name
            yield replace(task, folder=here)
            with remote.told(OutputError, self.url, "written to"):
                for name in (*DRAWN, PART):
                    files.put_file(str(here / name), f"{there}/{name}")

    def publish(self, mirror: Path, names: Iterable[str]) -> None:
        """Send files of the run as a whole; one that the mirror does not have is removed there."""
        files, root = remote.at(self.url)
        with remote.told(OutputError, self.url, "written to"):
            for name in names:
                if (mirror / name).exists():
                    files.put_file(str(mirror / name), f"{root}/{name}")
                elif files.exists(f"{root}/{name}"):
                    files.rm_file(f"{root}/{name}")
