"""Draw one chromosome from its ideogram: axis, two chromatids, bands, silhouette.

The axis is a smooth random curve from the end of the p arm to the end of the q arm. Each pixel near it gets
its place along the axis and its distance from it; from these two follow the silhouette (the true mask) and
the stain density. A density of 1 is the middle of a ``gpos100`` band. Lengths are pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from karyofast.errors import OptionError
from karyofast.ideogram import IdeogramChromosome, load_ideogram
from karyofast.types import CLASSES, Box, Region, read_only

STEP = 0.5
"""px between two points of an axis; half a pixel, so that nearest points leave no steps in the bands"""
_CONTRACTION = 0.91
"""Long chromosomes contract more: length grows with this power of the ideogram's (pki3, training cases)."""
_LONGEST_P = 0.495
"""p arms are the shorter ones by definition; homologues of 1, 3, 19 and 20 vary up to this"""


@dataclass(frozen=True)
class Look:
    """How a stain shows chromosomes; lengths in px, densities relative to a gpos100 band.

    Attributes
    ----------
    length, width : float
        Chromosome 1's usual length, and the usual width between the half maxima of the edges.
    gneg, gpos25, gpos50, gpos75, gpos100, acen, gvar, stalk, satellite : float
        Density of each kind of band.
    bright_blocks : dict
        Density of single gvar blocks that the stain shows unlike the others, by class.
    gap : float
        0: chromatids lie on each other, 1: side by side, above: with a dark line between.
    waist : float
        Width at the centromere over the width of the arms.
    ends : float
        Extra distance of the chromatids at the ends of long arms, over the width.
    optics : float
        Blur in this light over `SimulateOptions.blur`.
    """

    length: float
    width: float
    gneg: float
    gpos25: float
    gpos50: float
    gpos75: float
    gpos100: float
    acen: float
    gvar: float
    stalk: float
    satellite: float
    bright_blocks: dict[str, float]
    gap: float
    waist: float
    ends: float
    optics: float


LOOKS: dict[str, Look] = {
    # Giemsa: lengths, width, contrast along the axis and the dip between the chromatids are those of straightened
    # chromosomes of training cases of pki3, by their means over cells. The others were read off DAPI pictures by eye.
    # Which blocks of heterochromatin are pale or bright is textbook (9qh pale in G bands, distal Yq brilliant with
    # quinacrine, 1qh, 9qh, 16qh, 15p and Yqh bright with DAPI).
    "giemsa": Look(
        118.0, 16.5, 0.38, 0.49, 0.65, 0.83, 1.0, 0.64, 0.78, 0.26, 0.50,
        {"9": 0.42, "Y": 0.85}, gap=1.04, waist=0.62, ends=0.03, optics=1.0,
    ),
    "quinacrine": Look(
        115.0, 15.0, 0.42, 0.52, 0.66, 0.82, 1.0, 0.55, 0.55, 0.20, 0.60,
        {"Y": 1.55, "3": 1.2}, gap=0.40, waist=0.76, ends=0.03, optics=1.0,
    ),
    "dapi": Look(
        80.0, 12.5, 0.80, 0.85, 0.90, 0.95, 1.0, 0.95, 1.0, 0.40, 0.75,
        {"1": 1.3, "9": 1.3, "16": 1.2, "Y": 1.1, "15": 1.15}, gap=1.05, waist=0.62, ends=0.03, optics=1.25,
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class DrawnChromosome:
    """One chromosome in a patch of its own.

    Attributes
    ----------
    name : str
        Its class.
    density : float32 (rows, columns)
        Stain density, after the optics' blur; a gpos100 band is about 1.
    mask : bool (rows, columns)
        The silhouette: both chromatids and what lies between them, one connected piece.
    axis : float32 (n, 2)
        (row, column) in the patch from the end of the p arm to the end of the q arm.
    centromere : int or None
        Index into `axis`; None where it is not known.
    """

    name: str
    density: NDArray[np.float32]
    mask: NDArray[np.bool_]
    axis: NDArray[np.float32]
    centromere: int | None

    def __post_init__(self) -> None:
        for name in ("density", "mask", "axis"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def orientation(self) -> float:
        """Direction from the q end to the p end: degrees counter-clockwise from the right, 90 = p arm up."""
        return orientation_of(self.axis)

    @property
    def region(self) -> Region:
        """The mask cut to its box."""
        rows, columns = (np.flatnonzero(self.mask.any(axis=k)) for k in (1, 0))
        box = Box(rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
        return Region(box, self.mask[box.slices])


def orientation_of(axis: NDArray[np.float32]) -> float:
    """Direction from the last to the first point of `axis` (n, 2): degrees, counter-clockwise from right."""
    up, right = float(axis[-1, 0] - axis[0, 0]), float(axis[0, 1] - axis[-1, 1])
    return float(np.degrees(np.arctan2(up, right)) % 360.0)


def simulate_chromosome(
    rng: np.random.Generator,
    name: str,
    *,
    look: Look = LOOKS["giemsa"],
    ideogram: dict[str, IdeogramChromosome] | None = None,
    heading: float | None = None,
    bend: float = 1.0,
    blur: float = 1.0,
    variation: float = 1.0,
) -> DrawnChromosome:
    """Draw one chromosome.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all randomness.
    name : str
        Class: "1" to "22", "X", "Y".
    look : Look
        The stain's look, with the length and the width.
    ideogram : dict, optional
        From `karyofast.ideogram.load_ideogram`; the 550 bands where none is given.
    heading : float, optional
        Direction of the p arm in degrees, counter-clockwise from the right; random where none is given.
    bend, blur, variation : float
        As in `karyofast.config.SimulateOptions`; blur in px.

    Returns
    -------
    DrawnChromosome

    Raises
    ------
    OptionError
        An unknown class.

    Examples
    --------
    >>> drawn = simulate_chromosome(np.random.default_rng(0), "1", heading=90.0)
    >>> bool(drawn.axis[0, 0] < drawn.axis[-1, 0])
    True
    """
    if name not in CLASSES:
        raise OptionError(f"`name` must be a chromosome class of {', '.join(CLASSES)}. Got: {name!r}.")
    ideogram = ideogram or load_ideogram()
    bands = ideogram[name]
    direction = float(rng.uniform(0.0, 360.0)) if heading is None else heading
    relative = (bands.length / ideogram["1"].length) ** _CONTRACTION
    length = look.length * relative * float(np.exp(rng.normal(0.0, 0.05 * variation)))
    samples = max(round(length / STEP), 8) + 1
    index = min(bands.centromere_index * float(np.exp(rng.normal(0.0, 0.03 * variation))), _LONGEST_P)
    centromere = round(index * (samples - 1))
    width = look.width * float(np.exp(rng.normal(0.0, 0.04 * variation)))
    axis = _axis(rng, samples, centromere, direction, bend, width)
    profile = _band_profile(rng, bands, look, samples, centromere, variation)
    half, offset = _chromatids(rng, bands, look, samples, centromere, width, variation)
    return _draw(rng, name, axis, centromere, profile, half, offset, _peak(look), blur * look.optics)


def _axis(
    rng: np.random.Generator, samples: int, centromere: int, heading: float, bend: float, width: float
) -> NDArray[np.float64]:
    """Points of a smooth curve, `STEP` apart, whose chord from q end to p end points along `heading`."""
    where = np.linspace(0.0, 1.0, samples)
    length = samples * STEP
    # Long chromosomes curl more: sigma of the turn from end to end is 34 degrees at 60 px, 49 at 125 px.
    turn = bend * np.radians(34.0) * np.sqrt(length / 60.0)
    angle = turn * (
        rng.normal() * where
        + 0.35 * rng.normal() * np.sin(np.pi * where)
        + 0.22 * rng.normal() * np.sin(2.0 * np.pi * where)
    )
    # Many chromosomes are kinked at the centromere, where they are thin.
    kink = bend * np.radians(13.0) * rng.normal()
    angle += kink / (1.0 + np.exp(-(np.arange(samples) - centromere) * STEP / (0.2 * width)))
    # No curl tighter than 1.1 of the width: its inner edge would fold onto itself. No whole turn either.
    step = np.clip(np.diff(angle), -STEP / (1.1 * width), STEP / (1.1 * width))
    total = float(np.abs(step).sum())
    step *= min(1.0, np.radians(200.0) / max(total, 1e-9))
    angle = np.concatenate([[0.0], np.cumsum(step)])
    delta = STEP * np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    axis = np.concatenate([[[0.0, 0.0]], np.cumsum(delta[:-1], axis=0)])
    turn_by = np.radians(heading - orientation_of(axis))
    cos, sin = np.cos(turn_by), np.sin(turn_by)
    # Counter-clockwise as seen, with rows growing downwards.
    rotated = np.stack([cos * axis[:, 0] - sin * axis[:, 1], sin * axis[:, 0] + cos * axis[:, 1]], axis=1)
    return np.asarray(rotated)


def _band_profile(
    rng: np.random.Generator,
    bands: IdeogramChromosome,
    look: Look,
    samples: int,
    centromere: int,
    variation: float,
) -> NDArray[np.float64]:
    """Stain density at each axis point."""
    # Arms condense unevenly: each axis point is carried to its ISCN position by a smooth monotone stretch.
    speed = np.exp(variation * 0.9 * gaussian_filter1d(rng.normal(size=samples), 12.0, mode="reflect"))
    position = np.empty(samples)
    for first, last, low, high in (
        (0, centromere, 0, bands.centromere),
        (centromere, samples - 1, bands.centromere, bands.length),
    ):
        way = np.concatenate([[0.0], np.cumsum(speed[first:last])])
        position[first : last + 1] = low + (high - low) * way / way[-1]
    edges = np.array([band.stop for band in bands.bands])
    levels = np.array([_level(bands, look, i) for i in range(len(bands.bands))])
    levels = levels * np.exp(rng.normal(0.0, 0.10 * variation, size=len(levels)))
    profile = levels[np.minimum(np.searchsorted(edges, position, side="left"), len(edges) - 1)]
    # Chromatin has no sharp border between two bands: about 0.9 px.
    return np.asarray(gaussian_filter1d(profile, 0.9 / STEP, mode="nearest"))


def _level(bands: IdeogramChromosome, look: Look, i: int) -> float:
    band = bands.bands[i]
    if band.stain == "gvar":
        if bands.name in look.bright_blocks and (band.arm == "q" or bands.acrocentric):
            return look.bright_blocks[bands.name]
        return look.satellite if bands.acrocentric else look.gvar
    if band.stain == "gpos":
        return float(np.interp(band.density, (25, 50, 75, 100), (look.gpos25, look.gpos50, look.gpos75, look.gpos100)))
    return float(getattr(look, band.stain))


def _chromatids(
    rng: np.random.Generator,
    bands: IdeogramChromosome,
    look: Look,
    samples: int,
    centromere: int,
    width: float,
    variation: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Half width (2, n) of each chromatid and distance (2, n) of its middle from the axis, px."""
    along = STEP * np.arange(samples, dtype=np.float64)
    to_centromere = np.abs(along - centromere * STEP)
    rough = 0.4 * variation * gaussian_filter1d(rng.normal(size=(2, samples)), 8.0, axis=1, mode="reflect")
    waist = 1.0 - (1.0 - look.waist) * np.exp(-0.5 * (to_centromere / (0.22 * width)) ** 2)
    thick = width * (1.0 + rough) * waist
    # gap 0: both on the axis with the whole width; gap 1: side by side, each half of it.
    half = thick * (0.5 - 0.25 * look.gap) * 1.02
    offset = thick * 0.25 * look.gap
    open_ends = look.ends * abs(float(rng.normal(1.0, 0.5 * variation)))
    arm = np.where(along < centromere * STEP, centromere, samples - centromere) * STEP
    offset = offset + width * open_ends * np.clip(to_centromere / np.maximum(arm, width), 0.0, 1.0) ** 2
    for band in bands.bands if bands.acrocentric else ():
        if band.arm == "p" and band.stain in ("stalk", "gvar"):
            place = slice(
                int(centromere * band.start / bands.centromere),
                int(centromere * band.stop / bands.centromere) + 1,
            )
            # A stalk is a thread; a satellite a knob on it.
            half[:, place] *= 0.42 if band.stain == "stalk" else 0.80
    if bands.acrocentric:
        half = np.asarray(gaussian_filter1d(half, 0.7 / STEP, axis=1, mode="nearest"), dtype=np.float64)
    # A satellite is a short knob: it rounds off within its own length.
    satellite = STEP * centromere * bands.bands[0].stop / bands.centromere
    return _rounded(rng, half, along, satellite if bands.acrocentric else None, variation), offset


def _rounded(
    rng: np.random.Generator,
    half: NDArray[np.float64],
    along: NDArray[np.float64],
    satellite: float | None,
    variation: float,
) -> NDArray[np.float64]:
    """Taper `half` (2, n) to nothing at both ends, each chromatid a little differently."""
    shorter = np.abs(rng.normal(0.0, 0.5 * variation, size=(2, 2)))
    for k in range(2):
        for end, distance in enumerate((along, along[-1] - along)):
            cap = 0.9 * float(half[k].max()) if satellite is None or end == 1 else satellite
            cap = max(cap, 1.0)
            inside = np.clip((distance - shorter[k, end]) / cap, 0.0, 1.0)
            half[k] = half[k] * np.sqrt(np.clip(1.0 - (1.0 - inside) ** 2, 0.0, 1.0))
    return half


def _draw(
    rng: np.random.Generator,
    name: str,
    axis: NDArray[np.float64],
    centromere: int,
    profile: NDArray[np.float64],
    half: NDArray[np.float64],
    offset: NDArray[np.float64],
    peak: float,
    blur: float,
) -> DrawnChromosome:
    reach = float((half + offset).max()) + 1.5
    pad = int(np.ceil(reach + 3.0 * blur)) + 1
    axis = axis - np.floor(axis.min(axis=0)) + pad
    shape = tuple(int(v) + pad + 1 for v in np.ceil(axis.max(axis=0)))
    rows, columns, nearest, along, across = _local_coordinates(axis, shape, reach)
    density = np.zeros(shape, dtype=np.float32)
    mask = np.zeros(shape, dtype=np.uint8)
    covered = np.zeros(len(rows))
    # Bands are no rulers' lines: they bow and slant by up to a pixel.
    bowed = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 3.0)[rows, columns] * 8.0
    for k, side in enumerate((-1.0, 1.0)):
        # Sister chromatids carry the same bands, shifted by a fraction of a pixel against each other.
        shift = np.round((bowed + rng.normal(0.0, 0.4)) / STEP).astype(np.intp)
        shifted = np.clip(nearest + shift, 0, len(profile) - 1)
        out = side * across
        wide = half[k][nearest]
        from_middle = np.abs(out - offset[k][nearest])
        here = (np.abs(along) <= STEP) & (wide > 0.0)
        edge = np.clip(wide - from_middle + 0.5, 0.0, 1.0) * here
        covered += edge * _rod(from_middle, wide) * profile[shifted]
        # The silhouette is the chromatid and what lies between it and the axis.
        between = (out >= -1.0) & (out <= offset[k][nearest])
        body = here & ((from_middle <= wide) | between)
        mask[rows[body], columns[body]] = 1
    density[rows, columns] = covered / peak
    grain = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 1.2)
    density *= np.clip(1.0 + 0.30 * grain, 0.0, None)
    if blur > 0.0:
        density = np.asarray(cv2.GaussianBlur(density, (0, 0), blur), dtype=np.float32)
    return DrawnChromosome(name, density, _one_piece(mask), axis.astype(np.float32), centromere)


def _rod(from_middle: NDArray[np.float64], wide: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thickness of a chromatid at a distance from its middle: flatter than a cylinder, as dried on glass."""
    return np.asarray(np.sqrt(np.clip(1.0 - (from_middle / (wide + 1.0)) ** 4, 0.0, 1.0)))


def _local_coordinates(
    axis: NDArray[np.float64], shape: tuple[int, ...], reach: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Pixels within `reach` of the axis: row, column, nearest point of it, distance along and across."""
    grid = np.indices(shape).reshape(2, -1).T
    distance, found = cKDTree(axis).query(grid, distance_upper_bound=reach)
    nearest = np.asarray(found, dtype=np.intp)
    close = np.isfinite(distance)
    grid, nearest = grid[close], nearest[close]
    tangent = np.gradient(axis, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    away, direction = grid - axis[nearest], tangent[nearest]
    along = (away * direction).sum(axis=1)
    across = away[:, 1] * direction[:, 0] - away[:, 0] * direction[:, 1]
    return grid[:, 0], grid[:, 1], nearest, along, across


def _peak(look: Look) -> float:
    """Highest sum of both chromatids' thickness over a section, by which densities are scaled to 1."""
    wide, away = look.width * (0.5 - 0.25 * look.gap), look.width * 0.25 * look.gap
    across = np.linspace(0.0, wide + away, 50)
    from_middle = [np.abs(across - side * away) for side in (-1.0, 1.0)]
    both = [_rod(distance, np.full_like(across, wide)) * (distance <= wide) for distance in from_middle]
    return float(np.max(both[0] + both[1]))


def _one_piece(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The largest 8-connected piece of `mask`, its holes filled."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=lambda contour: (cv2.contourArea(contour), len(contour)))
    return np.asarray(cv2.drawContours(np.zeros_like(mask), [largest], -1, 1, cv2.FILLED)).astype(bool)
