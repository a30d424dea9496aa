"""From a network to a model folder that any verb takes as --model, once it has been proven to be the same model."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx

from karyofast import __version__
from karyofast.export import parity
from karyofast.export.parity import Bounds, Cost, Likeness
from karyofast.export.plain import plain
from karyofast.export.quantize import QuantizeOptions, quantize
from karyofast.export.samples import Samples
from karyofast.files import new_folder
from karyofast.models.store import CARD, ModelInfo, read, shipped_folder, write_manifest
from karyofast.runtimes.onnx import OnnxClassifier

BOUNDS = {"onnx": Bounds(1e-4, 1.0), "int8": Bounds(None, 0.995)}
"""What each kind of export must keep."""

KEPT = ("classes", "input_size", "normalisation", "calibration", "training")
"""What an export's manifest takes over from its source's."""

Progress = Callable[[int, int], None]


def deliver_onnx(
    info: ModelInfo, out: Path, samples: Samples, threads: int = 0, progress: Progress | None = None
) -> tuple[Likeness, Cost]:
    """Write a classifier as plain ONNX (`karyofast.export.plain`), a model folder.

    Parameters
    ----------
    info : ModelInfo
        A classifier.
    out : Path
        Folder to make; nothing is left of it after an error.
    samples : Samples
        Crops to compare on.
    threads : int
        CPU threads of both, 0: one a core.
    progress : callable, optional
        Called with (crops compared, crops in all).

    Raises
    ------
    ModelError
        The model cannot be used, or the export is past the bounds of `BOUNDS`.
    OutputError
        `out` holds something already, or cannot be written to.
    """
    note = {"precision": info.values.get("precision", "fp32")}
    return _deliver(info, plain(info.weights), out, "onnx", note, samples, BOUNDS["onnx"], threads, progress)


def deliver_int8(
    info: ModelInfo,
    out: Path,
    calibration: Samples,
    samples: Samples,
    options: QuantizeOptions = QuantizeOptions(),  # noqa: B008 (frozen)
    bounds: Bounds = BOUNDS["int8"],
    threads: int = 0,
    progress: Progress | None = None,
) -> tuple[Likeness, Cost]:
    """Write a classifier in int8 (`karyofast.export.quantize`), a model folder; as `deliver_onnx`.

    Parameters
    ----------
    info, out, samples, threads, progress
        As in `deliver_onnx`.
    calibration : Samples
        Crops of the training split.
    options : QuantizeOptions
    bounds : Bounds
    """
    network = quantize(plain(info.weights), calibration.crops, options)
    told = {**asdict(options), "exclude": list(options.exclude), "crops": len(calibration.crops)}
    note = {"precision": "int8", "quantisation": {**told, "data": calibration.data, "split": calibration.split}}
    return _deliver(info, network, out, "int8", note, samples, bounds, threads, progress)


def values_of(info: ModelInfo, note: dict[str, Any]) -> dict[str, Any]:
    """What the manifest of an export says: the frame and classes of its source, and where it comes from."""
    kept = {key: info.values[key] for key in KEPT if key in info.values}
    source = {**made_from(info), "measured": info.values.get("measured", {})}
    return {"made_by": f"karyofast {__version__}", **note, **kept, "made_from": source}


def made_from(info: ModelInfo) -> dict[str, Any]:
    """Where an export comes from."""
    shipped = info.folder == shipped_folder() / info.name
    return {"name": info.name, "model": info.name if shipped else str(info.folder), "sha256": info.sha256}


def _deliver(
    info: ModelInfo,
    network: Any,
    out: Path,
    kind: str,
    note: dict[str, Any],
    samples: Samples,
    bounds: Bounds,
    threads: int,
    progress: Progress | None,
) -> tuple[Likeness, Cost]:
    with new_folder(out) as folder:
        weights = folder / "model.onnx"
        onnx.save(network, str(weights))
        name = f"{info.name}-{kind}"
        values = values_of(info, note)
        write_manifest(folder, name, info.kind, weights, values)
        made = read(folder)
        likeness = parity.compare(OnnxClassifier(info, threads), OnnxClassifier(made, threads), samples, progress)
        likeness.check(bounds, name)
        sides = [(one.weights, partial(OnnxClassifier, one, threads)) for one in (info, made)]
        cost = parity.cost(sides[0], sides[1], samples.crops, threads)
        parity.write(folder, likeness, cost, asdict(bounds), told(info, made))
        measured = {"crops": likeness.labelled, "crop": likeness.accuracy_exported, "data": likeness.data}
        if likeness.accuracy_exported is not None:
            values["measured"] = {**measured, "top1_agreement": likeness.top1_agreement}
        write_manifest(folder, name, info.kind, weights, values)
        (folder / CARD).write_text(card(info, name, kind, likeness), encoding="utf-8")
    return likeness, cost


def told(info: ModelInfo, made: ModelInfo) -> dict[str, Any]:
    """What was compared, on what."""
    return {
        "karyofast": __version__,
        "source": {"name": info.name, "sha256": info.sha256},
        "exported": {"name": made.name, "sha256": made.sha256},
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("onnxruntime", "onnx", "numpy")},
    }


def card(info: ModelInfo, name: str, kind: str, likeness: Likeness) -> str:
    """The model card of an export."""
    accuracy = ""
    if likeness.accuracy_source is not None and likeness.accuracy_exported is not None:
        accuracy = f"| right class from the crop alone | {likeness.accuracy_exported:.2%} |\n"
        accuracy += f"| the same, {info.name} | {likeness.accuracy_source:.2%} |\n"
    return f"""# {name}

{info.name} ({info.sha256[:12]}), exported as {kind} by karyofast {__version__}: the same network, classes and frame.

| {likeness.crops} crops of {likeness.data}, {likeness.split} cases | |
|---|---|
| same outcome as {info.name} | {likeness.top1_agreement:.2%} |
| same direction of the p arm | {likeness.p_arm_agreement:.2%} |
| largest, mean difference of a probability | {likeness.max_difference:.2g}, {likeness.mean_difference:.2g} |
{accuracy}
Time and memory stand in `{parity.FILE}`. **Data, limits, licence of the weights.** As the card of {info.name} says.
"""
