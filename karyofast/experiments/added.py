"""Chromosomes that are added to the real ones without a network: simulated, and cut out of composed scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.classify import CellScale, Frame
from karyofast.crops import CropRow, CropSource, isolate
from karyofast.errors import DataError
from karyofast.experiments.inputs import Inputs, inputs_of, laid
from karyofast.experiments.plan import CHROMOSOMES
from karyofast.io import metaphase_from_array
from karyofast.straighten import straighten
from karyofast.train.compose import ComposeOptions, Piece, compose, photograph, piece
from karyofast.train.crops import simulate
from karyofast.types import Box, Chromosome, Straightened

SCENE = ComposeOptions(side=320, fewest=CHROMOSOMES // 2, most=CHROMOSOMES // 2)
"""Half a cell in a scene of 320 px."""

TRIES = 8
"""Scenes to a cell at most: what finds no place in one comes into the next."""

BRIGHT = 200.0
"""Grey level of the brightest pixel of a composed scene."""


def simulated(
    persons: int,
    frame: Frame,
    kept: Path,
    seed: int = 0,
    jobs: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Inputs:
    """The chromosomes of `persons` simulated cells (quinacrine), straightened; kept in a file as `read_inputs` does."""
    if not kept.exists():
        told = (lambda done: progress(done, persons)) if progress else None
        inputs_of(simulate(persons, "quinacrine", seed, 1, jobs, told), frame).save(kept)
    return Inputs.load(kept)


def composed(
    data: Path,
    cells: Sequence[str],
    persons: int,
    frame: Frame,
    kept: Path,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Inputs:
    """The chromosomes of `persons` composed cells; kept in a file as `read_inputs` does.

    The chromosomes of one real cell are laid into scenes, touching and crossing as in a metaphase, photographed anew
    (contrast, blur, background, noise), cut out by their true masks and straightened.

    Parameters
    ----------
    data : Path
        Folder or zip file of single chromosomes, bright on dark.
    cells : sequence of str
        Cells that may be used: those trained on.
    persons : int
    frame : Frame
    kept : Path
    seed : int
    progress : callable, optional
        Called with (persons done, persons in all).

    Raises
    ------
    DataError
        None of the cells is in the data.
    """
    if kept.exists():
        return Inputs.load(kept)
    source = CropSource(data)
    of_cell = {cell: [row for row in rows if row.label is not None] for cell, rows in source.cells() if cell in cells}
    if not of_cell:
        raise DataError(f"{data}: must hold the cells to compose of ({', '.join(cells)}). Got: none of them.")
    names, pieces = sorted(of_cell), dict[str, list[Piece]]()
    drawn: list[NDArray[np.float32]] = []
    labels: list[int] = []
    for person in range(persons):
        rng = np.random.default_rng([seed, 5, person])
        name = names[int(rng.integers(len(names)))]
        if name not in pieces:
            pieces[name] = [piece(*isolate(source.grey(row))) for row in of_cell[name]]
        crops, of_crop = _composed_cell(pieces[name], of_cell[name], rng)
        scale = CellScale.of(crops)
        drawn += [laid(one.crop, scale, frame) for one in crops]
        labels += of_crop
        if progress:
            progress(person + 1, persons)
    values = np.stack(drawn) if drawn else np.zeros((0, *frame.size), np.float32)
    names_of = np.full(len(labels), "composed", dtype="U16")
    Inputs(values, np.array(labels, np.int64), names_of, np.full(len(labels), "train", dtype="U16")).save(kept)
    return Inputs.load(kept)


def _composed_cell(
    pieces: Sequence[Piece], rows: Sequence[CropRow], rng: np.random.Generator
) -> tuple[list[Straightened], list[int]]:
    crops: list[Straightened] = []
    labels: list[int] = []
    waiting = [int(index) for index in rng.permutation(len(pieces))]
    for _ in range(TRIES):
        chosen, waiting = waiting[: SCENE.most], waiting[SCENE.most :]
        if not chosen:
            break
        scene = compose([pieces[index] for index in chosen], rng, SCENE, adding=True)
        grey = photograph(scene.density, rng, adding=True)
        metaphase = metaphase_from_array(_eight_bit(grey), polarity="bright")
        for one in scene.laid:
            crops.append(straighten(metaphase, _chromosome(one.mask)))
            labels.append(rows[chosen[one.number]].label or 0)
        placed = {one.number for one in scene.laid}
        waiting += [index for number, index in enumerate(chosen) if number not in placed]
    return crops, labels


def _chromosome(mask: NDArray[np.bool_]) -> Chromosome:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    box = Box(top, left, height, width)
    return Chromosome(box, mask[box.slices])


def _eight_bit(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(grey.min()), float(grey.max())
    return np.asarray(np.clip((grey - low) * (BRIGHT / max(high - low, 1e-6)), 0, 255), np.uint8)
