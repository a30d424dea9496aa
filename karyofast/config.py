"""Settings: frozen dataclasses, one a stage, that round-trip to TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from karyofast.errors import OptionError

T = TypeVar("T")


@dataclass(frozen=True)
class DetectOptions:
    """Options of `karyofast.detect.detect`; areas are in px."""

    method: Literal["er", "otsu", "adaptive", "mser"] = "er"
    connectivity: Literal[4, 8] = 8
    filter_geometry: bool = True
    filter_variance: bool = True


@dataclass(frozen=True)
class SegmentOptions:
    """Options of `karyofast.segment.segment`."""

    method: Literal["axis", "rrt", "watershed", "none"] = "axis"
    relevance_weight: float = 0.4
    """lambda of eq. 6"""


@dataclass(frozen=True)
class ClassifyOptions:
    """Options of `karyofast.classify.classify`."""

    model: str = "g-band"
    batch: int = 46


@dataclass(frozen=True)
class ArrangeOptions:
    """Options of `karyofast.arrange.arrange`."""

    sex_with_groups: bool = False
    """X in row C and Y in row G instead of a row of their own"""


@dataclass(frozen=True)
class Options:
    """Everything that `karyofast.pipeline.karyotype` can be told."""

    polarity: Literal["auto", "dark", "bright"] = "auto"
    detect: DetectOptions = field(default_factory=DetectOptions)
    segment: SegmentOptions = field(default_factory=SegmentOptions)
    classify: ClassifyOptions = field(default_factory=ClassifyOptions)
    arrange: ArrangeOptions = field(default_factory=ArrangeOptions)


def to_dict(options: Any) -> dict[str, Any]:
    """`options` as nested plain values, ready for TOML or JSON."""
    return dataclasses.asdict(options)


def from_dict(kind: type[T], values: dict[str, Any], where: str = "") -> T:
    """Build settings of `kind` from plain values.

    Raises
    ------
    OptionError
        An unknown name, or a value that its field does not allow.
    """
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise OptionError(f"{where}{unknown[0]} is no setting. Allowed: {', '.join(sorted(hints))}.")
    return kind(**{name: _checked(hints[name], value, where + name) for name, value in values.items()})


def _checked(hint: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise OptionError(f"{name} must be a table of settings. Got: {value!r}.")
        return from_dict(hint, value, name + ".")
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise OptionError(f"{name} must be one of {get_args(hint)}. Got: {value!r}.")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise OptionError(f"{name} must be of type {hint.__name__}. Got: {value!r}.")
    return value


def load(path: Path, kind: type[T]) -> T:
    """Read settings of `kind` from a TOML file; raises `OptionError` that names the file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"{path}: cannot be read as TOML: {error}") from error
    return from_dict(kind, values, f"{path}: ")


def save(path: Path, options: Any) -> None:
    """Write settings as TOML."""
    import tomli_w

    path.write_text(tomli_w.dumps(to_dict(options)), encoding="utf-8")
