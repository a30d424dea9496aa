"""Figures as text: one mapping of column to cell a row, and a plain table of such rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Row = Mapping[str, str]
"""Column -> cell, already written."""

UNDEFINED = "-"
"""What stands for a share of nothing."""


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage without its sign.

    Examples
    --------
    >>> percent(0.98134), percent(None)
    ('98.1', '-')
    """
    return UNDEFINED if value is None else f"{100.0 * value:.{digits}f}"


def format_table(rows: Sequence[Row]) -> str:
    """Rows as plain text, columns in the order of their first appearance, numbers to the right.

    Examples
    --------
    >>> print(format_table([{"method": "otsu", "recall": "98.1"}, {"method": "er", "recall": "100.0"}]))
    method  recall
    otsu      98.1
    er       100.0
    """
    if not rows:
        return ""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[row.get(name, "") for name in columns] for row in rows]
    widths = [max(len(name), *(len(line[k]) for line in cells)) for k, name in enumerate(columns)]
    right = [all(_is_number(line[k]) for line in cells) for k in range(len(columns))]

    def line(values: Sequence[str]) -> str:
        parts = [
            value.rjust(width) if number else value.ljust(width)
            for value, width, number in zip(values, widths, right, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return "\n".join([line(columns), *map(line, cells)])


def _is_number(cell: str) -> bool:
    """Whether a cell is empty, undefined, or begins like a number."""
    return cell in ("", UNDEFINED) or cell.lstrip("+-")[:1].isdigit()
