"""Scripts of corrections by hand: read and checked before anything is done with them.

A script is JSON. It holds the operations of one picture, or those of several by the name of their result folder::

    {"operations": [
      {"op": "cut", "chromosome": 12, "line": [[310, 118], [331, 140]]},
      {"op": "join", "chromosomes": [3, 17]},
      {"op": "add", "polygon": [[402, 88], [415, 90], [412, 131], [399, 129]]},
      {"op": "drop", "chromosome": 40},
      {"op": "relabel", "chromosome": 46, "to": "21"},
      {"op": "flip", "chromosome": 5}
    ]}

    {"pictures": {"cell-07": {"operations": [...]}, "cell-12": {"operations": [...]}}}

Coordinates are pixels of the picture, x (column) before y (row), the middle of the upper left pixel at (0, 0).
Chromosomes are named by their ``index`` in karyotype.json as it was before the script; what an operation makes (the
parts of a cut from top to bottom, the chromosome of a join, an added one) is numbered on from there: in a cell of 46
the first one made is 46. An operation on a chromosome that another has cut, joined or dropped is refused.

``"masks": "..."`` beside the operations, copied from karyotype.json, ties a script to those very masks: where a later
version finds other ones, it is refused instead of hitting other chromosomes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from karyofast.config import from_dict
from karyofast.errors import OptionError
from karyofast.types import CLASSES

Point = tuple[float, float]
"""(x, y) in px of the picture."""


@dataclass(frozen=True)
class Cut:
    """Part a chromosome along a polyline that runs across it."""

    chromosome: int
    line: tuple[Point, ...]

    def __post_init__(self) -> None:
        _check_points("line", self.line, 2)


@dataclass(frozen=True)
class Join:
    """Make one chromosome of two or more; a gap between ends that face one another is filled."""

    chromosomes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.chromosomes) < 2 or len(set(self.chromosomes)) < len(self.chromosomes):
            raise OptionError(f"chromosomes must be two or more different ones. Got: {list(self.chromosomes)}.")


@dataclass(frozen=True)
class Add:
    """Add the chromosome that a polygon encloses; where it covers another, the pixels belong to both."""

    polygon: tuple[Point, ...]

    def __post_init__(self) -> None:
        _check_points("polygon", self.polygon, 3)


@dataclass(frozen=True)
class Drop:
    """Take out what is no chromosome of this cell."""

    chromosome: int


@dataclass(frozen=True)
class Relabel:
    """Say the class of a chromosome; the others are arranged around it."""

    chromosome: int
    to: str

    def __post_init__(self) -> None:
        if self.to not in CLASSES:
            raise OptionError(f"to must be one of {', '.join(CLASSES)}. Got: {self.to!r}.")


@dataclass(frozen=True)
class Flip:
    """Turn a chromosome upside down in the karyogram."""

    chromosome: int


Operation = Cut | Join | Add | Drop | Relabel | Flip

OPERATIONS: Mapping[str, type[Operation]] = {
    "cut": Cut,
    "join": Join,
    "add": Add,
    "drop": Drop,
    "relabel": Relabel,
    "flip": Flip,
}
"""The operations by their ``op``."""


@dataclass(frozen=True)
class Script:
    """The checked operations of one picture.

    Attributes
    ----------
    operations : tuple of Operation
    sha256 : str
        Of the file that it was read from.
    where : str
        The file, and the picture where it names several: for messages.
    masks : str
        Masks that it was written for (`karyofast.edit.fingerprint`), "" for any.
    """

    operations: tuple[Operation, ...]
    sha256: str
    where: str
    masks: str = ""

    def name(self, number: int) -> str:
        """How messages call the operation `number`, counted from 1."""
        return f"{self.where}: operation {number} ({_op(self.operations[number - 1])})"

    def trail(self, masks: str, version: str) -> dict[str, Any]:
        """What karyotype.json says of the script when it was applied to `masks`."""
        plain = [{"op": _op(one), **asdict(one)} for one in self.operations]
        # as JSON gives it back: lists, no tuples
        operations = json.loads(json.dumps(plain))
        return {"script": self.sha256, "karyofast": version, "masks": masks, "operations": operations}


def read_script(path: Path) -> Script | dict[str, Script]:
    """Read a script: one of a single picture, or those of several by the name of their result.

    Raises
    ------
    OptionError
        A file that cannot be read or is no script; names the file, the number of the operation and the reason.
    """
    try:
        data = path.read_bytes()
        content = json.loads(data.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"{path}: cannot be read as a script of edits: {error}.") from error
    digest = hashlib.sha256(data).hexdigest()
    if isinstance(content, dict) and set(content) == {"pictures"} and isinstance(content["pictures"], dict):
        return {name: _script(one, digest, f"{path}: {name}") for name, one in content["pictures"].items()}
    return _script(content, digest, str(path))


def from_trail(content: Any, where: str) -> tuple[Script, ...]:
    """The scripts that a karyotype.json says were applied, in their order; none for a result that was not edited.

    Raises
    ------
    OptionError
        It says so in no known way.
    """
    entries = content.get("edits") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise OptionError(f"{where}: is no karyotype.json that tells of its edits. Run the picture again.")
    scripts = []
    for one in entries:
        kept = {key: value for key, value in one.items() if key in ("operations", "masks")}
        scripts.append(_script(kept, str(one.get("script", "")), where))
    return tuple(scripts)


def _script(content: Any, digest: str, where: str) -> Script:
    operations = content.get("operations") if isinstance(content, dict) else None
    if not isinstance(operations, list) or not set(content) <= {"operations", "masks"}:
        raise OptionError(
            f'{where}: must be {{"operations": [...]}} with "masks" if wanted, or {{"pictures": {{NAME: ...}}}}. '
            f"Got: {json.dumps(content)[:80]}. `karyofast edit --help` shows one."
        )
    if not operations:
        raise OptionError(f"{where}: operations must not be empty.")
    masks = content.get("masks", "")
    if not isinstance(masks, str):
        raise OptionError(f"{where}: masks must be the text that karyotype.json has there. Got: {masks!r}.")
    checked = tuple(_operation(one, f"{where}: operation {number}") for number, one in enumerate(operations, 1))
    return Script(checked, digest, where, masks)


def _operation(content: Any, where: str) -> Operation:
    op = content.get("op") if isinstance(content, dict) else None
    if not isinstance(op, str) or op not in OPERATIONS:
        raise OptionError(f'{where}: must have an "op" of {", ".join(OPERATIONS)}. Got: {json.dumps(content)[:80]}.')
    values = {key: value for key, value in content.items() if key != "op"}
    return from_dict(OPERATIONS[op], values, f"{where} ({op}): ")


def _op(operation: Operation) -> str:
    return next(name for name, kind in OPERATIONS.items() if isinstance(operation, kind))


def _check_points(name: str, points: tuple[Point, ...], least: int) -> None:
    if len(points) < least or not all(math.isfinite(value) for point in points for value in point):
        raise OptionError(f"{name} must be {least} or more points [x, y]. Got: {[list(one) for one in points]}.")
