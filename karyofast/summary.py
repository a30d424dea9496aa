"""The table of a run: one row an image, `summary.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from karyofast.errors import DataError
from karyofast.files import write_whole
from karyofast.types import Karyotype

Status = Literal["done", "failed"]

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
    edits: int | None = None
    quality: float | None = None


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
    )


def failed_row(image: str, error: str, seconds: float | None = None) -> SummaryRow:
    """The row of an image that failed; `error` is put on one line."""
    spent = None if seconds is None else round(seconds, 3)
    return SummaryRow(image, "failed", seconds=spent, error=" ".join(error.split()))


def clusters(karyotype: Karyotype) -> int:
    """Number of candidates that gave more than one chromosome, or one that looks unseparated."""
    parents = [one.candidate for one in karyotype.chromosomes if one.candidate >= 0]
    several = {parent for parent in parents if parents.count(parent) > 1}
    return len(several | {one.candidate for one in karyotype.chromosomes if "cluster" in one.flags})


def summary_csv(rows: Iterable[SummaryRow]) -> str:
    """The text of `summary.csv`: a header and a line for each row.

    Examples
    --------
    >>> print(summary_csv([SummaryRow("a.tif", "failed", error="not an image")]))
    image,status,count,iscn,clusters,low_confidence,seconds,error,edits,quality
    a.tif,failed,,,,,,not an image,,
    <BLANKLINE>
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(SummaryRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def write_summary(path: Path, rows: Iterable[SummaryRow]) -> None:
    """Write `summary.csv` to `path` in one piece."""
    write_whole(path, summary_csv(rows))


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
    if len(cells) < len(fields(SummaryRow)) or cells["status"] not in get_args(Status):
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
        **numbers,
    )
