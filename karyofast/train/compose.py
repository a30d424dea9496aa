"""Compose scenes of touching and crossing chromosomes from pictures of single ones, with their full truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.crops import CropRow, CropSource, isolate
from karyofast.patch import PAD, turned
from karyofast.straighten import medial_axis
from karyofast.types import Region


@dataclass(frozen=True, eq=False)
class Piece:
    """One chromosome to lay into a scene: density and mask of one shape, its axis (row, column) and width in px."""

    density: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    axis: NDArray[np.float64]
    width: float


@dataclass(frozen=True, eq=False)
class Laid:
    """One chromosome of a scene: its mask on the whole scene, its axis in the scene (row, column), its width in px.

    `number` is its place among the pieces that `compose` was given.
    """

    mask: NDArray[np.bool_]
    axis: NDArray[np.float64]
    width: float
    number: int = 0


@dataclass(frozen=True, eq=False)
class Scene:
    """A composed patch: density float32 (0..255, before noise) and what lies in it."""

    density: NDArray[np.float32]
    laid: tuple[Laid, ...]


class PieceStore:
    """Pieces of the cells of a data set of single chromosomes, read when first asked for."""

    def __init__(self, source: CropSource, rows: Sequence[CropRow], kept: int = 30000) -> None:
        self._source = source
        cells: dict[str, list[CropRow]] = {}
        for row in rows:
            cells.setdefault(row.cell, []).append(row)
        self.cells = list(cells.values())
        self._kept = kept
        self._read = lru_cache(maxsize=kept)(self._load)

    def __reduce__(self) -> tuple[type[PieceStore], tuple[CropSource, list[CropRow], int]]:
        # what was read is not sent to another process
        return PieceStore, (self._source, [row for cell in self.cells for row in cell], self._kept)

    def _load(self, row: CropRow) -> Piece:
        density, region = isolate(self._source.grey(row))
        return piece(density, region)

    def draw(self, rng: np.random.Generator, count: int) -> list[Piece]:
        """`count` chromosomes of one cell, so that scale and staining agree."""
        cell = self.cells[int(rng.integers(len(self.cells)))]
        chosen = rng.permutation(len(cell))[:count]
        return [self._read(cell[i]) for i in chosen]


def piece(density: NDArray[np.uint8], region: Region) -> Piece:
    """A piece from a picture of a single chromosome."""
    mask = np.pad(region.mask, PAD)
    axis, width = medial_axis(mask)
    return Piece(np.pad(density, PAD), mask, axis, width)


@dataclass(frozen=True)
class ComposeOptions:
    """How crowded a scene is; shares of the chromosomes laid."""

    side: int = 224
    fewest: int = 8
    most: int = 24
    touching: float = 0.40
    crossing: float = 0.25
    deepest: float = 0.45
    """largest share of a chromosome that may lie over others"""
    zoom: float = 0.25
    """natural logarithm: half range about a typical width of `WIDTH`"""
    aligned: float = 0.3
    """share laid beside another in nearly its direction: side by side, end to end, or crossing it at a small angle"""
    skew: float = 25.0
    """degrees between the directions of two that are aligned, at most"""


WIDTH = 12.0
"""Chromosome width, px, that scenes are drawn at and that pictures are brought to before the network sees them."""


def compose(pieces: Sequence[Piece], rng: np.random.Generator, options: ComposeOptions, adding: bool) -> Scene:
    """Lay pieces into a square scene.

    Parameters
    ----------
    pieces : sequence of Piece
    rng : numpy.random.Generator
    options : ComposeOptions
    adding : bool
        Densities add, as in fluorescence; else transmissions multiply, as in transmitted light.
    """
    side = options.side
    typical = float(np.median([one.width for one in pieces]))
    zoom = WIDTH / typical * float(np.exp(rng.uniform(-options.zoom, options.zoom)))
    density = np.zeros((side, side), np.float32)
    covered = np.zeros((side, side), np.uint8)
    laid: list[Laid] = []
    for number, one in enumerate(pieces):
        near = laid[int(rng.integers(len(laid)))] if laid and rng.random() < options.aligned else None
        towards = rng.uniform(0.0, np.pi)
        if near is not None:
            towards = _direction(near.axis) + np.deg2rad(rng.uniform(-options.skew, options.skew))
        patch, mask, axis = _turned(one, zoom, towards, bool(rng.random() < 0.5))
        at = _find_place(mask, covered, rng, options, near)
        if at is None:
            continue
        window, inner = _windows(mask.shape, at, side)
        before, new = density[window], patch[inner] * mask[inner]
        density[window] = before + new if adding else 255.0 * (1.0 - (1.0 - before / 255.0) * (1.0 - new / 255.0))
        full = np.zeros((side, side), bool)
        full[window] = mask[inner]
        covered[window] |= mask[inner].astype(np.uint8)
        laid.append(Laid(full, axis + np.array(at), one.width * zoom, number))
    return Scene(np.minimum(density, 255.0), tuple(laid))


def _direction(axis: NDArray[np.float64]) -> float:
    """Angle of an axis from end to end, radians, in pixel coordinates (rows grow downwards)."""
    rows, columns = axis[-1] - axis[0]
    return float(np.arctan2(rows, columns))


def _turned(
    one: Piece, zoom: float, towards: float, mirrored: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """Density, mask and axis of a piece, enlarged and turned so that its axis runs at the angle `towards`."""
    # a picture is turned against the growing rows, and a mirror image turns back
    turn = _direction(one.axis) + (towards if mirrored else -towards)
    return turned(one.density, one.mask, one.axis, zoom, float(np.rad2deg(turn)), mirrored)


def _find_place(
    mask: NDArray[np.bool_],
    covered: NDArray[np.uint8],
    rng: np.random.Generator,
    options: ComposeOptions,
    neighbour: Laid | None,
) -> tuple[int, int] | None:
    """Top left corner at which the mask lies free, touches or crosses, as drawn; None when no try fits.

    Beside a `neighbour` it touches or crosses.
    """
    side = covered.shape[0]
    # the first one has nothing to touch or cross
    wanted = rng.random() if covered.any() else 1.0
    if neighbour is not None:
        wanted *= options.touching + options.crossing
    area = max(int(mask.sum()), 1)
    near = np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    far = np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)), np.uint8)
    for _ in range(60):
        if neighbour is not None:
            at = _beside(mask, neighbour, rng)
        else:
            at = (int(rng.integers(-mask.shape[0] // 3, side - mask.shape[0] * 2 // 3)),
                  int(rng.integers(-mask.shape[1] // 3, side - mask.shape[1] * 2 // 3)))  # fmt: skip
        window, inner = _windows(mask.shape, at, side)
        below = covered[window]
        if below.size == 0 or mask[inner].sum() < 0.3 * area:
            continue
        over = int(np.count_nonzero(below & mask[inner]))
        if wanted < options.touching:
            fits = over <= 0.03 * area and bool((below & near[inner]).any())
        elif wanted < options.touching + options.crossing:
            fits = 0.05 * area < over < options.deepest * area
        else:
            fits = not (below & far[inner]).any()
        if fits:
            return at
    return None


def _beside(mask: NDArray[np.bool_], neighbour: Laid, rng: np.random.Generator) -> tuple[int, int]:
    """A corner at which the mask lies at the neighbour's side or end, give or take."""
    along = neighbour.axis[-1] - neighbour.axis[0]
    length = max(float(np.hypot(*along)), 1.0)
    along = along / length
    across = np.array([-along[1], along[0]])
    own = float(np.hypot(*np.ptp(np.argwhere(mask), axis=0)))
    if rng.random() < 0.6:
        offset = across * neighbour.width * rng.uniform(0.6, 1.4) * rng.choice([-1.0, 1.0])
        offset = offset + along * rng.uniform(-0.5, 0.5) * 0.5 * (length + own)
    else:
        offset = along * rng.uniform(0.4, 0.55) * (length + own) * rng.choice([-1.0, 1.0])
        offset = offset + across * neighbour.width * rng.uniform(-0.4, 0.4)
    corner = np.rint(neighbour.axis.mean(axis=0) + offset - 0.5 * np.array(mask.shape)).astype(int)
    return int(corner[0]), int(corner[1])


def _windows(shape: tuple[int, ...], at: tuple[int, int], side: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The part of a square scene that a patch at `at` covers, and the part of the patch that lies in the scene."""
    outer, inner = [], []
    for start, length in zip(at, shape, strict=True):
        first, last = max(start, 0), max(min(start + length, side), max(start, 0))
        outer.append(slice(first, last))
        inner.append(slice(first - start, last - start))
    return (outer[0], outer[1]), (inner[0], inner[1])


def photograph(scene: NDArray[np.float32], rng: np.random.Generator, adding: bool) -> NDArray[np.float32]:
    """Density as a camera would have seen it: contrast, blur, uneven background, nuclei, debris and noise."""
    shape = scene.shape
    inside = scene > 0
    level = float(scene[inside].mean()) if inside.any() else 100.0
    # light bands of weakly stained slides stay well above the background
    values = np.where(inside, level + (scene - level) * rng.uniform(0.35, 1.15), 0.0).astype(np.float32)
    values = np.maximum(values, np.where(inside, level * rng.uniform(0.0, 0.5), 0.0)).astype(np.float32)
    values += _disturbers(shape, level, rng)
    values = np.asarray(cv2.GaussianBlur(values, (0, 0), rng.uniform(0.4, 1.4)), np.float32)
    if rng.random() < 0.5:
        halo = cv2.GaussianBlur(values, (0, 0), rng.uniform(4.0, 12.0))
        values = values + halo * (rng.uniform(0.0, 0.35) if adding else rng.uniform(-0.12, 0.2))
    values += level * rng.uniform(0.0, 0.12) * _smooth_field(shape, rng, 40.0)
    values += rng.normal(0.0, level * rng.uniform(0.003, 0.05), shape).astype(np.float32)
    return np.asarray(values * (1.0 / max(level, 1.0)) * rng.uniform(0.7, 1.3), dtype=np.float32)


def _smooth_field(shape: tuple[int, ...], rng: np.random.Generator, sigma: float) -> NDArray[np.float32]:
    small = rng.normal(0.0, 1.0, (max(2, int(shape[0] / sigma) + 2), max(2, int(shape[1] / sigma) + 2)))
    field = cv2.resize(small.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field, dtype=np.float32)


def _disturbers(shape: tuple[int, ...], level: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Nuclei (large, textured) and debris (small, any density): background in the truth."""
    drawn = np.zeros(shape, np.float32)
    if rng.random() < 0.25:
        radius = rng.uniform(30, 80)
        centre = rng.uniform(-20, np.array(shape) + 20)
        canvas = np.zeros(shape, np.uint8)
        axes = (int(radius), int(radius * rng.uniform(0.7, 1.0)))
        cv2.ellipse(canvas, (int(centre[1]), int(centre[0])), axes, rng.uniform(0, 180), 0, 360, 1, -1)
        texture = 1.0 + 0.15 * _smooth_field(shape, rng, 5.0) + 0.05 * rng.normal(0, 1, shape).astype(np.float32)
        drawn += canvas * texture * level * rng.uniform(0.4, 1.4)
    for _ in range(rng.poisson(2.0)):
        centre = rng.uniform(0, shape)
        size = (int(rng.integers(1, 4)), int(rng.integers(1, 5)))
        cv2.ellipse(drawn, (int(centre[1]), int(centre[0])), size, rng.uniform(0, 180), 0, 360,
                    level * rng.uniform(0.2, 2.0), -1)  # fmt: skip
    return drawn.astype(np.float32)
