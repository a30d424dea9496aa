"""Training crops as the pipeline cuts them: chromosomes of metaphases whose truth is known, found and separated anew.

Somebody cut the chromosomes of a data set out by hand. In a picture the masks are the program's own: a rim a pixel
tighter, part of a neighbour, a crossing in which the bands of two lie on one another. Metaphases composed of real
chromosomes (`karyofast.simulate_composed`), and real ones with hand-made masks, show a classifier these, with a class
that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.coco import Truth
from karyofast.coco import load as load_truth
from karyofast.config import Options, SimulateOptions, Staining
from karyofast.crops import CropRow, CropSource
from karyofast.detect import examine
from karyofast.errors import DataError, OptionError
from karyofast.evaluate_match import iou_matrix
from karyofast.io import metaphase_from_array, read_metaphase
from karyofast.masks import shared_pixels
from karyofast.runtimes.load import load_separators
from karyofast.segment import segment
from karyofast.segment_lift import Separator
from karyofast.simulate import varied
from karyofast.simulate_composed import compose_metaphase, labelled_cells
from karyofast.straighten import straighten
from karyofast.train.crops import NO_CHROMOSOME, Cell, CropSet, joined, masked, one_by_one, sure, trained
from karyofast.types import Chromosome, Metaphase, Polarity, Region, Straightened

LEAST, MOST = 0.6, 0.4
"""Intersection over union with a true chromosome from which a crop shows it, and below which it shows no single one."""

HELD = 0.6
"""Share of a true chromosome from which a crop holds it; one that holds two shows no single one."""

DOUBT = 0.1
"""Share of a crop on chromosomes of no sure class from which it teaches nothing."""

OPTIONS = Options()


def compose(
    path: Path,
    metaphases: int,
    stain: Staining = "giemsa",
    seed: int = 0,
    variants: int = 3,
    jobs: int = 2,
    oriented: bool = True,
    progress: Callable[[int], None] | None = None,
    only: Collection[str] | None = None,
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
    oriented : bool
        Whether the p arm is up in the pictures of the set.
    progress : callable, optional
        Called with the number of metaphases done.
    only : collection of str, optional
        Names of the training cells to compose of.

    Raises
    ------
    DataError
        No training cell has a class for every chromosome.
    """
    cells = [cell for cell in labelled_cells(CropSource(path), "train") if only is None or cell[0] in only]
    if not cells:
        raise DataError(f"{path}: none of the {len(only or ())} training cells has a class for every chromosome.")
    rows = [cells[number % len(cells)][1] for number in range(metaphases)]
    done = one_by_one(partial(_composed, path, stain, seed, variants, oriented), list(enumerate(rows)), jobs, progress)
    return joined([cell for cell in done if cell], variants)


@cache
def _separator(polarity: Polarity) -> Separator:
    """The shipped separator, once a process."""
    return load_separators(OPTIONS.segment, threads=1)(polarity)


def _composed(
    path: Path, stain: Staining, seed: int, variants: int, oriented: bool, task: tuple[int, list[CropRow]]
) -> Cell | None:
    """What detection and separation make of one composed metaphase; None where they find nothing."""
    cv2.setNumThreads(1)
    number, rows = task
    rng = np.random.default_rng([seed, 4, number])
    try:
        drawn = compose_metaphase(rng, CropSource(path), rows, varied(rng, SimulateOptions(stain=stain)))
    except OptionError:  # a cell too large for its picture
        return None
    metaphase = metaphase_from_array(drawn.image, polarity=drawn.polarity)
    known = [_Known(one.region, one.label, one.axis[0] if oriented else None) for one in drawn.instances]
    return _cut_anew(f"composed {number}", metaphase, known, variants)


def cut_anew(
    truth: Path, variants: int = 3, jobs: int = 2, progress: Callable[[int, int], None] | None = None
) -> CropSet:
    """Chromosomes of real metaphases with hand-made masks, cut out by detection and separation.

    Parameters
    ----------
    truth : Path
        COCO file as `karyofast.train.crops.cut_out` takes it; pictures of training slides alone are used. What lies
        on an instance whose class is not sure is left out.
    variants, jobs
        As in `compose`.
    progress : callable, optional
        Called with the number of pictures done, and of all.
    """
    pictures = [one for one in load_truth(truth) if trained(one)]
    tell = (lambda done: progress(done, len(pictures))) if progress else None
    done = one_by_one(partial(_real, truth.parent, variants), pictures, jobs, tell)
    return joined([cell for cell in done if cell], variants)


def _real(folder: Path, variants: int, one: Truth) -> Cell | None:
    cv2.setNumThreads(1)
    metaphase = read_metaphase(folder / one.image.file_name)
    known = [_Known(each.region, each.label if sure(each) else None) for each in one.instances]
    return _cut_anew(f"anew {one.image.file_name}", metaphase, known, variants)


@dataclass(frozen=True, eq=False)
class _Known:
    """A true chromosome: its mask, its class where that is sure, the end of its p arm where that is known."""

    region: Region
    label: int | None
    p_end: NDArray[np.float32] | None = None


def _cut_anew(name: str, metaphase: Metaphase, known: Sequence[_Known], variants: int) -> Cell | None:
    """What detection and separation make of a metaphase; None where they find nothing, or nothing is known."""
    if not known:
        return None
    candidates, _ = examine(metaphase, OPTIONS.detect)
    pieces = segment(metaphase, candidates, OPTIONS.segment, _separator(metaphase.polarity))
    # a cluster taken for one is what the second look has to see through
    pieces += [Chromosome(one.box, one.mask) for at, one in enumerate(candidates) if _several(pieces, at)]
    crops, labels, up = [], [], []
    for piece, shares in zip(pieces, iou_matrix(pieces, [one.region for one in known]), strict=True):
        true = known[int(shares.argmax())]
        pixels = [shared_pixels(one.region, piece) for one in known]
        held = sum(shared >= HELD * one.region.area for shared, one in zip(pixels, known, strict=True))
        doubtful = any(
            shared > DOUBT * piece.area for shared, one in zip(pixels, known, strict=True) if one.label is None
        )
        if doubtful or (held < 2 and MOST <= shares.max() < LEAST):
            continue
        crop = straighten(metaphase, piece)
        crops.append(crop)
        single = held < 2 and shares.max() >= LEAST
        labels.append(true.label if single and true.label is not None else NO_CHROMOSOME)
        up.append(_p_first(crop, true.p_end) if true.p_end is not None else False)
    oriented = all(one.p_end is not None for one in known)
    return masked(name, crops, labels, up if oriented else None, variants) if crops else None


def _p_first(crop: Straightened, p_end: NDArray[np.float32]) -> bool:
    first, last = crop.axis[[0, -1]] - p_end
    return bool(np.hypot(*first) <= np.hypot(*last))


def _several(pieces: Sequence[Chromosome], candidate: int) -> bool:
    return sum(piece.candidate == candidate for piece in pieces) > 1
