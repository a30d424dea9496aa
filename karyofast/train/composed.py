"""Training crops as the pipeline cuts them: metaphases composed of real chromosomes, detected and separated anew.

Somebody cut the chromosomes of a data set out by hand. In a picture the masks are the program's own: a rim a pixel
tighter, part of a neighbour, a crossing in which the bands of two lie on one another. Chromosomes of composed
metaphases (`karyofast.simulate_composed`) show a classifier these, with a class that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from karyofast.config import Options, SimulateOptions, Staining
from karyofast.crops import CropRow, CropSource
from karyofast.detect import examine
from karyofast.errors import OptionError
from karyofast.evaluate_match import iou_matrix
from karyofast.io import metaphase_from_array
from karyofast.masks import shared_pixels
from karyofast.runtimes.load import load_separators
from karyofast.segment import segment
from karyofast.segment_lift import Separator
from karyofast.simulate import varied
from karyofast.simulate_composed import compose_metaphase, labelled_cells
from karyofast.straighten import straighten
from karyofast.train.crops import NO_CHROMOSOME, Cell, CropSet, joined, masked, one_by_one
from karyofast.types import Chromosome, Polarity

LEAST, MOST = 0.6, 0.4
"""Intersection over union with a true chromosome from which a crop shows it, and below which it shows no single one."""

HELD = 0.6
"""Share of a true chromosome from which a crop holds it; one that holds two shows no single one."""

OPTIONS = Options()


def compose(
    path: Path,
    metaphases: int,
    stain: Staining = "giemsa",
    seed: int = 0,
    variants: int = 3,
    jobs: int = 2,
    progress: Callable[[int], None] | None = None,
) -> CropSet:
    """Chromosomes of composed metaphases of a data set's training cases, cut out by detection and separation.

    Parameters
    ----------
    path : Path
        Folder or zip file, see `karyofast.crops.CropSource`.
    metaphases : int
        The cells are taken in turn, laid out anew each time.
    stain : Staining
    seed : int
    variants : int
        Copies of each crop, as the set it is added to has.
    jobs : int
        Worker processes.
    progress : callable, optional
        Called with the number of metaphases done.
    """
    cells = labelled_cells(CropSource(path), "train")
    rows = [cells[number % len(cells)][1] for number in range(metaphases)]
    done = one_by_one(partial(_composed, path, stain, seed, variants), list(enumerate(rows)), jobs, progress)
    return joined([cell for cell in done if cell], variants)


@cache
def _separator(polarity: Polarity) -> Separator:
    """The shipped separator, once a process."""
    return load_separators(OPTIONS.segment, threads=1)(polarity)


def _composed(path: Path, stain: Staining, seed: int, variants: int, task: tuple[int, list[CropRow]]) -> Cell | None:
    """What detection and separation make of one composed metaphase; None where they find nothing."""
    cv2.setNumThreads(1)
    number, rows = task
    rng = np.random.default_rng([seed, 4, number])
    try:
        drawn = compose_metaphase(rng, CropSource(path), rows, varied(rng, SimulateOptions(stain=stain)))
    except OptionError:  # a cell too large for its picture
        return None
    metaphase = metaphase_from_array(drawn.image, polarity=drawn.polarity)
    candidates, _ = examine(metaphase, OPTIONS.detect)
    pieces = segment(metaphase, candidates, OPTIONS.segment, _separator(metaphase.polarity))
    # a cluster taken for one is what the second look has to see through
    pieces += [Chromosome(one.box, one.mask) for at, one in enumerate(candidates) if _several(pieces, at)]
    crops, labels, up = [], [], []
    overlap = iou_matrix(pieces, [one.region for one in drawn.instances])
    for piece, shares in zip(pieces, overlap, strict=True):
        true = drawn.instances[int(shares.argmax())]
        held = sum(shared_pixels(one.region, piece) >= HELD * one.region.area for one in drawn.instances)
        if held < 2 and MOST <= shares.max() < LEAST:
            continue
        crop = straighten(metaphase, piece)
        first, last = crop.axis[[0, -1]] - true.axis[0]
        crops.append(crop)
        labels.append(true.label if held < 2 and shares.max() >= LEAST else NO_CHROMOSOME)
        up.append(bool(np.hypot(*first) <= np.hypot(*last)))
    return masked(f"composed {number}", crops, labels, up, variants) if crops else None


def _several(pieces: Sequence[Chromosome], candidate: int) -> bool:
    return sum(piece.candidate == candidate for piece in pieces) > 1
