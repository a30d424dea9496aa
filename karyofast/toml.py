"""TOML files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from karyofast.files import write_whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read(path: Path) -> dict[str, Any]:
    """The values of a TOML file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no TOML.
    """
    return tomllib.loads(path.read_text(encoding="utf-8"))


def write(path: Path, values: dict[str, Any]) -> None:
    """Write values as TOML; a file is whole or not there."""
    import tomli_w

    write_whole(path, tomli_w.dumps(values))
