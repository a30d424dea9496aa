"""Sizes: how well the area of a chromosome agrees with each class.

Within a cell the areas of the chromosomes, measured against one another, hardly depend on contraction, stain or
magnification: the medians of G-banded single chromosomes and of DAPI metaphases agree within a few percent. A
classifier that reads one straightened crop has the length, but two chromosomes joined end to end, a cut half or a
speck of dirt can look like a class and still be half as large again: their areas tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
"""Deviation of its logarithm in whole metaphases: the true masks of mfish's training slides, by the same script.

Measured against the cell's median. Where the cell's power is known it is a third less, but with sizes so sure fewer
pieces of mfish's training slides, and of composed cells of validation cases, found their class."""

TAIL = 5.0
"""Degrees of freedom of Student's t: of true masks one in fifty is off by more than three deviations."""

CUT = 0.08
"""Standard deviation of the logarithm that separation adds: a cut or a rim a pixel off changes a mask by that much."""

POWER = (0.97, 0.06)
"""Power of a cell before anything of it is known, and its deviation."""

SCATTER = 0.1
"""Deviation of a chromosome's logarithm where a cell's power is fitted."""

FITS = 6
"""Passes in which the weights of the chromosomes settle."""

SCRAP = 0.19
"""Relative area below which a piece is no chromosome: three deviations under a 21, the smallest."""

SURE = 0.9
"""Probability of a class from which a chromosome tells how large the cell's chromosomes are."""

LEAST_SURE = 10
"""Sure chromosomes below which a cell's scale is not known."""


class Typical(NamedTuple):
    """How large the chromosomes of a cell are: ``area * relative ** power``."""

    area: float
    """of a chromosome of relative area 1, px"""
    power: float = 1.0
    """below 1 where small chromosomes are large for their class: a mask's rim is more of them"""


def typical_of(
    areas: Sequence[float] | NDArray[np.float64], probabilities: Sequence[NDArray[np.float32]]
) -> Typical | None:
    """How large the chromosomes of a cell are, as those with sure classes have it.

    The median of all areas would sink with every chromosome that was cut in two.

    Parameters
    ----------
    areas : sequence of float
        Pixels of each mask.
    probabilities : sequence of float32 (24,)
        Of the classes, from the crops alone.

    Returns
    -------
    Typical or None
        None where too few classes are sure.
    """
    said = np.reshape(np.asarray(probabilities, dtype=np.float64), (len(areas), len(CLASSES)))
    sure = said.max(axis=1, initial=0.0) >= SURE
    if sure.sum() < LEAST_SURE:
        return None
    relative = np.log(np.array(RELATIVE_AREA)[said[sure].argmax(axis=1)])
    measured = np.log(np.maximum(np.asarray(areas, dtype=np.float64)[sure], 1.0))
    power, level = POWER[0], float(np.median(measured - POWER[0] * relative))
    prior = (SCATTER / POWER[1]) ** 2
    for _ in range(FITS):
        # Student's t: a chromosome that is far off says little
        weight = 1.0 / (1.0 + ((measured - level - power * relative) / SCATTER) ** 2 / TAIL)
        middle = weight @ relative / weight.sum()
        apart = relative - middle
        power = float((weight @ (apart * measured) + prior * POWER[0]) / (weight @ apart**2 + prior))
        level = float(weight @ (measured - power * relative) / weight.sum())
    return Typical(float(np.exp(np.median(measured - power * relative))), power)


def surprise_in_cell(areas: Sequence[float] | NDArray[np.float64], labels: Sequence[Label]) -> NDArray[np.float64]:
    """`surprise` of the chromosomes of one cell against what is `typical_of` it; float64 (n, 24)."""
    return surprise(areas, typical_of(areas, [label.probabilities for label in labels]))


def surprise(areas: Sequence[float] | NDArray[np.float64], typical: Typical | None) -> NDArray[np.float64]:
    """How much the areas of chromosomes speak against each class.

    Parameters
    ----------
    areas : sequence of float
        Pixels of each mask.
    typical : Typical or None
        None says nothing.

    Returns
    -------
    float64 (n, 24)
        Nats by which Student's t falls short of its peak; 0 where the area is the usual one of the class.

    Examples
    --------
    >>> told = surprise([194.0, 97.0], Typical(100.0))
    >>> CLASSES[told[0].argmin()], bool(told[1, 0] > 5)
    ('1', True)
    """
    if typical is None or len(areas) == 0:
        return np.zeros((len(areas), len(CLASSES)))
    measured = np.log(np.maximum(np.asarray(areas, dtype=np.float64), 1.0) / typical.area)
    apart = measured[:, None] - typical.power * np.log(RELATIVE_AREA)
    return np.asarray(0.5 * (TAIL + 1.0) * np.log1p(apart**2 / (TAIL * (np.array(SPREAD) ** 2 + CUT**2))))
