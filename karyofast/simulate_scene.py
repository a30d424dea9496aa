"""Everything of a picture that is no chromosome: stain and light, background, nuclei, debris, camera noise.

Giemsa is seen in transmitted light: stain absorbs, so optical densities add where chromosomes cross.
Quinacrine and DAPI shine by themselves: intensities add. Grey levels are those of an 8-bit picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.config import SimulateOptions

Image = NDArray[np.float32]

_NEAR_NUCLEUS = 4
"""px kept free between a nucleus and a chromosome"""
_PLACES = 60
"""places tried before a nucleus shrinks by a tenth"""


@dataclass(frozen=True)
class Light:
    """How a stain's density becomes grey.

    Attributes
    ----------
    absorbs : bool
        Transmitted light (dark on bright) or fluorescence.
    background : float
        Grey level of an empty slide.
    gain : float
        Absorption, natural logarithm, or grey levels of a density of 1.
    unevenness : float
        Sigma of the background's slow variation over the picture, grey levels.
    shot : float
        Growth of the noise variance per grey level of signal, relative to the dark noise.
    nucleus : float
        Radius of an interphase nucleus, in widths of a chromosome.
    nucleus_density : float
    quiet : float
        Share of `SimulateOptions.noise` that the camera makes in this light.
    """

    absorbs: bool
    background: float
    gain: float
    unevenness: float
    shot: float
    nucleus: float
    nucleus_density: float
    quiet: float


# By eye on unlabelled G-band pictures and on DAPI pictures: empty slide 235 to 254 and 4 to 12, dark bands
# near 70 to 90 in Giemsa, chromosomes near 120 in DAPI.
LIGHTS: dict[str, Light] = {
    "giemsa": Light(True, 247.0, 1.28, 3.5, 0.0, 5.5, 0.62, 1.0),
    "quinacrine": Light(False, 12.0, 165.0, 4.0, 0.10, 5.5, 0.55, 0.5),
    "dapi": Light(False, 8.0, 150.0, 2.0, 0.10, 5.5, 0.75, 0.5),
}


def render(
    rng: np.random.Generator,
    density: Image,
    occupied: NDArray[np.bool_],
    width: float,
    options: SimulateOptions,
) -> NDArray[np.uint8]:
    """Make the picture of a slide.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all randomness.
    density : float32 (height, width)
        Stain density of the chromosomes; changed in place.
    occupied : bool (height, width)
        Union of the chromosomes' masks.
    width : float
        Usual width of a chromosome, px.
    options : SimulateOptions
        All but bands, length, touching, crossing, bend and variation are used.

    Returns
    -------
    uint8 (height, width)
    """
    light = LIGHTS[options.stain]
    _add_nuclei(rng, density, occupied, width, light, options)
    density += (1.0 if light.absorbs else 0.3) * _cytoplasm(rng, occupied, options)
    _add_debris(rng, density, light, options)
    field = light.background + options.background * light.unevenness * _slow(rng, density.shape, 0.45)
    if light.absorbs:
        grey = field * np.exp(-light.gain * density)
        # Phase contrast of the refracting edge: a faint bright line outside it.
        near = cv2.GaussianBlur(density, (0, 0), 1.5) - cv2.GaussianBlur(density, (0, 0), 4.0)
        grey += options.halo * 45.0 * np.clip(-near, 0.0, None)
    else:
        glow = 0.08 * cv2.GaussianBlur(density, (0, 0), 5.0) + 0.04 * cv2.GaussianBlur(density, (0, 0), 40.0)
        grey = field + light.gain * (density + options.halo * glow)
    return _camera(rng, grey.astype(np.float32), light, options)


def _slow(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Image:
    """Smooth noise of mean 0 and sigma 1 that varies over `scale` of the picture's longer side."""
    cells = max(round(2.0 / scale), 2) + 2
    coarse = rng.normal(size=(cells, cells)).astype(np.float32)
    full = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray((full - full.mean()) / max(float(full.std()), 1e-6), dtype=np.float32)


def _grain(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Image:
    """Noise of sigma 1, blurred by `sigma` px."""
    noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), sigma)
    return np.asarray(noise / max(float(noise.std()), 1e-6), dtype=np.float32)


def _cytoplasm(rng: np.random.Generator, occupied: NDArray[np.bool_], options: SimulateOptions) -> Image:
    """A faint film about the chromosomes, granular, 1 to 3 percent of a dark band's stain."""
    film = cv2.GaussianBlur(occupied.astype(np.float32), (0, 0), 30.0)
    around = film / max(float(film.max()), 1e-6)
    clouds = np.clip(1.0 + 0.7 * _slow(rng, occupied.shape, 0.12), 0.0, None)
    grains = np.clip(1.0 + 0.6 * _grain(rng, occupied.shape, 1.5), 0.0, None)
    return np.asarray(options.background * 0.022 * around * clouds * grains, dtype=np.float32)


def _add_nuclei(
    rng: np.random.Generator,
    density: Image,
    occupied: NDArray[np.bool_],
    width: float,
    light: Light,
    options: SimulateOptions,
) -> None:
    """Lay interphase nuclei where no chromosome is; one that finds no place shrinks until it does."""
    reach = np.ones((2 * _NEAR_NUCLEUS + 1, 2 * _NEAR_NUCLEUS + 1), dtype=np.uint8)
    taken = np.asarray(cv2.dilate(occupied.astype(np.uint8), reach), dtype=np.uint8)
    for _ in range(options.nuclei):
        radius = light.nucleus * width * float(np.exp(rng.normal(0.0, 0.15)))
        outline = _outline(rng)
        place = _free(taken, _nucleus_places(rng, outline, radius, taken.shape))
        while place is None:
            radius *= 0.9
            place = _free(taken, _nucleus_places(rng, outline, radius, taken.shape))
        taken = np.asarray(np.maximum(taken, cv2.dilate(place, reach)), dtype=np.uint8)
        body = cv2.GaussianBlur(place.astype(np.float32), (0, 0), 1.2)
        inwards = cv2.distanceTransform(place, cv2.DIST_L2, 5) / (0.35 * radius)
        thick = 0.75 + 0.25 * np.clip(inwards, 0.0, 1.0)
        clumps = 1.0 + 0.09 * _grain(rng, density.shape, 1.2) + 0.10 * _grain(rng, density.shape, 4.0)
        depth = light.nucleus_density * float(rng.uniform(0.85, 1.15))
        density += (depth * body * thick * clumps).astype(np.float32)


def _free(taken: NDArray[np.uint8], places: Iterator[NDArray[np.uint8]]) -> NDArray[np.uint8] | None:
    """The first silhouette that covers nothing taken."""
    return next((place for place in places if not (place & taken).any()), None)


def _outline(rng: np.random.Generator) -> NDArray[np.float64]:
    """A closed, nearly elliptic outline of mean radius 1: (64, 2)."""
    angle = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    radius = np.ones_like(angle)
    for order, size in ((2, 0.14), (3, 0.05), (4, 0.03), (6, 0.015)):
        radius += size * rng.normal() * np.cos(order * angle + rng.uniform(0.0, 2.0 * np.pi))
    return np.asarray(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _nucleus_places(
    rng: np.random.Generator, outline: NDArray[np.float64], radius: float, shape: tuple[int, ...]
) -> Iterator[NDArray[np.uint8]]:
    """Silhouettes uint8 (height, width) of a nucleus at random places, partly outside the picture."""
    for _ in range(_PLACES):
        middle = [rng.uniform(-0.6 * radius, side + 0.6 * radius) for side in (shape[1], shape[0])]
        silhouette = np.zeros(shape[:2], dtype=np.uint8)
        corners = np.round(outline * radius + middle).astype(np.int32)
        cv2.fillPoly(silhouette, [corners], 1)
        yield silhouette


def _add_debris(rng: np.random.Generator, density: Image, light: Light, options: SimulateOptions) -> None:
    """Specks of precipitate (most), refracting droplets and threads."""
    height, width = density.shape
    layer = np.zeros_like(density)
    for _ in range(options.debris):
        centre = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        strength = float(rng.uniform(0.15, 1.1 if light.absorbs else 0.5))
        kind = rng.uniform()
        if kind < 0.80:
            axes = tuple(int(v) for v in 1 + np.floor(rng.exponential(0.9, size=2)))
            cv2.ellipse(layer, centre, axes, float(rng.uniform(0, 180)), 0, 360, strength, -1)
        elif kind < 0.93:
            axes = tuple(int(v) for v in rng.uniform(2, 7, size=2))
            cv2.ellipse(layer, centre, axes, float(rng.uniform(0, 180)), 0, 360, 0.3 * strength, 1)
        else:
            steps = np.cumsum(rng.normal(0.0, 3.0, size=(6, 2)) + rng.normal(0.0, 4.0, size=2), axis=0)
            cv2.polylines(layer, [(steps + centre).astype(np.int32)], False, 0.5 * strength, 1)
    density += cv2.GaussianBlur(layer, (0, 0), max(0.8 * options.blur, 0.3))


def _camera(rng: np.random.Generator, grey: Image, light: Light, options: SimulateOptions) -> NDArray[np.uint8]:
    """Noise, slightly correlated as after a video camera and a JPEG, then 8 bits."""
    if options.noise > 0.0:
        sigma = light.quiet * options.noise * np.sqrt(1.0 + light.shot * np.clip(grey, 0.0, None))
        grey = grey + sigma * (0.8 * rng.normal(size=grey.shape) + 0.6 * _grain(rng, grey.shape, 0.8))
    return np.asarray(np.clip(np.round(grey), 0, 255), dtype=np.uint8)
