"""Training crops: a data set of single chromosomes, straightened once and augmented on the fly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.classify import CellScale
from karyofast.coco import Truth, TruthInstance
from karyofast.coco import load as load_truth
from karyofast.config import SimulateOptions, Staining
from karyofast.crops import CropRow, CropSource, split_of, stood_up, straighten_single, trained_slide
from karyofast.errors import OptionError
from karyofast.io import metaphase_from_array, read_metaphase
from karyofast.simulate import simulate_metaphase, varied
from karyofast.straighten import straighten
from karyofast.types import Chromosome, Straightened

T = TypeVar("T")
Made = TypeVar("Made")

CHUNK = 16
"""Cells whose random angles are drawn one after another."""

UNLABELLED = "unlabelled"
"""Split of training cells whose labels a training must not look at."""

NO_CHROMOSOME = -1
"""Label of a crop that shows no whole single chromosome."""


@dataclass(frozen=True, eq=False)
class CropSet:
    """Straightened chromosomes, each in several variants (turned differently before straightening).

    Attributes
    ----------
    crops : tuple of tuple of uint8 (rows, columns)
        One tuple of variants a chromosome.
    upright : bool (n, variants)
        Whether the p arm is at the top of the variant.
    oriented : bool (n,)
        Whether `upright` is known.
    label : int64 (n,)
        Index into `karyofast.types.CLASSES`, or `NO_CHROMOSOME`.
    cell : str (n,)
    split : str (n,)
        "train", "validation" or "test", see `karyofast.crops.split_of`, or `UNLABELLED`; what is no single
        chromosome of a data set is for training alone.
    scales : tuple of CellScale
        One a chromosome, shared by its cell.
    """

    crops: tuple[tuple[NDArray[np.uint8], ...], ...]
    upright: NDArray[np.bool_]
    oriented: NDArray[np.bool_]
    label: NDArray[np.int64]
    cell: NDArray[np.str_]
    split: NDArray[np.str_]
    scales: tuple[CellScale, ...]

    def part(self, name: str) -> NDArray[np.int64]:
        """Indices of the chromosomes of the split "train", "validation" or "test"."""
        return np.flatnonzero(self.split == name)

    def only(self, chosen: NDArray[np.bool_]) -> CropSet:
        """The chromosomes where `chosen` bool (n,) is True."""
        kept = np.flatnonzero(chosen)
        return CropSet(
            tuple(self.crops[i] for i in kept),
            self.upright[kept],
            self.oriented[kept],
            self.label[kept],
            self.cell[kept],
            self.split[kept],
            tuple(self.scales[i] for i in kept),
        )

    def __add__(self, other: CropSet) -> CropSet:
        """Both sets, this one first."""
        return CropSet(
            self.crops + other.crops,
            np.concatenate([self.upright, other.upright]),
            np.concatenate([self.oriented, other.oriented]),
            np.concatenate([self.label, other.label]),
            np.concatenate([self.cell, other.cell]),
            np.concatenate([self.split, other.split]),
            self.scales + other.scales,
        )


def prepare(
    path: Path,
    seed: int = 0,
    variants: int = 3,
    jobs: int = 2,
    oriented: bool = True,
    progress: Callable[[int], None] | None = None,
    straight: bool = True,
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
    oriented : bool
        Whether the p arm is up in the pictures of the set.
    progress : callable, optional
        Called with the number of cells done.
    straight : bool
        False: the crops are stood up as they are, see `karyofast.crops.stood_up`.
    """
    cells = [rows for _, rows in CropSource(path).cells()]
    chunks = list(enumerate(cells[first : first + CHUNK] for first in range(0, len(cells), CHUNK)))
    tell = (lambda done: progress(min(done * CHUNK, len(cells)))) if progress else None
    done = one_by_one(partial(_prepare, path, seed, variants, oriented, straight), chunks, jobs, tell)
    return joined([cell for chunk in done for cell in chunk], variants)


def of_cells(crops: CropSet, cells: int, seed: int = 0) -> CropSet:
    """The set with the labels of `cells` of its training cells alone, drawn by `seed`; the others are `UNLABELLED`.

    Raises
    ------
    OptionError
        There are fewer.
    """
    names = np.unique(crops.cell[crops.part("train")])
    if not 1 <= cells <= len(names):
        raise OptionError(f"--cells must be 1 to {len(names)}, the training cells of the data set. Got: {cells}.")
    drawn = np.random.default_rng(seed).choice(names, cells, replace=False)
    others = (crops.split == "train") & ~np.isin(crops.cell, drawn)
    return replace(crops, split=np.where(others, UNLABELLED, crops.split))


def simulate(
    cells: int,
    stain: Staining = "giemsa",
    seed: int = 0,
    variants: int = 3,
    jobs: int = 2,
    progress: Callable[[int], None] | None = None,
) -> CropSet:
    """Chromosomes of simulated metaphases, straightened by their true masks; parameters as in `prepare`.

    The real ones of a data set come from few microscopes; simulated ones add other looks, and let what the simulator
    draws be read.
    """
    return joined(one_by_one(partial(_simulated, stain, seed, variants), range(cells), jobs, progress), variants)


def one_by_one(
    make: Callable[[T], Made], items: Sequence[T], jobs: int, progress: Callable[[int], None] | None
) -> list[Made]:
    """What `make` makes of each item, in `jobs` processes; `progress` is told how many are done."""
    done = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for one in pool.map(make, items, chunksize=2):
            done.append(one)
            if progress:
                progress(len(done))
    return done


def _simulated(stain: Staining, seed: int, variants: int, number: int) -> Cell:
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, 3, number])
    options = SimulateOptions(stain=stain, bands=(400, 550, 850)[int(rng.integers(3))])
    drawn = simulate_metaphase(rng, ("46,XX", "46,XY")[number % 2], varied(rng, options))
    metaphase = metaphase_from_array(drawn.image, polarity="dark" if stain == "giemsa" else "bright")
    crops = [straighten(metaphase, Chromosome(one.region.box, one.region.mask)) for one in drawn.instances]
    ends = [crop.axis[[0, -1]] - one.axis[0] for crop, one in zip(crops, drawn.instances, strict=True)]
    up = [bool(np.hypot(*first) <= np.hypot(*last)) for first, last in ends]
    return masked(f"simulated {number}", crops, [one.label for one in drawn.instances], up, variants)


def cut_out(truth: Path, variants: int = 3, progress: Callable[[int], None] | None = None) -> CropSet:
    """Chromosomes of real metaphases, straightened by hand-made masks.

    Parameters
    ----------
    truth : Path
        COCO file with classes, the pictures beside it. Pictures of training slides alone are used, and of these the
        instances whose class is sure.
    variants : int
    progress : callable, optional
        Called with the number of pictures done.
    """
    done = []
    for one in load_truth(truth):
        if not trained(one):
            continue
        metaphase = read_metaphase(truth.parent / one.image.file_name)
        known = [each for each in one.instances if sure(each)]
        crops = [straighten(metaphase, Chromosome(each.region.box, each.region.mask)) for each in known]
        labels = [each.label for each in known if each.label is not None]
        done.append(masked(one.image.file_name, crops, labels, None, variants))
        if progress:
            progress(len(done))
    return joined(done, variants)


def trained(picture: Truth) -> bool:
    """Whether a picture with truth is of a slide to train on."""
    return trained_slide(str(picture.image.extra.get("slide", picture.image.file_name)))


def sure(one: TruthInstance) -> bool:
    """Whether the class of a true chromosome is one to learn from."""
    return one.label is not None and not (one.ignore or one.uncertain)


def masked(name: str, crops: list[Straightened], labels: list[int], up: list[bool] | None, variants: int) -> Cell:
    """A cell of a metaphase, for training alone: every variant is the same."""
    return Cell(
        name,
        "train",
        labels,
        [(one.crop,) * variants for one in crops],
        [(one,) * variants for one in up or [False] * len(crops)],
        up is not None,
        CellScale.of(crops),
    )


def joined(cells: list[Cell], variants: int) -> CropSet:
    """A set of cells, each chromosome of which has `variants` variants."""
    each = [cell for cell in cells for _ in cell.labels]
    return CropSet(
        crops=tuple(crops for cell in cells for crops in cell.crops),
        upright=np.array([up for cell in cells for up in cell.upright], dtype=bool).reshape(-1, variants),
        oriented=np.array([cell.oriented for cell in each], dtype=bool),
        label=np.array([label for cell in cells for label in cell.labels], dtype=np.int64),
        cell=np.array([cell.name for cell in each], dtype=np.str_),
        split=np.array([cell.split for cell in each], dtype=np.str_),
        scales=tuple(cell.scale for cell in each),
    )


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell of a `CropSet`: of each chromosome its label, its variants, and whether each has the p arm up."""

    name: str
    split: str
    labels: list[int]
    crops: list[tuple[NDArray[np.uint8], ...]]
    upright: list[tuple[bool, ...]]
    oriented: bool
    scale: CellScale


def _prepare(
    path: Path, seed: int, variants: int, oriented: bool, straight: bool, chunk: tuple[int, list[list[CropRow]]]
) -> list[Cell]:
    cv2.setNumThreads(1)
    number, cells = chunk
    source, rng = CropSource(path), np.random.default_rng([seed, number])
    return [
        _turned(source, rows, variants, oriented, straight, rng)
        for rows in cells
        if any(row.label is not None for row in rows)
    ]


def _turned(
    source: CropSource, rows: list[CropRow], variants: int, oriented: bool, straight: bool, rng: np.random.Generator
) -> Cell:
    """The chromosomes of a cell whose class is known, each straightened after turns by `variants` random angles."""
    labelled = [(row, row.label) for row in rows if row.label is not None]

    stand = straighten_single if straight else stood_up
    drawn = [[stand(source.grey(row), float(rng.uniform(0.0, 360.0))) for _ in range(variants)] for row, _ in labelled]
    return Cell(
        rows[0].cell,
        split_of(rows[0].case),
        [label for _, label in labelled],
        [tuple(one.crop for one, _ in variants_of) for variants_of in drawn],
        [tuple(up for _, up in variants_of) for variants_of in drawn],
        oriented,
        CellScale.of([variants_of[0][0] for variants_of in drawn]),
    )
