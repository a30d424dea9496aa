"""Writing files so that a reader, or a rerun after a kill, finds a whole one or none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path


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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content`, text as UTF-8, to `path` as `replacing` does; raises its `OSError`."""
    write_together(path.parent, {path.name: content})


def write_together(folder: Path, contents: Mapping[str, bytes | str]) -> None:
    """Write files of one folder, named by the keys: all lie there under temporary names before the first is renamed.

    They are renamed in their order, the last one last. Raises the `OSError` of `replacing`; one that comes before the
    first renaming (a full disk) leaves every earlier file as it was.
    """
    with ExitStack() as stack:
        for name, content in reversed(list(contents.items())):
            temporary = stack.enter_context(replacing(folder / name))
            temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
