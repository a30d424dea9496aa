"""TensorRT engines, by `tensorrt` on the device or ahead of time by `tensorrt_rtx`: one code for both.

Networks are strongly typed: fp16 and int8 stand in the ONNX that the builder is given (`half`,
`karyofast.export.quantize`), so both flavours compute the same, and what they are given can be compared with its source
without a GPU.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from karyofast.classify import Frame
from karyofast.errors import KaryofastError, NotBuiltError, OptionError
from karyofast.files import write_whole

MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
"""Flavour and the package that builds and runs its engines."""

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is built for.

    Attributes
    ----------
    flavour : {"tensorrt", "tensorrt-rtx", "trtexec"}
        tensorrt: on this machine's GPU and for it; tensorrt-rtx: for named GPUs, without one; trtexec: only the ONNX is
        written, with the command that builds the engine elsewhere.
    precision : {"fp32", "fp16", "int8"}
    capabilities : tuple of str
        Compute capabilities of the GPUs ("8.6"); tensorrt-rtx must be given some, tensorrt none.
    batches : (int, int, int)
        Smallest, usual and largest batch.
    """

    flavour: Literal["tensorrt", "tensorrt-rtx", "trtexec"]
    precision: Precision = "fp16"
    capabilities: tuple[str, ...] = ()
    batches: tuple[int, int, int] = (1, 46, 92)

    def __post_init__(self) -> None:
        low, usual, high = self.batches
        if not 1 <= low <= usual <= high:
            raise OptionError(f"batches must rise from 1 on: smallest, usual, largest. Got: {self.batches}.")
        if (self.flavour == "tensorrt-rtx") != bool(self.capabilities):
            raise OptionError(
                "compute capabilities must be named for tensorrt-rtx, which needs no GPU to build, and for it alone: "
                f"the others build for the GPU that they run on. Got: {self.flavour}, {self.capabilities or 'none'}."
            )


def half(model: Any) -> Any:
    """A network in fp16 from its input to its logits; probabilities, input and outputs stay fp32.

    Parameters
    ----------
    model : onnx.ModelProto
        See `karyofast.export.plain.plain`; it stays as it is.

    Returns
    -------
    onnx.ModelProto
    """
    from copy import deepcopy

    from onnxruntime.transformers.float16 import convert_float_to_float16

    nodes = list(model.graph.node)
    first = next((place for place, node in enumerate(nodes) if node.op_type == "Softmax"), len(nodes))
    kept = [node.name for node in nodes[first:]]
    return convert_float_to_float16(deepcopy(model), keep_io_types=True, node_block_list=kept, disable_shape_infer=True)


def flavour_module(flavour: str) -> ModuleType:
    """The package of a flavour; raises `NotBuiltError` that says how to install it."""
    try:
        return import_module(MODULES[flavour])
    except ModuleNotFoundError as error:
        raise NotBuiltError(
            f"{flavour} engines need the package {error.name}, which is not installed. "
            f"Install it: pip install 'karyofast[{flavour}]'"
        ) from error


def build(network: bytes, options: EngineOptions, timing_cache: Path | None = None) -> tuple[bytes, str]:
    """Build an engine.

    Parameters
    ----------
    network : bytes
        ONNX with a free batch; fp16 and int8 as they stand in it.
    options : EngineOptions
    timing_cache : Path, optional
        Read where it exists, then written: a second build of like layers takes seconds. tensorrt only.

    Returns
    -------
    engine : bytes
    version : str
        Of the package that built it, and must run it.

    Raises
    ------
    NotBuiltError
        The package is not installed, or it needs a GPU and there is none.
    OptionError
        A compute capability that this version does not build for.
    KaryofastError
        The network cannot be parsed or built; with what TensorRT says.
    """
    from karyofast.runtimes.cuda import compute_capability

    trt = flavour_module(options.flavour)
    if options.flavour == "tensorrt" and compute_capability() is None:
        raise NotBuiltError(
            "tensorrt builds on the GPU that the engine is for. Got: no GPU here. Run the same command on the device, "
            "or take --flavour tensorrt-rtx --compute-capability 8.6, or --flavour trtexec."
        )
    logger = _logger(trt)
    builder = trt.Builder(logger)
    graph = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(graph, logger)
    if not parser.parse(network):
        said = "; ".join(parser.get_error(place).desc() for place in range(parser.num_errors))
        raise KaryofastError(f"{options.flavour} {trt.__version__} cannot parse the network: {said}")
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    entry = graph.get_input(0)
    profile.set_shape(entry.name, *((batch, *tuple(entry.shape)[1:]) for batch in options.batches))
    config.add_optimization_profile(profile)
    if options.precision == "fp32":
        # TF32 keeps ten bits of the mantissa: not the model that was compared
        config.clear_flag(trt.BuilderFlag.TF32)
    _target(trt, config, options.capabilities)
    cache = _open_cache(config, timing_cache) if timing_cache and options.flavour == "tensorrt" else None
    engine = builder.build_serialized_network(graph, config)
    if engine is None:
        raise KaryofastError(f"{options.flavour} {trt.__version__} cannot build the engine: {logger.last}")
    if cache is not None and timing_cache:
        write_whole(timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(engine), str(trt.__version__)


def trtexec(network: Path, frame: Frame, options: EngineOptions) -> str:
    """The command that builds the engine with TensorRT's own tool, on a Jetson for instance."""
    shapes = [f"{batch}x1x{frame.rows}x{frame.columns}" for batch in options.batches]
    words = ["trtexec", f"--onnx={network}", f"--saveEngine={network.with_suffix('.engine')}", "--stronglyTyped"]
    words += [f"--{kind}Shapes=crops:{shape}" for kind, shape in zip(("min", "opt", "max"), shapes, strict=True)]
    return shlex.join([*words, f"--timingCacheFile={network.with_name('timing.cache')}"])


def rebuild_command(values: dict[str, Any]) -> str:
    """The command that builds the engine of a manifest again."""
    engine, source = values["engine"], values["made_from"]
    words = ["karyofast", "export", "tensorrt", source["model"], "--flavour", engine["flavour"]]
    words += ["--precision", values["precision"], "--batches", *(str(batch) for batch in engine["batches"])]
    if engine["flavour"] == "tensorrt-rtx":
        words += [word for one in engine["compute_capabilities"] for word in ("--compute-capability", one)]
    return shlex.join([*words, "--data", "DATA", "-o", "DIR"])


def _target(trt: ModuleType, config: Any, capabilities: tuple[str, ...]) -> None:
    """Name the GPUs that an engine is built for, where it is not the one of this machine."""
    if not capabilities:
        return
    known = [name for name in dir(trt.ComputeCapability) if name.startswith("SM")]
    config.num_compute_capabilities = len(capabilities)
    for place, one in enumerate(capabilities):
        name = "SM" + one.replace(".", "")
        if name not in known:
            offered = ", ".join(sorted((f"{sm[2:-1]}.{sm[-1]}" for sm in known), key=float))
            raise OptionError(
                f"compute capability must be one of {offered} (tensorrt-rtx {trt.__version__}). Got: {one}."
            )
        config.set_compute_capability(getattr(trt.ComputeCapability, name), place)


def _open_cache(config: Any, path: Path) -> Any:
    cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
    config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _logger(trt: ModuleType) -> Any:
    """A logger that keeps the last error, which TensorRT tells nobody else."""

    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
        last = "no reason was given"

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.last = message

    # its __init__ must run, or the C++ side has no object
    made = Logger.__new__(Logger)
    trt.ILogger.__init__(made)
    return made
