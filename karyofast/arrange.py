"""Arrange: choose the labels of a whole cell together.

Taken one by one, a doubtful 4 and a doubtful 5 may both be read as 4. A cell has two of each, so the labels
are chosen together: by maximum likelihood, with a price in nats (natural logarithm of odds) for every
departure from a normal set. The price of k copies of an autosome is convex in k with its minimum at 2, so
the choice is a linear assignment problem of chromosomes to *slots* [1]_: the first two slots of a class
earn what an empty one would cost, further slots cost the price of a gain, and every chromosome may stay
unplaced at a fixed price. The sex chromosomes have no single normal number; the problem is solved once for
each constitution (X, XX, XY, XXY, ...), whose slots must then be filled, and the cheapest total wins. The
same is done for three and four sets where there are more chromosomes than two sets hold.

Nothing is forced: a clear third 21 becomes a gain, a missing copy stays missing, what fits nowhere is left
unplaced, and each of these is flagged. So is every chromosome whose class another choice would contest.

How the prices were set: by the reasons beside them in `karyofast.config.ArrangeOptions`, then checked with
a small network (92 % of crops right alone, 96 % together) on pki3 training cases: normal ones, aneuploid
ones, and ones with a copy added or taken away. With missing prices of 2 to 4 and gain prices of 3 to 6 the
same 95 to 96 % of normal cells come out as 46,XX or 46,XY; the lower end finds more cells that have a gain
beside a loss. How far the unplaced price stands above the gain price decides between junk that is left out
and gains that are kept; with areas beside the labels, `karyofast evaluate aneuploidy` on pki3's validation
cases sees a third 21, 18 or X as often as without only when it is 2 nats.

The class prior of the training data (X and Y are rarer) is left in the probabilities: it shifts a total by
at most ln 4, which is under every price.

References
----------
.. [1] D. F. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on
   Aerospace and Electronic Systems 52(4), 2016 (the algorithm of `karyofast.kernels.assign`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from karyofast import iscn
from karyofast.config import ArrangeOptions
from karyofast.kernels import assign
from karyofast.types import CLASSES, Arrangement, Label

UNPLACED = -1
"""Assigned class of a chromosome that was left out."""

NORMAL_COUNT = 46

MORE_SLOTS = 4
"""Slots of an autosome beyond its normal copies: six copies of one chromosome are beyond usual cells."""

FURTHER_MISS = math.log(4.0)
"""Nats by which the first copy is missed less easily than the second, when each is missed on its own with
probability q: ln P(one missing) - ln P(both missing) = ln(2q) - ln(q^2), against ln 1 - ln(2q)."""

FILLED = 1e3
"""Nats earned by filling a slot that a sex constitution demands: no other sum of a cell outbids it, the
highest price allowed (`karyofast.config.MOST_NATS`) included."""

ROUNDING = 1e-8
"""Nats by which a sum may be off that is taken in another order."""

BARRED = 1e6
"""Nats that keep a chromosome out of a slot."""

CONTESTED = 0.5
"""Own probability from which a crop that was given another class than its own wants a look."""

DOUBTED = 0.2
"""Own probability of the class given, below which a crop wants a look whatever the rest of the cell says."""

FEW = 4
"""Gains, or losses, that are flagged one by one; more are flagged by their number (an incomplete spread)."""

_X, _Y = CLASSES.index("X"), CLASSES.index("Y")
_NORMAL_SEX = {2: ((2, 0), (1, 1)), 3: ((3, 0), (2, 1), (1, 2)), 4: ((4, 0), (2, 2))}
"""Normal (X, Y) of two, three and four sets."""

_USUAL_SEX = ((0, 0), (1, 0), (2, 0), (1, 1), (3, 0), (2, 1), (1, 2))
"""(X, Y) that `cost` considers."""


@dataclass(frozen=True, eq=False)
class _Problem:
    """Costs in nats of chromosomes (rows) in slots (columns), and the class of each slot."""

    costs: NDArray[np.float64]
    classes: NDArray[np.int64]
    base: float
    """what all empty slots and the constitution cost, to be added to the assignment's own sum"""
    ploidy: int
    sex: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Solution:
    problem: _Problem
    assigned: NDArray[np.int64]
    total: float


def arrange(
    labels: Sequence[Label],
    options: ArrangeOptions = ArrangeOptions(),  # noqa: B008 (frozen)
    sizes: NDArray[np.float64] | None = None,
) -> Arrangement:
    """Choose the classes of one cell's chromosomes together.

    Parameters
    ----------
    labels : sequence of Label
        Of all chromosomes of one cell, any number of them. Zeros in the probabilities are allowed; what a row falls
        short of 1 speaks for no class and so for leaving the chromosome out.
    options : ArrangeOptions
        The prices.
    sizes : float64 (n, 24), optional
        Further nats for each class of each chromosome, see `karyofast.sizes.surprise`.

    Returns
    -------
    Arrangement
        Does not depend on the order of `labels`, except among chromosomes with equal probabilities.

    Raises
    ------
    ValueError
        Probabilities that are not 24 finite numbers of 0 or more.

    Examples
    --------
    >>> normal = [CLASSES.index(name) for name in iscn.parse("46,XX")]
    >>> labels = [Label(np.eye(24, dtype=np.float32)[index]) for index in normal]
    >>> arrange(labels).iscn, arrange(labels[1:]).iscn
    ('46,XX', '45,XX,-1')
    """
    own = _probabilities(labels)
    if len(own) == 0:
        return Arrangement(flags=("count 0",))
    # sorted rows make the result independent of the order of the labels, ties included
    surprise = _surprise(own, sizes, options)
    order = np.lexsort(surprise.T)
    surprise = surprise[order]
    solutions = [_solve(problem) for problem in _problems(surprise, options)]
    best = min(solutions, key=lambda one: one.total)
    low = _low_confidence(best, solutions, own[order], options)
    assigned = np.empty(len(own), dtype=np.int64)
    assigned[order] = best.assigned
    placed = [CLASSES[index] for index in assigned if index != UNPLACED]
    return Arrangement(
        assigned=tuple(int(index) for index in assigned),
        iscn=iscn.format(placed, best.problem.ploidy),
        low_confidence=tuple(sorted(int(order[row]) for row in low)),
        flags=_flags(Counter(placed), len(own), len(low), best.problem),
        cost=best.total,
    )


def _surprise(
    own: NDArray[np.float64], sizes: NDArray[np.float64] | None, options: ArrangeOptions
) -> NDArray[np.float64]:
    """Nats of each class for each chromosome: what its crop says, and what its size does."""
    surprise = -np.log((1.0 - options.outlier) * own + options.outlier / len(CLASSES))
    if sizes is None:
        return surprise
    if sizes.shape != own.shape:
        raise ValueError(f"`sizes` must have the shape {own.shape}, a row a label. Got: {sizes.shape}.")
    return np.asarray(surprise + sizes)


def cost(
    labels: Sequence[Label],
    options: ArrangeOptions = ArrangeOptions(),  # noqa: B008 (frozen)
    sizes: NDArray[np.float64] | None = None,
) -> float:
    """How unlikely the labels of a cell are together, without choosing among them: what the second look asks often.

    Parameters
    ----------
    labels : sequence of Label
    options : ArrangeOptions
    sizes : float64 (n, 24), optional

    Returns
    -------
    float
        Nats; `Arrangement.cost` of a cell of two sets whose sex chromosomes are normal but for one gain or loss.
    """
    return least_cost(_surprise(_probabilities(labels), sizes, options), options)


def surprise_of(label: Label, sizes: NDArray[np.float64], options: ArrangeOptions) -> NDArray[np.float64]:
    """Nats by which a crop and its size (float64 (24,)) speak against each class; float64 (24,)."""
    return np.asarray(_surprise(_probabilities([label]), sizes[None], options)[0])


def least_surprise(options: ArrangeOptions) -> float:
    """Nats that a crop which is sure of a class says against it: no crop says less."""
    return -math.log(1.0 - options.outlier + options.outlier / len(CLASSES))


def least_cost(
    surprise: NDArray[np.float64], options: ArrangeOptions, floors: NDArray[np.float64] | None = None
) -> float:
    """`cost` of chromosomes whose nats of each class, float64 (n, 24), are known; grows with each of them, or stays.

    With `floors`, those of `CostFloor.totals`, the sex constitutions that cannot be the cheapest are not tried.
    """
    least = math.inf
    for at in range(len(_USUAL_SEX)) if floors is None else np.argsort(floors, kind="stable"):
        if floors is not None and floors[at] >= least:
            break
        if sum(_USUAL_SEX[at]) <= len(surprise):
            least = min(least, _solve(_usual_problem(surprise, _USUAL_SEX[at], options)).total)
    return least


def _usual_problem(surprise: NDArray[np.float64], sex: tuple[int, int], options: ArrangeOptions) -> _Problem:
    return _problem(surprise, 2, sex, options)


class CostFloor:
    """What cells much like one cost at least, in a fraction of the time of `least_cost`.

    By the duality of linear programming: the prices that the slots have where the one is at its cheapest bound what
    any other chromosomes pay for them, the more closely the more of them are the same.

    Parameters
    ----------
    surprise : float64 (n, 24)
        Of the one, as for `least_cost`; one chromosome or more.
    options : ArrangeOptions
    """

    def __init__(self, surprise: NDArray[np.float64], options: ArrangeOptions) -> None:
        self._unplaced = options.unplaced_price
        problems = [_usual_problem(surprise, sex, options) for sex in _USUAL_SEX]
        worth = [_slot_prices(one.costs, assign(one.costs)) for one in problems]
        self._rest = np.array([one.base + prices.sum() for one, prices in zip(problems, worth, strict=True)])
        self._offered = np.full((len(problems), len(CLASSES)), np.inf)
        for row, one, prices in zip(self._offered, problems, worth, strict=True):
            placed = one.classes != UNPLACED
            classes = one.classes[placed]
            # of the slots of one class the cheapest decides
            np.minimum.at(row, classes, one.costs[0, placed] - surprise[0, classes] - prices[placed])

    def shares(self, surprise: NDArray[np.float64]) -> NDArray[np.float64]:
        """What chromosomes, float64 (n, 24), add at least; float64 (n, sex constitutions)."""
        return np.asarray(np.minimum((surprise[:, None] + self._offered).min(axis=2), self._unplaced))

    def totals(self, shares: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """For each sex constitution nats that `least_cost` of the chromosomes with these `shares` is not below."""
        return np.asarray(np.sum(shares, axis=0) + self._rest - ROUNDING)


def _slot_prices(costs: NDArray[np.float64], slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each slot is worth, 0 or less, given the cheapest assignment: the columns' dual variables.

    The shortest ways over exchanges of one slot for another (Bellman and Ford).
    """
    exchanged = costs - costs[np.arange(len(slots)), slots][:, None]
    prices = np.zeros(costs.shape[1])
    for _ in range(len(slots)):
        lower = np.minimum(prices, (prices[slots][:, None] + exchanged).min(axis=0))
        if np.array_equal(lower, prices):
            break
        prices = lower
    return prices


def _probabilities(labels: Sequence[Label]) -> NDArray[np.float64]:
    """Rows that sum to 1 at most."""
    rows = np.empty((len(labels), len(CLASSES)))
    for row, label in zip(rows, labels, strict=True):
        given = np.asarray(label.probabilities, dtype=np.float64)
        if given.shape != (len(CLASSES),) or not np.isfinite(given).all() or (given < 0).any():
            raise ValueError(
                f"`probabilities` must be {len(CLASSES)} finite numbers of 0 or more. Got: {given.shape}, "
                f"{given.tolist()}. Look at what the classifier returned for this chromosome."
            )
        row[:] = given / max(float(given.sum()), 1.0)
    return rows


def _problems(surprise: NDArray[np.float64], options: ArrangeOptions) -> Iterator[_Problem]:
    """One assignment problem for each number of sets and each sex constitution that can be filled."""
    count = len(surprise)
    for ploidy in _NORMAL_SEX:
        # more sets than the chromosomes can fill only add empty places
        if ploidy > 2 and count <= (ploidy - 1) * NORMAL_COUNT // 2:
            continue
        for x in range(min(ploidy + 2, count) + 1):
            for y in range(min(ploidy, count - x) + 1):
                yield _problem(surprise, ploidy, (x, y), options)


def _problem(surprise: NDArray[np.float64], ploidy: int, sex: tuple[int, int], options: ArrangeOptions) -> _Problem:
    slots = _slots(ploidy, sex, options)
    count, offered = len(surprise), len(slots.prices)
    costs = np.full((count, offered + count), options.unplaced_price, dtype=np.float64)
    np.add(surprise[:, slots.classes], slots.prices, out=costs[:, :offered])
    return _Problem(costs, np.append(slots.classes, np.full(count, UNPLACED)), slots.base, ploidy, sex)


class _Slots(NamedTuple):
    """Class and price of each slot, a normal copy's being what it earns, and the base of `_Problem`."""

    classes: NDArray[np.int64]
    prices: NDArray[np.float64]
    base: float


@lru_cache(maxsize=256)
def _slots(ploidy: int, sex: tuple[int, int], options: ArrangeOptions) -> _Slots:
    earned = [options.missing_price + (ploidy - copy) * FURTHER_MISS for copy in range(1, ploidy + 1)]
    autosome = [-price for price in earned] + [options.gain_price] * MORE_SLOTS
    autosomes = len(iscn.AUTOSOMES)
    classes = np.concatenate([np.repeat(np.arange(autosomes), len(autosome)), np.repeat([_X, _Y], sex)])
    prices = np.concatenate([np.tile(autosome, autosomes), np.full(sum(sex), -FILLED)])
    base = autosomes * sum(earned) + FILLED * sum(sex) + _sex_price(sex, _NORMAL_SEX[ploidy], options)
    return _Slots(classes, prices, base + (options.ploidy_price if ploidy > 2 else 0.0))


def _sex_price(sex: tuple[int, int], normal: Sequence[tuple[int, int]], options: ArrangeOptions) -> float:
    """Price of a constitution: the gains and losses that lead to it from the nearest normal one."""
    x, y = sex

    def changes(base: tuple[int, int]) -> float:
        lost = max(base[0] - x, 0) + max(base[1] - y, 0)
        gained = max(x - base[0], 0) + max(y - base[1], 0)
        return lost * options.missing_price + gained * options.gain_price

    # as for autosomes, the last X is not missed as easily as one of two
    return min(changes(base) for base in normal) + (FURTHER_MISS if x == 0 else 0.0)


def _solve(problem: _Problem) -> _Solution:
    slots = assign(problem.costs)
    total = float(problem.costs[np.arange(len(slots)), slots].sum()) + problem.base
    return _Solution(problem, problem.classes[slots], total)


def _low_confidence(
    best: _Solution, solutions: Sequence[_Solution], own: NDArray[np.float64], options: ArrangeOptions
) -> list[int]:
    """Rows that want a look: left out, at odds with their own crop, or contested within the cell."""
    least = math.log(options.confidence / (1.0 - options.confidence))
    rows = np.arange(len(own))
    given = np.where(best.assigned == UNPLACED, 0.0, own[rows, best.assigned])
    low = (best.assigned == UNPLACED) | (given < DOUBTED)
    low |= (own.argmax(axis=1) != best.assigned) & (own.max(axis=1) >= CONTESTED)
    for other in solutions:
        if other.total - best.total < least:
            low |= (other.assigned != best.assigned) & (other.assigned != UNPLACED)
    for row in rows[~low]:
        low[row] = _margin(best, row) < least
    return [int(row) for row in rows[low]]


def _margin(best: _Solution, row: int) -> float:
    """Nats by which the best choice with another class for this chromosome is worse.

    Leaving it out is no other class: a clear extra copy would be in doubt for being extra alone.
    """
    costs = best.problem.costs.copy()
    costs[row, np.isin(best.problem.classes, (best.assigned[row], UNPLACED))] = BARRED
    slots = assign(costs)
    return float(costs[np.arange(len(slots)), slots].sum()) + best.problem.base - best.total


def _flags(copies: Counter[str], count: int, low: int, problem: _Problem) -> tuple[str, ...]:
    flags = [f"count {count}"] if count != NORMAL_COUNT else []
    if problem.ploidy != 2:
        flags.append(f"ploidy {problem.ploidy}")
    if problem.sex not in _NORMAL_SEX[problem.ploidy]:
        flags.append(f"sex {'X' * problem.sex[0] + 'Y' * problem.sex[1] or iscn.NO_SEX}")
    changes = {name: copies[name] - problem.ploidy for name in iscn.AUTOSOMES}
    flags += _change_flags("gain", {name: change for name, change in changes.items() if change > 0})
    flags += _change_flags("loss", {name: -change for name, change in changes.items() if change < 0})
    unplaced = count - copies.total()
    if unplaced:
        flags.append(f"unplaced {unplaced}")
    if low:
        flags.append(f"low confidence {low}")
    return tuple(flags)


def _change_flags(kind: str, changes: dict[str, int]) -> list[str]:
    if len(changes) > FEW:
        return [f"{kind} of {sum(changes.values())}"]
    return [f"{kind} {name}" + (f" x{times}" if times > 1 else "") for name, times in changes.items()]
