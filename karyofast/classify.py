"""Classify: straightened crops to class probabilities and orientation.

Crops are normalised per cell, not one by one, so that size and staining stay features: lengths are measured against
the cell's median chromosome, densities against the mean and spread of all its chromosomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.types import CLASSES, Label, Straightened

FLOOR = -3.0
"""Value of the background and lower bound of a chromosome's pixel, in standard deviations from the mean."""


@dataclass(frozen=True)
class Frame:
    """How a crop is laid out for a network; every model has its own.

    Attributes
    ----------
    rows, columns : int
        Size of the network's input.
    median_rows : float
        Rows that the cell's median chromosome fills; chromosome 1 is about twice as long.
    widening : float
        How much wider columns are drawn than rows: a chromosome is far narrower than long.
    """

    rows: int = 128
    columns: int = 32
    median_rows: float = 56.0
    widening: float = 1.2

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns


class Runtime(Protocol):
    """What runs a network (`karyofast.runtimes`)."""

    frame: Frame
    temperature: float
    """see `karyofast.types.Label`"""

    def predict(self, crops: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Class probabilities (n, 24) and probability that the p arm is up (n,) of crops (n, 1, rows, columns)."""
        ...


@dataclass(frozen=True)
class CellScale:
    """What the crops of one cell are measured against.

    Attributes
    ----------
    length : float
        Median length of the cell's chromosomes, px.
    mean, spread : float
        Mean and standard deviation of the density inside its chromosomes.
    """

    length: float
    mean: float
    spread: float

    @classmethod
    def of(cls, cell: Sequence[Straightened]) -> CellScale:
        """Measure the chromosomes of one cell."""
        if not cell:
            return cls(1.0, 0.0, 1.0)
        values = np.concatenate([one.crop[one.crop > 0] for one in cell]).astype(np.float32)
        if len(values) == 0:
            values = np.zeros(1, np.float32)
        return cls(
            length=max(float(np.median([one.length for one in cell])), 1.0),
            mean=float(values.mean()),
            spread=max(float(values.std()), 1.0),
        )


def classify(
    straightened: Sequence[Straightened],
    runtime: Runtime,
    scale: CellScale | None = None,
    batch: int = 46,
    both_ends: bool = True,
) -> list[Label]:
    """Label the chromosomes of one cell, each from its crop alone.

    Parameters
    ----------
    straightened : sequence of Straightened
        The chromosomes of one cell.
    runtime : Runtime
        A loaded network.
    scale : CellScale, optional
        What to measure against; measured on `straightened` when not given.
    batch : int
        Crops handed to the network at once.
    both_ends : bool
        See `read`.

    Returns
    -------
    list of Label
        In the order of `straightened`.
    """
    scale = scale or CellScale.of(straightened)
    labels = []
    for first in range(0, len(straightened), batch):
        crops = [network_input(one.crop, scale, runtime.frame) for one in straightened[first : first + batch]]
        classes, up = read(np.stack(crops)[:, None], runtime, both_ends)
        if classes.shape[1] != len(CLASSES):
            raise ValueError(f"the network must give {len(CLASSES)} classes. Got: {classes.shape[1]}.")
        labels += [Label(row, float(p_up)) for row, p_up in zip(classes, up, strict=True)]
    return labels


def settle(
    labels: Sequence[Label],
    straightened: Sequence[Straightened],
    runtime: Runtime,
    scale: CellScale,
    batch: int = 46,
) -> list[Label]:
    """What `classify` says with both ends, given what it said with one: only the half turns are read.

    Parameters
    ----------
    labels : sequence of Label
        From ``classify(..., both_ends=False)`` in the same scale.
    straightened : sequence of Straightened
    runtime, scale, batch
        As for `classify`.
    """
    settled = []
    for first in range(0, len(straightened), batch):
        some = labels[first : first + batch]
        crops = [network_input(one.crop, scale, runtime.frame) for one in straightened[first : first + batch]]
        classes = np.stack([label.probabilities for label in some])
        up = np.array([label.p_up for label in some], dtype=np.float32)
        classes, up = _with_half_turns(np.stack(crops)[:, None], classes, up, runtime)
        settled += [Label(row, float(p_up)) for row, p_up in zip(classes, up, strict=True)]
    return settled


def read(
    crops: NDArray[np.float32], runtime: Runtime, both_ends: bool = True
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Class probabilities (n, 24) and probability that the p arm is up (n,) of crops (n, 1, rows, columns).

    What a row of class probabilities falls short of 1 is the probability of no whole single chromosome. With
    `both_ends` each crop and its half turn are read and averaged: the class does not depend on the end that
    straightening happened to start from, and the orientation answers a turn exactly. It takes twice the time.
    """
    classes, up = runtime.predict(crops)
    return _with_half_turns(crops, classes, up, runtime) if both_ends else (classes, up)


def _with_half_turns(
    crops: NDArray[np.float32], classes: NDArray[np.float32], up: NDArray[np.float32], runtime: Runtime
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What was read of crops, averaged with what is read of their half turns."""
    turned, turned_up = runtime.predict(np.ascontiguousarray(crops[:, :, ::-1, ::-1]))
    return 0.5 * (classes + turned), 0.5 * (up + 1.0 - turned_up)


def network_input(crop: NDArray[np.uint8], scale: CellScale, frame: Frame) -> NDArray[np.float32]:
    """One crop as the network sees it.

    Parameters
    ----------
    crop : uint8 (rows, columns)
        `Straightened.crop`.
    scale : CellScale
    frame : Frame

    Returns
    -------
    float32 (rows, columns)
        -1 is background, 0 the cell's mean density, 1 three standard deviations above it.
    """
    zoom = min(frame.median_rows / scale.length, frame.rows / len(crop))
    return place(standardise(crop, scale), affine(crop.shape, frame, zoom), frame, zoom)


def standardise(crop: NDArray[np.uint8], scale: CellScale) -> NDArray[np.float32]:
    """Density in standard deviations of the cell, background at `FLOOR`; float32, the shape of `crop`."""
    values: NDArray[np.float32] = np.clip((crop.astype(np.float32) - scale.mean) / scale.spread, FLOOR, -FLOOR)
    values[crop == 0] = FLOOR
    return values


def affine(shape: tuple[int, ...], frame: Frame, zoom: float) -> NDArray[np.float64]:
    """Matrix (2, 3) that lays the middle of a crop on the middle of the input, enlarged by `zoom`; x before y."""
    across = zoom * frame.widening
    return np.array(
        [
            [across, 0.0, 0.5 * (frame.columns - 1) - across * 0.5 * (shape[1] - 1)],
            [0.0, zoom, 0.5 * (frame.rows - 1) - zoom * 0.5 * (shape[0] - 1)],
        ]
    )


def place(values: NDArray[np.float32], matrix: NDArray[np.float64], frame: Frame, zoom: float) -> NDArray[np.float32]:
    """Draw standardised values through an affine map onto the input; background where they do not reach."""
    if zoom < 1.0:
        # a linear sample of every n-th row would skip bands: blur by the step first
        sigma = max(0.45 * (1.0 / zoom - 1.0), 0.05)
        blurred = cv2.GaussianBlur(values, (0, 0), sigmaX=0.05, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
        values = np.asarray(blurred, dtype=np.float32)
    drawn = cv2.warpAffine(
        values,
        matrix,
        (frame.columns, frame.rows),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=FLOOR,
    )
    return np.asarray(drawn / -FLOOR, dtype=np.float32)
