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

from karyofast.classify import CellScale
from karyofast.config import SimulateOptions
from karyofast.crops import CropRow, CropSource, split_of, straighten_single
from karyofast.io import metaphase_from_array
from karyofast.simulate import simulate_metaphase, varied
from karyofast.straighten import straighten
from karyofast.types import Chromosome

CHUNK = 16
"""Cells a worker takes at once."""

SIMULATED = "simulated-"
"""How the names of simulated cells and cases begin."""


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
        """Indices of the chromosomes whose case belongs to the split "train", "validation" or "test".

        Simulated cases are for training alone.
        """
        parts = ["train" if case.startswith(SIMULATED) else split_of(case) for case in self.case]
        return np.flatnonzero([part == name for part in parts])

    def __add__(self, other: CropSet) -> CropSet:
        """Both sets, this one first."""
        return CropSet(
            self.crops + other.crops,
            np.concatenate([self.upright, other.upright]),
            np.concatenate([self.label, other.label]),
            np.concatenate([self.cell, other.cell]),
            np.concatenate([self.case, other.case]),
            self.scales + other.scales,
        )


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
    return _joined(done, variants)


def simulate(
    cells: int, seed: int = 0, variants: int = 3, jobs: int = 2, progress: Callable[[int], None] | None = None
) -> CropSet:
    """Chromosomes of simulated Giemsa metaphases, straightened by their true masks; parameters as in `prepare`.

    The real ones of a data set come from few microscopes; simulated ones add other looks, and let what the simulator
    draws be read.
    """
    done: list[_Cell] = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for cell in pool.map(partial(_simulated, seed, variants), range(cells), chunksize=2):
            done.append(cell)
            if progress:
                progress(len(done))
    return _joined(done, variants)


def _simulated(seed: int, variants: int, number: int) -> _Cell:
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, 3, number])
    options = SimulateOptions(bands=(400, 550, 850)[int(rng.integers(3))])
    drawn = simulate_metaphase(rng, ("46,XX", "46,XY")[number % 2], varied(rng, options))
    metaphase = metaphase_from_array(drawn.image, polarity="dark")
    name = f"{SIMULATED}{number}"
    rows, crops, ups = [], [], []
    for one in drawn.instances:
        box, mask = one.region.box, one.region.mask
        straightened = straighten(metaphase, Chromosome(box, mask))
        away = straightened.axis[[0, -1]].astype(np.float64) - one.axis[0]
        up = bool(np.hypot(*away[0]) <= np.hypot(*away[1]))
        rows.append(CropRow("", one.label, name, name))
        crops.append(straightened)
        ups.append(up)
    scale = CellScale.of(crops)
    return _Cell(rows, [(one.crop,) * variants for one in crops], [(up,) * variants for up in ups], scale)


def _joined(cells: list[_Cell], variants: int) -> CropSet:
    rows = [row for cell in cells for row in cell.rows]
    return CropSet(
        crops=tuple(crops for cell in cells for crops in cell.crops),
        upright=np.array([up for cell in cells for up in cell.upright], dtype=bool).reshape(-1, variants),
        label=np.array([row.label for row in rows], dtype=np.int64),
        cell=np.array([row.cell for row in rows]),
        case=np.array([row.case for row in rows]),
        scales=tuple(cell.scale for cell in cells for _ in cell.rows),
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
