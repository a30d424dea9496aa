"""Separation by the ring radius transform (paper section 4, eq. 5 and 6; ``method="rrt"``).

A cluster is eroded and its edges are found (Canny). The ring radius of a pixel is its distance to the nearest edge
pixel; its ridge is the medial axis (`karyofast.ridge`), the mean of each connected piece of it a seed. Each edge pixel
goes to the seed that is most relevant to it, an ellipse is fitted to the edge pixels of each seed, and ellipses that
are not whole are discarded. Beyond the paper, which draws one ellipse a chromosome: pieces that go on into one another
along the medial axis are joined first, since chromosomes bend, and every pixel of the cluster is given to a chromosome.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import ellipse, ridge
from karyofast.config import SegmentOptions
from karyofast.errors import OptionError
from karyofast.kernels import edge_distance, fill_holes, solidities
from karyofast.kernels import ridge as medial
from karyofast.kernels.rim import rimmed
from karyofast.segment_lift import inner_radii, width_of
from karyofast.sheets import Sheet, sheets
from karyofast.types import Box, Candidate, Chromosome, Metaphase

MARGIN = 3
"""Free pixels around a candidate: one of erosion, two for the gradient's window."""

HOLE = 0.5
"""Area of a hole, in squared widths, up to which it is a pale band: no border of a chromosome runs round it."""

SOLID = 0.9
"""Area over that of the convex hull from which a body has no bay: two that touch or cross leave one."""

BROAD = 1.5
"""Largest breadth, in widths, of what may be one chromosome; a right-angled crossing has 1.4 but also bays."""

CANNY = (0.2, 0.5)
"""Canny's thresholds as steps in grey level, shares of the cluster's median density: weak and strong outline."""

SEAM = 0.6
"""Density against the cluster's median under which an edge inside it is a gap between two chromosomes."""

SEAM_LENGTH = 1.3
"""Widths that a seam is long at least: a pale band crosses one width, a gap runs between chromosomes."""

OPEN_END = 0.5
"""Widths by which a seam may stop short of the outline, where smoothing has filled it; less than a chromosome."""

SQUARE = np.ones((3, 3), np.uint8)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
"""A pixel and its eight neighbours, and its four."""


@dataclass(frozen=True, eq=False)
class Body:
    """A candidate that its outline alone does not tell to be one chromosome, on a canvas with a margin.

    Attributes
    ----------
    mask : bool (height, width)
        The candidate, its small holes filled.
    eroded : bool (height, width)
        Without its rim.
    radius : float64 (height, width)
        Ring radius of the eroded candidate by its outline, 0 outside of it, px.
    pieces : list of Piece
        Of its medial axis.
    joins : list of Link
        Which of their ends go on into one another.
    broad : bool
        Too broad for one chromosome.
    """

    mask: NDArray[np.bool_]
    eroded: NDArray[np.bool_]
    radius: NDArray[np.float64]
    pieces: list[ridge.Piece]
    joins: list[ridge.Link]
    broad: bool

    def is_single(self) -> bool:
        """Whether it is no broader than one chromosome and the pieces go on into one another."""
        return not self.broad and len(ellipse.groups(self.pieces, self.joins)) < 2


def is_single(candidate: Candidate, typical_width: float) -> bool:
    """Whether a candidate is one chromosome, by its outline.

    It is when it is no broader than `BROAD` widths and either has no bay (`SOLID`) or the pieces of its medial axis
    all go on into one another: no neck, and no junction that a branch beyond one chromosome leaves.

    Parameters
    ----------
    candidate : Candidate
    typical_width : float
        Typical width of the cell's chromosomes, px.

    Returns
    -------
    bool

    Raises
    ------
    OptionError
        `typical_width` is not positive.
    """
    return singles([candidate], typical_width)[0]


def singles(candidates: Sequence[Candidate], typical_width: float) -> list[bool]:
    """The same of many together, which is faster."""
    _check_width(typical_width)
    laid = list(sheets([one.mask for one in candidates], MARGIN))
    bodies = _bodies(candidates, laid, inner_radii(laid), typical_width)
    return [number not in bodies or bodies[number].is_single() for number in range(len(candidates))]


def _bodies(
    candidates: Sequence[Candidate], laid: Sequence[Sheet], radii: Mapping[int, float], width: float
) -> dict[int, Body]:
    """The candidates that are not one chromosome by their outline, by their numbers.

    `laid` and `radii`: of their masks, `MARGIN` around each.
    """
    masks, eroded, broad = {}, {}, {}
    for sheet in laid:
        filled = fill_holes(sheet.mask, HOLE * width**2)  # large ones lie between chromosomes
        bare = cv2.erode(filled.view(np.uint8), CROSS).view(bool)
        boxes = [(rows.start, cols.start, *_extent(rows, cols)) for rows, cols in sheet.places.values()]
        for (number, (rows, cols)), share in zip(sheet.places.items(), solidities(filled, boxes).tolist(), strict=True):
            place = _canvas(rows, cols, candidates[number].mask.shape, MARGIN)
            mask, radius = filled[place], radii[number]
            if filled is not sheet.mask and not np.array_equal(mask, sheet.mask[place]):
                radius = float(edge_distance(~mask).max())
            if 2.0 * radius <= BROAD * width and share >= SOLID:
                continue
            masks[number], broad[number] = mask, 2.0 * radius > BROAD * width
            # as it is where nothing would be left
            eroded[number] = bare[place] if bare[place].any() else mask
    axes = _axes(list(eroded.values()), width)
    return {
        number: Body(masks[number], eroded[number], radius, pieces, ridge.links(pieces, width), broad[number])
        for number, (radius, pieces) in zip(masks, axes, strict=True)
    }


def _canvas(rows: slice, cols: slice, shape: tuple[int, ...], margin: int) -> tuple[slice, slice]:
    """Rows and columns of a mask and its margin, without what its place on a sheet has beside, which begins there."""
    height, width = (side + 2 * margin for side in shape)
    return slice(rows.start, rows.start + height), slice(cols.start, cols.start + width)


def _extent(rows: slice, cols: slice) -> tuple[int, int]:
    return rows.stop - rows.start, cols.stop - cols.start


def _axes(masks: Sequence[NDArray[np.bool_]], width: float) -> list[tuple[NDArray[np.float64], list[ridge.Piece]]]:
    """Ring radius by its outline and medial axis of each mask; the masks have a margin."""
    found: list[tuple[NDArray[np.float64], list[ridge.Piece]]] = [(np.empty((0, 0)), []) for _ in masks]
    for sheet in sheets(masks, 0):
        radius, owner = _radius(sheet.mask, _outline(sheet.mask)), sheet.numbers()
        for number, (rows, cols) in sheet.places.items():
            found[number] = (radius[_canvas(rows, cols, masks[number].shape, 0)], [])
        for piece in ridge.cut(medial(sheet.mask, radius, ridge.TIP * width), radius, width):
            row, col = piece.path[0].astype(int)
            number = int(owner[row, col])
            rows, cols = sheet.places[number]
            found[number][1].append(replace(piece, path=piece.path - (rows.start, cols.start)))
    return found


def separate(
    metaphase: Metaphase,
    candidate: Candidate,
    options: SegmentOptions,
    typical_width: float | None = None,
) -> list[Chromosome]:
    """Separate one candidate by the paper's chain.

    Parameters
    ----------
    metaphase : Metaphase
    candidate : Candidate
    options : SegmentOptions
        ``relevance_weight``: lambda of eq. 6.
    typical_width : float, optional
        Typical width of the cell's chromosomes, px (`segment_lift.typical_width`); the candidate's own when not given,
        which is too wide for one that is all crossing.

    Returns
    -------
    list of Chromosome
        Their masks together are the candidate's; an overlap belongs to every chromosome that covers it. What is one
        chromosome passes as it is, so does what gives no whole ellipse or stays too broad, with the flag "cluster".

    Raises
    ------
    OptionError
        `typical_width` is not positive.
    """
    return separate_all(metaphase, [candidate], options, typical_width)[0]


def separate_all(
    metaphase: Metaphase,
    candidates: Sequence[Candidate],
    options: SegmentOptions,
    typical_width: float | None = None,
) -> list[list[Chromosome]]:
    """The same of many together, which is faster; their own typical width where none is given."""
    laid = list(sheets([one.mask for one in candidates], MARGIN))
    radii = inner_radii(laid)
    if typical_width is None:
        typical_width = width_of(radii)
    _check_width(typical_width)
    bodies = _bodies(candidates, laid, radii, typical_width)
    return [
        [Chromosome(one.box, one.mask)]
        if number not in bodies or bodies[number].is_single()
        else _cut_up(metaphase, one, bodies[number], options, typical_width)
        for number, one in enumerate(candidates)
    ]


def _cut_up(
    metaphase: Metaphase, candidate: Candidate, body: Body, options: SegmentOptions, typical_width: float
) -> list[Chromosome]:
    """A candidate that is not one chromosome by its outline, separated."""
    contours, seams = _contours(metaphase, candidate, body, typical_width)
    pieces, joins = _apart(body, seams, typical_width) if seams.any() else (body.pieces, body.joins)
    parts = ellipse.parts(contours, pieces, joins, options.relevance_weight, typical_width)
    masks, parts = ellipse.divide(body.mask, parts, typical_width)
    if len(masks) < 2:
        unclear = not parts or body.broad
        return [
            Chromosome(candidate.box, candidate.mask, 0.3 if unclear else 0.7, flags=("cluster",) if unclear else ())
        ]
    given = rimmed(candidate.mask, MARGIN)
    return chromosomes([one & given for one in masks], [one.covered for one in parts], candidate.box)


def _check_width(typical_width: float) -> None:
    if not typical_width > 0:
        raise OptionError(
            f"`typical_width` must be positive, px. Got: {typical_width!r}. Take segment_lift.typical_width."
        )


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner: NDArray[np.bool_] = cv2.erode(mask.view(np.uint8), SQUARE).view(bool)
    return mask & ~inner


def _radius(domain: NDArray[np.bool_], edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ring radius of a domain; outside is at least one away from inside, also where a shape is one pixel broad."""
    # what lies outside is farther from every pixel inside than the outline before it, and costs nothing if it is edge
    return np.where(domain, edge_distance(edges | ~domain) + 1.0, 0.0)


def _contours(
    metaphase: Metaphase, candidate: Candidate, body: Body, width: float
) -> tuple[ellipse.Contours, NDArray[np.bool_]]:
    """Erosion and Canny of a candidate: its edge pixels, and those of them that are seams, on its canvas.

    Canny's outline has gaps where a pale band reaches the rim; the outline of the eroded candidate closes them, or the
    ring radius would leak. Of Canny's edges inside only seams count: a band's rim is no border of a chromosome.
    """
    density = rimmed(metaphase.density[candidate.box.slices], MARGIN)
    grey = cv2.erode(np.where(body.mask, density, 0).astype(np.uint8), SQUARE)
    level = max(float(np.median(density[body.mask])), 1.0)
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.06 * width))
    # Sobel's 3 x 3 answers 4 times a step
    weak, strong = (4.0 * share * level for share in CANNY)
    found = (cv2.Canny(smooth, weak, strong, L2gradient=True) != 0) & body.eroded
    outline = _outline(body.eroded)
    seams = _seams(found & (smooth < SEAM * level), outline, width)
    edges = outline | (found & _grown(outline, SQUARE)) | seams
    rows, cols = np.nonzero(edges)
    # whole numbers below 2^15
    down, across = (cv2.Sobel(smooth, cv2.CV_16S, *way)[rows, cols] for way in ((0, 1), (1, 0)))
    points, gradients = (np.stack(pair, axis=1).astype(np.float64) for pair in ((rows, cols), (down, across)))
    return ellipse.Contours(body.mask, points, gradients), seams


def _apart(body: Body, seams: NDArray[np.bool_], width: float) -> tuple[list[ridge.Piece], list[ridge.Link]]:
    """The pieces of a medial axis that crosses no seam, and which of their ends go on into one another."""
    radius = _radius(body.eroded, _outline(body.eroded) | seams)
    domain = body.eroded & ~_gap(seams, body.eroded, width)
    pieces = ridge.cut(medial(domain, radius, ridge.TIP * width), radius, width)
    return pieces, ridge.links(pieces, width)


def _grown(mask: NDArray[np.bool_], element: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.view(np.uint8), element).view(bool))


def _seams(edges: NDArray[np.bool_], outline: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    """Long pale edges inside a cluster that reach its outline: gaps between chromosomes side by side."""
    inner = edges & ~outline
    seams = np.zeros(edges.shape, dtype=bool)
    # a part has as many pixels as the longer side of its box, or more
    if np.count_nonzero(inner) < SEAM_LENGTH * width / math.sqrt(2.0):
        return seams
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inner.view(np.uint8), connectivity=8)
    near = _grown(outline, np.ones((5, 5), np.uint8))
    boxes = stats[:count, : cv2.CC_STAT_AREA]
    long = np.hypot(*boxes[1:, 2:].T) >= SEAM_LENGTH * width
    for label in (1 + np.flatnonzero(long)).tolist():
        left, top, across, down = boxes[label].tolist()
        box = (slice(top, top + down), slice(left, left + across))
        here = labels[box] == label
        if bool((here & near[box]).any()):
            seams[box] |= here
    return seams


def _gap(seams: NDArray[np.bool_], eroded: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    """Seams, broad enough that no diagonal step crosses them, and drawn out to the outline."""
    gap = _grown(seams, CROSS)
    size = 2 * max(1, round(0.5 * OPEN_END * width)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx((gap | ~eroded).astype(np.uint8), cv2.MORPH_CLOSE, disc).astype(bool)
    return gap | (closed & eroded & (edge_distance(seams) <= OPEN_END * width))


def chromosomes(masks: Sequence[NDArray[np.bool_]], sure: Sequence[NDArray[np.bool_]], box: Box) -> list[Chromosome]:
    """Masks on the canvas as chromosomes; the score is the share of each that is `sure`."""
    shared = np.sum(np.stack(masks), axis=0, dtype=np.uint16) > 1
    found = []
    for mask, certain in zip(masks, sure, strict=True):
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        top, left, bottom, right = int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1
        tight = Box(box.top + top - MARGIN, box.left + left - MARGIN, bottom - top, right - left)
        score = float(np.count_nonzero(mask & certain) / np.count_nonzero(mask))
        flag = "overlap" if bool((shared & mask).any()) else "touching"
        found.append(Chromosome(tight, mask[top:bottom, left:right], score, flags=(flag,)))
    return found
