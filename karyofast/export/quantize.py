"""Static int8: weights a channel at a time, activations by what real crops make of them (ONNX Runtime's quantiser).

The result is ONNX with QuantizeLinear and DequantizeLinear around each layer (QDQ), which ONNX Runtime and TensorRT
turn into int8 kernels. The probabilities behind the last layer stay fp32.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from karyofast.errors import ModelError, OptionError

WEIGHTED = ("Conv", "Gemm", "MatMul")
"""Operators whose weights are quantised."""

QUANTISED = [*WEIGHTED, "Relu", "MaxPool", "Concat", "Resize"]
"""Operators that int8 runs through."""

BATCH = 16
"""Crops in one step of the calibration: all activations of a step are kept."""

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}


@dataclass(frozen=True)
class QuantizeOptions:
    """How a network is quantised.

    Attributes
    ----------
    method : {"minmax", "percentile", "entropy"}
        How the range of an activation is found: all values, all but the outermost, or the least loss of entropy.
    percentile : float
        Share of the values, in percent, that the method "percentile" keeps.
    crops : int
        Crops to calibrate on; all their activations are kept at once (some 10 MB each) but for "minmax".
    exclude : tuple of int
        Layers with weights that stay fp32, counted from 1 at the input; negative ones from the output.
    target : {"cpu", "tensorrt"}
        cpu: activations uint8 with an offset, which multiplies fastest there, and weights of 7 bits. tensorrt: int8
        without offset, biases fp32, as it demands.
    """

    method: Literal["minmax", "percentile", "entropy"] = "minmax"
    percentile: float = 99.99
    crops: int = 128
    exclude: tuple[int, ...] = ()
    target: Literal["cpu", "tensorrt"] = "cpu"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise OptionError(f"method must be one of {', '.join(METHODS)}. Got: {self.method!r}.")
        if not 90.0 <= self.percentile <= 100.0:
            raise OptionError(f"percentile must be 90 to 100. Got: {self.percentile!r}.")


def quantize(
    model: Any,
    crops: NDArray[np.float32],
    options: QuantizeOptions = QuantizeOptions(),
) -> Any:
    """Quantise a network.

    Parameters
    ----------
    model : onnx.ModelProto
        See `karyofast.export.plain.plain`; it stays as it is.
    crops : float32 (n, 1, rows, columns)
        What to calibrate on: training crops, never those that are scored.
    options : QuantizeOptions

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    OptionError
        `exclude` names a layer that is not there.
    ModelError
        The network is quantised already.
    """
    if is_quantised(model):
        raise ModelError("the model must be one in floating point. Got: one that is quantised already.")
    for_cpu = options.target == "cpu"
    extra: dict[str, Any] = {"ActivationSymmetric": not for_cpu, "WeightSymmetric": True, "QuantizeBias": for_cpu}
    if options.method == "percentile":
        extra["CalibPercentile"] = options.percentile
    with tempfile.TemporaryDirectory() as folder, _silent():
        source, made = Path(folder, "plain.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, str(source))
        quantize_static(
            str(source),
            str(made),
            _Reader(model.graph.input[0].name, crops),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED,
            per_channel=True,
            # processors without VNNI add two products in 16 bits: weights of 7 bits cannot overflow them
            reduce_range=for_cpu,
            activation_type=QuantType.QUInt8 if for_cpu else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded(model, options.exclude),
            calibrate_method=METHODS[options.method],
            extra_options=extra,
        )
        return onnx.load(str(made))


def is_quantised(model: Any) -> bool:
    """Whether a network has quantised layers."""
    return any(node.op_type == "DequantizeLinear" for node in model.graph.node)


def excluded(model: Any, layers: tuple[int, ...]) -> list[str]:
    """Names of the nodes of layers with weights that are counted from 1, or from -1 at the output."""
    weighted = [node.name for node in model.graph.node if node.op_type in WEIGHTED]
    for layer in layers:
        if not 1 <= abs(layer) <= len(weighted):
            raise OptionError(
                f"exclude must name layers 1 to {len(weighted)} (or -1 to -{len(weighted)}). Got: {layer}."
            )
    return [weighted[layer - 1 if layer > 0 else layer] for layer in layers]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands the crops over, some at a time."""

    def __init__(self, name: str, crops: NDArray[np.float32]) -> None:
        # histograms want equal steps: the last one is filled up with the first crops again
        steps = [np.arange(first, first + BATCH) for first in range(0, len(crops), BATCH)]
        self._batches = iter([{name: crops.take(step, axis=0, mode="wrap")} for step in steps])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)


@contextmanager
def _silent() -> Iterator[None]:
    """The quantiser advises on the root logger to do what `plain` has done, and prints what it counts."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
