"""TensorRT: runs an engine that `karyofast export tensorrt` built, after a look at what it was built for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.errors import ModelError, NotBuiltError
from karyofast.export.tensorrt import flavour_module, rebuild_command
from karyofast.models.store import ModelInfo, find
from karyofast.runtimes.cuda import compute_capability
from karyofast.runtimes.onnx import frame_of, temperature_of


class TensorRtClassifier:
    """A classifier as a TensorRT engine.

    Parameters
    ----------
    info : ModelInfo
        Of kind "classifier", made by `karyofast export tensorrt`.

    Raises
    ------
    NotBuiltError
        Its flavour of TensorRT is not installed, or there is no GPU.
    ModelError
        The engine was built by another version, for another GPU or from another model; with the command that builds it.
    """

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self.frame, self.temperature = frame_of(info), temperature_of(info)
        trt = flavour_module(str(info.values["engine"]["flavour"]))
        # asked for before TensorRT is: without a GPU its runtime ends the process
        capability = compute_capability()
        if capability is None:
            raise NotBuiltError(f"{info.folder}: the engine needs an NVIDIA GPU and its driver. Got: none here.")
        check(info, str(trt.__version__), capability)
        self._smallest, _, self._largest = (int(batch) for batch in info.values["engine"]["batches"])
        self._open(trt)

    def _open(self, trt: Any) -> None:
        from polygraphy import cuda

        self._stream = cuda.Stream()
        runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine = runtime.deserialize_cuda_engine(self.info.weights.read_bytes())
        if self._engine is None:
            raise ModelError(f"{self.info.weights}: TensorRT cannot load it. {_rebuild(self.info)}")
        self._context = self._engine.create_execution_context()
        shapes = {"crops": (1, *self.frame.size), "classes": (24,), "up": ()}
        # float32, its default
        self._buffers = {name: cuda.DeviceArray(shape=(self._largest, *shape)) for name, shape in shapes.items()}
        for name, buffer in self._buffers.items():
            self._context.set_tensor_address(name, buffer.ptr)

    def predict(self, crops: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Class probabilities (n, 24) and that the p arm is up (n,) of crops (n, 1, rows, columns); all float32."""
        parts = [
            self._run(np.ascontiguousarray(crops[first : first + self._largest]))
            for first in range(0, len(crops), self._largest)
        ]
        classes, up = zip(*parts, strict=True)
        return np.concatenate(classes), np.concatenate(up)

    def _run(self, crops: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        classes, up = np.empty((len(crops), 24), np.float32), np.empty(len(crops), np.float32)
        if not self._context.set_input_shape("crops", crops.shape):
            raise ModelError(
                f"{self.info.weights}: the engine takes {self._smallest} crops or more. Got: {len(crops)}."
            )
        self._buffers["crops"].resize(crops.shape).copy_from(crops, self._stream)
        if not self._context.execute_async_v3(self._stream.ptr):
            raise ModelError(f"{self.info.weights}: TensorRT failed on {len(crops)} crops.")
        for name, host in (("classes", classes), ("up", up)):
            self._buffers[name].resize(host.shape).copy_to(host, self._stream)
        self._stream.synchronize()
        return classes, up


def check(info: ModelInfo, version: str, capability: str) -> None:
    """Refuse an engine that was built for something else than is here.

    Parameters
    ----------
    info : ModelInfo
        Of the engine.
    version : str
        Of the installed TensorRT of its flavour.
    capability : str
        Of the GPU, as "8.6".

    Raises
    ------
    ModelError
        With what differs, and the command that builds the engine again.
    """
    engine, source = info.values["engine"], info.values["made_from"]
    differs = []
    if engine["version"] != version:
        differs.append(f"by {engine['flavour']} {engine['version']}, {version} is installed")
    if capability not in engine["compute_capabilities"]:
        differs.append(
            f"for GPUs of compute capability {', '.join(engine['compute_capabilities'])}, this is {capability}"
        )
    if _hash_of(source["model"]) not in (None, source["sha256"]):
        differs.append(f"from {source['model']} {source['sha256'][:12]}, which is another model now")
    if differs:
        raise ModelError(f"{info.folder}: the engine was built {'; '.join(differs)}. {_rebuild(info)}")


def _rebuild(info: ModelInfo) -> str:
    return f"Build it again: {rebuild_command(info.values)}"


def _hash_of(name: str) -> str | None:
    """Hash of a model that is here; None where it is not."""
    try:
        return find(name, "classifier").sha256
    except ModelError:
        return None
