"""The table of a run: one row an image, `summary.csv`; and how far the images of each case came, `cases.csv`."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from karyofast import consensus
from karyofast.errors import DataError, OptionError
from karyofast.files import write_whole
from karyofast.types import Karyotype

Status = Literal["done", "failed"]

Reached = Literal["", "counted", "analysed", "karyotyped"]
"""How far an image came, each step taken after the one before it: chromosomes were found and *counted*; each of them
was given a class, *analysed*; and none is doubted, so that the karyogram may stand: *karyotyped*."""

WHOLE_NUMBERS = ("count", "clusters", "low_confidence", "edits")
"""Columns of whole numbers."""


@dataclass(frozen=True)
class SummaryRow:
    """One image in `summary.csv`; the fields are its columns.

    Attributes
    ----------
    image : str
        As it was given to the run.
    status : {"done", "failed"}
    count : int or None
        Separated chromosomes; None where the image failed.
    iscn : str
        Draft, "" where nothing was placed.
    clusters : int or None
        Candidates that were taken apart, or that look as if they should have been.
    low_confidence : int or None
        Chromosomes that want a look, unplaced ones among them.
    seconds : float or None
    error : str
        "" unless it failed.
    stage : str
        The stage in which it failed (read, detect, ..., write), else "".
    reached : {"", "counted", "analysed", "karyotyped"}
        How far it came, see `Reached`.
    case : str
        The case that it belongs to, "" where none was asked for.
    edits : int or None
        Corrections by hand.
    quality : float or None
        0..1, how well the picture can be karyotyped (`karyofast.quality`).
    """

    image: str
    status: Status
    count: int | None = None
    iscn: str = ""
    clusters: int | None = None
    low_confidence: int | None = None
    seconds: float | None = None
    error: str = ""
    stage: str = ""
    reached: Reached = ""
    case: str = ""
    edits: int | None = None
    quality: float | None = None


@dataclass(frozen=True)
class CaseRow:
    """One case in `cases.csv`; the fields are its columns.

    Attributes
    ----------
    case : str
    images, failed : int
    counted, analysed, karyotyped : int
        Images that came as far, see `Reached`; a karyotyped one is counted in all three.
    iscn : str
        Draft ISCN of the karyotyped images with their number, the most frequent first.
    clones : str
        What they say together, see `karyofast.consensus`.
    """

    case: str
    images: int
    failed: int
    counted: int
    analysed: int
    karyotyped: int
    iscn: str
    clones: str


def summary_row(karyotype: Karyotype, image: str, seconds: float | None = None) -> SummaryRow:
    """The row of an image that was karyotyped; `seconds` are the stages' own when not given."""
    total = sum(karyotype.seconds.values()) if seconds is None else seconds
    return SummaryRow(
        image=image,
        status="done",
        count=karyotype.count,
        iscn=karyotype.iscn,
        clusters=clusters(karyotype),
        low_confidence=len(karyotype.arrangement.low_confidence),
        edits=sum(len(one["operations"]) for one in karyotype.edits),
        quality=round(karyotype.quality.total, 3),
        seconds=round(total, 3),
        reached=reached(karyotype),
    )


def failed_row(image: str, error: str, seconds: float | None = None, stage: str = "") -> SummaryRow:
    """The row of an image that failed in `stage`; `error` is put on one line."""
    spent = None if seconds is None else round(seconds, 3)
    return SummaryRow(image, "failed", seconds=spent, error=" ".join(error.split()), stage=stage)


def reached(karyotype: Karyotype) -> Reached:
    """How far an image came; one with a chromosome that looks unseparated is not yet karyotyped."""
    arrangement = karyotype.arrangement
    if not karyotype.count:
        return ""
    if any(index < 0 for index in arrangement.assigned):
        return "counted"
    doubted = arrangement.low_confidence or any("cluster" in one.flags for one in karyotype.chromosomes)
    return "analysed" if doubted else "karyotyped"


def case_pattern(text: str) -> re.Pattern[str]:
    """The regular expression that finds the case in an image's path.

    Raises
    ------
    OptionError
        It is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise OptionError(f"`case_regex` must be a regular expression. Got: {text!r}: {error}.") from error


def case_of(image: str, pattern: re.Pattern[str]) -> str:
    """The case of an image: the first group of the pattern, or all that it matches; "" where it does not match.

    Examples
    --------
    >>> case_of("slides/C17_003.tif", case_pattern(r"([^/]+)_[^/]*$"))
    'C17'
    """
    found = pattern.search(image)
    return "" if found is None else (found.group(1) if pattern.groups else found.group()) or ""


def case_rows(rows: Sequence[SummaryRow]) -> list[CaseRow]:
    """The cases of `rows` in the order of their names; images of no case come under ""."""
    groups: dict[str, list[SummaryRow]] = {}
    for row in rows:
        groups.setdefault(row.case, []).append(row)
    return [case_row(name, groups[name]) for name in sorted(groups)]


def case_row(case: str, rows: Sequence[SummaryRow]) -> CaseRow:
    """How far `rows` came together.

    Examples
    --------
    >>> one = SummaryRow("a.tif", "done", 46, "46,XX", reached="karyotyped")
    >>> case_row("C17", [one, one, SummaryRow("b.tif", "done", 45, "45,X", reached="counted")])
    CaseRow(case='C17', images=3, failed=0, counted=3, analysed=2, karyotyped=2, iscn='46,XX (2)', clones='46,XX[2]')
    """
    steps = get_args(Reached)
    came = Counter(step for row in rows for step in steps[1 : 1 + steps.index(row.reached)])
    found = Counter(row.iscn for row in rows if row.reached == "karyotyped")
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return CaseRow(
        case,
        len(rows),
        sum(row.status == "failed" for row in rows),
        came["counted"],
        came["analysed"],
        came["karyotyped"],
        "; ".join(f"{iscn} ({number})" for iscn, number in ordered),
        consensus.text(consensus.clones(list(found.elements()))),
    )


def clusters(karyotype: Karyotype) -> int:
    """Number of candidates that gave more than one chromosome, or one that looks unseparated."""
    parents = [one.candidate for one in karyotype.chromosomes if one.candidate >= 0]
    several = {parent for parent in parents if parents.count(parent) > 1}
    return len(several | {one.candidate for one in karyotype.chromosomes if "cluster" in one.flags})


def summary_csv(rows: Iterable[SummaryRow]) -> str:
    """The text of `summary.csv`: a header and a line for each row.

    Examples
    --------
    >>> print(summary_csv([SummaryRow("a.tif", "failed", error="not an image", stage="read")]))
    image,status,count,iscn,clusters,low_confidence,seconds,error,stage,reached,case,edits,quality
    a.tif,failed,,,,,,not an image,read,,,,
    <BLANKLINE>
    """
    return _csv(SummaryRow, rows)


def write_summary(path: Path, rows: Iterable[SummaryRow]) -> None:
    """Write `summary.csv` to `path` in one piece."""
    write_whole(path, summary_csv(rows))


def write_cases(path: Path, rows: Iterable[CaseRow]) -> None:
    """Write `cases.csv` to `path` in one piece."""
    write_whole(path, _csv(CaseRow, rows))


def _csv(kind: type[SummaryRow] | type[CaseRow], rows: Iterable[Any]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def read_summary(path: Path) -> list[SummaryRow]:
    """Read a `summary.csv` back.

    Raises
    ------
    DataError
        Other columns, or a cell that is not of its column's kind; names the file and the row.
    """
    names = [field.name for field in fields(SummaryRow)]
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}.") from error
    if not lines or lines[0] != names:
        raise DataError(f"{path}: must have the columns {','.join(names)}. Got: {','.join(lines[0] if lines else [])}.")
    return [_row(dict(zip(names, line, strict=False)), f"{path}, row {k}") for k, line in enumerate(lines[1:], 2)]


def _row(cells: Mapping[str, str], where: str) -> SummaryRow:
    whole = len(cells) == len(fields(SummaryRow))
    if not whole or cells["status"] not in get_args(Status) or cells["reached"] not in get_args(Reached):
        raise DataError(f"{where}: must have a status of {get_args(Status)} and all columns. Got: {dict(cells)}.")
    try:
        numbers = {name: int(cells[name]) if cells[name] else None for name in WHOLE_NUMBERS}
        quality, seconds = (float(cells[name]) if cells[name] else None for name in ("quality", "seconds"))
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error
    return SummaryRow(
        image=cells["image"],
        status=cells["status"],  # type: ignore[arg-type]
        iscn=cells["iscn"],
        quality=quality,
        seconds=seconds,
        error=cells["error"],
        stage=cells["stage"],
        reached=cells["reached"],  # type: ignore[arg-type]
        case=cells["case"],
        **numbers,
    )
