"""Changed copies of training crops, as microscope and separation leave them, and what is no chromosome."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.classify import FLOOR, CellScale, Frame, affine, place, standardise
from karyofast.models.vgg16 import CLASS_COUNT, NOTHING
from karyofast.train.crops import NO_CHROMOSOME, CropSet


@dataclass(frozen=True)
class Augmentation:
    """How much a training crop is changed; standard deviations or half ranges."""

    zoom: float = 0.08
    stretch: float = 0.05
    turn: float = 5.0
    """degrees"""
    shift: float = 2.5
    """rows; half of it columns"""
    elastic: float = 0.02
    """share of the length by which bands are moved along the axis, some up, some down"""
    contrast: float = 0.25
    brightness: float = 0.2
    """standard deviations of the cell"""
    blur: float = 1.1
    """px of the network's input"""
    defocused: float = 0.5
    """share of crops that are defocused"""
    defocus: float = 0.0
    """rows of the network's input: blur as of the picture itself, so wider across by what the input is widened"""
    noise: float = 0.04
    remnant: float = 0.1
    """share of crops that carry a piece of a neighbour"""
    clipped: float = 0.1
    """share of crops that lose a piece of an end"""
    nothing: float = 0.12
    """share of crops that are made into no whole single chromosome"""


def augmented(
    crops: CropSet, index: int, frame: Frame, rng: np.random.Generator, how: Augmentation
) -> tuple[NDArray[np.float32], int]:
    """A changed copy of one crop as the network sees it, and the output of the network that is right for it.

    Returns
    -------
    drawn : float32 (rows, columns)
    right : int
        Class, plus `CLASS_COUNT` where the p arm is down; or `NOTHING`.
    """
    scale = crops.scales[index]
    if rng.random() < how.nothing:
        values, right = no_chromosome(crops, index, rng), NOTHING
    else:
        variant = int(rng.integers(crops.upright.shape[1]))
        crop, up = crops.crops[index][variant], bool(crops.upright[index, variant])
        if rng.random() < how.clipped:
            lost = int(rng.uniform(0.0, 0.08) * len(crop)) + 1
            crop = crop[lost:] if rng.random() < 0.5 else crop[:-lost]
        values = standardise(crop, scale)
        if rng.random() < 0.5:
            values, up = np.ascontiguousarray(values[::-1]), not up
        label = int(crops.label[index])
        right = NOTHING if label == NO_CHROMOSOME else label + (0 if up else CLASS_COUNT)
    inside = values > FLOOR
    values = values * (1.0 + rng.uniform(-how.contrast, how.contrast)) + rng.uniform(-how.brightness, how.brightness)
    values = np.where(inside, np.clip(values, FLOOR, -FLOOR), FLOOR).astype(np.float32)
    if rng.random() < 0.5:
        values = np.ascontiguousarray(values[:, ::-1])
    if how.elastic:
        values = _stretched(values, rng, how.elastic)
    wanted = frame.median_rows / scale.length * np.exp(rng.uniform(-how.zoom, how.zoom))
    zoom = min(wanted, frame.rows / len(values))
    drawn = place(values, _jittered(values.shape, frame, zoom, rng, how), frame, zoom)
    if right != NOTHING and rng.random() < how.remnant:
        drawn = _with_remnant(drawn, crops, frame, rng)
    sigma = rng.uniform(0.0, how.blur)
    if sigma > 0.3:
        drawn = np.asarray(cv2.GaussianBlur(drawn, (0, 0), sigma), np.float32)
    if how.defocus and rng.random() < how.defocused:
        rows = rng.uniform(0.1, how.defocus)
        drawn = np.asarray(cv2.GaussianBlur(drawn, (0, 0), sigmaX=frame.widening * rows, sigmaY=rows), np.float32)
    drawn = drawn + rng.normal(0.0, how.noise * rng.random(), drawn.shape).astype(np.float32)
    return np.asarray(drawn, dtype=np.float32), right


def no_chromosome(crops: CropSet, index: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """What separation takes for a chromosome by mistake, in standard deviations of the cell as `standardise` gives it.

    In equal parts: a piece of a chromosome; two joined end to end; two side by side; and, half as often, debris.
    """
    values = standardise(crops.crops[index][0], crops.scales[index])
    kind = rng.choice(4, p=[0.3, 0.3, 0.25, 0.15])
    if kind == 0:
        return _part(values, rng.uniform(0.2, 0.72), rng)
    if kind == 3:
        return _debris(crops.scales[index], rng)
    other = _of_same_cell(crops, index, rng)
    partner = standardise(crops.crops[other][0], crops.scales[other])
    if rng.random() < 0.5:
        partner = partner[::-1]
    if kind == 1:
        shares = rng.uniform(0.45, 1.4, 2)
        first, second = (
            one if share >= 1.0 else _part(one, share, rng)
            for one, share in zip((values, partner), shares, strict=True)
        )
        return _end_to_end(first, second, rng)
    return _side_by_side(values, partner, rng)


def _of_same_cell(crops: CropSet, index: int, rng: np.random.Generator) -> int:
    """Another chromosome of the cell of `index`, whose chromosomes lie next to one another in the set; or itself."""
    other = int(np.clip(index + rng.integers(-20, 21), 0, len(crops.cell) - 1))
    return other if crops.cell[other] == crops.cell[index] else index


def _part(values: NDArray[np.float32], share: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A part of the rows: mostly one that holds an end."""
    rows = max(4, round(share * len(values)))
    last = max(0, len(values) - rows)
    first = int(rng.choice([0, last])) if rng.random() < 0.8 else int(rng.integers(0, last + 1))
    return values[first : first + rows]


def _end_to_end(
    first: NDArray[np.float32], second: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    shift = int(rng.integers(-3, 4))
    columns = max(first.shape[1], second.shape[1]) + 2 * abs(shift)
    lap = int(rng.integers(0, 4))
    canvas = np.full((len(first) + len(second) - lap, columns), FLOOR, np.float32)
    _lay(canvas, first, 0, (columns - first.shape[1]) // 2)
    _lay(canvas, second, len(first) - lap, (columns - second.shape[1]) // 2 + shift)
    return canvas


def _side_by_side(
    first: NDArray[np.float32], second: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    # a crop has a margin on either side: where two touch, their inner margins are gone
    near = int(rng.uniform(0.35, 0.55) * 0.5 * (first.shape[1] + second.shape[1]))
    most = max(len(first), len(second))
    slide = int(rng.uniform(-0.35, 0.35) * most)
    top = max(0, -slide)
    canvas = np.full((max(top + len(first), top + slide + len(second)), first.shape[1] + second.shape[1]), FLOOR)
    canvas = canvas.astype(np.float32)
    left = (canvas.shape[1] - near - second.shape[1]) // 2
    _lay(canvas, first, top, max(left, 0))
    _lay(canvas, second, top + slide, max(left, 0) + near)
    return canvas


def _lay(canvas: NDArray[np.float32], values: NDArray[np.float32], top: int, left: int) -> None:
    """Lay values over a canvas, the denser of both; what falls beside it is lost."""
    room = canvas[top : top + len(values), left : left + values.shape[1]]
    np.maximum(room, values[: len(room), : room.shape[1]], out=room)


def _debris(scale: CellScale, rng: np.random.Generator) -> NDArray[np.float32]:
    """A blob of any size and density, smooth or mottled."""
    rows = max(5, round(scale.length * rng.uniform(0.15, 1.0)))
    columns = max(5, round(scale.length * rng.uniform(0.12, 0.45)))
    canvas = np.zeros((rows + 4, columns + 4), np.uint8)
    middle = ((columns + 3) / 2, (rows + 3) / 2)
    cv2.ellipse(canvas, (middle, (columns, rows), float(rng.uniform(-15, 15))), 255, -1)
    mottled = cv2.GaussianBlur(rng.normal(0.0, 1.0, canvas.shape), (0, 0), rng.uniform(0.8, 4.0))
    strength = rng.uniform(0.0, 1.2) / max(float(np.std(mottled)), 1e-6)
    values = np.clip(rng.uniform(-2.5, 2.5) + strength * np.asarray(mottled), FLOOR + 0.05, -FLOOR)
    soft = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 2.0)) / 255.0
    return np.where(soft > 0.1, FLOOR + (values - FLOOR) * soft, FLOOR).astype(np.float32)


def _stretched(values: NDArray[np.float32], rng: np.random.Generator, share: float) -> NDArray[np.float32]:
    """Rows moved along the axis by a smooth wave that leaves both ends: chromosomes are not spread evenly."""
    along = np.linspace(0.0, np.pi, len(values))
    waves = rng.uniform(-share, share, 3) * len(values) / np.arange(1, 4)
    rows = np.arange(len(values)) + sum(wave * np.sin((k + 1) * along) for k, wave in enumerate(waves))
    rows = np.clip(rows, 0.0, len(values) - 1.0)
    upper = np.minimum(rows.astype(int), max(len(values) - 2, 0))
    lower = np.minimum(upper + 1, len(values) - 1)
    part = (rows - upper).astype(np.float32)[:, None]
    return np.asarray(values[upper] * (1.0 - part) + values[lower] * part, np.float32)


def _jittered(
    shape: tuple[int, ...], frame: Frame, zoom: float, rng: np.random.Generator, how: Augmentation
) -> NDArray[np.float64]:
    """The affine map of a crop with random turn, stretch, shear and shift about the middle of the input."""
    plain = np.vstack([affine(shape, frame, zoom), [0.0, 0.0, 1.0]])
    angle = np.deg2rad(rng.uniform(-how.turn, how.turn))
    across = np.exp(rng.uniform(-2 * how.stretch, 2 * how.stretch))
    along = np.exp(rng.uniform(-how.stretch, 0.5 * how.stretch))
    linear = np.array([[across * np.cos(angle), -np.sin(angle)], [np.sin(angle), along * np.cos(angle)]])
    linear[0, 1] += rng.uniform(-0.08, 0.08)
    middle = np.array([0.5 * (frame.columns - 1), 0.5 * (frame.rows - 1)])
    moved = middle + rng.uniform(-how.shift, how.shift, 2) * [0.5, 1.0]
    change = np.eye(3)
    change[:2, :2] = linear
    change[:2, 2] = moved - linear @ middle
    return np.asarray((change @ plain)[:2])


def _with_remnant(
    drawn: NDArray[np.float32], crops: CropSet, frame: Frame, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Lay a small piece of another chromosome over a side of the input, as an imperfect cut leaves it."""
    other = int(rng.integers(len(crops.crops)))
    crop = crops.crops[other][0]
    rows = min(int(rng.integers(6, 16)), len(crop))
    first = int(rng.integers(0, len(crop) - rows + 1))
    zoom = frame.median_rows / crops.scales[other].length
    piece = standardise(crop[first : first + rows], crops.scales[other])
    matrix = affine(piece.shape, frame, zoom)
    matrix[0, 2] += rng.choice([-1.0, 1.0]) * rng.uniform(0.30, 0.45) * frame.columns
    matrix[1, 2] += rng.uniform(-0.35, 0.35) * frame.rows
    return np.maximum(drawn, place(piece, matrix, frame, zoom))
