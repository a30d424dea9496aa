"""Crops of real chromosomes as a classifier sees them: what an export is calibrated on and compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.classify import CellScale, Frame, network_input
from karyofast.crops import CropSource, split_of, straighten_single
from karyofast.errors import DataError

UNKNOWN = -1
"""Label of a crop whose class nobody told."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Crops of one split of a data set.

    Attributes
    ----------
    data : str
        Name of the data set.
    split : str
    crops : float32 (n, 1, rows, columns)
        See `karyofast.classify.network_input`.
    labels : int64 (n,)
        Index into `karyofast.types.CLASSES`; `UNKNOWN` where the manifest has none.
    """

    data: str
    split: str
    crops: NDArray[np.float32]
    labels: NDArray[np.int64]


def draw(
    path: Path,
    split: Literal["train", "test"],
    count: int,
    frame: Frame,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Samples:
    """Draw whole cells of a split until they have `count` crops; the last cell's surplus is left out.

    Parameters
    ----------
    path : Path
        Folder or zip file of single chromosomes with ``manifest.csv``.
    split : {"train", "test"}
        See `karyofast.crops.split_of`.
    count : int
        Crops to draw; fewer where the split has no more.
    frame : Frame
        Of the classifier.
    seed : int
        Of the order of the cells.
    progress : callable, optional
        Called with (crops drawn, crops wanted).

    Raises
    ------
    DataError
        The data cannot be read, or the split has no crop that can be used.
    """
    source = CropSource(path)
    cells = [rows for _, rows in source.cells() if split_of(rows[0].case) == split]
    crops: list[NDArray[np.float32]] = []
    labels: list[int] = []
    for place in np.random.default_rng(seed).permutation(len(cells)):
        drawn = []
        for row in cells[place]:
            try:
                drawn.append((straighten_single(source.grey(row))[0], UNKNOWN if row.label is None else row.label))
            except (ValueError, cv2.error):
                continue  # an odd crop is no sample; `karyofast classify` names it
        scale = CellScale.of([one for one, _ in drawn])
        crops += [network_input(one.crop, scale, frame) for one, _ in drawn]
        labels += [label for _, label in drawn]
        if progress:
            progress(min(len(crops), count), count)
        if len(crops) >= count:
            break
    if not crops:
        raise DataError(f"{path}: must hold crops of the split {split!r}. Got: none that can be used.")
    return Samples(path.name, split, np.stack(crops[:count])[:, None], np.array(labels[:count], dtype=np.int64))
