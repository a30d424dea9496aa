"""Simulated metaphases with their whole truth: masks, classes, orientation.

Chromosomes are drawn from the ideogram's bands (`karyofast.simulate_chromosome`), laid out on a slide
(`karyofast.simulate_spread`) and pictured as a microscope would (`karyofast.simulate_scene`). Those of
`karyofast.simulate_composed` are laid out and pictured alike, of the real chromosomes of one cell. Results on them
say how the program copes with a known scene; they are no substitute for real pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from karyofast import coco
from karyofast.config import SimulateOptions
from karyofast.errors import OptionError, OutputError
from karyofast.ideogram import load_ideogram
from karyofast.io import write_png
from karyofast.iscn import parse
from karyofast.simulate_chromosome import (
    LOOKS,
    DrawnChromosome,
    orientation_of,
    simulate_chromosome,
)
from karyofast.simulate_scene import render
from karyofast.simulate_spread import Placed, spread
from karyofast.types import CLASSES, Box, Polarity, Region, read_only

__all__ = [
    "DrawnChromosome",
    "SimulateOptions",
    "SimulatedInstance",
    "SimulatedMetaphase",
    "parse_karyotype",
    "simulate_chromosome",
    "simulate_metaphase",
    "varied",
    "write_dataset",
]

_LIMITS: dict[str, tuple[float, float]] = {
    "length": (0.0, 2000.0),
    "width": (0.0, 200.0),
    "touching": (0, 1000),
    "crossing": (0, 1000),
    "bend": (0.0, 3.0),
    "blur": (0.0, 10.0),
    "noise": (0.0, 64.0),
    "variation": (0.0, 3.0),
    "nuclei": (0, 20),
    "debris": (0, 5000),
    "background": (0.0, 10.0),
    "halo": (0.0, 10.0),
}
"""what each setting may be; beyond it the picture stops being one of chromosomes"""
_SIDES = (64, 20_000)
"""px, shortest and longest side of a picture"""
_NARROWEST = 4.0
"""px; thinner chromosomes have no bands and no constriction left"""
_AXIS_STEP = 4
"""axis points are half a pixel apart; the file keeps one in four"""


@dataclass(frozen=True, eq=False)
class SimulatedInstance:
    """One chromosome of a simulated metaphase, as it truly lies.

    Attributes
    ----------
    name : str
        Its class.
    region : Region
        Silhouette at the half maximum of its edge; a crossing belongs to both chromosomes.
    axis : float32 (n, 2)
        (row, column) in px from the end of the p arm to the end of the q arm.
    centromere : (float, float) or None
        (row, column); None where it is not known.
    touching, overlapping : bool
        Meets another when grown by 1 px; shares pixels with another.
    """

    name: str
    region: Region
    axis: NDArray[np.float32]
    centromere: tuple[float, float] | None
    touching: bool
    overlapping: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", read_only(self.axis))

    @property
    def label(self) -> int:
        """Index into `karyofast.types.CLASSES`."""
        return CLASSES.index(self.name)

    @property
    def orientation(self) -> float:
        """Direction from the q end to the p end: degrees counter-clockwise from the right, 90 = p arm up."""
        return orientation_of(self.axis)


@dataclass(frozen=True, eq=False)
class SimulatedMetaphase:
    """A simulated picture and its truth.

    Attributes
    ----------
    image : uint8 (height, width)
    instances : tuple of SimulatedInstance
        In the order of the classes.
    karyotype : str
        As asked for.
    options : SimulateOptions
        With which it was drawn.
    cell : str
        Whose chromosomes it was composed of; empty where they were drawn.
    """

    image: NDArray[np.uint8]
    instances: tuple[SimulatedInstance, ...]
    karyotype: str
    options: SimulateOptions
    cell: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", read_only(self.image))

    @property
    def polarity(self) -> Polarity:
        """Dark on bright for giemsa, else bright on dark."""
        return "dark" if self.options.stain == "giemsa" else "bright"


def parse_karyotype(text: str) -> list[str]:
    """Class names of the chromosomes that a numerical karyotype has; see `karyofast.iscn.parse`.

    Raises
    ------
    OptionError
        Text of another form, or a count that the rest does not add up to.

    Examples
    --------
    >>> len(parse_karyotype("46,XY")), parse_karyotype("47,XX,+21").count("21")
    (46, 3)
    """
    return list(parse(text))


def simulate_metaphase(
    rng: np.random.Generator, karyotype: str = "46,XY", options: SimulateOptions | None = None
) -> SimulatedMetaphase:
    """Draw one metaphase.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state draws the same picture.
    karyotype : str
        Numerical ISCN: "46,XY", "47,XX,+21", "45,X", "69,XXY", ...
    options : SimulateOptions, optional
        The defaults draw a Giemsa-banded cell.

    Returns
    -------
    SimulatedMetaphase

    Raises
    ------
    OptionError
        A karyotype that cannot be read, a setting out of its range, a picture too small for it.

    Examples
    --------
    >>> metaphase = simulate_metaphase(np.random.default_rng(3), "45,X")
    >>> metaphase.image.shape, len(metaphase.instances)
    ((700, 700), 45)
    """
    options = check_options(options or SimulateOptions())
    names = parse_karyotype(karyotype)
    usual = LOOKS[options.stain]
    look = replace(usual, length=options.length or usual.length, width=options.width or usual.width)
    ideogram = load_ideogram(options.bands)

    def draw(name: str, heading: float | None) -> DrawnChromosome:
        return simulate_chromosome(
            rng,
            name,
            look=look,
            ideogram=ideogram,
            heading=heading,
            bend=options.bend,
            blur=options.blur,
            variation=options.variation,
        )

    placed = spread(rng, names, draw, look.width, options)
    return picture_of(rng, placed, look.width, karyotype, options)


def picture_of(
    rng: np.random.Generator,
    placed: tuple[Placed, ...],
    width: float,
    karyotype: str,
    options: SimulateOptions,
    cell: str = "",
) -> SimulatedMetaphase:
    """Picture a cell that was laid out, with `width` px the usual one of its chromosomes."""
    density = np.zeros(options.size, dtype=np.float32)
    owners = np.zeros(options.size, dtype=np.uint8)
    for place in placed:
        # One cell takes the stain unevenly: about 4 percent from chromosome to chromosome.
        density[place.slices] += place.drawn.density * np.float32(np.exp(rng.normal(0.0, 0.04 * options.variation)))
        owners[place.slices] += place.drawn.mask
    image = render(rng, density, owners > 0, width, options)
    return SimulatedMetaphase(image, _instances(placed, owners), karyotype, options, cell)


def _instances(placed: tuple[Placed, ...], owners: NDArray[np.uint8]) -> tuple[SimulatedInstance, ...]:
    regions = []
    for place in placed:
        own = place.drawn.region
        box = Box(own.box.top + place.top, own.box.left + place.left, own.box.height, own.box.width)
        regions.append(Region(box, own.mask))
    touching = coco.touching(regions)
    instances = []
    for place, region, touches in zip(placed, regions, touching, strict=True):
        axis = place.drawn.axis + np.array([place.top, place.left], dtype=np.float32)
        at = place.drawn.centromere
        middle = None if at is None else (float(axis[at, 0]), float(axis[at, 1]))
        shared = bool(np.any(owners[region.box.slices][region.mask] > 1))
        instances.append(SimulatedInstance(place.drawn.name, region, axis, middle, touches, shared))
    return tuple(instances)


def check_options(options: SimulateOptions) -> SimulateOptions:
    """`options` as they are, or `OptionError` naming the setting, the value and what is allowed."""
    hints = get_type_hints(SimulateOptions)
    for name in ("stain", "bands"):
        if getattr(options, name) not in get_args(hints[name]):
            raise OptionError(f"`{name}` must be one of {get_args(hints[name])}. Got: {getattr(options, name)!r}.")
    for name, (low, high) in _LIMITS.items():
        value = getattr(options, name)
        if not low <= value <= high or (hints[name] is int and value != int(value)):
            raise OptionError(f"`{name}` must be {hints[name].__name__}, {low:g} to {high:g}. Got: {value!r}.")
    if len(options.size) != 2 or not all(isinstance(v, int) and _SIDES[0] <= v <= _SIDES[1] for v in options.size):
        raise OptionError(f"`size` must be (height, width), {_SIDES[0]} to {_SIDES[1]} px each. Got: {options.size!r}.")
    width = options.width or LOOKS[options.stain].width
    length = options.length or LOOKS[options.stain].length
    if not _NARROWEST <= width <= length / 3.0:
        raise OptionError(
            f"`width` must be {_NARROWEST:g} px to a third of `length`, {length / 3.0:g} px. Got: {width:g}."
        )
    return options


def varied(rng: np.random.Generator, options: SimulateOptions | None = None) -> SimulateOptions:
    """`options` with touching, crossing, bend, blur, noise, scale, nuclei and debris drawn as spreads differ.

    Use one draw a picture for a data set: two to eight touching pairs, one to five crossing ones. The stain,
    the bands and the size stay as given.
    """
    options = check_options(options or SimulateOptions())
    usual = LOOKS[options.stain]
    scale = float(np.exp(rng.normal(0.0, 0.06)))
    return replace(
        options,
        touching=int(rng.integers(2, 9)),
        crossing=int(rng.integers(1, 6)),
        bend=options.bend * float(rng.uniform(0.5, 1.4)),
        blur=options.blur * float(rng.uniform(0.8, 1.4)),
        noise=options.noise * float(rng.uniform(0.5, 1.8)),
        length=(options.length or usual.length) * scale * float(np.exp(rng.normal(0.0, 0.08))),
        width=(options.width or usual.width) * scale,
        nuclei=int(rng.integers(0, options.nuclei + 2)),
        debris=int(rng.integers(0, 2 * options.debris + 1)),
        background=options.background * float(rng.uniform(0.3, 1.6)),
        halo=options.halo * float(rng.uniform(0.3, 1.5)),
    )


def write_dataset(folder: Path | str, metaphases: Iterable[SimulatedMetaphase]) -> Path:
    """Write pictures and truth.

    Parameters
    ----------
    folder : Path
        Made where it is missing; gets ``simulated-0001.png`` or ``composed-0001.png``, ... and
        ``instances.coco.json``.
    metaphases : iterable of SimulatedMetaphase
        Taken one by one, so a generator needs the memory of one.

    Returns
    -------
    Path
        The COCO file. It is written last: where it is there, all pictures are.

    Raises
    ------
    OutputError
        The folder or a file in it cannot be written; names it and the reason.
    """
    folder = Path(folder)
    path = folder / "instances.coco.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        images, annotations = _write_pictures(folder, metaphases)
        info = {"description": "simulated or composed metaphases (karyofast simulate)"}
        coco.write(path, coco.document(images, annotations, info))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written to: {error}. Name a folder with room that may be.") from error
    return path


def _write_pictures(
    folder: Path, metaphases: Iterable[SimulatedMetaphase]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write the pictures one by one; gives the entries of images and annotations."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, metaphase in enumerate(metaphases, 1):
        name = f"{'composed' if metaphase.cell else 'simulated'}-{number:04d}.png"
        write_png(folder / name, metaphase.image)
        height, width = metaphase.image.shape
        options = asdict(metaphase.options)
        images.append(
            {"id": number, "file_name": name, "height": height, "width": width}
            | {"karyotype": metaphase.karyotype, "options": options}
            | ({"cell": metaphase.cell} if metaphase.cell else {})
        )
        for instance in metaphase.instances:
            annotations.append(_annotation(len(annotations) + 1, number, instance, (height, width)))
    return images, annotations


def _annotation(id_: int, image_id: int, instance: SimulatedInstance, shape: tuple[int, int]) -> dict[str, Any]:
    axis = [[round(float(v), 2) for v in point] for point in instance.axis[::_AXIS_STEP]]
    ends = [[round(float(v), 2) for v in instance.axis[k]] for k in (0, -1)]
    if axis[-1] != ends[1]:
        axis.append(ends[1])
    middle = {} if instance.centromere is None else {"centromere": [round(v, 2) for v in instance.centromere]}
    return coco.annotation(
        id_,
        image_id,
        instance.label,
        instance.region,
        shape,
        touching=instance.touching,
        overlapping=instance.overlapping,
        orientation=round(instance.orientation, 2),
        p_end=ends[0],
        q_end=ends[1],
        axis=axis,
        **middle,
    )
