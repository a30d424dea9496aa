"""Metaphases composed of real chromosomes: those of one cell, cut out by somebody, laid out and pictured anew.

Bands, bends and staining are real; how the chromosomes lie, touch and cross, the background and the noise are drawn
(`karyofast.simulate_spread`, `karyofast.simulate_scene`). So the whole truth is known of pictures with real bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import iscn
from karyofast.config import SimulateOptions
from karyofast.crops import CropRow, CropSource, isolate, split_of
from karyofast.errors import DataError
from karyofast.patch import PAD, turned
from karyofast.simulate import SimulatedMetaphase, check_options, picture_of
from karyofast.simulate_chromosome import LOOKS, DrawnChromosome, orientation_of
from karyofast.simulate_scene import LIGHTS, Light
from karyofast.simulate_spread import CROSSING_LENGTH, spread
from karyofast.straighten import medial_axis
from karyofast.types import CLASSES

DARK, PALE = 0.95, 0.15
"""Quantiles of a cell's density: a dark band's, which `karyofast.simulate_scene` takes to be 1, and a pale one's."""

PALEST = 0.38
"""Density of a pale band on a slide, as `karyofast.simulate_chromosome` draws it in Giemsa."""

LIGHT = 0.04
"""Least transmission that is told from none."""


def labelled_cells(source: CropSource, split: str = "all") -> list[tuple[str, list[CropRow]]]:
    """Cells of a data set that have a class for every chromosome, with their rows.

    Parameters
    ----------
    source : CropSource
    split : {"train", "validation", "test", "all"}
        Of the cell's case, see `karyofast.crops.split_of`.

    Raises
    ------
    DataError
        There is none.
    """
    cells = [
        (name, rows)
        for name, rows in source.cells()
        if all(row.label is not None for row in rows) and split in ("all", split_of(rows[0].case))
    ]
    if not cells:
        raise DataError(f"{source.path}: has no cell in split {split} whose chromosomes all have a label.")
    return cells


def compose_metaphase(
    rng: np.random.Generator, source: CropSource, rows: Sequence[CropRow], options: SimulateOptions | None = None
) -> SimulatedMetaphase:
    """Lay the real chromosomes of one cell out on a slide.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state composes the same picture.
    source : CropSource
        Pictures of single chromosomes, the p arm up.
    rows : sequence of CropRow
        Those of one cell, with labels.
    options : SimulateOptions, optional
        bands, width, bend, blur and variation do not matter: they are the chromosomes' own. The cell is enlarged so
        that its longest chromosome has `length`, and its bands get the densities of a slide's.
        Of plump cells fewer pairs cross where too few are long enough.

    Returns
    -------
    SimulatedMetaphase
        Without centromeres. Its axes end about half a width short of the chromosomes' ends.

    Raises
    ------
    OptionError
        A setting out of its range, a picture too small for the cell.
    ImageError, DataError
        A chromosome's picture that cannot be read.
    """
    options = check_options(options or SimulateOptions())
    cut = {row.file: _cut(source, row, LIGHTS[options.stain]) for row in rows}
    stains = dict(zip(cut, _on_a_slide([one[:2] for one in cut.values()]), strict=True))
    lengths = [0.5 * len(_in_steps(axis)) for _, _, axis, _ in cut.values()]
    zoom = (options.length or LOOKS[options.stain].length) / max(lengths)
    width = zoom * float(np.median([one[3] for one in cut.values()]))
    # plump cells have few that are long enough to cross and show it
    long = sum(zoom * length >= CROSSING_LENGTH * width + 1.0 for length in lengths)
    options = replace(options, width=width, crossing=min(options.crossing, long // 2))
    names = {row.file: CLASSES[row.label] for row in rows if row.label is not None}

    def draw(file: str, heading: float | None) -> DrawnChromosome:
        _, mask, axis, _ = cut[file]
        towards = float(rng.uniform(0.0, 360.0)) if heading is None else heading
        return _turned(names[file], stains[file], mask, axis, zoom, towards - orientation_of(axis))

    placed = spread(rng, list(cut), draw, width, options)
    karyotype = iscn.format(sorted(names.values(), key=CLASSES.index))
    return picture_of(rng, placed, width, karyotype, options, rows[0].cell)


Cut = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32], float]
"""Density, mask, axis from the p end to the q end, and width of a chromosome in its own picture."""


def _cut(source: CropSource, row: CropRow, light: Light) -> Cut:
    """The chromosome of one row, its density as `karyofast.simulate_scene` takes it."""
    shown, region = isolate(source.grey(row))
    mask = _filled(np.pad(region.mask, PAD))
    shown = np.pad(shown, PAD)
    if light.absorbs:
        density = -np.log(np.maximum(1.0 - shown / np.float32(255.0), LIGHT)) / light.gain
    else:
        density = shown / np.float32(light.gain)
    axis, width = medial_axis(mask)
    upright = axis if axis[0, 0] <= axis[-1, 0] else axis[::-1]
    return density.astype(np.float32), mask, upright.astype(np.float32), width


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask without the holes and slits where a pale band is as white as the background."""
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(closed, outlines, -1, 1, cv2.FILLED), dtype=bool)


def _on_a_slide(cut: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]]) -> list[NDArray[np.float32]]:
    """Densities and masks of a cell's chromosomes as they were before somebody stretched their contrast.

    Pale bands of single chromosomes are often nearly white; on a slide they stand out from the background.
    """
    inside = np.concatenate([density[mask] for density, mask in cut])
    dark = max(float(np.quantile(inside, DARK)), 1e-3)
    pale = float(np.quantile(inside, PALE)) / dark
    body = max(0.0, (PALEST - pale) / (1.0 - pale))
    soft = [cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0) * mask for _, mask in cut]
    return [
        np.float32(body) * rim + np.float32((1.0 - body) / dark) * density
        for (density, _), rim in zip(cut, soft, strict=True)
    ]


def _turned(
    name: str,
    density: NDArray[np.float32],
    mask: NDArray[np.bool_],
    axis: NDArray[np.float32],
    zoom: float,
    degrees: float,
) -> DrawnChromosome:
    """A chromosome enlarged and turned counter-clockwise, in a patch that holds it whole."""
    patch, inside, line = turned(density, mask, axis, zoom, degrees)
    along = _in_steps(line)
    rows, columns = (np.flatnonzero(inside.any(axis=k)) for k in (1, 0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    kept = np.where(inside, patch, 0.0)[part].astype(np.float32)
    return DrawnChromosome(name, kept, inside[part], (along - [rows[0], columns[0]]).astype(np.float32), None)


def _in_steps(axis: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Points of a line half a pixel apart, as `karyofast.simulate_spread` takes them."""
    far = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(axis, axis=0).T))])
    at = np.arange(0.0, far[-1], 0.5)
    return np.stack([np.interp(at, far, axis[:, k]) for k in (0, 1)], axis=1)
