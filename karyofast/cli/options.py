"""Options that several verbs share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from karyofast import config
from karyofast.config import Options
from karyofast.errors import OptionError

Inputs = Annotated[
    list[str],
    typer.Argument(help="Image files, folders and globs: TIFF (8/16 bit), PNG, JPEG, BMP.", show_default=False),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.", show_default=False)]
Polarity = Annotated[
    Literal["auto", "dark", "bright"] | None,
    typer.Option(help="dark: chromosomes dark on bright (Giemsa); bright: Q-band, DAPI.", show_default="auto"),
]
Model = Annotated[str, typer.Option(help="Classifier: the name of a shipped model, or a model folder.")]
ModelOrFile = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Classifier: the name of a shipped model, or a folder; auto: g-band-fast or q-band-fast, by the polarity.",
        show_default="auto",
    ),
]
Runtime = Annotated[
    Literal["auto", "onnxruntime", "onnxruntime-tensorrt", "torch", "tensorrt"] | None,
    typer.Option(
        "--runtime", help="What runs the classifier; auto: ONNX Runtime, TensorRT for an engine.", show_default="auto"
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"] | None,
    typer.Option("--device", help="Where the classifier runs.", show_default="auto"),
]
Precision = Annotated[
    Literal["auto", "fp32", "fp16", "bf16", "int8"] | None,
    typer.Option("--precision", help="auto: as the model was exported.", show_default="auto"),
]
Detector = Annotated[
    Literal["er", "otsu", "adaptive", "mser"] | None,
    typer.Option(
        "--detector", help="er: extremal regions, as in the paper; the others are baselines.", show_default="er"
    ),
]
Method = Annotated[
    Literal["axis", "arms", "rrt", "watershed", "none"] | None,
    typer.Option(
        "--method", help="Separation. axis: learned; arms: the same, plainly; rrt: the paper's.", show_default="axis"
    ),
]
LowMemory = Annotated[
    bool | None,
    typer.Option(
        "--low-memory", help="One crop at a time, on one thread: slower, for small devices.", show_default=False
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings; the options given here win over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no notes.")]

_CLASSIFIER = ("model", "runtime", "device", "precision")
"""Options that belong to `karyofast.config.ClassifyOptions`."""


def resolve(path: Path | None, **given: Any) -> Options:
    """Settings from a TOML file, then what was given on the command line.

    Parameters
    ----------
    path : Path or None
        TOML file of `karyofast.config.Options`.
    **given
        ``polarity``, ``detector``, ``method``, ``model``, ``runtime``, ``device``, ``precision``, ``low_memory``; one
        that is None leaves the file's value.

    Raises
    ------
    OptionError
        A value that is not allowed, or a file that cannot be read.
    """
    options = config.load(path, Options) if path else Options()
    if unknown := sorted(set(given) - {"polarity", "detector", "method", "low_memory", *_CLASSIFIER}):
        raise OptionError(f"{unknown[0]} is no option that `resolve` knows.")
    polarity, detector, method = given.get("polarity"), given.get("detector"), given.get("method")
    classifier = {name: given[name] for name in _CLASSIFIER if given.get(name) is not None}
    if polarity is not None:
        options = replace(options, polarity=polarity)
    if detector is not None:
        options = replace(options, detect=replace(options.detect, method=detector))
    if method is not None:
        options = replace(options, segment=replace(options.segment, method=method))
    if classifier:
        options = replace(options, classify=replace(options.classify, **classifier))
    if given.get("low_memory"):
        options = replace(options, low_memory=True, classify=replace(options.classify, batch=1))
    # a second reading checks the values that came from the command line
    return config.from_dict(Options, config.to_dict(options))


LeftOut = Annotated[
    list[str] | None,
    typer.Option(
        "--leave-out", metavar="CELL", help="A cell whose labels are wrong in the data; may be given several times."
    ),
]
