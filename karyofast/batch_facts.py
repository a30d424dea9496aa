"""What run.json tells of a run besides its images: settings, models, versions; and whether they are the same here."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from karyofast import __version__
from karyofast.config import Options, to_dict
from karyofast.models.store import CLASSIFIERS, SEPARATORS, ModelInfo, classifier_for, find, separator_for
from karyofast.pipeline import Models

LIBRARIES = ("numpy", "scipy", "opencv-python-headless", "onnxruntime")
"""Packages that results depend on; their versions stand in run.json."""


def describe(options: Options, models: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What run.json says besides the inputs: settings, models, versions."""
    return {
        "karyofast": __version__,
        "options": to_dict(options),
        "models": models,
        "versions": {"python": platform.python_version(), **{name: library_version(name) for name in LIBRARIES}},
    }


def library_version(name: str) -> str:
    """Version of an installed package, "" where it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def models_of(options: Options, models: Models | None = None) -> dict[str, dict[str, str]]:
    """Name and hash of the models that a run uses.

    Raises
    ------
    ModelError
        No such model, or a broken one.
    """
    if models is not None:
        # a runtime of the caller's own need not come from a model directory
        pairs: dict[str, object] = {f"classifier_{one}": models.classifier(one) for one in CLASSIFIERS}
        if models.separator:
            pairs |= {f"separator_{one}": models.separator(one) for one in SEPARATORS}
        infos = {kind: getattr(model, "info", type(model)) for kind, model in pairs.items() if model is not None}
    else:
        wanted = {f"classifier_{one}": classifier_for(options.classify, one) for one in CLASSIFIERS}
        infos = {kind: find(name, "classifier") for kind, name in wanted.items()}
        if options.segment.learned:
            chosen = {f"separator_{one}": separator_for(options.segment, one) for one in SEPARATORS}
            infos |= {kind: find(name, "separator") for kind, name in chosen.items()}
    return {
        kind: {"name": info.name, "sha256": info.sha256}
        if isinstance(info, ModelInfo)
        else {"name": getattr(info, "__qualname__", str(info)), "sha256": ""}
        for kind, info in infos.items()
    }
