"""Pictures of a karyotype: the karyogram sheet and the metaphase with its chromosomes outlined."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import view_layout, view_numbers
from karyofast.config import ArrangeOptions
from karyofast.errors import OptionError
from karyofast.kernels.rim import rimmed
from karyofast.types import CLASSES, Karyotype, Region
from karyofast.view_layout import GAP, Figure, Place, Row, Sheet
from karyofast.view_text import INK, Colour, fitting, text_width, write

FAINT: Colour = (125, 125, 125)
AMBER: Colour = (205, 115, 0)
RED: Colour = (185, 25, 25)
WHITE: Colour = (255, 255, 255)
LEFT_OUT: Colour = (255, 190, 60)
"""Amber that shows on black and on white; the colour of the caption that tells of it."""

WIDTH = 1180
"""Least width of the sheet, px at scale 1."""
MARGIN = 44
HEADER = 118
FOOTER = 44
ABOVE = 30
"""Space above a row's tallest p arm, for notes, px at scale 1."""
BELOW = 84
"""Space below a row's longest q arm, for the line, the class and the group, px at scale 1."""

NUMBER = 8
"""Height of a chromosome's number in an overlay, px."""

LINE = 22
"""Height of a line of the legend, px at scale 1."""
COLUMN = 360
"""Least width of a column of the legend, px at scale 1."""

CAPTION = 52
"""Height of the strip below an overlay, px."""
SLATE = 35
"""Its grey level."""
LARGEST_OVERLAY = 3000
"""Longest side of an overlay, px: larger pictures are reduced."""
OVERLAY_ZOOM = 2.0
"""Magnification of an overlay: labels of two digits would cover a chromosome 12 px wide."""

DRAFT = "DRAFT - for review"
FOOTNOTE = "Numerical draft made by karyofast. Research use; to be reviewed by a cytogeneticist."


def karyogram(
    karyotype: Karyotype,
    options: ArrangeOptions = ArrangeOptions(),  # noqa: B008 (frozen)
    scale: float = 1.0,
) -> NDArray[np.uint8]:
    """Draw the karyogram: rows by Denver group, p arm up, centromeres level, homologues side by side.

    A chromosome that wants a look stands in an amber frame with its own probability; a missing copy leaves a
    dotted place; what could not be placed stands in a row of its own with its best guess.

    Parameters
    ----------
    karyotype : Karyotype
        What to draw; an empty one gives an empty sheet.
    options : ArrangeOptions
        `sex_with_groups` puts X beside group C and Y beside group G.
    scale : float
        Size of the sheet; 1 is about 1200 px wide.

    Returns
    -------
    uint8 (height, width, 3)
        RGB.

    Raises
    ------
    OptionError
        A scale outside of 0.25 to 8.
    """
    check_scale(scale)
    placed, unplaced = view_layout.figures(karyotype, scale)
    noun = "chromosome" if karyotype.count == 1 else "chromosomes"
    sheet = Sheet(
        karyotype.metaphase.name,
        f"{karyotype.count} {noun}     {karyotype.iscn or 'no karyotype'}",
        ", ".join(karyotype.flags or karyotype.arrangement.flags),
        view_layout.rows(placed, options.sex_with_groups, scale),
        tuple(unplaced),
    )
    return draw(sheet, scale)


def check_scale(scale: float) -> None:
    """Raise the `OptionError` of a scale that no sheet is drawn at."""
    if not 0.25 <= scale <= 8.0:
        raise OptionError(f"`scale` must be 0.25 to 8. Got: {scale!r}.")


def draw(sheet: Sheet, scale: float) -> NDArray[np.uint8]:
    """Draw what stands on a sheet, laid out at the same `scale`; uint8 (height, width, 3), RGB."""
    rows, margin = sheet.rows, int(MARGIN * scale)
    widest = max(row.width + int(24 * scale) * sum(len(places) for _, places in row.groups) for row in rows)
    width = max(int(WIDTH * scale), widest + 2 * margin)
    lines = _lines(sheet.unplaced, width - 2 * margin, scale)
    columns = max(1, int((width - 2 * margin) / (COLUMN * scale)))
    height = int((HEADER + FOOTER) * scale) + sum(row.above + row.below for row in rows)
    height += int((ABOVE + BELOW) * scale) * len(rows) + sum(_line_height(line, scale) for line in lines)
    height += int(LINE * scale) * -(-len(sheet.legend) // columns)
    picture = np.full((height, width, 3), 255, np.uint8)
    _draw_header(picture, sheet, scale)
    top = int(HEADER * scale)
    for row in rows:
        top = _draw_row(picture, row, top, scale)
    for number, line in enumerate(lines):
        top = _draw_unplaced(picture, line, top, "unplaced" if number == 0 else "", scale)
    _draw_legend(picture, sheet.legend, top, columns, scale)
    write(picture, FOOTNOTE, margin, height - int(18 * scale), 10 * scale, FAINT)
    return picture


def overlay(karyotype: Karyotype, numbers: bool = True) -> NDArray[np.uint8]:
    """Draw the metaphase with every chromosome outlined in the colour of its class, labels and flags.

    Chromosomes without a class, left unplaced or only separated so far, are red and carry their index. What detection
    or separation left out although it is as large as a chromosome has a thin amber outline.

    Parameters
    ----------
    karyotype : Karyotype
    numbers : bool
        Whether the number of each chromosome, by which a script of corrections names it, stands beside it.

    Returns
    -------
    uint8 (height, width, 3)
        RGB; the picture at twice its size, less where that would pass 3000 px a side, over a caption.
    """
    height, width = karyotype.metaphase.shape
    zoom = min(OVERLAY_ZOOM, LARGEST_OVERLAY / max(height, width, 1))
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    method = cv2.INTER_LINEAR if zoom > 1 else cv2.INTER_AREA
    grey = np.asarray(cv2.resize(karyotype.metaphase.grey, size, interpolation=method), dtype=np.uint8)
    sheet = np.empty((size[1] + CAPTION, size[0], 3), np.uint8)
    picture = sheet[: size[1]]
    cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB, dst=picture)
    # chromosomes that were separated only have no class yet
    assigned = karyotype.arrangement.assigned or (-1,) * karyotype.count
    doubtful = set(karyotype.arrangement.low_confidence)
    for left_out in karyotype.dropped:
        _outline(picture, left_out, zoom, LEFT_OUT, thickness=1)
    owners = np.zeros((height, width), np.uint8)
    for index, one in enumerate(karyotype.chromosomes):
        owners[one.box.slices] += one.mask
        _outline(picture, one, zoom, class_colour(assigned[index]))
    for index, one in enumerate(karyotype.chromosomes):
        name = CLASSES[assigned[index]] if assigned[index] >= 0 else f"#{index}"
        row, column = _inside(one, owners[one.box.slices])
        place = (round((column + 0.5) * zoom), round((row + 0.5) * zoom) + 6)
        mark = name + ("?" if index in doubtful else "")
        write(picture, mark, *place, 12, WHITE, anchor="middle", bold=True, halo=True)
    if numbers:
        _draw_numbers(picture, karyotype, zoom, assigned)
    _caption(sheet[size[1] :], karyotype)
    return sheet


def _draw_numbers(picture: NDArray[np.uint8], karyotype: Karyotype, zoom: float, assigned: Sequence[int]) -> None:
    """Write the index of each chromosome on a plate beside it; what is unplaced shows its own."""
    chosen = [index for index in range(karyotype.count) if assigned[index] >= 0]
    plates = [(NUMBER + 6, text_width(str(index), NUMBER) + 6) for index in chosen]
    regions = [karyotype.chromosomes[index] for index in chosen]
    sizes = [(height / zoom, width / zoom) for height, width in plates]
    places = view_numbers.beside(regions, karyotype.metaphase.shape, sizes)
    for index, (height, width), (row, column) in zip(chosen, plates, places, strict=True):
        left, top = round(column * zoom - 0.5 * width), round(row * zoom - 0.5 * height)
        corners = (left, top), (left + width - 1, top + height - 1)
        cv2.rectangle(picture, *corners, WHITE, cv2.FILLED)
        cv2.rectangle(picture, *corners, class_colour(assigned[index]), 1)
        write(picture, str(index), left + width // 2, top + height - 4, NUMBER, INK, anchor="middle")


def class_colour(index: int) -> Colour:
    """RGB of a class in overlays; -1 (unplaced) is red. Neighbouring numbers get far hues."""
    if index < 0:
        return 255, 60, 60
    # the golden ratio spreads any number of hues evenly; red itself is left to what is unplaced
    hue = 0.06 + 0.88 * ((index * 0.61803) % 1.0)
    red, green, blue = colorsys.hls_to_rgb(hue, 0.62 if index % 2 else 0.5, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def _caption(strip: NDArray[np.uint8], karyotype: Karyotype) -> None:
    """Write count, karyotype and flags on the strip below a picture."""
    strip[...] = SLATE
    width = strip.shape[1]
    head = f"{karyotype.metaphase.name}   {karyotype.count} chromosomes   {karyotype.iscn or 'no karyotype'}"
    room = width - 40 - text_width(DRAFT, 11, bold=True)
    write(strip, fitting(head, 11, room), 10, 20, 11, WHITE)
    write(strip, DRAFT, width - 10, 20, 11, (255, 120, 110), "right", bold=True)
    told = list(karyotype.flags or karyotype.arrangement.flags)
    if karyotype.dropped:
        told.append(f"thin outlines: {len(karyotype.dropped)} left out")
    write(strip, fitting(", ".join(told), 10, width - 20), 10, 42, 10, LEFT_OUT)


def _draw_header(picture: NDArray[np.uint8], sheet: Sheet, scale: float) -> None:
    left, right = int(MARGIN * scale), picture.shape[1] - int(MARGIN * scale)
    badge = text_width(DRAFT, 13 * scale, bold=True)
    write(picture, DRAFT, right - int(10 * scale), int(45 * scale), 13 * scale, RED, "right", bold=True)
    corner = (right - badge - int(20 * scale), int(24 * scale)), (right, int(54 * scale))
    cv2.rectangle(picture, *corner, RED, max(1, round(1.4 * scale)), cv2.LINE_AA)
    room = right - left - badge - int(50 * scale)
    title = fitting(sheet.title, 17 * scale, room, bold=True)
    write(picture, title, left, int(46 * scale), 17 * scale, INK, bold=True)
    write(picture, fitting(sheet.text, 16 * scale, right - left), left, int(76 * scale), 16 * scale, INK)
    write(picture, fitting(sheet.flags, 11 * scale, right - left), left, int(98 * scale), 11 * scale, AMBER)
    cv2.line(picture, (left, int(110 * scale)), (right, int(110 * scale)), FAINT, max(1, round(scale)))


def _draw_legend(picture: NDArray[np.uint8], legend: Sequence[str], top: int, columns: int, scale: float) -> None:
    """The lines of a legend, down one column after the other."""
    left, deep = int(MARGIN * scale), -(-len(legend) // columns)
    step = (picture.shape[1] - 2 * left) // columns
    for number, text in enumerate(legend):
        column, line = divmod(number, deep)
        foot = top + int(LINE * scale) * line + int(12 * scale)
        write(picture, fitting(text, 10 * scale, step - int(16 * scale)), left + column * step, foot, 10 * scale, INK)


def _draw_row(sheet: NDArray[np.uint8], row: Row, top: int, scale: float) -> int:
    """Draw a row of groups whose upper edge is `top`; returns its lower edge."""
    left, right = int(MARGIN * scale), sheet.shape[1] - int(MARGIN * scale)
    places = sum(len(members) for _, members in row.groups)
    # the space between groups is twice the space between places
    gap = (right - left - row.width) / max(places - 1 + len(row.groups) - 1, 1)
    gap = min(gap, 110 * scale)
    level = top + int(ABOVE * scale) + row.above
    foot = level + row.below
    spare = (right - left - row.width - gap * (places - len(row.groups))) / max(len(row.groups) - 1, 1)
    at = float(left)
    for group, members in row.groups:
        first = at
        for place in members:
            _draw_place(sheet, place, round(at), level, foot, scale)
            at += place.width + gap
        at -= gap
        _draw_bracket(sheet, group, round(first), round(at), foot, scale)
        at += spare
    return foot + int(BELOW * scale)


def _draw_place(sheet: NDArray[np.uint8], place: Place, left: int, level: int, foot: int, scale: float) -> None:
    """Homologues with their centromeres on `level`, over the line at `foot` and the class."""
    at = left + (place.width - view_layout.span(place.figures, scale)) // 2
    for figure in place.figures:
        _draw_figure(sheet, figure, at, round(level - figure.centromere), scale)
        write(sheet, figure.cell, at + figure.width // 2, foot, 10 * scale, FAINT, "middle")
        at += figure.width + int(GAP * scale)
    line = foot + int(14 * scale)
    cv2.line(sheet, (left, line), (left + place.width, line), INK, max(1, round(1.5 * scale)))
    middle = left + place.width // 2
    write(sheet, place.name, middle, line + int(22 * scale), 14 * scale, INK, "middle", bold=True)


def _draw_bracket(sheet: NDArray[np.uint8], group: str, left: int, right: int, foot: int, scale: float) -> None:
    base, tick, thin = foot + int(44 * scale), int(5 * scale), max(1, round(0.8 * scale))
    corners = [(left, base - tick), (left, base), (right, base), (right, base - tick)]
    cv2.polylines(sheet, [np.array(corners, np.int32)], False, FAINT, thin)
    write(sheet, group, (left + right) // 2, base + int(16 * scale), 11 * scale, FAINT, "middle")


def _draw_figure(sheet: NDArray[np.uint8], figure: Figure, left: int, top: int, scale: float) -> None:
    if figure.index < 0:
        _dotted(sheet, left, top, figure.width, figure.height, scale)
        return
    window = sheet[top : top + figure.height, left : left + figure.width]
    np.minimum(window, figure.picture[:, :, None], out=window)
    if figure.doubtful:
        pad = int(3 * scale)
        corners = (left - pad, top - pad), (left + figure.width + pad, top + figure.height + pad)
        cv2.rectangle(sheet, *corners, AMBER, max(1, round(1.5 * scale)), cv2.LINE_AA)
        middle = left + figure.width // 2
        write(sheet, figure.note, middle, top - int(8 * scale), 10 * scale, AMBER, "middle")


def _dotted(sheet: NDArray[np.uint8], left: int, top: int, width: int, height: int, scale: float) -> None:
    """A dotted outline with round ends, as of a chromosome that should lie there."""
    radius = 0.5 * min(width, height)
    straight = height - 2 * radius
    outline = 2 * straight + 2 * np.pi * radius
    for along in np.arange(0.0, outline, 6.0 * scale):
        if along < straight:
            point = (left, top + radius + along)
        elif along < straight + np.pi * radius:
            angle = np.pi - (along - straight) / radius
            point = (left + radius + radius * np.cos(angle), top + height - radius + radius * np.sin(angle))
        elif along < 2 * straight + np.pi * radius:
            point = (left + width, top + height - radius - (along - straight - np.pi * radius))
        else:
            angle = -(along - 2 * straight - np.pi * radius) / radius
            point = (left + radius + radius * np.cos(angle), top + radius + radius * np.sin(angle))
        centre = (round(point[0] * 16), round(point[1] * 16))
        cv2.circle(sheet, centre, round(1.2 * scale * 16), FAINT, cv2.FILLED, cv2.LINE_AA, 4)


def _lines(unplaced: Sequence[Figure], room: int, scale: float) -> list[list[Figure]]:
    """Break the unplaced figures into lines."""
    lines: list[list[Figure]] = []
    used = room + 1
    for figure in unplaced:
        step = _unplaced_width(figure, scale)
        if used + step > room or not lines:
            lines.append([])
            used = 0
        lines[-1].append(figure)
        used += step
    return lines


def _unplaced_width(figure: Figure, scale: float) -> int:
    return max(figure.width, int(56 * scale)) + int(GAP * scale)


def _line_height(line: Sequence[Figure], scale: float) -> int:
    return max(figure.height for figure in line) + int(74 * scale)


def _draw_unplaced(sheet: NDArray[np.uint8], line: Sequence[Figure], top: int, title: str, scale: float) -> int:
    at = int(MARGIN * scale)
    write(sheet, title, at, top + int(12 * scale), 12 * scale, AMBER, bold=True)
    tall = max(figure.height for figure in line)
    foot = top + int(34 * scale) + tall
    for figure in line:
        step = _unplaced_width(figure, scale)
        middle = at + (step - int(GAP * scale)) // 2
        corner = (middle - figure.width // 2, foot - figure.height)
        _draw_figure(sheet, figure, *corner, scale)
        write(sheet, f"#{figure.index}", middle, foot + int(20 * scale), 11 * scale, INK, "middle")
        at += step
    return top + _line_height(line, scale)


def _outline(picture: NDArray[np.uint8], region: Region, zoom: float, colour: Colour, thickness: int = 2) -> None:
    padded = rimmed(region.mask.view(np.uint8), 1)
    contours, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # coordinates in sixteenths of a px, so that the outline is not broken at whole ones
    origin = np.array([region.box.left - 1 + 0.5, region.box.top - 1 + 0.5])
    drawn = [np.rint((contour + origin) * zoom * 16 - 8).astype(np.int32) for contour in contours]
    cv2.polylines(picture, drawn, True, colour, thickness if zoom > 1 else 1, cv2.LINE_AA, 4)


def _inside(region: Region, owners: NDArray[np.uint8]) -> tuple[float, float]:
    """Row and column of the pixel deepest inside what a region owns alone: there its label is read best."""
    own = region.mask & (owners == 1)
    padded = rimmed((own if own.any() else region.mask).view(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_3)
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return float(row) - 1 + region.box.top, float(column) - 1 + region.box.left
