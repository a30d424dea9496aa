"""Training crops kept in a run folder: a training that goes on does not straighten and compose for minutes again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from karyofast.classify import CellScale
from karyofast.files import replacing
from karyofast.train.crops import CropSet

CROPS = "crops.npz"


def kept(path: Path, made_of: dict[str, Any], make: Callable[[], CropSet]) -> CropSet:
    """The crops that `path` keeps, when they were made of the same; else those that `make` makes, kept there.

    Parameters
    ----------
    path : Path
        An npz file; its folder is made.
    made_of : dict
        Everything that decides the crops, in values of JSON.
    make : callable

    Raises
    ------
    OSError
        The crops cannot be written.
    """
    found = _read(path, made_of)
    if found is None:
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **_arrays(found), made_of=np.array(json.dumps(made_of, sort_keys=True)))
    return found


def _arrays(crops: CropSet) -> dict[str, Any]:
    """A set as arrays; a picture that several variants, or chromosomes, share is there once."""
    pictures = {id(one): one for variants in crops.crops for one in variants}
    place = {name: number for number, name in enumerate(pictures)}
    scales = {scale: number for number, scale in enumerate(dict.fromkeys(crops.scales))}
    each = list(pictures.values())
    return {
        "pixels": np.concatenate([one.ravel() for one in each]) if each else np.zeros(0, np.uint8),
        "shapes": np.array([one.shape for one in each], dtype=np.int64).reshape(-1, 2),
        "which": np.array([[place[id(one)] for one in variants] for variants in crops.crops], dtype=np.int64),
        "upright": crops.upright,
        "oriented": crops.oriented,
        "label": crops.label,
        "cell": crops.cell,
        "split": crops.split,
        "scales": np.array([astuple(scale) for scale in scales], dtype=np.float64).reshape(-1, 3),
        "scale": np.array([scales[scale] for scale in crops.scales], dtype=np.int64),
    }


def _read(path: Path, made_of: dict[str, Any]) -> CropSet | None:
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            if str(file["made_of"]) != json.dumps(made_of, sort_keys=True):
                return None
            values = dict(file)
    except (OSError, KeyError, ValueError, EOFError, BadZipFile):  # none, or not whole
        return None
    shapes, pixels = values["shapes"], values["pixels"]
    ends = np.cumsum(shapes.prod(axis=1))
    pictures = [
        pixels[end - rows * columns : end].reshape(rows, columns)
        for end, (rows, columns) in zip(ends.tolist(), shapes.tolist(), strict=True)
    ]
    scales = [CellScale(*one) for one in values["scales"].tolist()]
    return CropSet(
        crops=tuple(tuple(pictures[number] for number in variants) for variants in values["which"].tolist()),
        upright=values["upright"],
        oriented=values["oriented"],
        label=values["label"],
        cell=values["cell"],
        split=values["split"],
        scales=tuple(scales[number] for number in values["scale"].tolist()),
    )
