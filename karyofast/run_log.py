"""The log of a run: one JSON object a line, `{"time": ..., "event": ..., ...}`, appended as things happen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from karyofast.errors import OutputError


class RunLog:
    """Where events are written to; nowhere without a file."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def write(self, event: str, **fields: Any) -> None:
        """Append one event; its line is in the file when this returns.

        Raises
        ------
        OSError
            The file cannot be written to.
        """
        if self._file is None:
            return
        line = {"time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "event": event, **fields}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()


@contextmanager
def opened(path: Path | None) -> Iterator[RunLog]:
    """The log at `path`, which goes on where an earlier run left it; what ends the run is its last event.

    Raises
    ------
    OutputError
        The file cannot be opened.
    """
    if path is None:
        yield RunLog()
        return
    try:
        file = path.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written to: {error}. Name another file with --log.") from error
    with file:
        log = RunLog(file)
        try:
            yield log
        except BaseException as error:
            log.write("stopped", reason=f"{type(error).__name__}: {error}".rstrip(": "))
            raise
