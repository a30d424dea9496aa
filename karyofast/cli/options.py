"""Options that several verbs share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

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
    str, typer.Option(help="auto, dark (chromosomes dark on bright: Giemsa) or bright (Q-band, DAPI).")
]
Model = Annotated[str, typer.Option(help="Classifier: the name of a shipped model, or a model folder.")]
Detector = Annotated[str, typer.Option("--detector", help="er, otsu, adaptive or mser.")]
Method = Annotated[str, typer.Option("--method", help="Separation: axis, rrt, watershed or none.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings; the options given here win over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no notes.")]

DEFAULTS = Options()


def resolve(path: Path | None, **given: Any) -> Options:
    """Settings from a TOML file, then what was given on the command line.

    Parameters
    ----------
    path : Path or None
        TOML file of `karyofast.config.Options`.
    **given
        ``polarity``, ``detector``, ``method``, ``model``; one that is None or the default leaves the file's value.

    Raises
    ------
    OptionError
        A value that is not allowed, or a file that cannot be read.
    """
    options = config.load(path, Options) if path else Options()
    if unknown := sorted(set(given) - {"polarity", "detector", "method", "model"}):
        raise OptionError(f"{unknown[0]} is no option that `resolve` knows.")
    polarity, detector = given.get("polarity"), given.get("detector")
    method, model = given.get("method"), given.get("model")
    if polarity and polarity != DEFAULTS.polarity:
        options = replace(options, polarity=polarity)
    if detector and detector != DEFAULTS.detect.method:
        options = replace(options, detect=replace(options.detect, method=detector))
    if method and method != DEFAULTS.segment.method:
        options = replace(options, segment=replace(options.segment, method=method))
    if model and model != DEFAULTS.classify.model:
        options = replace(options, classify=replace(options.classify, model=model))
    # a second reading checks the values that came from the command line
    return config.from_dict(Options, config.to_dict(options))
