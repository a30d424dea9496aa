"""A folder of a Triton model repository: ``NAME/config.pbtxt``, ``NAME/1/`` with the weights, ``NAME/classes.txt``.

The configuration is made of the inputs and outputs that the network itself has, once they are what karyofast sends and
takes; the weights are copied byte for byte, so that there is nothing to compare. The format is that of `ModelConfig` in
NVIDIA's model_config.proto.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from karyofast.errors import ModelError, OptionError
from karyofast.files import new_folder
from karyofast.models.store import ModelInfo
from karyofast.runtimes.onnx import frame_of, session
from karyofast.types import CLASSES

CONFIG, LABELS, NETWORK = "config.pbtxt", "classes.txt", "network.onnx"

USUAL = 46
"""Crops of a usual cell: a batch that is worth waiting for."""

_TYPES = {"tensor(float)": "TYPE_FP32", "tensor(float16)": "TYPE_FP16"}


@dataclass(frozen=True)
class TritonOptions:
    """How Triton runs the model.

    Attributes
    ----------
    device : {"cpu", "gpu"}
        Where; an engine runs on a GPU whatever this says.
    largest : int
        Largest batch, crops; an engine has its own.
    delay : int
        Microseconds that crops may wait for others to make a batch.
    threads : int
        CPU threads, 0: one a core.
    """

    device: Literal["cpu", "gpu"] = "cpu"
    largest: int = 92
    delay: int = 2000
    threads: int = 0

    def __post_init__(self) -> None:
        if self.largest < 1 or self.delay < 0 or self.threads < 0:
            raise OptionError(
                "`largest` must be 1 or more, `delay` and `threads` 0 or more. "
                f"Got: {self.largest}, {self.delay}, {self.threads}."
            )


@dataclass(frozen=True)
class Tensor:
    """An input or output of a network; `shape` is without the batch."""

    name: str
    kind: str
    shape: tuple[int, ...]


def deliver_triton(
    info: ModelInfo,
    out: Path,
    options: TritonOptions = TritonOptions(),
) -> Path:
    """Put a classifier into the model repository `out`, which may hold others.

    Parameters
    ----------
    info : ModelInfo
        A classifier: for ONNX Runtime, or an engine of TensorRT (not of TensorRT for RTX, which Triton lacks).
    out : Path
    options : TritonOptions

    Returns
    -------
    Path
        The model's folder in `out`.

    Raises
    ------
    ModelError
        A network with other inputs or outputs than a classifier's, or of one fixed batch.
    OptionError
        An engine of another flavour.
    OutputError
        The repository holds a model of that name, or cannot be written to.
    """
    engine = info.values.get("engine")
    if engine and engine["flavour"] != "tensorrt":
        raise OptionError(f"model must be an ONNX or an engine of the flavour tensorrt. Got: {engine['flavour']}.")
    inputs, outputs = tensors(info)
    with new_folder(out / info.name) as folder:
        (folder / "1").mkdir()
        shutil.copyfile(info.weights, folder / "1" / ("model.plan" if engine else "model.onnx"))
        (folder / LABELS).write_text("\n".join(CLASSES) + "\n", encoding="ascii")
        (folder / CONFIG).write_text(config(info, inputs, outputs, options), encoding="ascii")
    return out / info.name


def tensors(info: ModelInfo) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of a classifier, as its network has them; raises the `ModelError` of `deliver_triton`."""
    network = info
    if "engine" in info.values:  # it cannot be asked without a GPU; the network that it was built from can
        network = ModelInfo(info.name, info.kind, info.folder, info.folder / NETWORK, info.sha256, info.values)
    opened = session(network, 1)
    inputs = [_tensor(one, network) for one in opened.get_inputs()]
    outputs = [_tensor(one, network) for one in opened.get_outputs()]
    frame = frame_of(info)
    wanted = {"crops": (1, *frame.size), "classes": (len(CLASSES),), "up": ()}
    found = {one.name: one.shape for one in (*inputs, *outputs)}
    if found != wanted or len(inputs) != 1:
        raise ModelError(f"{network.weights}: must have the tensors {wanted}, the first as input. Got: {found}.")
    return inputs, outputs


def _tensor(told: Any, network: ModelInfo) -> Tensor:
    batch, *shape = told.shape
    if isinstance(batch, int) or not all(isinstance(side, int) for side in shape):
        raise ModelError(f"{network.weights}: the batch of {told.name}, and it alone, must be free. Got: {told.shape}.")
    if told.type not in _TYPES:
        raise ModelError(f"{network.weights}: {told.name} must be {' or '.join(_TYPES)}. Got: {told.type}.")
    return Tensor(told.name, _TYPES[told.type], tuple(shape))


def config(info: ModelInfo, inputs: Sequence[Tensor], outputs: Sequence[Tensor], options: TritonOptions) -> str:
    """The text of ``config.pbtxt``."""
    engine = info.values.get("engine")
    largest = int(engine["batches"][2]) if engine else options.largest
    kind = "KIND_GPU" if engine or options.device == "gpu" else "KIND_CPU"
    lines = [
        f'name: "{info.name}"',
        'platform: "tensorrt_plan"' if engine else 'backend: "onnxruntime"',
        f"max_batch_size: {largest}",
        *(f"input [ {{ {_told(one)} }} ]" for one in inputs),
        *(f"output [ {{ {_told(one)} }} ]" for one in outputs),
        f"instance_group [ {{ kind: {kind} count: 1 }} ]",
        f"dynamic_batching {{ preferred_batch_size: [ {min(USUAL, largest)} ] "
        f"max_queue_delay_microseconds: {options.delay} }}",
        *(_warm_up(one, min(USUAL, largest)) for one in inputs),
    ]
    if options.threads and not engine:
        lines.append(_parameter("intra_op_thread_count", options.threads))
    return "\n".join(lines) + "\n"


def _told(one: Tensor) -> str:
    """One tensor; Triton wants a dimension where there is none beside the batch, and takes it away again."""
    text = f'name: "{one.name}" data_type: {one.kind} dims: [ {_sides(one)} ]'
    if not one.shape:
        text += " reshape { shape: [ ] }"
    return text + (f' label_filename: "{LABELS}"' if one.name == "classes" else "")


def _sides(one: Tensor) -> str:
    return ", ".join(str(side) for side in one.shape or (1,))


def _warm_up(one: Tensor, batch: int) -> str:
    value = f"data_type: {one.kind} dims: [ {_sides(one)} ] zero_data: true"
    return f'model_warmup [ {{ name: "cell" batch_size: {batch} inputs {{ key: "{one.name}" value {{ {value} }} }} }} ]'


def _parameter(name: str, value: int) -> str:
    return f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}'
