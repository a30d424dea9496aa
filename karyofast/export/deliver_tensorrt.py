"""From a classifier to a folder with a TensorRT engine, its manifest, and the ONNX that it was built from."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from karyofast.errors import ModelError, OptionError
from karyofast.export import parity
from karyofast.export.deliver import BOUNDS, Progress, card, told, values_of
from karyofast.export.parity import Bounds, Cost, Likeness
from karyofast.export.plain import plain
from karyofast.export.quantize import QuantizeOptions, is_quantised, quantize
from karyofast.export.samples import Samples
from karyofast.export.tensorrt import EngineOptions, build, half
from karyofast.files import new_folder
from karyofast.models.store import CARD, ModelInfo, hash_of, read, write_manifest
from karyofast.runtimes.cuda import compute_capability
from karyofast.runtimes.onnx import OnnxClassifier

ENGINE_BOUNDS = {"fp32": BOUNDS["onnx"], "fp16": Bounds(None, 0.995), "int8": BOUNDS["int8"]}
"""What the network that an engine is built from must keep, and the engine itself where it can run."""

NETWORK, ENGINE = "network.onnx", "model.engine"


def deliver_engine(
    info: ModelInfo,
    out: Path,
    samples: Samples,
    options: EngineOptions,
    calibration: Samples | None = None,
    quantization: QuantizeOptions = QuantizeOptions(target="tensorrt"),  # noqa: B008 (frozen)
    timing_cache: Path | None = None,
    threads: int = 0,
    progress: Progress | None = None,
) -> tuple[Likeness, Cost | None]:
    """Write ``network.onnx``, typed as the engine, and the engine; a model folder where there is an engine.

    The network is compared with its source by ONNX Runtime. The engine is compared too where this machine has a GPU
    that it was built for; else ``parity.json`` says that it was not run.

    Parameters
    ----------
    info, out, samples, threads, progress
        As in `karyofast.export.deliver.deliver_onnx`.
    options : EngineOptions
    calibration : Samples, optional
        Crops of the training split; needed for int8.
    quantization : QuantizeOptions
    timing_cache : Path, optional
        See `karyofast.export.tensorrt.build`.

    Returns
    -------
    Likeness
        Of the engine where it was run, else of its network.
    Cost or None
        Of the engine where it was run.

    Raises
    ------
    ModelError, NotBuiltError, OptionError, OutputError, KaryofastError
        As `karyofast.export.deliver.deliver_onnx` and `karyofast.export.tensorrt.build`.
    """
    network = _typed(info, options, calibration, replace(quantization, target="tensorrt"))
    bounds = ENGINE_BOUNDS[options.precision]
    name = f"{info.name}-{options.flavour}-{options.precision}"
    with new_folder(out) as folder:
        path = folder / NETWORK
        onnx.save(network, str(path))
        given = ModelInfo(f"{name} (its network)", info.kind, folder, path, hash_of(path), info.values)
        source = OnnxClassifier(info, threads)
        likeness = parity.compare(source, OnnxClassifier(given, threads), samples, progress)
        likeness.check(bounds, given.name)
        if options.flavour == "trtexec":
            parity.write(folder, likeness, None, asdict(bounds), {**told(info, given), "engine": "not built here"})
            return likeness, None
        made = _build(info, folder, name, options, timing_cache)
        engine, spent = _run(info, made, samples, threads)
        if engine:
            engine.check(bounds, name)
        more = {**told(info, made), "engine": asdict(engine) if engine else f"not run: {_why_not(made)}"}
        parity.write(folder, likeness, spent, asdict(bounds), more)
        (folder / CARD).write_text(card(info, name, name.removeprefix(f"{info.name}-"), likeness), encoding="utf-8")
    return engine or likeness, spent


def _typed(info: ModelInfo, options: EngineOptions, calibration: Samples | None, quantization: QuantizeOptions) -> Any:
    """The network in the types that the engine computes in."""
    network = plain(info.weights)
    if is_quantised(network):
        source = info.values.get("made_from", {}).get("model", "its source")
        raise ModelError(
            f"{info.folder}: is in the int8 of a CPU, which TensorRT does not take. Export {source} instead."
        )
    if options.precision == "fp16":
        return half(network)
    if options.precision == "int8":
        if calibration is None:
            raise OptionError("an int8 engine must be given crops to calibrate on. Got: none.")
        return quantize(network, calibration.crops, quantization)
    return network


def _build(info: ModelInfo, folder: Path, name: str, options: EngineOptions, timing_cache: Path | None) -> ModelInfo:
    engine, version = build((folder / NETWORK).read_bytes(), options, timing_cache)
    weights = folder / ENGINE
    weights.write_bytes(engine)
    values = values_of(info, {"precision": options.precision})
    values["engine"] = {
        "flavour": options.flavour,
        "version": version,
        "compute_capabilities": list(options.capabilities or [str(compute_capability())]),
        "batches": list(options.batches),
        "network_sha256": hash_of(folder / NETWORK),
    }
    write_manifest(folder, name, info.kind, weights, values)
    return read(folder)


def _run(info: ModelInfo, made: ModelInfo, samples: Samples, threads: int) -> tuple[Likeness | None, Cost | None]:
    """Compare the engine itself, where it can run here."""
    if compute_capability() not in made.values["engine"]["compute_capabilities"]:
        return None, None
    from karyofast.runtimes.tensorrt import TensorRtClassifier

    engine = parity.compare(OnnxClassifier(info, threads), TensorRtClassifier(made), samples)
    sides = (info.weights, partial(OnnxClassifier, info, threads)), (made.weights, partial(TensorRtClassifier, made))
    return engine, parity.cost(*sides, samples.crops, threads)


def _why_not(made: ModelInfo) -> str:
    wanted = ", ".join(made.values["engine"]["compute_capabilities"])
    return f"it needs a GPU of compute capability {wanted}, here is {compute_capability() or 'none'}"
