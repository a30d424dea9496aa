"""Numerical ISCN: counts of whole chromosomes, written and read ("46,XY", "47,XX,+21", "45,X").

Only what a count can say is written: no bands, no structural change, no cell lines. The number in front is
always the sum of the sex chromosomes, of ``ploidy`` copies of the 22 autosomes, and of the gains and losses
listed, so the parts agree by construction; reading checks the same sum. The text is a draft: it states what
was placed on the karyogram, and a chromosome that was not found looks like a loss.

Ploidy. A text is written relative to 2n unless the count lies in the near-triploid (58 to 80) or
near-tetraploid range (from 81) of ISCN and fewer gains and losses are needed relative to 3n or 4n. Where the
level written to is not the one of the count's range, it stands behind the count, as ISCN asks:
``58<2n>,XX,...``. Fewer than 35 chromosomes are nearly always an incomplete spread, so nothing is written
relative to 1n unless that is asked for.

Sex chromosomes are listed as they are, without gains and losses ("45,X", "47,XXY"); where none was placed the
part is ``?``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from karyofast.errors import OptionError
from karyofast.types import CLASSES

AUTOSOMES = CLASSES[:22]
"""The 22 classes of which a normal set has one each."""

NO_SEX = "?"
"""Sex part of a text without sex chromosomes."""

RANGES = ((1, 0), (2, 35), (3, 58), (4, 81))
"""(ploidy, least count of its range): near-haploid, near-diploid, near-triploid, near-tetraploid in ISCN."""

MOST = 200
"""Largest count read: beyond near-octaploid nothing is counted from one picture."""

_COUNT = re.compile(r"(\d{1,4})(?:<(\d)n>)?")
_CHANGE = re.compile(r"([+-])(\d{1,2})")


def usual_ploidy(count: int) -> int:
    """The ploidy in whose ISCN range a count lies, 1 to 4."""
    return max(ploidy for ploidy, least in RANGES if count >= least)


def format(classes: Sequence[str], ploidy: int | None = None) -> str:
    """Write the numerical ISCN of one cell.

    Parameters
    ----------
    classes : sequence of str
        The class of every chromosome of the cell, in any order, each one of `karyofast.types.CLASSES`.
    ploidy : {1, 2, 3, 4}, optional
        Number of sets to write gains and losses against; found by the rule of this module when not given.

    Returns
    -------
    str
        "" for no chromosomes.

    Raises
    ------
    OptionError
        A class that does not exist, or a ploidy outside of 1 to 4.

    Examples
    --------
    >>> format([str(n) for n in range(1, 23)] * 2 + ["X", "Y", "21"])
    '47,XY,+21'
    """
    for name in classes:
        if name not in CLASSES:
            raise OptionError(f"`classes` must hold names of {CLASSES}. Got: {name!r}.")
    if ploidy is not None and ploidy not in (1, 2, 3, 4):
        raise OptionError(f"`ploidy` must be 1, 2, 3 or 4. Got: {ploidy!r}.")
    if not classes:
        return ""
    copies = Counter(classes)
    level = ploidy or _fitting_ploidy(copies)
    head = str(len(classes))
    if level != usual_ploidy(len(classes)):
        head += f"<{level}n>"
    parts = [head, "X" * copies["X"] + "Y" * copies["Y"] or NO_SEX]
    for name in AUTOSOMES:
        change = copies[name] - level
        parts += [f"{'+' if change > 0 else '-'}{name}"] * abs(change)
    return ",".join(parts)


def parse(text: str) -> tuple[str, ...]:
    """Read a numerical ISCN text into the classes of all its chromosomes.

    The order of gains and losses is free.

    Parameters
    ----------
    text : str
        As `format` writes it; spaces behind commas are allowed.

    Returns
    -------
    tuple of str
        Sorted as `karyofast.types.CLASSES`: all copies of 1 first, X and Y last.

    Raises
    ------
    OptionError
        The text is not numerical ISCN, or its count does not agree with the rest of it.

    Examples
    --------
    >>> parse("45,X").count("X"), len(parse("48,XXY,+21"))
    (1, 48)
    """
    count, level, sex, changes = _split(text)
    found = _level(text, count, sex, changes)
    if level is not None and level != found:
        raise OptionError(f"`{text}` must have a count that agrees with its <{level}n>. Got: a sum for {found}n.")
    copies = {name: found + changes[name] for name in AUTOSOMES}
    copies |= {"X": sex.count("X"), "Y": sex.count("Y")}
    lost = [name for name in AUTOSOMES if copies[name] < 0]
    if lost:
        raise OptionError(f"`{text}` must not lose more copies than there are. Got: {-changes[lost[0]]} x -{lost[0]}.")
    return tuple(name for name in CLASSES for _ in range(copies[name]))


def ploidy(text: str) -> int:
    """Number of sets that a numerical ISCN text is written against, 1 to 4; raises as `parse` does.

    Examples
    --------
    >>> ploidy("69,XXX"), ploidy("47,XX,+21")
    (3, 2)
    """
    count, _, sex, changes = _split(text)
    return _level(text, count, sex, changes)


def _fitting_ploidy(copies: Counter[str]) -> int:
    """2, or 3 or 4 where the count's range allows it and fewer changes are needed; the lowest of equals."""

    def changes(level: int) -> int:
        sex = abs(copies["X"] + copies["Y"] - level)
        return sex + sum(abs(copies[name] - level) for name in AUTOSOMES)

    return min(range(2, max(2, usual_ploidy(copies.total())) + 1), key=changes)


def _split(text: str) -> tuple[int, int | None, str, Counter[str]]:
    """Count, stated ploidy, sex chromosomes ("" for none), autosomes gained (negative: lost)."""
    parts = [part.strip() for part in text.split(",")]
    head = _COUNT.fullmatch(parts[0])
    if head is None or not 0 < int(head[1]) <= MOST:
        raise OptionError(f"`{text}` must begin with a count of 1 to {MOST}, as in '46,XY'. Got: {parts[0]!r}.")
    if len(parts) < 2 or not re.fullmatch(r"X*Y*|\?", parts[1]) or not parts[1]:
        got = repr(parts[1]) if len(parts) > 1 else "nothing"
        raise OptionError(f"`{text}` must name its sex chromosomes behind the count, X before Y. Got: {got}.")
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for part in parts[2:]:
        change = _CHANGE.fullmatch(part)
        if change is None or change[2] not in AUTOSOMES:
            raise OptionError(
                f"`{text}` must list only whole autosomes gained or lost, as '+21' or '-7'. Got: {part!r}. "
                "Sex chromosomes belong to the sex part ('47,XXY'); structural changes cannot be written."
            )
        (gained if change[1] == "+" else lost)[change[2]] += 1
    both = sorted(gained.keys() & lost.keys(), key=AUTOSOMES.index)
    if both:
        raise OptionError(f"`{text}` must not gain and lose the same chromosome. Got: +{both[0]} and -{both[0]}.")
    gained.subtract(lost)
    return int(head[1]), int(head[2]) if head[2] else None, parts[1].replace(NO_SEX, ""), gained


def _level(text: str, count: int, sex: str, changes: Counter[str]) -> int:
    """The one ploidy for which the sum is right."""
    level, rest = divmod(count - len(sex) - changes.total(), len(AUTOSOMES))
    if rest or not 1 <= level <= 4:
        nearest = min(4, max(1, round((count - len(sex) - changes.total()) / len(AUTOSOMES))))
        expected = nearest * len(AUTOSOMES) + len(sex) + changes.total()
        raise OptionError(
            f"`{text}` must have a count that is the sum of its sex chromosomes, its gains and losses "
            f"and whole sets of 22 autosomes: {expected} for {nearest}n. Got: {count}."
        )
    return level
