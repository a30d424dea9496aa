"""ONNX Runtime: the default runtime on the CPU; on a GPU by its CUDA or its TensorRT provider."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.classify import Frame
from karyofast.errors import ModelError, NotBuiltError
from karyofast.models.store import ModelInfo

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}

_INSTALL = {
    "cuda": "Install onnxruntime-gpu in its place: pip uninstall onnxruntime; pip install onnxruntime-gpu",
    "tensorrt": "Install onnxruntime-gpu in its place: pip uninstall onnxruntime; pip install onnxruntime-gpu tensorrt",
}


def session(
    info: ModelInfo, threads: int, provider: str = "cpu", options: dict[str, Any] | None = None, lean: bool = False
) -> Any:
    """Open a network.

    Parameters
    ----------
    info : ModelInfo
    threads : int
        0: as many as there are cores.
    provider : {"cpu", "cuda", "tensorrt"}
    options : dict, optional
        Of the provider.
    lean : bool
        Give memory back after each batch instead of keeping it for the next, on the CPU.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    NotBuiltError
        This build of ONNX Runtime lacks the provider, or it finds no GPU. It never falls back on the CPU.
    ModelError
        The weights are no network that it can run.
    """
    import onnxruntime

    name = _PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        raise NotBuiltError(f"ONNX Runtime is installed without its {provider} provider. {_INSTALL[provider]}")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.enable_cpu_mem_arena = not lean
    # pictures and batches are of many sizes: a pattern, with its own large block, would be kept for each of them
    settings.enable_mem_pattern = False
    # waiting threads would burn the cores that the other stages and the other jobs need
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 3
    # what one provider cannot run goes to the next
    chain = [(name, options or {}), *([("CUDAExecutionProvider", {})] if provider == "tensorrt" else [])]
    try:
        opened = onnxruntime.InferenceSession(str(info.weights), settings, providers=chain)
    except Exception as error:  # the C++ side raises classes of its own that share no base but Exception
        raise ModelError(f"{info.weights}: ONNX Runtime cannot load it: {error}") from error
    if opened.get_providers()[0] != name:
        raise NotBuiltError(f"ONNX Runtime cannot start its {provider} provider: no GPU, or no driver that it knows.")
    return opened


def frame_of(info: ModelInfo) -> Frame:
    """How the crops of a classifier are laid out, as its manifest says.

    Raises
    ------
    ModelError
        The manifest does not say it.
    """
    try:
        rows, columns = info.values["input_size"]
        told = info.values["normalisation"]
        return Frame(int(rows), int(columns), float(told["median_rows"]), float(told["widening"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{info.folder}: model.toml must have input_size and normalisation. Got: {error}.") from error


def temperature_of(info: ModelInfo) -> float:
    """The temperature of a classifier, see `karyofast.types.Label`; 1 where its manifest says none.

    Raises
    ------
    ModelError
        The manifest says something else than a number above 0.
    """
    told = info.values.get("calibration", {}).get("temperature", 1.0)
    if not isinstance(told, float | int) or not told > 0:
        raise ModelError(f"{info.folder}: model.toml must have a calibration.temperature above 0. Got: {told!r}.")
    return float(told)


class OnnxClassifier:
    """A classifier exported by `karyofast.export`.

    Parameters
    ----------
    info : ModelInfo
        Of kind "classifier".
    threads : int
        0: as many as there are cores.
    provider : {"cpu", "cuda", "tensorrt"}
    half : bool
        Let the TensorRT provider compute in fp16.
    batch : int
        Largest batch that the TensorRT provider builds for.
    lean : bool
        See `session`.
    """

    def __init__(
        self,
        info: ModelInfo,
        threads: int = 0,
        provider: str = "cpu",
        half: bool = False,
        batch: int = 46,
        lean: bool = False,
    ) -> None:
        self.info = info
        self.frame, self.temperature = frame_of(info), temperature_of(info)
        options = _tensorrt_options(self.frame, half, batch) if provider == "tensorrt" else None
        self._session = session(info, threads, provider, options, lean)

    def predict(self, crops: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Class probabilities float32 (n, 24) and probability that the p arm is up float32 (n,).

        Parameters
        ----------
        crops : float32 (n, 1, rows, columns)
            See `karyofast.classify.network_input`.
        """
        classes, up = self._session.run(None, {"crops": crops})
        return np.asarray(classes, np.float32), np.asarray(up, np.float32)


def _tensorrt_options(frame: Frame, half: bool, batch: int) -> dict[str, Any]:
    """One engine for every batch: without a profile TensorRT builds anew for each size that it meets."""
    sizes = {"min": 1, "opt": batch, "max": batch}
    shapes = {f"trt_profile_{name}_shapes": f"crops:{n}x1x{frame.rows}x{frame.columns}" for name, n in sizes.items()}
    return {"trt_fp16_enable": half, **shapes}


TILE = 768
"""Side of what a lean separator reads at once, px of its grid; a multiple of every stride."""

HALO = 128
"""px around a tile that are read with it: AxisNet sees 108 px far, so the tiles' seams tell nothing."""


class OnnxSeparator:
    """A separator exported by `karyofast.export.onnx`.

    Parameters
    ----------
    info : ModelInfo
        Of kind "separator".
    threads : int
        0: as many as there are cores.
    lean : bool
        See `session`; and read large pictures in tiles, whose layers take less memory than the picture's.
    """

    def __init__(self, info: ModelInfo, threads: int = 0, lean: bool = False) -> None:
        self.info = info
        self.stride = int(info.values["stride"])
        self._lean = lean
        self._session = session(info, threads, lean=lean)

    def lifted(self, density: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities float32 (2 + directions, rows, columns) of density float32 (rows, columns).

        Rows and columns must be multiples of ``stride``; density is divided by the cell's mean one.
        """
        if not self._lean or max(density.shape) <= TILE + 2 * HALO:
            return self._seen(density)
        rows, columns = (range(0, side, TILE) for side in density.shape)
        parts = [[self._tile(density, top, left) for left in columns] for top in rows]
        return np.concatenate([np.concatenate(row, axis=2) for row in parts], axis=1)

    def _tile(self, density: NDArray[np.float32], top: int, left: int) -> NDArray[np.float32]:
        first, before = max(top - HALO, 0), max(left - HALO, 0)
        seen = self._seen(density[first : top + TILE + HALO, before : left + TILE + HALO])
        return seen[:, top - first :, left - before :][:, :TILE, :TILE].copy()

    def _seen(self, density: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = np.ascontiguousarray(density, dtype=np.float32)[None, None]
        return np.asarray(self._session.run(None, {"density": batch})[0][0], np.float32)
