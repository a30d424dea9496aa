"""What the separator is trained on: scenes with the foreground, the overlaps and the lifted axes drawn as targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.straighten import medial_axis
from karyofast.train.compose import WIDTH, ComposeOptions, Laid, PieceStore, Scene, compose, photograph

CORE = 0.28
"""Half breadth of a core in chromosome widths: the cores of two chromosomes side by side stay 0.4 widths apart."""


@dataclass(frozen=True, eq=False)
class Example:
    """Input float32 (rows, columns), targets uint8 (channels, rows, columns), weight float32 (rows, columns)."""

    density: NDArray[np.float32]
    targets: NDArray[np.uint8]
    weight: NDArray[np.float32]


def targets(laid: Sequence[Laid], shape: tuple[int, int], bins: int) -> NDArray[np.uint8]:
    """Foreground, overlap and the cores by direction; uint8 (2 + bins, rows, columns)."""
    drawn = np.zeros((2 + bins, *shape), np.uint8)
    count = np.zeros(shape, np.uint8)
    for one in laid:
        count += one.mask
        _draw_core(one, drawn[2:])
    drawn[0], drawn[1] = count > 0, count > 1
    return drawn


def _draw_core(one: Laid, cores: NDArray[np.uint8]) -> None:
    """Switch on, in the two nearest directions, the pixels near the axis."""
    rows, cols = np.nonzero(one.mask)
    if len(rows) == 0:
        return
    step = np.gradient(one.axis, axis=0)
    angle = np.mod(np.arctan2(step[:, 0], step[:, 1]), np.pi)
    near = (rows[:, None] - one.axis[None, :, 0]) ** 2 + (cols[:, None] - one.axis[None, :, 1]) ** 2
    nearest = near.argmin(axis=1)
    core = near[np.arange(len(rows)), nearest] <= (CORE * one.width) ** 2
    if not core.any():
        core[:] = True  # a speck: all of it
    bins = len(cores)
    place = angle[nearest[core]] / np.pi * bins
    lower = np.floor(place - 0.5).astype(int) % bins
    cores[lower, rows[core], cols[core]] = 1
    cores[(lower + 1) % bins, rows[core], cols[core]] = 1


def composed(store: PieceStore, rng: np.random.Generator, options: ComposeOptions, bins: int) -> Example:
    """A scene of chromosomes of one cell, laid by chance and photographed."""
    adding = bool(rng.random() < 0.3)
    pieces = store.draw(rng, int(rng.integers(options.fewest, options.most + 1)))
    scene: Scene = compose(pieces, rng, options, adding)
    density = photograph(scene.density, rng, adding)
    shape = (options.side, options.side)
    return Example(density, targets(scene.laid, shape, bins), np.ones(shape, np.float32))


@dataclass(frozen=True, eq=False)
class Picture:
    """A real picture at its own scale with the masks of its chromosomes.

    `doubtful` marks the pixels of instances whose truth is not sure; they carry no weight.
    """

    density: NDArray[np.float32]
    laid: tuple[Laid, ...]
    doubtful: NDArray[np.bool_]


def picture(density: NDArray[np.uint8], masks: Sequence[NDArray[np.bool_]], doubtful: NDArray[np.bool_]) -> Picture:
    """Prepare a picture: scaled to the typical width, density over the typical one, axes found.

    Parameters
    ----------
    density : uint8 (rows, columns)
    masks : sequence of bool (rows, columns)
        One a chromosome.
    doubtful : bool (rows, columns)
    """
    widths = [medial_axis(np.pad(mask, 3))[1] for mask in masks]
    zoom = WIDTH / float(np.median(widths))
    size = (round(density.shape[1] * zoom), round(density.shape[0] * zoom))
    level = float(density[np.any(masks, axis=0)].mean())
    laid = []
    for mask in masks:
        larger = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
        if larger.any():
            axis, width = medial_axis(np.pad(larger, 3))
            laid.append(Laid(larger, axis - 3.0, width))
    scaled = cv2.resize(density.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) / level
    unsure = cv2.resize(doubtful.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return Picture(np.asarray(scaled, np.float32), tuple(laid), unsure)


def cut(source: Picture, rng: np.random.Generator, side: int, bins: int) -> Example:
    """A turned, scaled, mirrored square out of a real picture that holds at least one chromosome's middle."""
    anchor = source.laid[int(rng.integers(len(source.laid)))].axis
    middle = anchor[len(anchor) // 2] + rng.uniform(-0.35, 0.35, 2) * side
    zoom = float(rng.uniform(0.8, 1.25))
    matrix = cv2.getRotationMatrix2D((float(middle[1]), float(middle[0])), float(rng.uniform(0, 360)), zoom)
    matrix[:, 2] += 0.5 * side - middle[::-1]
    if rng.random() < 0.5:
        matrix = (np.array([[-1.0, 0, side - 1.0], [0, 1.0, 0], [0, 0, 1.0]]) @ np.vstack([matrix, [0, 0, 1]]))[:2]
    laid = []
    for one in source.laid:
        axis = (one.axis[:, ::-1] @ matrix[:, :2].T + matrix[:, 2])[:, ::-1]
        if np.any((axis > -one.width) & (axis < side + one.width), axis=0).all():
            mask = cv2.warpAffine(one.mask.astype(np.float32), matrix, (side, side)) > 0.5
            if mask.any():
                laid.append(Laid(mask, axis, one.width * zoom))
    density = cv2.warpAffine(source.density, matrix, (side, side), flags=cv2.INTER_LINEAR)
    density = density * rng.uniform(0.7, 1.3) + rng.normal(0, rng.uniform(0.003, 0.03), density.shape)
    unsure = cv2.warpAffine(source.doubtful.astype(np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST) > 0
    weight = np.where(unsure, 0.0, 1.0).astype(np.float32)
    return Example(density.astype(np.float32), targets(laid, (side, side), bins), weight)
