"""Consensus: what the cells of one case say together, as clones with their number of cells.

A change that one cell shows may be an accident of the slide or of separation. By the rule of ISCN [1]_ a gain belongs
to a clone when two cells show it, a loss when three do; what fewer show is left out of a cell's karyotype, and cells
that then agree are counted together.

References
----------
.. [1] ISCN 2020: An International System for Human Cytogenomic Nomenclature, definition of a clone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from karyofast import iscn

GAINED, LOST = 2, 3
"""Cells that must show a gain, or a loss, for it to be clonal."""

_NORMAL_SEX = ((2, 0), (1, 1))


@dataclass(frozen=True)
class Clone:
    """Cells that agree: their karyotype, how many they are, and how many of them show exactly that."""

    iscn: str
    cells: int
    exactly: int


@dataclass(frozen=True)
class Change:
    """A change that cells of a case show.

    Attributes
    ----------
    text : str
        "+21", "-7", "+8,+8" (a second further copy), "sex XXY"; the whole karyotype of a cell that is not diploid.
    cells : tuple of int
        Indices of the cells that show it.
    needed : int
        Cells that must show it for it to be clonal.
    """

    text: str
    cells: tuple[int, ...]
    needed: int

    @property
    def clonal(self) -> bool:
        """Whether enough cells show it."""
        return len(self.cells) >= self.needed


def clones(karyotypes: Sequence[str]) -> tuple[Clone, ...]:
    """The clones of a case.

    Parameters
    ----------
    karyotypes : sequence of str
        Numerical ISCN of each cell, as `karyofast.iscn.format` writes it. Cells of other than two sets, or without sex
        chromosomes, are clones of their own where two agree wholly, else left out.

    Returns
    -------
    tuple of Clone
        The abnormal ones first, the largest first, a normal one last.

    Examples
    --------
    >>> text(clones(["47,XX,+21", "46,XX,-5,+21", "46,XX", "45,XX,-8"]))
    '47,XX,+21[2]/46,XX[2]'
    """
    usual = [one for one in karyotypes if _is_diploid(one)]
    copies = {one: Counter(iscn.parse(one)) for one in set(usual)}
    shown = Counter(change for one in usual for change in _changes(copies[one]))
    sexes = Counter((copies[one]["X"], copies[one]["Y"]) for one in usual)
    told = [(_reduced(copies[one], shown, sexes), one) for one in usual]
    others = Counter(one for one in karyotypes if one and not _is_diploid(one))
    told += [(one, one) for one, count in others.items() if count >= GAINED for _ in range(count)]
    counted, exact = Counter(one for one, _ in told), Counter(one for one, own in told if one == own)
    found = [Clone(one, count, exact[one]) for one, count in counted.items()]
    return tuple(sorted(found, key=lambda clone: (_is_normal(clone.iscn), -clone.cells, clone.iscn)))


def text(found: Sequence[Clone]) -> str:
    """The clones as ISCN writes them: ``47,XX,+21[2]/46,XX[2]``."""
    return "/".join(f"{one.iscn}[{one.cells}]" for one in found)


def changes(karyotypes: Sequence[str]) -> tuple[Change, ...]:
    """What differs from two copies of each autosome and from XX or XY, and in which cells.

    Parameters
    ----------
    karyotypes : sequence of str
        As in `clones`; cells without a karyotype ("") show nothing.

    Returns
    -------
    tuple of Change
        The clonal ones first, those of most cells first.

    Examples
    --------
    >>> [(one.text, one.cells, one.clonal) for one in changes(["47,XX,+21", "46,XX,-5,+21", "46,XX"])]
    [('+21', (0, 1), True), ('-5', (1,), False)]
    """
    cells: dict[tuple[str, int], list[int]] = {}
    for index, one in enumerate(karyotypes):
        if not one:
            continue
        for change in _told(one):
            cells.setdefault(change, []).append(index)
    found = [Change(text, tuple(shown), needed) for (text, needed), shown in cells.items()]
    return tuple(sorted(found, key=lambda one: (not one.clonal, -len(one.cells))))


def _told(karyotype: str) -> list[tuple[str, int]]:
    """Text of each change of a cell, and the cells that must show it."""
    if not _is_diploid(karyotype):
        return [(karyotype, GAINED)]
    copies = Counter(iscn.parse(karyotype))
    told = [
        (",".join([f"{'+' if step > 0 else '-'}{name}"] * abs(step)), GAINED if step > 0 else LOST)
        for name, step in _changes(copies)
    ]
    sex = (copies["X"], copies["Y"])
    return told if sex in _NORMAL_SEX else [*told, (f"sex {'X' * sex[0]}{'Y' * sex[1]}", _needed(sex))]


def _needed(sex: tuple[int, int]) -> int:
    """Cells that must have these sex chromosomes for them to be clonal."""
    return 1 if sex in _NORMAL_SEX else GAINED if sum(sex) > 2 else LOST


def _is_diploid(karyotype: str) -> bool:
    return bool(karyotype) and "?" not in karyotype and iscn.ploidy(karyotype) == 2


def _is_normal(karyotype: str) -> bool:
    return karyotype in ("46,XX", "46,XY")


def _changes(copies: Counter[str]) -> list[tuple[str, int]]:
    """(class, one copy more or less) of each copy that a cell has beyond two, or short of them: the second +21 is 2."""
    found = []
    for name in iscn.AUTOSOMES:
        change = copies[name] - 2
        found += [(name, step) for step in (range(1, change + 1) if change > 0 else range(change, 0))]
    return found


def _reduced(copies: Counter[str], shown: Counter[tuple[str, int]], sexes: Counter[tuple[int, int]]) -> str:
    """The karyotype of a cell with its clonal changes alone."""
    names: list[str] = []
    for name in iscn.AUTOSOMES:
        change = copies[name] - 2
        while change and shown[name, change] < (GAINED if change > 0 else LOST):
            change -= 1 if change > 0 else -1
        names += [name] * (2 + change)
    x, y = _clonal_sex((copies["X"], copies["Y"]), sexes)
    return iscn.format([*names, *"X" * x, *"Y" * y], 2)


def _clonal_sex(own: tuple[int, int], sexes: Counter[tuple[int, int]]) -> tuple[int, int]:
    """The sex chromosomes of a cell where enough cells have the same, else those most cells of the case have."""
    if sexes[own] >= _needed(own):
        return own
    clonal = [sex for sex, count in sexes.items() if count >= (1 if sex in _NORMAL_SEX else LOST)]
    return max(clonal, key=lambda sex: (sexes[sex], sex)) if clonal else own
