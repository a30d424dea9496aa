"""Settings: frozen dataclasses, one a stage, that round-trip to TOML."""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from karyofast import toml
from karyofast.errors import OptionError

T = TypeVar("T")

Staining = Literal["giemsa", "quinacrine", "dapi"]
"""Of a metaphase: giemsa is dark on bright, the others bright on dark."""

MOST_NATS = 100.0
"""Largest price of the whole-cell assignment: odds of e^100 already forbid what they are put on."""

MOST_CROPS = 4096
"""Largest batch: 4096 crops fill some GB on their way through the classifier."""


def _limit(options: Any, low: float, high: float, *names: str) -> None:
    """Refuse values outside `low` to `high`, NaN too."""
    for name in names:
        value = getattr(options, name)
        if not low <= value <= high:
            raise OptionError(f"{name} must be {low:g} to {high:g}. Got: {value!r}.")


@dataclass(frozen=True)
class DetectOptions:
    """Options of `karyofast.detect.detect`; areas are in px."""

    method: Literal["er", "otsu", "adaptive", "mser"] = "er"
    connectivity: Literal[4, 8] = 8
    filter_geometry: bool = True
    filter_variance: bool = True
    one_cell: bool = True
    """leave out what belongs to a second metaphase at the rim of the picture"""


@dataclass(frozen=True)
class SegmentOptions:
    """Options of `karyofast.segment.segment`."""

    method: Literal["axis", "arms", "rrt", "watershed", "none"] = "axis"
    model: str = "auto"
    """separator of the methods "axis" and "arms": a shipped one's name, a folder, or auto: by polarity, see
    `karyofast.models.store.separator_for`"""
    second_look: bool = True
    """cut clusters in the way that makes the likeliest cell (method "axis")"""
    relevance_weight: float = 0.4
    """lambda of eq. 6"""

    def __post_init__(self) -> None:
        _limit(self, 0.0, 1.0, "relevance_weight")

    @property
    def learned(self) -> bool:
        """Whether the method needs the separator."""
        return self.method in ("axis", "arms")


@dataclass(frozen=True)
class ClassifyOptions:
    """Options of `karyofast.classify.classify`, and of what runs the network (`karyofast.runtimes.load`)."""

    model: str = "auto"
    """a shipped model, a model folder, or auto: by polarity, see `karyofast.models.store.classifier_for`"""
    batch: int = 46
    runtime: Literal["auto", "onnxruntime", "onnxruntime-tensorrt", "torch", "tensorrt"] = "auto"
    """auto: tensorrt for an engine, onnxruntime for every other model"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: the CPU where the runtime has it"""
    precision: Literal["auto", "fp32", "fp16", "bf16", "int8"] = "auto"
    """auto: as the model was exported"""

    def __post_init__(self) -> None:
        _limit(self, 1, MOST_CROPS, "batch")


@dataclass(frozen=True)
class ArrangeOptions:
    """Options of `karyofast.arrange.arrange`."""

    sex_with_groups: bool = False
    """X in row C and Y in row G instead of a row of their own"""
    missing_price: float = 2.0
    """nats for a missing second copy: 2q = exp(-2), one chromosome in fifteen lost or not separated"""
    gain_price: float = 4.0
    """nats for each copy beyond the normal ones; a gain beside a loss then takes odds of 400 to 1"""
    unplaced_price: float = 6.5
    """nats for leaving a chromosome out: an extra copy is placed when its crop and its area speak against it with 2.5
    nats at most, so when a crop says so with 0.1 or more and the area is not far off"""
    ploidy_price: float = 10.0
    """nats for three or four sets instead of two: one cell in twenty thousand"""
    outlier: float = 0.001
    """share of crops whose probabilities mean nothing; bounds what one crop can say"""
    confidence: float = 0.9
    """a chromosome whose place is less sure than this within its cell wants a look"""

    def __post_init__(self) -> None:
        _limit(self, 0.0, MOST_NATS, "missing_price", "gain_price", "unplaced_price", "ploidy_price")
        _limit(self, 1e-9, 0.5, "outlier")
        _limit(self, 0.5, 0.999999, "confidence")


@dataclass(frozen=True)
class SimulateOptions:
    """Options of `karyofast.simulate.simulate_metaphase`; lengths are in px, counts are exact."""

    stain: Staining = "giemsa"
    """giemsa: dark on bright, banded; quinacrine: bright on dark, banded; dapi: the same, faint bands"""
    bands: Literal[400, 550, 850] = 550
    """resolution of the ideogram that is drawn"""
    size: tuple[int, int] = (700, 700)
    """(height, width) of the picture"""
    length: float = 0.0
    """length of chromosome 1; 0: the stain's usual one"""
    width: float = 0.0
    """width of a chromosome; 0: the stain's usual one"""
    touching: int = 4
    """pairs that touch without crossing"""
    crossing: int = 2
    """pairs that cross"""
    bend: float = 1.0
    """0: straight; 1: as in a usual spread; 2: strongly curled"""
    blur: float = 1.0
    """sigma of the optics"""
    noise: float = 2.0
    """sigma of the camera's noise, grey levels"""
    variation: float = 1.0
    """how much homologues differ in condensation and banding; 0: not at all"""
    nuclei: int = 2
    """interphase nuclei, most of them cut by the picture's edge"""
    debris: int = 30
    """specks, rings and threads"""
    background: float = 1.0
    """unevenness of the background; 0: flat"""
    halo: float = 1.0
    """strength of the bright rim (giemsa) or the glow (the others)"""


@dataclass(frozen=True)
class Options:
    """Everything that `karyofast.pipeline.karyotype` can be told."""

    polarity: Literal["auto", "dark", "bright"] = "auto"
    detect: DetectOptions = field(default_factory=DetectOptions)
    segment: SegmentOptions = field(default_factory=SegmentOptions)
    classify: ClassifyOptions = field(default_factory=ClassifyOptions)
    arrange: ArrangeOptions = field(default_factory=ArrangeOptions)
    low_memory: bool = False
    """the networks run on one CPU thread and keep no memory between two batches"""


def to_dict(options: Any) -> dict[str, Any]:
    """`options` as nested plain values, ready for TOML or JSON."""
    return dataclasses.asdict(options)


def from_dict(kind: type[T], values: dict[str, Any], where: str = "") -> T:
    """Build settings of `kind` from plain values.

    Raises
    ------
    OptionError
        An unknown name, one that is missing, or a value that its field does not allow.
    """
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise OptionError(f"{where}{unknown[0]} is no setting. Allowed: {', '.join(sorted(hints))}.")
    checked = {name: _checked(hints[name], value, where + name) for name, value in values.items()}
    for one in dataclasses.fields(kind):  # type: ignore[arg-type]
        if one.name not in checked and one.default is MISSING and one.default_factory is MISSING:
            raise OptionError(f"{where}{one.name} must be given.")
    try:
        return kind(**checked)
    except OptionError as error:
        raise OptionError(f"{where}{error}") from error


def _checked(hint: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise OptionError(f"{name} must be a table of settings. Got: {value!r}.")
        return from_dict(hint, value, name + ".")
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise OptionError(f"{name} must be one of {get_args(hint)}. Got: {value!r}.")
        return value
    if get_origin(hint) is tuple:
        return _checked_tuple(get_args(hint), value, name)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise OptionError(f"{name} must be of type {hint.__name__}. Got: {value!r}.")
    return value


def _checked_tuple(hints: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if len(hints) == 2 and hints[1] is Ellipsis and isinstance(value, list | tuple):
        hints = hints[:1] * len(value)
    if not isinstance(value, list | tuple) or len(value) != len(hints):
        raise OptionError(f"{name} must be a list of {len(hints)} values. Got: {value!r}.")
    return tuple(_checked(hint, item, name) for hint, item in zip(hints, value, strict=True))


def load(path: Path, kind: type[T]) -> T:
    """Read settings of `kind` from a TOML file; raises `OptionError` that names the file."""
    try:
        values = toml.read(path)
    except (OSError, ValueError) as error:
        raise OptionError(f"{path}: cannot be read as TOML: {error}") from error
    return from_dict(kind, values, f"{path}: ")


def save(path: Path, options: Any) -> None:
    """Write settings as TOML."""
    toml.write(path, to_dict(options))
