"""Training crops: a data set of single chromosomes, straightened once and augmented on the fly."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.classify import FLOOR, MEDIAN_ROWS, WIDENING, CellScale, affine, place, standardise
from karyofast.crops import CropRow, CropSource, split_of, straighten_single

CHUNK = 16
"""Cells a worker takes at once."""


@dataclass(frozen=True, eq=False)
class CropSet:
    """Straightened chromosomes, each in several variants (turned differently before straightening).

    Attributes
    ----------
    crops : tuple of tuple of uint8 (rows, columns)
        One tuple of variants a chromosome.
    upright : bool (n, variants)
        Whether the p arm is at the top of the variant.
    label : int64 (n,)
        Index into `karyofast.types.CLASSES`.
    cell, case : str (n,)
    scales : tuple of CellScale
        One a chromosome, shared by its cell.
    """

    crops: tuple[tuple[NDArray[np.uint8], ...], ...]
    upright: NDArray[np.bool_]
    label: NDArray[np.int64]
    cell: NDArray[np.str_]
    case: NDArray[np.str_]
    scales: tuple[CellScale, ...]

    def part(self, name: str) -> NDArray[np.int64]:
        """Indices of the chromosomes whose case belongs to the split "train", "validation" or "test"."""
        return np.flatnonzero([split_of(case) == name for case in self.case])


def prepare(
    path: Path, seed: int = 0, variants: int = 3, jobs: int = 2, progress: Callable[[int], None] | None = None
) -> CropSet:
    """Straighten every chromosome of a data set `variants` times, turned by a random angle before each.

    Parameters
    ----------
    path : Path
        Folder or zip file, see `karyofast.crops.CropSource`.
    seed : int
        Seed of the angles.
    variants : int
    jobs : int
        Worker processes.
    progress : callable, optional
        Called with the number of cells done.
    """
    source = CropSource(path)
    cells = [rows for _, rows in source.cells()]
    chunks = [cells[first : first + CHUNK] for first in range(0, len(cells), CHUNK)]
    done: list[_Cell] = []
    # spawned, not forked: a fork of a process in which torch or OpenCV runs threads can hang
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for part in pool.map(partial(_prepare, path, seed, variants), range(len(chunks)), chunks):
            done += part
            if progress:
                progress(len(done))
    rows = [row for cell in done for row in cell.rows]
    return CropSet(
        crops=tuple(crops for cell in done for crops in cell.crops),
        upright=np.array([up for cell in done for up in cell.upright], dtype=bool).reshape(-1, variants),
        label=np.array([row.label for row in rows], dtype=np.int64),
        cell=np.array([row.cell for row in rows]),
        case=np.array([row.case for row in rows]),
        scales=tuple(cell.scale for cell in done for _ in cell.rows),
    )


@dataclass(frozen=True, eq=False)
class _Cell:
    rows: list[CropRow]
    crops: list[tuple[NDArray[np.uint8], ...]]
    upright: list[tuple[bool, ...]]
    scale: CellScale


def _prepare(path: Path, seed: int, variants: int, number: int, cells: list[list[CropRow]]) -> list[_Cell]:
    cv2.setNumThreads(1)
    source = CropSource(path)
    rng = np.random.default_rng([seed, number])
    done = []
    for rows in cells:
        labelled = [row for row in rows if row.label is not None]
        drawn = [
            [straighten_single(source.grey(row), float(rng.uniform(0.0, 360.0))) for _ in range(variants)]
            for row in labelled
        ]
        scale = CellScale.of([variants_of[0][0] for variants_of in drawn])
        crops = [tuple(one.crop for one, _ in variants_of) for variants_of in drawn]
        done.append(_Cell(labelled, crops, [tuple(up for _, up in variants_of) for variants_of in drawn], scale))
    return done


@dataclass(frozen=True)
class Augmentation:
    """How much a training crop is changed; standard deviations or half ranges."""

    zoom: float = 0.08
    stretch: float = 0.05
    turn: float = 5.0
    """degrees"""
    shift: float = 2.5
    """rows; half of it columns"""
    contrast: float = 0.25
    brightness: float = 0.2
    """standard deviations of the cell"""
    blur: float = 1.1
    """px of the network's input"""
    defocused: float = 0.5
    """share of crops that are defocused"""
    defocus: float = 0.0
    """rows of the network's input: blur as of the picture itself, so wider across by what the input is widened"""
    noise: float = 0.04
    remnant: float = 0.15
    """share of crops that carry a piece of a neighbour"""
    clipped: float = 0.15
    """share of crops that lose a piece of an end"""


def augmented(
    crops: CropSet, index: int, size: tuple[int, int], rng: np.random.Generator, how: Augmentation
) -> tuple[NDArray[np.float32], bool]:
    """A changed copy of one crop as the network sees it, and whether its p arm is up."""
    variant = int(rng.integers(crops.upright.shape[1]))
    crop, up = crops.crops[index][variant], bool(crops.upright[index, variant])
    scale = crops.scales[index]
    if rng.random() < how.clipped:
        lost = int(rng.uniform(0.0, 0.08) * len(crop)) + 1
        crop = crop[lost:] if rng.random() < 0.5 else crop[:-lost]
    values = standardise(crop, scale)
    inside = values > FLOOR
    values = values * (1.0 + rng.uniform(-how.contrast, how.contrast)) + rng.uniform(-how.brightness, how.brightness)
    values = np.where(inside, np.clip(values, FLOOR, -FLOOR), FLOOR).astype(np.float32)
    if rng.random() < 0.5:
        values, up = np.ascontiguousarray(values[::-1]), not up
    if rng.random() < 0.5:
        values = np.ascontiguousarray(values[:, ::-1])
    zoom = min(MEDIAN_ROWS / scale.length * np.exp(rng.uniform(-how.zoom, how.zoom)), size[0] / len(crop))
    drawn = place(values, _jittered(values.shape, size, zoom, rng, how), size, zoom)
    if rng.random() < how.remnant:
        drawn = _with_remnant(drawn, crops, size, rng)
    sigma = rng.uniform(0.0, how.blur)
    if sigma > 0.3:
        drawn = np.asarray(cv2.GaussianBlur(drawn, (0, 0), sigma), np.float32)
    if how.defocus and rng.random() < how.defocused:
        rows = rng.uniform(0.1, how.defocus)
        drawn = np.asarray(cv2.GaussianBlur(drawn, (0, 0), sigmaX=WIDENING * rows, sigmaY=rows), np.float32)
    drawn = drawn + rng.normal(0.0, how.noise * rng.random(), drawn.shape).astype(np.float32)
    return np.asarray(drawn, dtype=np.float32), up


def _jittered(
    shape: tuple[int, ...], size: tuple[int, int], zoom: float, rng: np.random.Generator, how: Augmentation
) -> NDArray[np.float64]:
    """The affine map of a crop with random turn, stretch, shear and shift about the middle of the input."""
    plain = np.vstack([affine(shape, size, zoom), [0.0, 0.0, 1.0]])
    angle = np.deg2rad(rng.uniform(-how.turn, how.turn))
    across = np.exp(rng.uniform(-2 * how.stretch, 2 * how.stretch))
    along = np.exp(rng.uniform(-how.stretch, 0.5 * how.stretch))
    linear = np.array([[across * np.cos(angle), -np.sin(angle)], [np.sin(angle), along * np.cos(angle)]])
    linear[0, 1] += rng.uniform(-0.08, 0.08)
    middle = np.array([0.5 * (size[1] - 1), 0.5 * (size[0] - 1)])
    moved = middle + rng.uniform(-how.shift, how.shift, 2) * [0.5, 1.0]
    change = np.eye(3)
    change[:2, :2] = linear
    change[:2, 2] = moved - linear @ middle
    return np.asarray((change @ plain)[:2])


def _with_remnant(
    drawn: NDArray[np.float32], crops: CropSet, size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Lay a small piece of another chromosome over a side of the input, as an imperfect cut leaves it."""
    other = int(rng.integers(len(crops.crops)))
    crop = crops.crops[other][0]
    rows = min(int(rng.integers(6, 16)), len(crop))
    first = int(rng.integers(0, len(crop) - rows + 1))
    zoom = MEDIAN_ROWS / crops.scales[other].length
    piece = standardise(crop[first : first + rows], crops.scales[other])
    matrix = affine(piece.shape, size, zoom)
    matrix[0, 2] += rng.choice([-1.0, 1.0]) * rng.uniform(0.30, 0.45) * size[1]
    matrix[1, 2] += rng.uniform(-0.35, 0.35) * size[0]
    return np.maximum(drawn, place(piece, matrix, size, zoom))
