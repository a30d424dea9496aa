"""PyTorch: a classifier of the store on the CPU or on CUDA, channels last, in fp32 or under autocast.

On CUDA the pass over one batch is a CUDA graph: a cell is small for a GPU, and launching each layer would take longer
than running it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from karyofast.errors import ModelError, NotBuiltError
from karyofast.export.plain import plain
from karyofast.models.store import ModelInfo
from karyofast.models.vgg16 import split
from karyofast.runtimes.onnx import frame_of

WARM = 3
"""Passes before a CUDA graph is captured: libraries choose their kernels and take memory meanwhile."""

Outputs = tuple[torch.Tensor, torch.Tensor]

_TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


class TorchClassifier:
    """A classifier of the store, run by PyTorch.

    Parameters
    ----------
    info : ModelInfo
        Of kind "classifier", in floating point.
    threads : int
        CPU threads of the whole process, 0: as they are.
    device : {"cpu", "cuda"}
    precision : {"fp32", "fp16", "bf16"}
        Below fp32 by autocast: softmax and what follows stay fp32.
    batch : int
        Crops of the CUDA graph: fewer are filled up to it, more are read in parts.

    Raises
    ------
    NotBuiltError
        PyTorch sees no GPU.
    ModelError
        The network is not a plain chain of layers.
    """

    def __init__(
        self, info: ModelInfo, threads: int = 0, device: str = "cpu", precision: str = "fp32", batch: int = 46
    ) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise NotBuiltError(
                f"PyTorch {torch.__version__} sees no GPU. Install its CUDA build (https://pytorch.org) and a driver, "
                "or take --device cpu."
            )
        if threads:
            torch.set_num_threads(threads)
        self.info = info
        self.frame = frame_of(info)
        self._device, self._type = device, _TYPES.get(precision)
        network = network_of(info)
        self._network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._batch = batch
        self._run = Replayed(self._pass, (batch, 1, *self.frame.size)) if device == "cuda" else self._pass

    @torch.inference_mode()
    def predict(self, crops: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Class probabilities (n, 24) and that the p arm is up (n,) of crops (n, 1, rows, columns); all float32."""
        given = torch.from_numpy(crops)
        parts = torch.split(given, self._batch) if self._device == "cuda" else (given,)
        # what a graph gives is overwritten by its next replay
        told = [[one.cpu() for one in self._run(part.to(self._device))] for part in parts]
        classes, up = (torch.cat(one).numpy() for one in zip(*told, strict=True))
        return classes, up

    def _pass(self, crops: torch.Tensor) -> Outputs:
        # a cache of casts would be freed while a graph still reads it
        with torch.autocast(self._device, self._type, enabled=self._type is not None, cache_enabled=False):
            logits = self._network(crops.contiguous(memory_format=torch.channels_last))
        return split(logits.float())


class Replayed:
    """What a function does with a batch on the GPU, as a CUDA graph: captured once, then replayed in one launch.

    Parameters
    ----------
    run : callable
        From a batch to two tensors whose first axis is the batch; without a branch that depends on values.
    shape : tuple of int
        Of the batch; the first is the most that a call may bring.
    """

    @torch.inference_mode()
    def __init__(self, run: Callable[[torch.Tensor], Outputs], shape: tuple[int, ...]) -> None:
        self._crops = torch.zeros(shape, device="cuda")
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM):
                run(self._crops)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = run(self._crops)

    def __call__(self, crops: torch.Tensor) -> Outputs:
        """Outputs of `crops` (n, ...), valid until the next call; the rest of the batch is what was there before."""
        self._crops[: len(crops)].copy_(crops)
        self._graph.replay()
        classes, up = self._outputs
        return classes[: len(crops)], up[: len(crops)]


def network_of(info: ModelInfo) -> nn.Sequential:
    """The layers of an exported classifier up to its logits, with their weights."""
    graph = plain(info.weights).graph
    weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    layers: list[nn.Module] = []
    last = graph.input[0].name
    for node in graph.node:
        if node.op_type == "Softmax":
            return nn.Sequential(*layers)
        if node.input[0] != last or node.op_type not in _LAYERS:
            break
        layers.append(_LAYERS[node.op_type](_attributes(node), [weights[name] for name in node.input[1:]]))
        last = node.output[0]
    raise ModelError(
        f"{info.weights}: PyTorch runs plain chains of {', '.join(_LAYERS)} in floating point. "
        f"Got: {node.op_type} after {len(layers)} layers. Take --runtime onnxruntime."
    )


def _attributes(node: Any) -> dict[str, Any]:
    return {one.name: list(one.ints) or one.i for one in node.attribute}


def _convolution(told: dict[str, Any], weights: list[torch.Tensor]) -> nn.Module:
    outputs, inputs, *kernel = weights[0].shape
    padding, stride = told.get("pads", [0, 0])[:2], told.get("strides", [1, 1])
    layer = nn.Conv2d(inputs, outputs, (kernel[0], kernel[1]), stride=tuple(stride), padding=tuple(padding))
    return _filled(layer, weights)


def _linear(told: dict[str, Any], weights: list[torch.Tensor]) -> nn.Module:
    weight = weights[0] if told.get("transB") else weights[0].T
    return _filled(nn.Linear(weight.shape[1], weight.shape[0]), [weight, weights[1]])


def _filled(layer: nn.Conv2d | nn.Linear, weights: list[torch.Tensor]) -> nn.Module:
    layer.load_state_dict({"weight": weights[0], "bias": weights[1]})
    return layer


_LAYERS: dict[str, Callable[[dict[str, Any], list[torch.Tensor]], nn.Module]] = {
    "Conv": _convolution,
    "Gemm": _linear,
    "Relu": lambda told, weights: nn.ReLU(inplace=True),
    "MaxPool": lambda told, weights: nn.MaxPool2d(tuple(told["kernel_shape"]), tuple(told["strides"])),
    "Flatten": lambda told, weights: nn.Flatten(),
}
