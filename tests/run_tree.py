"""What two runs of the same images must have in common: every byte of their folders but the times measured."""

import csv
import io
import re
from pathlib import Path

TIMES = {
    ".json": re.compile(rb'(?<="seconds": )(\{[^}]*\}|[\d.]+)'),
    ".html": re.compile(rb'(?<=<td class="number seconds">)[\d.]*'),
}
"""Where files tell times."""


def tree(folder: Path, times: bool = False) -> dict[str, bytes]:
    """The files of a run by their paths; the times in them are blanked unless asked for."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() if times else _untimed(file) for file in files}


def _untimed(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix in TIMES:
        return TIMES[file.suffix].sub(b"", content)
    if not (file.suffix == ".csv" and file.name.startswith("summary")):
        return content
    head, *rows = csv.reader(io.StringIO(content.decode()))
    at = head.index("seconds")
    return repr([head, *([*row[:at], "", *row[at + 1 :]] for row in rows)]).encode()
