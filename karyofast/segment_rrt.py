"""Separation by the ring radius transform (paper section 4, eq. 5 and 6; ``method="rrt"``), and the watershed baseline.

A cluster is eroded and its edges are found (Canny). The ring radius of a pixel is its distance to the nearest edge
pixel; its ridge is the medial axis (`karyofast.ridge`), the mean of each connected piece of it a seed. Each edge pixel
goes to the seed that is most relevant to it, an ellipse is fitted to the edge pixels of each seed, and ellipses that
are not whole are discarded. Beyond the paper, which draws one ellipse a chromosome: pieces that go on into one another
along the medial axis are joined first, since chromosomes bend, and every pixel of the cluster is given to a chromosome.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import ellipse, ridge
from karyofast.config import SegmentOptions
from karyofast.errors import OptionError
from karyofast.kernels import edge_distance
from karyofast.kernels import ridge as medial
from karyofast.kernels.rim import rimmed
from karyofast.segment_lift import typical_width as own_width
from karyofast.sheets import sheets
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

RISE = 0.45
"""Height of a maximum of the distance over its saddle, share of the highest, for a marker of its own (watershed).

The width of a banded chromosome varies by a quarter; chosen on simulated spreads, where less cuts bands apart."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A candidate on a canvas with a margin, and what the transform makes of it.

    Attributes
    ----------
    mask : bool (height, width)
        The candidate, its small holes filled.
    edges : bool (height, width)
    gradients : float64 (height, width, 2)
        Of the eroded density: points into the chromosome.
    radius : float64 (height, width)
        Ring radius of the eroded candidate, 0 outside of it, px.
    domain : bool (height, width)
        The eroded candidate without its seams.
    """

    mask: NDArray[np.bool_]
    edges: NDArray[np.bool_]
    gradients: NDArray[np.float64]
    radius: NDArray[np.float64]
    domain: NDArray[np.bool_]


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
    found = [False] * len(candidates)
    with_bay: dict[int, NDArray[np.bool_]] = {}
    for sheet in sheets([one.mask for one in candidates], MARGIN):
        mask = _filled(sheet.mask, typical_width)
        depth = edge_distance(~mask)
        for number, place in sheet.places.items():
            if 2.0 * float(depth[place].max()) > BROAD * typical_width:
                continue
            found[number] = _solidity(mask[place]) >= SOLID
            if not found[number]:
                with_bay[number] = _eroded(mask[place])
    for number, lines in zip(with_bay, _lines(list(with_bay.values()), typical_width), strict=True):
        found[number] = lines < 2
    return found


def _lines(masks: Sequence[NDArray[np.bool_]], width: float) -> list[int]:
    """In how many lines the pieces of each one's medial axis go on into one another; the masks have a margin."""
    found = [0] * len(masks)
    for sheet in sheets(masks, 0):
        radius = _radius(sheet.mask, _outline(sheet.mask))
        pieces: dict[int, list[ridge.Piece]] = {number: [] for number in sheet.places}
        owner = sheet.numbers()
        for piece in ridge.cut(medial(sheet.mask, radius, ridge.TIP * width), radius, width):
            row, col = piece.path[0].astype(int)
            pieces[int(owner[row, col])].append(piece)
        for number, own in pieces.items():
            found[number] = len(ellipse.groups(own, ridge.links(own, width)))
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
    if typical_width is None:
        typical_width = own_width(candidates)
    return [
        [Chromosome(one.box, one.mask)] if single else _cut_up(metaphase, one, options, typical_width)
        for one, single in zip(candidates, singles(candidates, typical_width), strict=True)
    ]


def _cut_up(
    metaphase: Metaphase, candidate: Candidate, options: SegmentOptions, typical_width: float
) -> list[Chromosome]:
    """A candidate that is not one chromosome by its outline, separated."""
    mask = _filled(rimmed(candidate.mask, MARGIN), typical_width)
    shape = _from_density(metaphase, candidate, mask, typical_width)
    axis = medial(shape.domain, shape.radius, ridge.TIP * typical_width)
    pieces = ridge.cut(axis, shape.radius, typical_width)
    points = np.argwhere(shape.edges)
    gradients = shape.gradients[points[:, 0], points[:, 1]]
    contours = ellipse.Contours(shape.mask, points.astype(np.float64), gradients)
    parts = ellipse.parts(contours, pieces, options.relevance_weight, typical_width)
    masks, parts = ellipse.divide(shape.mask, parts, typical_width)
    if len(masks) < 2:
        depth = edge_distance(~shape.mask)
        unclear = not parts or 2.0 * float(depth.max()) > BROAD * typical_width
        return [
            Chromosome(candidate.box, candidate.mask, 0.3 if unclear else 0.7, flags=("cluster",) if unclear else ())
        ]
    given = rimmed(candidate.mask, MARGIN)
    return _chromosomes([one & given for one in masks], [one.covered for one in parts], candidate.box)


def watershed(metaphase: Metaphase, candidate: Candidate) -> list[Chromosome]:
    """Separate one candidate by a watershed of its distance to the background: the baseline, blind to crossings.

    Parameters
    ----------
    metaphase : Metaphase
        Unused: the watershed sees the outline only.
    candidate : Candidate

    Returns
    -------
    list of Chromosome
        Disjoint; together the candidate's mask.
    """
    del metaphase
    mask = rimmed(candidate.mask, MARGIN)
    depth = edge_distance(~mask).astype(np.float32)
    rise = np.float32(max(RISE * float(depth.max()), 0.5))
    above = depth - _reconstruct(depth - rise, depth)
    count, markers = cv2.connectedComponents((above > 0.01 * rise).astype(np.uint8), connectivity=8)
    high = [dome for dome in range(1, count) if float(above[markers == dome].max()) > 0.99 * rise]  # but for rounding
    if len(high) < 2:
        return [Chromosome(candidate.box, candidate.mask)]
    basins = _flooded(np.where(np.isin(markers, high), markers, 0), depth)
    masks = [basins == dome for dome in high]
    return _chromosomes(masks, masks, candidate.box)


def _check_width(typical_width: float) -> None:
    if not typical_width > 0:
        raise OptionError(
            f"`typical_width` must be positive, px. Got: {typical_width!r}. Take segment_lift.typical_width."
        )


def _solidity(mask: NDArray[np.bool_]) -> float:
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(outlines[0] if len(outlines) == 1 else np.concatenate(outlines))
    # the hull joins pixel centres: half its rim is missing from its area
    return float(np.count_nonzero(mask) / (cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1.0))


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without its rim; as it is where nothing would be left."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    eroded = cv2.erode(mask.view(np.uint8), cross).view(bool)
    return eroded if eroded.any() else mask


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner: NDArray[np.bool_] = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    return mask & ~inner


def _radius(domain: NDArray[np.bool_], edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ring radius of a domain; outside is at least one away from inside, also where a shape is one pixel broad."""
    return np.where(domain, edge_distance(edges) + 1.0, 0.0)


def _filled(mask: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    """Masks with a margin, without their small holes; large ones lie between chromosomes."""
    around = (~mask).view(np.uint8)
    count, labels = cv2.connectedComponents(around, connectivity=4)
    if count <= 2:
        return mask
    small = np.bincount(labels.ravel(), minlength=count) <= HOLE * width**2
    small[[0, labels[0, 0]]] = False  # the masks, and what lies around them
    return np.asarray(mask | small[labels])


def _from_density(metaphase: Metaphase, candidate: Candidate, mask: NDArray[np.bool_], width: float) -> Shape:
    """Erosion, Canny and ring radius of a candidate, whose mask on the canvas has no small holes.

    Canny's outline has gaps where a pale band reaches the rim; the outline of the eroded candidate closes them, or the
    ring radius would leak. Of Canny's edges inside only seams count: a band's rim is no border of a chromosome.
    """
    eroded = _eroded(mask)
    density = rimmed(metaphase.density[candidate.box.slices], MARGIN)
    grey = cv2.erode(np.where(mask, density, 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    level = max(float(np.median(density[mask])), 1.0)
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.06 * width))
    # Sobel's 3 x 3 answers 4 times a step
    weak, strong = (4.0 * share * level for share in CANNY)
    found = cv2.Canny(smooth, weak, strong, L2gradient=True).astype(bool) & eroded
    outline = _outline(eroded)
    seams = _seams(found & (smooth < SEAM * level), outline, width)
    edges = outline | (found & (edge_distance(outline) <= 1.5)) | seams
    down = cv2.Sobel(smooth, cv2.CV_64F, 0, 1)
    across = cv2.Sobel(smooth, cv2.CV_64F, 1, 0)
    radius = _radius(eroded, outline | seams)
    return Shape(mask, edges, np.stack([down, across], axis=-1), radius, eroded & ~_gap(seams, eroded, width))


def _seams(edges: NDArray[np.bool_], outline: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    """Long pale edges inside a cluster that reach its outline: gaps between chromosomes side by side."""
    inner = edges & ~outline
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inner.astype(np.uint8), connectivity=8)
    near = cv2.dilate(outline.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    seams = np.zeros(edges.shape, dtype=bool)
    for label in range(1, count):
        length = np.hypot(stats[label, cv2.CC_STAT_WIDTH], stats[label, cv2.CC_STAT_HEIGHT])
        if length < SEAM_LENGTH * width:
            continue
        here = labels == label
        if bool((here & near).any()):
            seams |= here
    return seams


def _gap(seams: NDArray[np.bool_], eroded: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    """Seams, broad enough that no diagonal step crosses them, and drawn out to the outline."""
    if not seams.any():
        return seams
    gap = cv2.dilate(seams.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))).astype(bool)
    size = 2 * max(1, round(0.5 * OPEN_END * width)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx((gap | ~eroded).astype(np.uint8), cv2.MORPH_CLOSE, disc).astype(bool)
    return gap | (closed & eroded & (edge_distance(seams) <= OPEN_END * width))


def _reconstruct(seed: NDArray[np.float32], bound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Morphological reconstruction by dilation of `seed` under `bound`."""
    kernel = np.ones((3, 3), np.uint8)
    while True:
        grown = np.minimum(cv2.dilate(seed, kernel), bound).astype(np.float32)
        if np.array_equal(grown, seed):
            return grown
        seed = grown


def _chromosomes(masks: Sequence[NDArray[np.bool_]], sure: Sequence[NDArray[np.bool_]], box: Box) -> list[Chromosome]:
    """Masks on the canvas as chromosomes; the score is the share of each that is `sure`."""
    count = np.sum(np.stack(masks), axis=0)
    found = []
    for mask, certain in zip(masks, sure, strict=True):
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        top, left, bottom, right = int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1
        tight = Box(box.top + top - MARGIN, box.left + left - MARGIN, bottom - top, right - left)
        score = float(np.count_nonzero(mask & certain) / np.count_nonzero(mask))
        flag = "overlap" if bool((count[mask] > 1).any()) else "touching"
        found.append(Chromosome(tight, mask[top:bottom, left:right], score, flags=(flag,)))
    return found


def _flooded(markers: NDArray[np.int32], depth: NDArray[np.float32]) -> NDArray[np.int32]:
    """Grow the markers over all pixels with a depth, the deepest neighbours first."""
    basins = markers.copy()
    order = itertools.count()  # of pixels equally deep the one reached first
    heap = [(-float(depth[at]), next(order), at) for at in zip(*np.nonzero(markers), strict=True)]
    heapq.heapify(heap)
    while heap:
        _, _, (row, col) = heapq.heappop(heap)
        for down, across in ridge.RING:
            at = (row + down, col + across)
            if depth[at] > 0 and basins[at] == 0:
                basins[at] = basins[row, col]
                heapq.heappush(heap, (-float(depth[at]), next(order), at))
    return basins
