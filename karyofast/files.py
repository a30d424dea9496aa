"""Writing files so that a reader, or a rerun after a kill, finds a whole one or none."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from karyofast.errors import OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, to be written to; when all went well it takes the name `path`.

    What was written is on the disk before the name changes, so that a power cut leaves no empty file either.

    Raises
    ------
    OSError
        The folder cannot be written to; an earlier file of that name stays as it was, and nothing is left behind.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.txt']
    """
    with _temporary(path) as temporary:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content`, text as UTF-8, to `path` as `replacing` does; raises its `OSError`."""
    write_together(path.parent, [(path.name, content)])


def write_together(folder: Path, contents: Iterable[tuple[str, bytes | str]]) -> None:
    """Write files of one folder, as (name, content): all are on the disk under temporary names before one is renamed.

    A content is asked for when those before it are on the disk. They are renamed in their order, the last one last.
    Raises the `OSError` of `replacing`; one that comes before the first renaming (a full disk) leaves every earlier
    file as it was.
    """
    with ExitStack() as stack:
        made = []
        for name, content in contents:
            temporary = stack.enter_context(_temporary(folder / name))
            with temporary.open("wb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            made.append((temporary, folder / name))
        for temporary, path in made:
            os.replace(temporary, path)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name for what will be `path`; what is left there at the end is removed."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`, to be filled; when all went well it takes the name `path`.

    Raises
    ------
    OutputError
        `path` holds something already, or cannot be made. Nothing is left behind then, nor after any other error.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with new_folder(Path(folder) / "model") as temporary:
    ...         _ = (temporary / "a.txt").write_text("whole")
    ...     [path.name for path in (Path(folder) / "model").iterdir()]
    ['a.txt']
    """
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise OutputError(f"{path}: must be a new or an empty folder. Got: one that holds something already.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{path}: cannot be made: {error}. Name a folder that may be written to.") from error
        yield temporary
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file of any size, in hexadecimal; raises `OSError` where it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
