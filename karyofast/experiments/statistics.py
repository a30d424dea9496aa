"""Means, spreads, and whether two arms differ: paired over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.05
"""Below this chance, after Holm's correction, a difference is called significant."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) over seeds; the deviation of one seed is not known."""

    mean: float
    deviation: float | None
    seeds: int


@dataclass(frozen=True)
class Difference:
    """What an arm has more than another one, paired over seeds.

    Attributes
    ----------
    mean : float
    low, high : float
        Its 95 % confidence interval (Student's t).
    chance : float
        Of a difference so large where there is none, two-sided.
    seeds : int
    """

    mean: float
    low: float
    high: float
    chance: float
    seeds: int


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and spread of some values; None of none."""
    if not values:
        return None
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), deviation, len(values))


def paired(arm: Mapping[int, float], base: Mapping[int, float]) -> Difference | None:
    """Compare two arms on the seeds that both have; None where these are fewer than two.

    Parameters
    ----------
    arm, base : mapping
        Seed -> accuracy.

    Examples
    --------
    >>> found = paired({0: 0.80, 1: 0.90, 2: 0.85}, {0: 0.70, 1: 0.80, 2: 0.74})
    >>> round(found.mean, 3), found.chance < 0.01
    (0.103, True)
    """
    seeds = sorted(set(arm) & set(base))
    if len(seeds) < 2:
        return None
    differences = np.array([arm[seed] - base[seed] for seed in seeds])
    mean = float(differences.mean())
    error = float(differences.std(ddof=1) / np.sqrt(len(seeds)))
    if error < 1e-12:
        # accuracies are counts: seeds may agree by chance, so only that all went one way is heeded (sign test)
        return Difference(mean, mean, mean, 2.0 * 0.5 ** len(seeds) if mean else 1.0, len(seeds))
    freedom = len(seeds) - 1
    reach = float(stats.t.ppf(0.975, freedom)) * error
    chance = 2.0 * float(stats.t.sf(abs(mean) / error, freedom))
    return Difference(mean, mean - reach, mean + reach, chance, len(seeds))


def holm(chances: Sequence[float]) -> list[float]:
    """Chances corrected for that several comparisons were made (Holm 1979), in their order.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [1.0] * len(chances)
    highest = 0.0
    for rank, index in enumerate(np.argsort(chances, kind="stable")):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[index]))
        corrected[index] = highest
    return corrected
