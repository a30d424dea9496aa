"""The human ideogram: where each band of each chromosome is drawn, and how darkly it stains.

The tables in ``karyofast/data`` are the NCBI ideograms at 400, 550 and 850 bands as ideogram.js carries them
(CC0 1.0). Their unit of drawn length is the ISCN unit; only ratios of it mean something. Two faults of the
source are mended as they are read: a hole or an overlap between neighbouring bands is closed by moving the
end of the band before it, and a ``gpos`` band of the 850 table without a density takes that of the band at
the same base pairs in the 550 table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from karyofast.errors import DataError, OptionError
from karyofast.types import CLASSES

Resolution = Literal[400, 550, 850]
Arm = Literal["p", "q"]
Stain = Literal["gneg", "gpos", "gvar", "acen", "stalk"]

_COLUMNS = 8
"""columns of a row up to the stain; the density follows for gpos alone"""
_MIDDLE_DENSITY = 50
"""percent; for a gpos band whose density neither table knows"""


@dataclass(frozen=True)
class Band:
    """One band of one chromosome.

    Attributes
    ----------
    arm : {"p", "q"}
    name : str
        Without chromosome and arm: "36.3" of 1p36.3.
    start, stop : int
        Drawn extent in ISCN units, from the end of the p arm.
    stain : {"gneg", "gpos", "gvar", "acen", "stalk"}
    density : int
        Percent, 25 to 100 for gpos, 0 for the others.
    """

    arm: Arm
    name: str
    start: int
    stop: int
    stain: Stain
    density: int = 0


@dataclass(frozen=True)
class IdeogramChromosome:
    """The bands of one chromosome, from the end of the p arm to the end of the q arm, without holes.

    Attributes
    ----------
    name : str
        "1" to "22", "X" or "Y".
    bands : tuple of Band
    """

    name: str
    bands: tuple[Band, ...]

    @property
    def length(self) -> int:
        """Drawn length in ISCN units."""
        return self.bands[-1].stop

    @property
    def centromere(self) -> int:
        """Position of the centromere in ISCN units from the end of the p arm."""
        return next(band.start for band in self.bands if band.arm == "q")

    @property
    def centromere_index(self) -> float:
        """Length of the p arm over the whole, 0 to 0.5."""
        return self.centromere / self.length

    @property
    def acrocentric(self) -> bool:
        """Whether the p arm is a stalk with a satellite (13, 14, 15, 21, 22)."""
        return any(band.stain == "stalk" for band in self.bands)


def load_ideogram(resolution: Resolution = 550) -> dict[str, IdeogramChromosome]:
    """Read the bundled ideogram.

    Parameters
    ----------
    resolution : {400, 550, 850}
        Bands of a haploid set.

    Returns
    -------
    dict
        The 24 classes in the order of `karyofast.types.CLASSES`.

    Raises
    ------
    OptionError
        No table of this resolution.

    Examples
    --------
    >>> ideogram = load_ideogram(550)
    >>> ideogram["1"].length, round(ideogram["1"].centromere_index, 2)
    (15100, 0.49)
    """
    if resolution not in get_args(Resolution):
        raise OptionError(f"`resolution` must be one of {get_args(Resolution)}. Got: {resolution!r}.")
    return {one.name: one for one in _bundled(resolution)}


@cache  # it comes with the package
def _bundled(resolution: Resolution) -> tuple[IdeogramChromosome, ...]:
    rows = _rows(resolution)
    coarse = _rows(550) if resolution == 850 else []
    return tuple(_chromosome(name, rows, coarse) for name in CLASSES)


def relative_lengths(resolution: Resolution = 550) -> dict[str, float]:
    """Drawn length of each class over that of chromosome 1."""
    ideogram = load_ideogram(resolution)
    return {name: chromosome.length / ideogram["1"].length for name, chromosome in ideogram.items()}


def parse_bands(name: str, rows: list[str]) -> IdeogramChromosome:
    """Make one chromosome of rows like ``"1 p 36.3 0 451 1 7100000 gneg"`` or ``"... gpos 100"``.

    Raises
    ------
    DataError
        A row that does not have the columns, a stain nobody knows, or an arm that is missing; names the row.
    """
    return _chromosome(name, [_split(row) for row in rows], [])


def _rows(resolution: int) -> list[list[str]]:
    text = (files("karyofast") / "data" / f"ideogram-{resolution}.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return [_split(row) for row in table["bands"]]


def _split(row: str) -> list[str]:
    cells = row.split()
    if len(cells) not in (_COLUMNS, _COLUMNS + 1) or cells[1] not in get_args(Arm):
        raise DataError(f"ideogram row must be 'chromosome arm band start stop bp bp stain [density]'. Got: {row!r}.")
    if cells[7] not in get_args(Stain):
        raise DataError(f"ideogram row must have a stain of {get_args(Stain)}. Got: {row!r}.")
    return cells


def _chromosome(name: str, rows: list[list[str]], coarse: list[list[str]]) -> IdeogramChromosome:
    own = sorted((row for row in rows if row[0] == name), key=lambda row: (row[1], int(row[3])))
    if {row[1] for row in own} != {"p", "q"}:
        raise DataError(f"ideogram of {name} must have bands of both arms. Got: {len(own)} rows.")
    bands: list[Band] = []
    for i, row in enumerate(own):
        start = bands[-1].stop if bands else 0
        stop = int(own[i + 1][3]) if i + 1 < len(own) else int(row[4])
        if stop <= start:
            raise DataError(f"ideogram bands of {name} must follow one another. Got: {' '.join(row)!r}.")
        bands.append(Band(row[1], row[2], start, stop, row[7], _density(row, coarse)))  # type: ignore[arg-type]
    return IdeogramChromosome(name, tuple(bands))


def _density(row: list[str], coarse: list[list[str]]) -> int:
    if row[7] != "gpos":
        return 0
    if len(row) > _COLUMNS:
        return int(row[_COLUMNS])
    middle = (int(row[5]) + int(row[6])) // 2
    for other in coarse:
        if other[0] == row[0] and int(other[5]) <= middle <= int(other[6]) and len(other) > _COLUMNS:
            return int(other[_COLUMNS])
    return _MIDDLE_DENSITY
