"""The paper's chain from picture to separated chromosomes, as one would write it with pylena, OpenCV and Numba.

The stages are those of `karyofast segment --method rrt`, and no compiled kernel of karyofast is called: pylena's tree,
plain Numba loops for attributes, two-class variance, ridge and relevance, OpenCV for Canny, gradients, distances,
ellipses and components, all on the crop of a candidate; `flatten` is shared, with OpenCV for our kernels in it. It
does less: the tree has 8 bit, the visible edge lies at a fixed fraction, groups of another cell stay, pieces of a
medial axis are not joined across a crossing or cut at necks, seams and pale bands are not looked at.
"""

from __future__ import annotations

import cv2
import numba
import numpy as np
import pylena
from numpy.typing import NDArray

from benches import peers
from benches.chain import _attributes, flatten
from karyofast.types import Metaphase

EDGE = 0.4
"""Visible edge as a fraction of the mean height."""
FAINTEST, AREA, DISK, HOLES = 0.3, 0.6, (0.6, 2.4), 6
NUCLEUS, VARIANCE = (1.6, 0.6), 0.6
SOLID, BROAD, CANNY = 0.9, 1.5, (0.2, 0.5)
WEIGHT, REACH, LEAST, WHOLE, MINOR = 0.4, 0.8, 6, 0.8, (0.4, 1.6)
OVER = 0.7
"""Limits of karyofast.detect, detect_shape, segment_rrt and ellipse, in the same units."""
MARGIN = 3

Mask = tuple[int, int, NDArray[np.bool_]]
"""Top, left and pixels of a chromosome."""


def chromosomes(metaphase: Metaphase) -> list[Mask]:
    """From the picture to separated chromosomes."""
    grey = metaphase.grey if metaphase.polarity == "bright" else 255 - metaphase.grey
    found = _candidates(np.ascontiguousarray(grey))
    widths = [2.0 * float(_depth(mask).max()) for _, _, mask in found]
    width = float(np.median(widths)) if widths else 0.0
    return [one for candidate in found for one in _separated(metaphase.density, candidate, width)]


def _candidates(density: NDArray[np.uint8]) -> list[Mask]:
    """Extremal regions that pass the filters of shape and of intensity."""
    flat = flatten(density)
    height = cv2.convertScaleAbs(flat.height, alpha=255.0 / max(float(flat.height.max()), 1e-9))
    tree = pylena.morpho.maxtree(height, 8)
    nodes, parent = np.asarray(tree.nodemap).astype(np.int64), np.asarray(tree.parent).astype(np.int64)
    level = np.asarray(tree.values).astype(np.float64)
    ints, greys = _attributes(height, nodes, parent)
    area, mean = ints[:, 0], greys[:, 0] / ints[:, 0]
    least = AREA * flat.width**2
    sized = (level >= EDGE * mean) & (area >= least) & (area <= density.size // 4)
    chosen = np.flatnonzero(sized & (_above(parent, sized) == 0))
    if len(chosen) == 0:
        return []
    chosen = chosen[mean[chosen] >= FAINTEST * _typical(area[chosen], mean[chosen])]
    chosen = chosen[1 - ints[chosen, 5] <= HOLES]
    box = np.stack([ints[chosen, 1], ints[chosen, 2], *(ints[chosen, 3:5] + 1 - ints[chosen, 1:3]).T], axis=1)
    spread = np.empty(len(box))
    peers.two_class_variance(density, box, spread)
    even = np.sqrt(spread / (box[:, 2] * box[:, 3])) <= VARIANCE * mean[chosen] * flat.height.max() / 255.0
    chosen, box = chosen[even], box[even]
    owner = _owners(parent, chosen)[nodes]
    found = []
    for number, (top, left, rows, cols) in enumerate(box.tolist()):
        mask = owner[top : top + rows, left : left + cols] == number
        if _shaped(mask, flat.width):
            found.append((top, left, mask))
    return found


def _shaped(mask: NDArray[np.bool_], width: float) -> bool:
    """Whether the largest disk inside and the rim's votes for an ellipse leave it a chromosome or a cluster."""
    disk = 2.0 * float(_depth(mask).max())
    if not DISK[0] * width <= disk <= DISK[1] * width:
        return False
    if disk < NUCLEUS[0] * width:
        return True
    rim = max(cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)[:, 0]
    (x, y), axes, angle = cv2.fitEllipse(rim)
    turn = np.deg2rad(angle)
    along = (rim[:, 0] - x) * np.cos(turn) + (rim[:, 1] - y) * np.sin(turn)
    across = (rim[:, 1] - y) * np.cos(turn) - (rim[:, 0] - x) * np.sin(turn)
    scale = np.hypot(2 * along / max(axes[0], 1e-9), 2 * across / max(axes[1], 1e-9))
    return bool(max(axes) > 2 * min(axes) or (np.abs(scale - 1) <= 0.12).mean() < NUCLEUS[1])


def _separated(density: NDArray[np.uint8], candidate: Mask, width: float) -> list[Mask]:
    """A candidate as it is where it is one chromosome, else one mask for each of its whole ellipses."""
    top, left, given = candidate
    mask = np.pad(given, MARGIN)
    rim = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0][0]
    hull = cv2.convexHull(rim)
    solid = np.count_nonzero(given) / (cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1.0)
    if solid >= SOLID and 2.0 * float(_depth(given).max()) <= BROAD * width:
        return [candidate]
    eroded = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8))
    grey = np.zeros(mask.shape, np.uint8)
    grey[MARGIN:-MARGIN, MARGIN:-MARGIN] = density[top : top + given.shape[0], left : left + given.shape[1]]
    grey[~mask] = 0
    level = max(float(np.median(grey[mask])), 1.0)
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.06 * width))
    edges = cv2.Canny(smooth, 4.0 * CANNY[0] * level, 4.0 * CANNY[1] * level, L2gradient=True)
    edges[eroded == 0] = 0
    outline = eroded - cv2.erode(eroded, np.ones((3, 3), np.uint8))
    radius = cv2.distanceTransform(1 - outline, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    pieces = _pieces(eroded, radius, width)
    if len(pieces) < 2:
        return [candidate]
    points = np.argwhere((edges > 0) | (outline > 0)).astype(np.float64)
    at = tuple(points.T.astype(np.int64))
    gradients = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 0, 1)[at], cv2.Sobel(smooth, cv2.CV_32F, 1, 0)[at]], axis=1)
    best, value = np.empty(len(points), dtype=np.int64), np.empty(len(points))
    seeds = np.array([piece.mean(axis=0) for piece in pieces])
    peers.relevance(points, gradients.astype(np.float64), seeds, WEIGHT, best, value)
    parts = []
    for number, piece in enumerate(pieces):
        covered = _ellipse(mask, points[best == number], piece, width)
        if covered is not None:
            parts.append((piece, covered))
    return _divided(candidate, mask, parts, width)


def _pieces(domain: NDArray[np.uint8], radius: NDArray[np.float32], width: float) -> list[NDArray[np.float64]]:
    """Pixels of the ridge's pieces between its junctions."""
    left = domain.copy()
    rows, cols = np.nonzero(domain)
    rank = np.argsort(radius[rows, cols], kind="stable")
    _thin(left, radius, rows[rank], cols[rank], np.float32(0.2 * width))
    around = cv2.boxFilter(left, cv2.CV_16S, (3, 3), normalize=False) - left
    for row, col in np.argwhere((left > 0) & (around >= 3)).tolist():
        cv2.circle(left, (col, row), max(1, round(float(radius[row, col]))), 0, cv2.FILLED)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(left, connectivity=8)
    rows, cols = np.nonzero(labels)
    of = labels[rows, cols]
    rank = np.argsort(of, kind="stable")
    ends = np.cumsum(stats[1:, cv2.CC_STAT_AREA])
    points = np.stack([rows[rank], cols[rank]], axis=1).astype(np.float64)
    return [piece for piece in np.split(points, ends[:-1]) if len(piece) >= 0.5 * width]


def _ellipse(
    mask: NDArray[np.bool_], points: NDArray[np.float64], piece: NDArray[np.float64], width: float
) -> NDArray[np.bool_] | None:
    """The cluster's pixels in the ellipse through the edge pixels of one seed, None where it is not whole."""
    at, away = np.zeros(len(points), dtype=np.int64), np.empty(len(points))
    peers.nearest(piece, points, at, away)
    points = points[away <= REACH * width]
    if len(points) < LEAST:
        return None
    (x, y), axes, angle = cv2.fitEllipse(points[:, ::-1].astype(np.float32))
    minor, major = min(axes) + 2.0, max(axes) + 2.0
    if not (MINOR[0] * width <= minor <= MINOR[1] * width and major <= 2.0 * sum(mask.shape)):
        return None
    drawn = np.zeros(mask.shape, np.uint8)
    cv2.ellipse(drawn, ((x, y), (axes[0] + 2.0, axes[1] + 2.0), angle), 1, cv2.FILLED)
    inside = drawn.view(bool) & mask
    return inside if np.count_nonzero(inside) >= WHOLE * np.pi * minor * major / 4.0 else None


def _divided(
    candidate: Mask,
    mask: NDArray[np.bool_],
    parts: list[tuple[NDArray[np.float64], NDArray[np.bool_]]],
    width: float,
) -> list[Mask]:
    """Each pixel to the ellipses that cover it, else to the nearest piece; of each its largest component."""
    if len(parts) < 2:
        return [candidate]
    away = []
    for piece, _ in parts:
        free = np.ones(mask.shape, np.uint8)
        free[tuple(piece.T.astype(np.int64))] = 0
        away.append(cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    covers = np.stack([covered for _, covered in parts])
    unclaimed = mask & ~covers.any(axis=0)
    covers[:, unclaimed] = np.stack(away)[:, unclaimed].argmin(axis=0) == np.arange(len(parts))[:, None]
    found = []
    for one in covers:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(one.view(np.uint8), connectivity=8)
        label = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        left, top, cols, rows, area = stats[label].tolist()
        if area >= OVER * width**2:
            inside = labels[top : top + rows, left : left + cols] == label
            found.append((candidate[0] + top - MARGIN, candidate[1] + left - MARGIN, inside))
    return found or [candidate]


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    padded = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def _typical(area: NDArray[np.int64], mean: NDArray[np.float64]) -> float:
    rank = np.argsort(mean)
    stain = np.cumsum((area * mean)[rank])
    return float(mean[rank][np.searchsorted(stain, 0.5 * stain[-1])])


@numba.njit(nogil=True, cache=True)
def _above(parent: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a node that holds this one is chosen; parents come first."""
    above = np.zeros(len(parent), dtype=np.bool_)
    for node in range(1, len(parent)):
        above[node] = above[parent[node]] or chosen[parent[node]]
    return above


@numba.njit(nogil=True, cache=True)
def _owners(parent: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int32]:
    """The number of the chosen node that each node is part of, -1 for none."""
    owner = np.full(len(parent), -1, dtype=np.int32)
    for number in range(len(chosen)):
        owner[chosen[number]] = number
    for node in range(1, len(parent)):
        if owner[node] < 0:
            owner[node] = owner[parent[node]]
    return owner


@numba.njit(nogil=True, cache=True)
def _thin(
    left: NDArray[np.uint8],
    radius: NDArray[np.float32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    least: np.float32,
) -> None:
    """Take pixels away by rising radius while the shape stays connected, until none goes. `left` has a rim of 0."""
    going = True
    while going:
        going = False
        for at in range(len(rows)):
            row, col = rows[at], cols[at]
            if not left[row, col]:
                continue
            n, e, s, w = left[row - 1, col], left[row, col + 1], left[row + 1, col], left[row, col - 1]
            ne, se = left[row - 1, col + 1], left[row + 1, col + 1]
            sw, nw = left[row + 1, col - 1], left[row - 1, col - 1]
            holes = (not n and (ne or e)) + (not e and (se or s)) + (not s and (sw or w)) + (not w and (nw or n))
            tip = n + e + s + w + ne + se + sw + nw <= 1
            if holes == 1 and not (tip and radius[row, col] >= least):
                left[row, col] = 0
                going = True
