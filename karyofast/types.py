"""The values that cross the stages: frozen dataclasses over read-only arrays.

Coordinates are pixels in row-column order. A *density* image is how much stain lies on a pixel:
background near 0, chromosomes high, whatever the polarity of the picture it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Polarity = Literal["dark", "bright"]
"""``dark``: chromosomes darker than the background (Giemsa); ``bright``: the reverse (Q-band, DAPI)."""

CLASSES: tuple[str, ...] = (*(str(n) for n in range(1, 23)), "X", "Y")
"""The 24 classes in the order of every probability vector; COCO category = index + 1, 0 = unplaced."""

GROUPS: dict[str, tuple[str, ...]] = {
    "A": ("1", "2", "3"),
    "B": ("4", "5"),
    "C": ("6", "7", "8", "9", "10", "11", "12"),
    "D": ("13", "14", "15"),
    "E": ("16", "17", "18"),
    "F": ("19", "20"),
    "G": ("21", "22"),
    "sex": ("X", "Y"),
}
"""Denver groups in karyogram order."""


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view of `array` that refuses writes; the caller's own array stays writable."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


class Box(NamedTuple):
    """A rectangle of pixels: rows ``top : top + height``, columns ``left : left + width``."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an image."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True, eq=False)
class Metaphase:
    """One metaphase picture.

    Attributes
    ----------
    grey : uint8 (height, width)
        The picture as read, one channel, 16 bit scaled to 8.
    density : uint8 (height, width)
        Stain density: background near 0, chromosomes high (`grey` inverted when polarity is dark).
    polarity : {"dark", "bright"}
    name : str
        Name for outputs and messages, without folder or suffix.
    flags : tuple of str
        What reading it found ("blank", "multi-page", ...).
    """

    grey: NDArray[np.uint8]
    density: NDArray[np.uint8]
    polarity: Polarity
    name: str = "metaphase"
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "grey", read_only(self.grey))
        object.__setattr__(self, "density", read_only(self.density))

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in px."""
        return self.grey.shape[0], self.grey.shape[1]


@dataclass(frozen=True, eq=False)
class Region:
    """A piece of an image: its box and its mask inside the box.

    Attributes
    ----------
    box : Box
    mask : bool (box.height, box.width)
    """

    box: Box
    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", read_only(np.asarray(self.mask, dtype=bool)))
        if self.mask.shape != (self.box.height, self.box.width):
            raise ValueError(f"mask must have the shape of its box. Got: mask {self.mask.shape}, box {self.box}.")

    @property
    def area(self) -> int:
        """Number of pixels in the mask."""
        return int(np.count_nonzero(self.mask))

    def full_mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask on a canvas of `shape` (height, width)."""
        full = np.zeros(shape, dtype=bool)
        full[self.box.slices] = self.mask
        return full


@dataclass(frozen=True, eq=False)
class Candidate(Region):
    """A region that `detect` holds for one chromosome or a cluster of them (paper section 3).

    Attributes
    ----------
    level : int
        Density level at which the region was taken.
    euler : int
        Euler number (8-connected): 1 minus the number of holes for one component.
    variance : float
        V_i of eq. 4, grey levels squared.
    """

    level: int = 0
    euler: int = 1
    variance: float = 0.0


@dataclass(frozen=True, eq=False)
class Chromosome(Region):
    """One separated chromosome; an overlap belongs to the mask of every chromosome that covers it.

    Attributes
    ----------
    score : float
        0..1, how sure the separation is.
    candidate : int
        Index of the candidate it came from, -1 if none.
    flags : tuple of str
        "overlap", "touching", "rim", "cluster" (looks unseparated), ...
    """

    score: float = 1.0
    candidate: int = -1
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dropped(Region):
    """A region as large as a chromosome that detection or separation left out; a reviewer may think otherwise.

    Attributes
    ----------
    stage : {"detect", "segment", "edit"}
    reason : str
        "nucleus", "round debris", "faint", "another cell", "separation finds no chromosome in it", ...
    """

    stage: Literal["detect", "segment", "edit"] = "detect"
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Straightened:
    """A chromosome laid along its medial axis.

    Attributes
    ----------
    crop : uint8 (rows, columns)
        Density, axis vertical, neighbours and background removed, native resolution of the picture.
    axis : float32 (n, 2)
        Medial axis in image coordinates (row, column), one point a crop row, top of the crop first.
    widths : float32 (n,)
        Width of the mask across the axis at each row, px.
    profile : float32 (n,)
        Mean density across the axis at each row: the band profile.
    """

    crop: NDArray[np.uint8]
    axis: NDArray[np.float32]
    widths: NDArray[np.float32]
    profile: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("crop", "axis", "widths", "profile"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def area(self) -> int:
        """Pixels of the crop that the chromosome covers."""
        return int(np.count_nonzero(self.crop))

    @property
    def length(self) -> float:
        """Length of the medial axis, px."""
        return float(len(self.axis))


@dataclass(frozen=True, eq=False)
class Label:
    """What the classifier says of one chromosome, from its crop alone.

    Attributes
    ----------
    probabilities : float32 (24,)
        In the order of `CLASSES`. What their sum falls short of 1 is the probability that the crop shows no whole
        single chromosome: a piece of one, two that touch, debris.
    p_up : float
        Probability that the p arm is at the top of the straightened crop.
    temperature : float
        What makes the confidence true on crops like those the network was trained on (Guo et al. 2017): below 1 it is
        surer than it says. Nothing but what is reported goes by it.
    """

    probabilities: NDArray[np.float32]
    p_up: float = 0.5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", read_only(self.probabilities))

    @property
    def index(self) -> int:
        """Index into `CLASSES` of the most probable class."""
        return int(np.argmax(self.probabilities))

    @property
    def name(self) -> str:
        """The most probable class."""
        return CLASSES[self.index]

    @property
    def calibrated(self) -> NDArray[np.float32]:
        """The probabilities float32 (24,) at the label's temperature; what shows no chromosome is one more class."""
        if self.temperature == 1.0:
            return self.probabilities
        said = np.append(self.probabilities, self.nothing).astype(np.float64) ** (1.0 / self.temperature)
        return np.asarray(said[:-1] / said.sum(), np.float32)

    @property
    def confidence(self) -> float:
        """Calibrated probability of the most probable class."""
        return float(self.calibrated[self.index])

    @property
    def nothing(self) -> float:
        """Probability that the crop shows no whole single chromosome."""
        return max(0.0, 1.0 - float(self.probabilities.sum()))

    @property
    def orientation(self) -> Literal["up", "down"]:
        """Where the p arm lies in the straightened crop."""
        return "up" if self.p_up >= 0.5 else "down"


@dataclass(frozen=True)
class Arrangement:
    """The labels of a cell, chosen together.

    Attributes
    ----------
    assigned : tuple of int
        For each chromosome its index into `CLASSES`, or -1: unplaced.
    iscn : str
        Draft numerical ISCN of what was placed, "" if nothing was.
    low_confidence : tuple of int
        Indices of chromosomes that want a look.
    flags : tuple of str
        "count 45", "gain 21", "unplaced 2", ...
    cost : float
        Nats: how unlikely the labels are together, prices of gains, losses and unplaced ones included.
    """

    assigned: tuple[int, ...] = ()
    iscn: str = ""
    low_confidence: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()
    cost: float = 0.0


@dataclass(frozen=True)
class Quality:
    """How well a metaphase can be karyotyped, each term 0..1, higher is better (`karyofast.quality`).

    Attributes
    ----------
    spread : float
        How far apart its chromosomes lie.
    free : float
        How few of them cross or touch.
    sharpness : float
        How steep their rims are.
    count : float
        How near their number is to 46.
    """

    spread: float = 0.0
    free: float = 0.0
    sharpness: float = 0.0
    count: float = 0.0

    @property
    def total(self) -> float:
        """Geometric mean of the terms."""
        return float((self.spread * self.free * self.sharpness * self.count) ** 0.25)


@dataclass(frozen=True, eq=False)
class Karyotype:
    """All that one metaphase gave; the tuples `chromosomes`, `straightened`, `labels` run in parallel.

    `dropped` is what was left out on the way, with the reason; `edits` the scripts of corrections by hand that were
    applied, in their order, as they stand in karyotype.json. `quality` ranks the pictures of a slide.
    """

    metaphase: Metaphase
    candidates: tuple[Candidate, ...] = ()
    chromosomes: tuple[Chromosome, ...] = ()
    straightened: tuple[Straightened, ...] = ()
    labels: tuple[Label, ...] = ()
    arrangement: Arrangement = field(default_factory=Arrangement)
    flags: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()
    edits: tuple[Mapping[str, Any], ...] = ()
    quality: Quality = Quality()

    @property
    def count(self) -> int:
        """Number of separated chromosomes."""
        return len(self.chromosomes)

    @property
    def iscn(self) -> str:
        """Draft numerical ISCN."""
        return self.arrangement.iscn
