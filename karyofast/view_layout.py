"""What stands where on a karyogram: chromosomes made ready to be drawn, and the rows that they stand in.

Everything is in px of the sheet. The drawing itself is in `karyofast.view`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import iscn
from karyofast.ideogram import IdeogramChromosome, load_ideogram
from karyofast.smooth import smoothed
from karyofast.types import CLASSES, GROUPS, Karyotype, Label, Straightened

ROWS = (("A", "B"), ("C",), ("D", "E"), ("F", "G", "sex"))
"""Denver groups of each row, as on a printed karyogram."""

FIRST_LENGTH = 190.0
"""Height that chromosome 1 would have, px at scale 1: about 40 mm on a printed sheet."""

TALLEST = 300.0
"""Height to which even an unseparated cluster is reduced, px at scale 1."""

LARGEST_ZOOM = 8.0
"""A picture magnified further shows nothing but its pixels."""

DARKEST = 225.0
"""Grey levels between the background and the darkest band; the rest keeps black for ink."""

GAP = 11
"""Space between homologues, px at scale 1."""

LETTERS = 18
"""Height of the line of cells' letters, px at scale 1."""

PLACE = 92
"""Least width of a class's place: two chromosomes and their gap, px at scale 1."""

SLENDERNESS = 0.16
"""Width over length of chromosome 1, for places of which nothing was found."""

_SHORT_ARM = 0.27
"""Centromere index below which the p arm is too short for its waist to show (acrocentrics and Y)."""

_SEARCH = 0.1
"""Part of the length on either side of the expected centromere in which a waist is looked for."""

_WAIST = 0.93
"""Width of a waist over the width of both arms beside it: what is shallower is noise."""


@dataclass(frozen=True, eq=False)
class Figure:
    """One chromosome, or the empty place of a missing one, ready to be drawn.

    Attributes
    ----------
    index : int
        Index in the karyotype, -1 for an empty place.
    picture : uint8 (height, width)
        Grey levels on white, p arm up; all white for an empty place.
    centromere : float
        Row of the centromere, px from the top of the picture.
    doubtful : bool
        Wants a look.
    note : str
        What stands above it, "" for nothing.
    sure : float
        The crop's own probability of the class that it stands at, 0 for an empty place.
    cell : str
        The letter of its cell, which stands below it; "" where the sheet shows one cell.
    """

    index: int
    picture: NDArray[np.uint8]
    centromere: float
    doubtful: bool = False
    note: str = ""
    sure: float = 0.0
    cell: str = ""

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return int(self.picture.shape[0])

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return int(self.picture.shape[1])


@dataclass(frozen=True, eq=False)
class Place:
    """The homologues of one class, side by side."""

    name: str
    figures: tuple[Figure, ...]
    width: int


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the karyogram: its groups (title, places), and how far arms reach from the centromere line."""

    groups: tuple[tuple[str, tuple[Place, ...]], ...]
    above: int
    below: int

    @property
    def width(self) -> int:
        """Width of all places without the space between them."""
        return sum(place.width for _, places in self.groups for place in places)


@dataclass(frozen=True, eq=False)
class Sheet:
    """All that stands on a karyogram: a header of three lines, the rows, what is unplaced, a legend."""

    title: str
    text: str
    flags: str
    rows: tuple[Row, ...]
    unplaced: tuple[Figure, ...] = ()
    legend: tuple[str, ...] = ()


def centromere_row(straightened: Straightened, up: bool, expected: float) -> float:
    """Where the centromere lies: the waist of the outline where there is one, else where the ideogram has it.

    Parameters
    ----------
    straightened : Straightened
        The chromosome along its axis; its widths hold the waist.
    up : bool
        Whether the p arm is at the top of the crop.
    expected : float
        Centromere index of its class: length of the p arm over the whole.

    Returns
    -------
    float
        Crop rows from the end of the p arm.
    """
    widths = straightened.widths.astype(np.float64)
    count = len(widths)
    if expected < _SHORT_ARM or count < 10:
        return expected * count
    widths = smoothed(widths if up else widths[::-1], 0.03 * count)
    first, last = int((expected - _SEARCH) * count), int((expected + _SEARCH) * count) + 1
    waist = first + int(np.argmin(widths[first:last]))
    reach = max(3, int(_SEARCH * count))
    arms = min(widths[max(0, waist - reach) : waist].max(), widths[waist + 1 : waist + 1 + reach].max())
    return float(waist) if widths[waist] < _WAIST * arms else expected * count


def figures(karyotype: Karyotype, scale: float) -> tuple[dict[str, list[Figure]], list[Figure]]:
    """Figures of each class, surest first and empty places last, and of what is unplaced."""
    ideogram = load_ideogram(400)
    zoom = _zoom(karyotype, ideogram)
    first = FIRST_LENGTH * scale * min(1.0, LARGEST_ZOOM / zoom)
    zoom = min(zoom, LARGEST_ZOOM) * scale
    gain = _gain(karyotype.straightened)
    doubtful = set(karyotype.arrangement.low_confidence)
    placed: dict[str, list[Figure]] = {name: [] for name in CLASSES}
    unplaced: list[Figure] = []
    for index, (one, label) in enumerate(zip(karyotype.straightened, karyotype.labels, strict=True)):
        up = label.orientation == "up"
        contrast = (gain * _gain([one])) ** 0.5
        picture = _picture(one.crop if up else one.crop[::-1, ::-1], zoom, contrast, TALLEST * scale)
        assigned = karyotype.arrangement.assigned[index]
        if assigned < 0:
            unplaced.append(Figure(index, picture, 0.5 * len(picture), True, best_guess(label)))
            continue
        name = CLASSES[assigned]
        middle = centromere_row(one, up, ideogram[name].centromere_index) * len(picture) / max(len(one.crop), 1)
        sure = float(label.probabilities[assigned])
        note = f"? {sure:.0%}" if index in doubtful else ""
        placed[name].append(Figure(index, picture, middle, index in doubtful, note, sure))
    for found in placed.values():
        found.sort(key=lambda figure: -figure.sure)
    for name in missing(karyotype):
        relative = ideogram[name].length / ideogram["1"].length
        placed[name].append(_empty(first, relative, ideogram[name].centromere_index))
    return placed, unplaced


def best_guess(label: Label) -> str:
    """Class and probability that a crop alone gives, "7 (31%)?"."""
    return f"{label.name} ({label.confidence:.0%})?"


def missing(karyotype: Karyotype) -> list[str]:
    """Classes of the copies that a normal cell of this ploidy has besides; nothing for an empty cell."""
    text = karyotype.iscn
    if not text:
        return []
    sets = iscn.ploidy(text)
    found = iscn.parse(text)
    names = [name for name in iscn.AUTOSOMES for _ in range(sets - found.count(name))]
    x, y = found.count("X"), found.count("Y")
    if x == 0:
        names.append("X")
    # a second sex chromosome may be an X or a Y: its empty place is drawn at Y
    return names + ["Y"] * max(0, sets - max(x, 1) - y)


def rows(placed: Mapping[str, Sequence[Figure]], sex_with_groups: bool, scale: float) -> tuple[Row, ...]:
    """The rows of the karyogram; letters of cells have their line below the longest q arm."""
    members = {group: (group, names) for group, names in GROUPS.items()}
    members["sex"] = ("sex chromosomes", GROUPS["sex"])
    if sex_with_groups:
        members |= {"C": ("C, X", (*GROUPS["C"], "X")), "G": ("G, Y", (*GROUPS["G"], "Y"))}
        members["sex"] = ("", ())
    result = []
    for groups in ROWS:
        filled = tuple(
            (title, tuple(_place(name, placed[name], scale) for name in names))
            for title, names in (members[group] for group in groups)
            if names
        )
        drawn = [figure for _, places in filled for place in places for figure in place.figures]
        above = max((figure.centromere for figure in drawn), default=0.0)
        below = max((figure.height - figure.centromere for figure in drawn), default=0.0)
        least = int(30 * scale)
        letters = int(LETTERS * scale) if any(figure.cell for figure in drawn) else 0
        result.append(Row(filled, max(int(np.ceil(above)), least), max(int(np.ceil(below)), least) + letters))
    return tuple(result)


def span(figures_: Sequence[Figure], scale: float) -> int:
    """Width of figures side by side."""
    return sum(figure.width for figure in figures_) + int(GAP * scale) * max(0, len(figures_) - 1)


def _place(name: str, found: Sequence[Figure], scale: float) -> Place:
    return Place(name, tuple(found), max(int(PLACE * scale), span(found, scale) + int(16 * scale)))


def _zoom(karyotype: Karyotype, ideogram: dict[str, IdeogramChromosome]) -> float:
    """Sheet px at scale 1 for a px of the picture, from the length that chromosome 1 should have there."""
    firsts = [
        one.length * ideogram["1"].length / ideogram[CLASSES[assigned]].length
        for one, assigned in zip(karyotype.straightened, karyotype.arrangement.assigned, strict=True)
        if assigned >= 0
    ] or [one.length for one in karyotype.straightened]
    return FIRST_LENGTH / max(float(np.median(firsts)), 1.0) if firsts else 1.0


def _gain(cell: Sequence[Straightened]) -> float:
    """Grey levels for a level of density that make the darkest bands nearly black.

    A chromosome is drawn with the geometric mean of the cell's gain and its own: unevenly stained homologues
    come closer without becoming equal.
    """
    counts = sum((np.bincount(one.crop.ravel(), minlength=256) for one in cell), np.zeros(256, dtype=np.int64))
    below = np.cumsum(counts[1:])
    if not below[-1]:
        return 1.0
    # percentile 99 as NumPy has it, between two levels: nothing needs to be sorted
    place = 0.99 * float(below[-1] - 1)
    low, high = (1.0 + float(np.searchsorted(below, at, side="right")) for at in (int(place), int(place) + 1))
    return DARKEST / (low + (place - int(place)) * (high - low))


def _picture(crop: NDArray[np.uint8], zoom: float, gain: float, tallest: float) -> NDArray[np.uint8]:
    columns = np.flatnonzero(crop.any(axis=0))
    if len(columns):
        crop = crop[:, columns[0] : columns[-1] + 1]
    zoom = min(zoom, tallest / max(*crop.shape, 1))
    size = (max(1, round(crop.shape[1] * zoom)), max(1, round(crop.shape[0] * zoom)))
    dark = np.clip(crop.astype(np.float32) * gain, 0.0, DARKEST)
    drawn = cv2.resize(dark, size, interpolation=cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA)
    return np.asarray(np.clip(255.0 - drawn, 255.0 - DARKEST, 255.0).round(), dtype=np.uint8)


def _empty(first: float, relative: float, centromere_index: float) -> Figure:
    """The empty place of a missing chromosome, `relative` times as long as chromosome 1 is in this cell."""
    height = max(4, round(first * relative))
    picture = np.full((height, max(4, round(first * SLENDERNESS))), 255, np.uint8)
    return Figure(-1, picture, centromere_index * height)
