"""NumPy references of the kernels of `karyofast.kernels.axis`: each defines its operation, rules in the wrapper.

Sums are running ones, in order: the compiled side has the same bits, so that a length rounds alike on both.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from karyofast.kernels.reference import RING

if TYPE_CHECKING:
    from karyofast.kernels.axis import CurveFit


def nearest(line: NDArray[np.float64], points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every point of the line beside every point. O(line * points)."""
    square = ((points[:, None, :] - line[None, :, :]) ** 2).sum(axis=2)
    at = square.argmin(axis=1).astype(np.int64)
    return at, np.sqrt(square[np.arange(len(points)), at])


def beside(
    line: NDArray[np.float64], points: NDArray[np.float64], chosen: NDArray[np.bool_], reach: float
) -> tuple[NDArray[np.float32], bool]:
    """By `nearest`."""
    near = points[chosen]
    near = near[nearest(line, near)[1] <= reach]
    if len(near) < 2:
        return near[:, ::-1].astype(np.float32), False
    rows, cols = (near - near[0]).T
    return near[:, ::-1].astype(np.float32), bool((rows * cols[1] != cols * rows[1]).any())


def inner_path(mask: NDArray[np.bool_], depth: NDArray[np.float64]) -> tuple[NDArray[np.int64], float]:
    """Dijkstra's algorithm three times: to one end, from it to the other, and between them where it is deep."""
    first = (int(np.argwhere(mask)[0, 0]), int(np.argwhere(mask)[0, 1]))
    start = _farthest(_walk(mask, None, first)[0])
    distance = _walk(mask, None, start)[0]
    end = _farthest(distance)
    before = _walk(mask, depth, start)[1]
    path = [end]
    while path[-1] != start:
        path.append(before[path[-1]])
    return np.array(path, dtype=np.int64), distance[end]


Pixel = tuple[int, int]


def _walk(
    mask: NDArray[np.bool_], depth: NDArray[np.float64] | None, start: Pixel
) -> tuple[dict[Pixel, float], dict[Pixel, Pixel]]:
    """Distance of every pixel that can be reached, and the one before it, of equally near ones that reached first."""
    distance, before = {start: 0.0}, {start: start}
    front = [(0.0, start)]
    while front:
        here, (row, col) = heapq.heappop(front)
        if here > distance[row, col]:
            continue
        for down, right in RING:
            to = (row + down, col + right)
            if not (0 <= to[0] < mask.shape[0] and 0 <= to[1] < mask.shape[1] and mask[to]):
                continue
            step = 2.0**0.5 if down and right else 1.0
            if depth is not None:
                middle = 0.5 * (float(depth[row, col]) + float(depth[to]))
                step /= middle * middle
            if here + step < distance.get(to, np.inf):
                distance[to], before[to] = here + step, (row, col)
                heapq.heappush(front, (here + step, to))
    return distance, before


def _farthest(distance: dict[Pixel, float]) -> Pixel:
    return min(distance, key=lambda at: (-distance[at], at))


def evenly(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation by the way along the line."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(3, round(float(along[-1])) + 1))
    return np.stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])], axis=1)


def prolonged(line: NDArray[np.float64], mask: NDArray[np.bool_], width: float, out: int) -> NDArray[np.float64]:
    """Steps of one px in the direction that each end has over 0.7 widths."""
    steps = np.arange(1, int(2.0 * width) + 5)[:, None]
    look = max(2, min(len(line) - 1, round(0.7 * width)))
    head, tail = line[0] - line[look], line[-1] - line[-1 - look]
    head = head / max(float(np.hypot(*head)), 1e-9)
    tail = tail / max(float(np.hypot(*tail)), 1e-9)
    before, after = (_until_out(points, mask, out) for points in (line[0] + steps * head, line[-1] + steps * tail))
    return np.concatenate([before[::-1], line, after])


def _until_out(points: NDArray[np.float64], mask: NDArray[np.bool_], out: int) -> NDArray[np.float64]:
    row, col = np.rint(points).astype(int).T
    inside = (row >= 0) & (row < mask.shape[0]) & (col >= 0) & (col < mask.shape[1])
    hit = np.zeros(len(points), dtype=bool)
    hit[inside] = mask[row[inside], col[inside]]
    left = np.flatnonzero(~hit)
    return points[: (int(left[0]) if len(left) else len(points)) + out]


def principal_curve(
    line: NDArray[np.float64],
    mask: NDArray[np.bool_],
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    fit: CurveFit,
) -> NDArray[np.float64]:
    """The fit, the trimming and the prolonging, round by round."""
    area = int(np.count_nonzero(mask))
    for _ in range(fit.rounds):
        length = max(float(np.cumsum(np.hypot(*np.diff(line, axis=0).T))[-1]), 1.0)
        width = area / length
        at, apart = nearest(line, points)
        own = apart <= fit.reach * width
        sums = [np.bincount(at[own], part[own], len(line)) for part in (weights, *(weights * points.T))]
        used = np.flatnonzero(sums[0])
        if len(used) < 3:
            break
        mass = sums[0][used] / np.cumsum(sums[0])[-1]
        place = np.stack(sums[1:], axis=1)[used] / sums[0][used, None]
        terms = 2 + min(fit.most_bends, max(1, round(fit.bends * length / width) - 1))
        along = np.linspace(-1.0, 1.0, used[-1] - used[0] + 1)
        basis: NDArray[np.float64] = np.asarray(np.polynomial.legendre.legvander(along, terms - 1), dtype=np.float64)
        curve = _through(basis, used - used[0], mass, place, fit.stiffness)
        cut = round(0.5 * width)
        middle = curve[cut : len(curve) - cut] if len(curve) > 2 * cut + 4 else curve
        line = prolonged(evenly(middle), mask, 0.6 * width, fit.out)
    return line


def _through(
    basis: NDArray[np.float64],
    used: NDArray[np.int64],
    mass: NDArray[np.float64],
    place: NDArray[np.float64],
    stiffness: float,
) -> NDArray[np.float64]:
    """The curve that goes best through places; elimination needs no exchange of rows, moments are positive definite."""
    terms = basis.shape[1]
    here = basis[used]
    part = here * mass[:, None]
    moments = np.cumsum(part[:, :, None] * here[:, None, :], axis=0)[-1]
    sums = np.cumsum(part[:, :, None] * place[:, None, :], axis=0)[-1]
    order = np.arange(terms)
    moments[order, order] += stiffness * (order * (order - 1.0)) ** 2
    for k in range(terms):
        for i in range(k + 1, terms):
            factor = moments[i, k] / moments[k, k]
            moments[i, k:] -= factor * moments[k, k:]
            sums[i] -= factor * sums[k]
    for k in reversed(range(terms)):
        for j in range(k + 1, terms):
            sums[k] -= moments[k, j] * sums[j]
        sums[k] /= moments[k, k]
    curve: NDArray[np.float64] = basis[:, :1] * sums[0]
    for k in range(1, terms):
        curve = curve + basis[:, k : k + 1] * sums[k]
    return curve


def own_run(
    line: NDArray[np.float64],
    rows: NDArray[np.float32],
    cols: NDArray[np.float32],
    soft: NDArray[np.float32],
    reach: float,
    least: float,
) -> NDArray[np.float32]:
    """The nearest point of the line for every sample, then the runs."""
    samples = np.stack([rows, cols], axis=-1, dtype=np.float64).reshape(-1, 2)
    at = nearest(line, samples)[0].reshape(soft.shape)
    columns = np.arange(soft.shape[1])
    middle = soft.shape[1] // 2
    on = (soft > np.float32(least)) & (np.abs(at - np.arange(len(line))[:, None]) <= reach)
    seed = np.where(on, np.abs(columns - middle), soft.shape[1]).argmin(axis=1)[:, None]
    before = np.maximum.accumulate(np.where(on, -1, columns), axis=1)
    after = np.minimum.accumulate(np.where(on, soft.shape[1], columns)[:, ::-1], axis=1)[:, ::-1]
    left, right = np.take_along_axis(before, seed, axis=1), np.take_along_axis(after, seed, axis=1)
    return np.where(on & (columns > left) & (columns < right), soft, np.float32(0.0))
