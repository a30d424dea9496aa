"""A model of the store as plain ONNX: what every other tool and device reads.

Shipped weights are stored as fp16, each behind a cast. Here they are fp32 initialisers without casts, the shape of
every tensor is written down, and the batch is free. The arithmetic is the same, so the answers are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper, shape_inference

from karyofast.errors import ModelError

FREE = "batch"
"""Name of the dimension that is left open."""


def plain(path: Path) -> Any:
    """Read an ONNX file and make it plain.

    Parameters
    ----------
    path : Path
        A network of one input.

    Returns
    -------
    onnx.ModelProto
        Checked, with fp32 weights, inferred shapes and a free first dimension of its input and outputs.

    Raises
    ------
    ModelError
        It is no valid ONNX file, its input has a fixed batch, or a shape in it cannot be inferred.
    """
    try:
        model = onnx.load(str(path))
        widen(model)
        onnx.checker.check_model(model, full_check=True)
        model = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:  # protobuf, the checker and the inference each raise classes of their own
        raise ModelError(f"{path}: must be a valid ONNX file. Got: {error}.") from error
    _check_free(model, path)
    _check_shapes(model, path)
    return model


def widen(model: Any) -> None:
    """Replace fp16 initialisers behind casts by fp32 ones, in place: undoes `karyofast.export.onnx.halve`."""
    halves = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    kept = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            tensor = halves[node.input[0]]
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _check_free(model: Any, path: Path) -> None:
    first = model.graph.input[0].type.tensor_type.shape.dim[0]
    if not first.dim_param:
        raise ModelError(f"{path}: the batch must be free ({FREE}). Got: {first.dim_value}. Export it anew.")


def _check_shapes(model: Any, path: Path) -> None:
    known = {value.name for value in [*model.graph.value_info, *model.graph.output]}
    for node in model.graph.node:
        if missing := [name for name in node.output if name and name not in known and node.op_type != "Constant"]:
            raise ModelError(f"{path}: the shape of {missing[0]} ({node.op_type}) cannot be inferred.")
