"""Export networks to ONNX, weights stored as fp16 and computed in fp32.

Half-precision storage halves what the package carries; ONNX Runtime folds the casts away when it loads, so speed and
arithmetic are those of fp32 on weights rounded once.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from karyofast.files import replacing
from karyofast.models.axisnet import AxisNet
from karyofast.models.vgg16 import split

LEAST = 1024
"""Elements from which a tensor is worth storing as fp16."""


class _Classes(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return split(self.network(crops))


class _Probabilities(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.network(density))


def export_classifier(network: nn.Module, input_size: tuple[int, int], path: Path) -> None:
    """Write a classifier that reads each crop once: input ``crops``, outputs ``classes`` and ``up`` (probabilities)."""
    example = torch.zeros(2, 1, *input_size)
    _export(_Classes(network), example, path, ["crops"], ["classes", "up"], {0: "batch"})


def export_separator(network: AxisNet, path: Path) -> None:
    """Write a separator: input ``density``, output ``lifted`` (probabilities)."""
    example = torch.zeros(1, 1, 4 * network.stride, 4 * network.stride)
    _export(_Probabilities(network), example, path, ["density"], ["lifted"], {0: "batch", 2: "rows", 3: "columns"})


def _export(
    module: nn.Module,
    example: torch.Tensor,
    path: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    free: dict[int, str],
) -> None:
    module = module.to("cpu", torch.float32, memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    axes = {inputs[0]: free, **{name: {0: "batch"} for name in outputs}}
    if len(free) > 1:
        axes[outputs[0]] = free
    with replacing(path) as temporary:
        with warnings.catch_warnings():
            # the TorchScript exporter is deprecated and still the one that keeps dynamic axes plain
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                module, (example,), str(temporary), input_names=list(inputs), output_names=list(outputs),
                dynamic_axes=axes, opset_version=17, dynamo=False,
            )  # fmt: skip
        model = onnx.load(str(temporary))
        halve(model)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, str(temporary))


def halve(model: Any) -> None:
    """Store the large fp32 initialisers of an ONNX model as fp16, each behind a cast to fp32; in place."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < LEAST:
            continue
        values = numpy_helper.to_array(tensor)
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + "_fp16"))
        casts.append(helper.make_node("Cast", [name + "_fp16"], [name], name=name + "_cast", to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
