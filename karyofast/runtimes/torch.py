"""PyTorch: a classifier of the store on the CPU or on CUDA, channels last, in fp32, fp16 or bf16.

On CUDA the pass over one batch is a CUDA graph: a cell is small for a GPU, and launching each layer would take longer
than running it. Below fp32 the weights are cast once, when they are loaded: autocast would cast them at every pass.
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
from karyofast.runtimes.onnx import frame_of, temperature_of

WARM = 3
"""Passes before a CUDA graph is captured: libraries choose their kernels and take memory meanwhile."""

Outputs = tuple[torch.Tensor, torch.Tensor]
Step = tuple[nn.Module, list[str], str]

_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


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
        Of the layers, "fp32" without TF32; softmax and what follows are always fp32.
    batch : int
        Crops read at once, more are read in parts; a CUDA graph reads as many even where there are fewer.
    graph : bool
        Capture a CUDA graph, on CUDA; without one each layer is launched by itself.

    Raises
    ------
    NotBuiltError
        PyTorch sees no GPU.
    ModelError
        The network has a layer that is not known here.
    """

    def __init__(
        self,
        info: ModelInfo,
        threads: int = 0,
        device: str = "cpu",
        precision: str = "fp32",
        batch: int = 46,
        graph: bool = True,
    ) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise NotBuiltError(
                f"PyTorch {torch.__version__} sees no GPU. Install its CUDA build (https://pytorch.org) and a driver, "
                "or take --device cpu."
            )
        if threads:
            torch.set_num_threads(threads)
        self.info = info
        self.frame, self.temperature = frame_of(info), temperature_of(info)
        self._device, self._type, self._batch = device, _TYPES[precision], batch
        network = network_of(info).eval()
        self._network = network.to(device, self._type, memory_format=torch.channels_last)  # type: ignore[call-overload]
        replayed = device == "cuda" and graph
        self._run = Replayed(self._pass, (batch, 1, *self.frame.size)) if replayed else self._pass

    @torch.inference_mode()
    def predict(self, crops: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Class probabilities (n, 24) and that the p arm is up (n,) of crops (n, 1, rows, columns); all float32."""
        parts = torch.split(torch.from_numpy(crops), self._batch)
        # what a graph gives is overwritten by its next replay
        told = [[one.cpu() for one in self._run(part)] for part in parts]
        classes, up = (torch.cat(one).numpy() for one in zip(*told, strict=True))
        return classes, up

    def _pass(self, crops: torch.Tensor) -> Outputs:
        given = crops.to(self._device, self._type, memory_format=torch.channels_last)
        # TF32 is no fp32; the quickest of cuDNN's algorithms is looked for once a shape
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            return split(self._network(given).float())


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
        """Outputs of `crops` (n, ...) of any device, valid until the next call; the rest of the batch stays."""
        self._crops[: len(crops)].copy_(crops)
        self._graph.replay()
        classes, up = self._outputs
        return classes[: len(crops)], up[: len(crops)]


class Sum(nn.Module):
    """What a residual block gives, and what it read."""

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Element by element."""
        return one + other


class Layers(nn.Module):
    """Layers in the order of an ONNX graph: each reads what earlier ones gave, by name.

    Parameters
    ----------
    steps : list of (layer, names read, name given)
        The first reads `given`; the last is linear and gives the logits.
    given : str
    """

    def __init__(self, steps: list[Step], given: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layer for layer, _, _ in steps)
        self._names = [(read, name) for _, read, name in steps]
        self._last = {one: place for place, (read, _) in enumerate(self._names) for one in read}
        self._given = given

    def hidden(self, crops: torch.Tensor) -> torch.Tensor:
        """What the last layer reads, (n, hidden)."""
        values = {self._given: crops}
        for place, (layer, (read, name)) in enumerate(zip(self.layers[:-1], self._names, strict=False)):
            values[name] = layer(*(values[one] for one in read))
            for one in read:
                if self._last[one] == place:
                    values.pop(one, None)  # its memory is needed
        return values[self._names[-1][0][0]]

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Logits (n, 49) of crops (n, 1, rows, columns)."""
        logits: torch.Tensor = self.layers[-1](self.hidden(crops))
        return logits


def network_of(info: ModelInfo) -> Layers:
    """The layers of an exported classifier up to its logits, with their weights."""
    graph = plain(info.weights).graph
    weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    steps: list[Step] = []
    for node in graph.node:
        if node.op_type == "Softmax" and steps and isinstance(steps[-1][0], nn.Linear):
            return Layers(steps, graph.input[0].name)
        own = [weights[name] for name in node.input if name in weights]
        if node.op_type not in _LAYERS or bool(own) != (node.op_type in _WEIGHTED):
            break
        read = [name for name in node.input if name not in weights]
        steps.append((_LAYERS[node.op_type](_attributes(node), own), read, node.output[0]))
    raise ModelError(
        f"{info.weights}: PyTorch runs layers of {', '.join(_LAYERS)} in floating point. "
        f"Got: {node.op_type} after {len(steps)} layers. Take --runtime onnxruntime."
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
    "Relu": lambda told, weights: nn.ReLU(),
    "MaxPool": lambda told, weights: nn.MaxPool2d(tuple(told["kernel_shape"]), tuple(told["strides"])),
    "Flatten": lambda told, weights: nn.Flatten(),
    "Add": lambda told, weights: Sum(),
}

_WEIGHTED = ("Conv", "Gemm")
