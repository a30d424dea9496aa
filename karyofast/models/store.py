"""The model store: directories with weights and a ``model.toml`` that says what they are.

A model is ``model.toml``, ``model.onnx`` and a model card (``README.md``). Names are looked up among the models that
ship with the package; anything with a path separator, or that is a folder, is taken as a model directory of the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from karyofast import toml
from karyofast.config import ClassifyOptions, SegmentOptions
from karyofast.errors import ModelError
from karyofast.files import sha256_of
from karyofast.types import Polarity

AUTO = "auto"
"""Instead of a model's name: the one for the picture's kind of stain."""

CLASSIFIERS: Mapping[Polarity, str] = {"dark": "g-band-fast", "bright": "q-band-fast"}
"""Classifier of each polarity: dark on bright is Giemsa, bright on dark quinacrine or DAPI. In whole metaphases these
slim networks are more often right than the VGG-16s g-band and q-band, and quicker."""

ON_CPU: Mapping[Polarity, str] = {"dark": "g-band-fast-int8", "bright": "q-band-fast-int8"}
"""The same for a CPU, in int8."""

SEPARATORS: Mapping[Polarity, str] = {"dark": "axis", "bright": "axis-fluorescence"}
"""Separator of each polarity."""

INT8 = "-int8"
"""Ending of the name of the same model in a CPU's int8, by far the fastest there."""

MANIFEST = "model.toml"
CARD = "README.md"


@dataclass(frozen=True)
class ModelInfo:
    """What a ``model.toml`` says.

    Attributes
    ----------
    name : str
    kind : str
        "classifier" or "separator".
    folder : Path
    weights : Path
    sha256 : str
        Of the weights file.
    values : dict
        Everything in the file: classes, input size, training data, measured accuracy.
    """

    name: str
    kind: str
    folder: Path
    weights: Path
    sha256: str
    values: dict[str, Any]


def shipped_folder() -> Path:
    """The folder of the models that come with the package."""
    return Path(str(files("karyofast").joinpath("weights")))


def list_models() -> list[ModelInfo]:
    """The shipped models, by name."""
    return [read(folder) for folder in sorted(shipped_folder().iterdir()) if (folder / MANIFEST).exists()]


def classifier_for(options: ClassifyOptions, polarity: Polarity) -> str:
    """The classifier that ``options.model`` stands for in a picture of this polarity: itself, unless it is `AUTO`.

    Then it is that of `ON_CPU` where ONNX Runtime runs it on the CPU in no other precision, and that of `CLASSIFIERS`
    elsewhere.
    """
    if options.model != AUTO:
        return options.model
    on_cpu = options.runtime in ("auto", "onnxruntime") and options.device in ("auto", "cpu")
    return (ON_CPU if on_cpu and options.precision in ("auto", "int8") else CLASSIFIERS)[polarity]


def separator_for(options: SegmentOptions, polarity: Polarity) -> str:
    """The separator that ``options.model`` stands for in a picture of this polarity: itself, unless it is `AUTO`."""
    return SEPARATORS[polarity] if options.model == AUTO else options.model


def find(name: str, kind: str) -> ModelInfo:
    """Find a model of `kind` by name or directory.

    Raises
    ------
    ModelError
        No such model, a broken directory, or one of another kind.
    """
    folder = Path(name) if "/" in name or "\\" in name or Path(name).is_dir() else shipped_folder() / name
    if not (folder / MANIFEST).exists():
        known = ", ".join(sorted(model.name for model in list_models() if model.kind == kind)) or "none"
        raise ModelError(f"model must be a shipped one ({known}) or a folder with {MANIFEST}. Got: {name}.")
    info = read(folder)
    if info.kind != kind:
        raise ModelError(f"{folder}: must be a {kind}. Got: a {info.kind}.")
    return info


def read(folder: Path) -> ModelInfo:
    """Read a model directory; the weights are checked against their recorded hash.

    Raises
    ------
    ModelError
        The manifest cannot be read or lacks a key, or the weights are missing or changed.
    """
    manifest = folder / MANIFEST
    try:
        values = toml.read(manifest)
        name, kind, file, sha256 = (str(values[key]) for key in ("name", "kind", "weights", "sha256"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{manifest}: cannot be read: {error}") from error
    except KeyError as error:
        raise ModelError(f"{manifest}: lacks the key {error}.") from error
    weights = folder / file
    if not weights.exists():
        raise ModelError(f"{manifest}: names the weights {file}, which are not there.")
    if hash_of(weights) != sha256:
        raise ModelError(f"{weights}: differs from the sha256 in {MANIFEST}: a broken download or other weights.")
    return ModelInfo(name, kind, folder, weights, sha256, values)


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; computed once as long as the file's size and time of change stay."""
    about = path.stat()
    return _hashed(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=32)
def _hashed(path: Path, size: int, changed: int) -> str:
    return sha256_of(path)


def write_manifest(folder: Path, name: str, kind: str, weights: Path, values: dict[str, Any]) -> None:
    """Write the ``model.toml`` of a model directory that holds its weights already."""
    head = {"name": name, "kind": kind, "weights": weights.name, "sha256": hash_of(weights)}
    toml.write(folder / MANIFEST, {**head, **values})
