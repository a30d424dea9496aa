"""How a trained classifier is scored, on cases that were not trained on, and how sure it may say it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from karyofast.arrange import arrange
from karyofast.classify import Runtime, network_input
from karyofast.classify import read as read_crops
from karyofast.sizes import surprise_in_cell
from karyofast.train.crops import CropSet
from karyofast.types import CLASSES, Label

LEAST_LIKELY = 1e-4
"""A wrong label in the data must not decide the temperature: no crop counts as less likely."""


@dataclass(frozen=True)
class ClassifierScore:
    """Shares, on the crops of the cases of one split; what a model card tells."""

    crops: int
    cells: int
    crop: float
    assigned: float
    orientation: float
    x_crop: float
    y_crop: float
    x_assigned: float
    y_assigned: float
    cells_right: float


def score_classifier(runtime: Runtime, crops: CropSet, indices: NDArray[np.int64]) -> ClassifierScore:
    """Score a loaded classifier on some chromosomes of a crop set, in the random turn of their first variant."""
    return score_labels(*_read(runtime, crops, indices), crops, indices)


def calibration(runtime: Runtime, crops: CropSet, indices: NDArray[np.int64]) -> dict[str, dict[str, float | int]]:
    """Fit the temperature (`karyofast.types.Label`) to some chromosomes by maximum likelihood; of none there is none.

    Returns
    -------
    dict
        ``calibration``: ``temperature`` and ``crops``, for the manifest.
    """
    if len(indices) == 0:
        return {}
    classes, _ = _read(runtime, crops, indices)
    truth = crops.label[indices]

    def unlikely(temperature: float) -> float:
        said = [Label(row, temperature=temperature).calibrated[true] for row, true in zip(classes, truth, strict=True)]
        return -float(np.log(np.maximum(said, LEAST_LIKELY)).mean())

    found = minimize_scalar(unlikely, bounds=(0.3, 3.0), method="bounded")
    return {"calibration": {"temperature": round(float(found.x), 3), "crops": len(indices)}}


def _read(
    runtime: Runtime, crops: CropSet, indices: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    inputs = np.stack([network_input(crops.crops[i][0], crops.scales[i], runtime.frame) for i in indices])
    parts = [read_crops(inputs[first : first + 64, None], runtime) for first in range(0, len(inputs), 64)]
    classes, up = (np.concatenate(one) for one in zip(*parts, strict=True))
    return classes, up


def score_labels(
    classes: NDArray[np.float32], up: NDArray[np.float32], crops: CropSet, indices: NDArray[np.int64]
) -> ClassifierScore:
    """Score class probabilities (n, 24) and that the p arm is up (n,) of some chromosomes of a crop set."""
    truth, cell = crops.label[indices], crops.cell[indices]
    assigned = assign(classes, up, crops, indices)
    alone = classes.argmax(axis=1)
    x, y = truth == CLASSES.index("X"), truth == CLASSES.index("Y")
    right = [bool(np.all(assigned[cell == one] == truth[cell == one])) for one in np.unique(cell)]
    return ClassifierScore(
        crops=len(indices),
        cells=len(right),
        crop=_share(alone == truth),
        assigned=_share(assigned == truth),
        orientation=_share(((up >= 0.5) == crops.upright[indices, 0])[crops.oriented[indices]]),
        x_crop=_share(alone[x] == truth[x]),
        y_crop=_share(alone[y] == truth[y]),
        x_assigned=_share(assigned[x] == truth[x]),
        y_assigned=_share(assigned[y] == truth[y]),
        cells_right=_share(np.array(right)),
    )


def assign(
    classes: NDArray[np.float32], up: NDArray[np.float32], crops: CropSet, indices: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Class (n,) of each of some chromosomes of a crop set once its cell is arranged as a whole; -1: none."""
    cell, assigned = crops.cell[indices], np.full(len(indices), -1)
    for one in np.unique(cell):
        mine = np.flatnonzero(cell == one)
        labels = [Label(classes[i], float(up[i])) for i in mine]
        areas = [int(np.count_nonzero(crops.crops[indices[i]][0])) for i in mine]
        assigned[mine] = arrange(labels, sizes=surprise_in_cell(areas, labels)).assigned
    return assigned


def _share(right: np.ndarray) -> float:
    return round(float(np.mean(right)), 5) if len(right) else 0.0
