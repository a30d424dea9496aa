"""Sizes: how well the area of a chromosome agrees with each class.

Within a cell the areas of the chromosomes, measured against one another, hardly depend on contraction, stain or
magnification: the medians of G-banded single chromosomes and of DAPI metaphases agree within a few percent. A
classifier that reads one straightened crop has the length, but two chromosomes joined end to end, a cut half or a
speck of dirt can look like a class and still be half as large again: their areas tell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from karyofast.types import CLASSES, Label

RELATIVE_AREA = (
    1.937, 1.859, 1.552, 1.448, 1.396, 1.321, 1.219, 1.100, 1.030, 1.025, 1.017, 1.014,
    0.812, 0.773, 0.745, 0.683, 0.642, 0.604, 0.461, 0.496, 0.336, 0.381, 1.143, 0.409,
)  # fmt: skip
"""Median area of each class over the cell's median, in the order of `CLASSES`: 150 cells of pki3's training cases, as
``benches/sizes.py`` measures it."""

SPREAD = (
    0.078, 0.094, 0.091, 0.107, 0.074, 0.072, 0.078, 0.081, 0.116, 0.071, 0.087, 0.063,
    0.108, 0.098, 0.108, 0.116, 0.090, 0.109, 0.115, 0.133, 0.148, 0.156, 0.087, 0.164,
)  # fmt: skip
"""Deviation of its logarithm in whole metaphases: the true masks of mfish's training slides, by the same script."""

TAIL = 5.0
"""Degrees of freedom of Student's t: of true masks one in fifty is off by more than three deviations."""

CUT = 0.08
"""Standard deviation of the logarithm that separation adds: a cut or a rim a pixel off changes a mask by that much."""

SCRAP = 0.19
"""Relative area below which a piece is no chromosome: three deviations under a 21, the smallest."""

SURE = 0.9
"""Probability of a class from which a chromosome tells how large the cell's chromosomes are."""

LEAST_SURE = 10
"""Sure chromosomes below which a cell's scale is not known."""


def typical_area(
    areas: Sequence[float] | NDArray[np.float64], probabilities: Sequence[NDArray[np.float32]]
) -> float | None:
    """The area, px, of a chromosome of relative area 1, as the chromosomes with sure classes have it.

    The median of all areas would sink with every chromosome that was cut in two.

    Parameters
    ----------
    areas : sequence of float
        Pixels of each mask.
    probabilities : sequence of float32 (24,)
        Of the classes, from the crops alone.

    Returns
    -------
    float or None
        None where too few classes are sure.
    """
    said = np.reshape(np.asarray(probabilities, dtype=np.float64), (len(areas), len(CLASSES)))
    sure = said.max(axis=1, initial=0.0) >= SURE
    if sure.sum() < LEAST_SURE:
        return None
    return float(np.median(np.asarray(areas)[sure] / np.array(RELATIVE_AREA)[said[sure].argmax(axis=1)]))


def surprise_in_cell(areas: Sequence[float] | NDArray[np.float64], labels: Sequence[Label]) -> NDArray[np.float64]:
    """`surprise` of the chromosomes of one cell against its own `typical_area`; float64 (n, 24)."""
    return surprise(areas, typical_area(areas, [label.probabilities for label in labels]))


def surprise(areas: Sequence[float] | NDArray[np.float64], typical: float | None) -> NDArray[np.float64]:
    """How much the areas of chromosomes speak against each class.

    Parameters
    ----------
    areas : sequence of float
        Pixels of each mask.
    typical : float or None
        See `typical_area`; None says nothing.

    Returns
    -------
    float64 (n, 24)
        Nats by which Student's t falls short of its peak; 0 where the area is the usual one of the class.

    Examples
    --------
    >>> told = surprise([194.0, 97.0], typical=100.0)
    >>> CLASSES[told[0].argmin()], bool(told[1, 0] > 5)
    ('1', True)
    """
    if typical is None or len(areas) == 0:
        return np.zeros((len(areas), len(CLASSES)))
    apart = np.log(np.maximum(np.asarray(areas, dtype=np.float64), 1.0) / typical)[:, None] - np.log(RELATIVE_AREA)
    return np.asarray(0.5 * (TAIL + 1.0) * np.log1p(apart**2 / (TAIL * (np.array(SPREAD) ** 2 + CUT**2))))
