"""Where a run finds scripts of corrections by hand: in a folder of them, or in the results of an earlier run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from karyofast.edit_script import Script, from_trail, read_script
from karyofast.errors import OptionError
from karyofast.report import KARYOTYPE
from karyofast.run_folder import RUN, Task


def with_scripts(tasks: Sequence[Task], out: Path, edits: Path) -> list[Task]:
    """The tasks with their corrections by hand from the folder `edits`.

    That is a folder of scripts, NAME.json for the result folder NAME, or one of an earlier run, whose corrected results
    tell their scripts in karyotype.json.

    Raises
    ------
    OptionError
        No such folder, or `out` itself; a file that is no script, or one that belongs to no image.
    """
    if not edits.is_dir():
        raise OptionError(f"{edits}: must be a folder of scripts NAME.json, or of an earlier run. Got: no folder.")
    if edits.resolve() == out.resolve():
        raise OptionError(f"{edits}: scripts cannot be read from the folder of this run, which they are to replace.")
    names = [task.folder.name for task in tasks]
    if (edits / RUN).is_file():
        trails = {name: trail(edits / name) for name in names if (edits / name / KARYOTYPE).is_file()}
        return [replace(task, scripts=trails.get(task.folder.name, ())) for task in tasks]
    scripts: dict[str, tuple[Script, ...]] = {}
    for path in sorted(edits.glob("*.json")):
        script = read_script(path)
        if path.stem not in names:
            raise OptionError(f"{path}: no image of this run has the result folder {path.stem!r}.")
        if not isinstance(script, Script):
            raise OptionError(f"{path}: must hold the operations of {path.stem} alone. Got: several pictures.")
        scripts[path.stem] = (script,)
    return [replace(task, scripts=scripts.get(task.folder.name, ())) for task in tasks]


def trail(folder: Path) -> tuple[Script, ...]:
    """The scripts that were applied to the result in `folder`; raises `OptionError` where it cannot be read."""
    return from_trail(_karyotype(folder), str(folder / KARYOTYPE))


def masks_of(folder: Path) -> str:
    """`karyofast.edit.fingerprint` of the result in `folder`; raises `OptionError` where it cannot be read."""
    return str(_karyotype(folder).get("masks", ""))


def _karyotype(folder: Path) -> dict[str, Any]:
    path = folder / KARYOTYPE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"{path}: cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise OptionError(f"{path}: is no karyotype.json of karyofast. Got: {str(content)[:40]}.")
    return content
