"""Chromosomes as every network of the experiments sees them: straightened, on one frame, normalised per cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from karyofast.classify import CellScale, Frame, network_input
from karyofast.crops import CropSource
from karyofast.errors import DataError, OptionError
from karyofast.experiments.plan import ALL_CELLS
from karyofast.files import replacing
from karyofast.train.crops import CropSet, prepare

INPUTS = "inputs.npz"
"""Their file in the run folder."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Network inputs with their classes.

    Attributes
    ----------
    values : float32 (n, rows, columns)
        -1 is background.
    label : int64 (n,)
        Index into `karyofast.types.CLASSES`.
    cell : str (n,)
    split : str (n,)
        "train", "validation" or "test", see `karyofast.crops.split_of`.
    """

    values: NDArray[np.float32]
    label: NDArray[np.int64]
    cell: NDArray[np.str_]
    split: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.label)

    def only(self, wanted: NDArray[np.bool_]) -> Inputs:
        """Those that are wanted."""
        return Inputs(self.values[wanted], self.label[wanted], self.cell[wanted], self.split[wanted])

    def part(self, split: str) -> Inputs:
        """Those of one split."""
        return self.only(self.split == split)

    def save(self, path: Path) -> None:
        """Write them, whole or not at all; values as float16, which a network's input does not tell from float32."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, values=self.values.astype(np.float16), label=self.label, cell=self.cell, split=self.split
            )

    @classmethod
    def load(cls, path: Path) -> Inputs:
        """Read what `save` wrote."""
        with np.load(path) as kept:
            return cls(kept["values"].astype(np.float32), kept["label"], kept["cell"], kept["split"])


def inputs_of(crops: CropSet, frame: Frame) -> Inputs:
    """The first variant of each chromosome of a crop set."""
    drawn = [laid(one[0], scale, frame) for one, scale in zip(crops.crops, crops.scales, strict=True)]
    values = np.stack(drawn) if drawn else np.zeros((0, *frame.size), np.float32)
    return Inputs(values, crops.label, crops.cell, crops.split)


def laid(crop: NDArray[np.uint8], scale: CellScale, frame: Frame) -> NDArray[np.float32]:
    """One crop on the frame, -1 to 1."""
    return np.clip(network_input(crop, scale, frame), -1.0, 1.0)


def read_inputs(
    data: Path, frame: Frame, kept: Path, jobs: int = 2, progress: Callable[[int, int], None] | None = None
) -> Inputs:
    """The chromosomes of a data set, straightened in a turn of their own each; read from `kept` when it is there.

    Parameters
    ----------
    data : Path
        Folder or zip file, see `karyofast.crops.CropSource`.
    frame : Frame
    kept : Path
        Where they are kept.
    jobs : int
        Worker processes.
    progress : callable, optional
        Called with (cells done, cells in all).

    Raises
    ------
    DataError
        The data cannot be read, or no cell falls into the training or the test split.
    """
    if kept.exists():
        return Inputs.load(kept)
    cells = sum(1 for _ in CropSource(data).cells())
    told = (lambda done: progress(done, cells)) if progress else None
    inputs = inputs_of(prepare(data, 0, 1, jobs, False, told), frame)
    for split in ("train", "test"):
        if not (inputs.split == split).any():
            raise DataError(f"{data}: must have cells of the split {split}. Got: none. Give more cells.")
    inputs.save(kept)
    # what is read again is what was written: a run that is continued sees the same numbers
    return Inputs.load(kept)


def training_cells(inputs: Inputs, count: int, seed: int) -> Inputs:
    """The chromosomes of some cells of the training split; a larger set holds the smaller one of the same seed.

    Raises
    ------
    OptionError
        More cells than there are.
    """
    train = inputs.part("train")
    names = np.unique(train.cell)
    if not 0 <= count <= len(names):
        raise OptionError(f"cells must be at most {len(names)}, the cells of the training split. Got: {count}.")
    order = np.random.default_rng([seed, 4]).permutation(names)
    return train.only(np.isin(train.cell, order if count == ALL_CELLS else order[:count]))
