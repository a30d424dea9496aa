"""Which runtime runs a network: what was asked for, or an error that says what to install; never another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from karyofast.classify import Runtime
from karyofast.config import ClassifyOptions, SegmentOptions
from karyofast.errors import NotBuiltError, OptionError
from karyofast.models.store import CLASSIFIERS, SEPARATORS, ModelInfo, classifier_for, find, separator_for
from karyofast.runtimes.onnx import OnnxClassifier, OnnxSeparator
from karyofast.segment_lift import Separator
from karyofast.types import Polarity

PRECISIONS = {
    ("onnxruntime", "cpu"): ("fp32", "int8"),
    ("onnxruntime", "cuda"): ("fp32",),
    ("onnxruntime-tensorrt", "cuda"): ("fp32", "fp16"),
    ("torch", "cpu"): ("fp32", "bf16"),
    ("torch", "cuda"): ("fp32", "fp16", "bf16"),
    ("tensorrt", "cuda"): ("fp32", "fp16", "int8"),
}
"""What each runtime computes in on each device; int8 models and engines compute in what they were exported as."""

_INSTALL = {"torch": "pip install 'karyofast[train]'", "onnx": "pip install 'karyofast[export]'"}


def load_classifier(options: ClassifyOptions, threads: int = 0, lean: bool = False) -> Runtime:
    """Load the classifier that `options` name, by the runtime, on the device and in the precision that they name.

    Parameters
    ----------
    options : ClassifyOptions
        ``runtime`` "auto" is "tensorrt" for an engine and "onnxruntime" for any other model; ``device`` "auto" is
        "cpu" where the runtime can, and ``precision`` "auto" what the model was exported as.
    threads : int
        CPU threads, 0: one a core.
    lean : bool
        See `karyofast.runtimes.onnx.session`; the other runtimes pass it over.

    Returns
    -------
    Runtime
        On a GPU it has run a batch: the first one takes seconds there.

    Raises
    ------
    ModelError
        No such model, or a broken one.
    NotBuiltError
        What the runtime needs is not installed, or there is no GPU.
    OptionError
        A device or precision that the runtime does not have.
    """
    info = find(options.model, "classifier")
    stored = str(info.values.get("precision", "fp32"))
    engine = "engine" in info.values
    runtime = options.runtime if options.runtime != "auto" else "tensorrt" if engine else "onnxruntime"
    _check_kind(options.model, runtime, engine)
    device = options.device if options.device != "auto" else _device(runtime)
    precision = options.precision if options.precision != "auto" else stored
    _check(options.model, runtime, device, precision, stored, engine)
    if runtime.startswith("onnxruntime"):
        provider = "tensorrt" if runtime == "onnxruntime-tensorrt" else device
        loaded: Runtime = OnnxClassifier(info, threads, provider, precision == "fp16", options.batch, lean)
    else:
        loaded = _loaded(info, runtime, device, precision, threads, options.batch)
    if device == "cuda":
        warm_up(loaded, options.batch)
    return loaded


def warm_up(runtime: Runtime, batch: int) -> None:
    """Run one batch of background, so that kernels are chosen and memory is taken before the first crop comes."""
    runtime.predict(np.full((batch, 1, *runtime.frame.size), -1.0, np.float32))


def _device(runtime: str) -> str:
    return "cpu" if (runtime, "cpu") in PRECISIONS else "cuda"


def _check_kind(model: str, runtime: str, engine: bool) -> None:
    if engine and runtime != "tensorrt":
        raise OptionError(f"runtime must be tensorrt for the engine {model}. Got: {runtime}.")
    if runtime == "tensorrt" and not engine:
        raise OptionError(
            f"runtime tensorrt runs engines. Got: {model}, which is none. Build one with: "
            f"karyofast export tensorrt {model} --data DATA -o DIR; then give --model DIR."
        )


def _check(model: str, runtime: str, device: str, precision: str, stored: str, engine: bool) -> None:
    allowed = PRECISIONS.get((runtime, device))
    if allowed is None:
        raise OptionError(f"device must be {_device(runtime)} with runtime {runtime}. Got: {device}.")
    if precision not in allowed:
        raise OptionError(
            f"precision must be {' or '.join(allowed)} with runtime {runtime} on {device}. Got: {precision}."
        )
    if precision != stored and (engine or "int8" in (precision, stored)):
        how = "Give the model that it was made from as --model."
        if precision == "int8" and not engine:
            how = f"Make an int8 one with: karyofast export int8 {model} --data DATA -o DIR; then give --model DIR."
        raise OptionError(f"precision must be {stored}, as {model} was exported. Got: {precision}. {how}")


def _loaded(info: ModelInfo, runtime: str, device: str, precision: str, threads: int, batch: int) -> Runtime:
    """The runtime itself; its module, and what that needs, is imported when it is asked for."""
    try:
        module: Any = import_module(f"karyofast.runtimes.{runtime}")
        loaded: Runtime = (
            module.TorchClassifier(info, threads, device, precision, batch)
            if runtime == "torch"
            else module.TensorRtClassifier(info)
        )
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("karyofast"):
            raise
        raise NotBuiltError(
            f"runtime {runtime} needs the package {error.name}, which is not installed. "
            f"Install it: {_INSTALL.get(error.name, f'pip install {error.name}')}"
        ) from error
    return loaded


def load_classifiers(options: ClassifyOptions, threads: int = 0, lean: bool = False) -> Callable[[Polarity], Runtime]:
    """What gives the classifier for pictures of a polarity; each is loaded when first asked for, once.

    Parameters and errors as in `load_classifier`.
    """
    names = {polarity: classifier_for(options, polarity) for polarity in CLASSIFIERS}
    for name in names.values():
        find(name, "classifier")
    load = cache(lambda name: load_classifier(replace(options, model=name), threads, lean))
    return lambda polarity: load(names[polarity])


def load_separators(options: SegmentOptions, threads: int = 0, lean: bool = False) -> Callable[[Polarity], Separator]:
    """What gives the separator for pictures of a polarity; each is loaded when first asked for, once.

    Raises
    ------
    ModelError
        No such separator, or a broken one.
    """
    names = {polarity: separator_for(options, polarity) for polarity in SEPARATORS}
    infos = {name: find(name, "separator") for name in names.values()}
    load = cache(lambda name: OnnxSeparator(infos[name], threads, lean))
    return lambda polarity: load(names[polarity])
