"""ONNX Runtime on the CPU: the default runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.classify import Frame
from karyofast.errors import ModelError
from karyofast.models.store import ModelInfo


def _session(info: ModelInfo, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(info.weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the C++ side raises classes of its own that share no base but Exception
        raise ModelError(f"{info.weights}: ONNX Runtime cannot load it: {error}") from error


def _frame(info: ModelInfo) -> Frame:
    """How the crops of a classifier are laid out, as its manifest says."""
    try:
        rows, columns = info.values["input_size"]
        told = info.values["normalisation"]
        return Frame(int(rows), int(columns), float(told["median_rows"]), float(told["widening"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{info.folder}: model.toml must have input_size and normalisation. Got: {error}.") from error


class OnnxClassifier:
    """A classifier exported by `karyofast.export.onnx`.

    Parameters
    ----------
    info : ModelInfo
        Of kind "classifier".
    threads : int
        0: as many as there are cores.
    """

    def __init__(self, info: ModelInfo, threads: int = 0) -> None:
        self.info = info
        self.frame = _frame(info)
        self._session = _session(info, threads)

    def predict(self, crops: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Class probabilities float32 (n, 24) and probability that the p arm is up float32 (n,).

        Parameters
        ----------
        crops : float32 (n, 1, rows, columns)
            See `karyofast.classify.network_input`.
        """
        classes, up = self._session.run(None, {"crops": crops})
        return np.asarray(classes, np.float32), np.asarray(up, np.float32)


class OnnxSeparator:
    """A separator exported by `karyofast.export.onnx`.

    Parameters
    ----------
    info : ModelInfo
        Of kind "separator".
    threads : int
        0: as many as there are cores.
    """

    def __init__(self, info: ModelInfo, threads: int = 0) -> None:
        self.info = info
        self.stride = int(info.values["stride"])
        self._session = _session(info, threads)

    def lifted(self, density: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities float32 (2 + directions, rows, columns) of density float32 (rows, columns).

        Rows and columns must be multiples of ``stride``; density is divided by the cell's mean one.
        """
        batch = np.ascontiguousarray(density, dtype=np.float32)[None, None]
        return np.asarray(self._session.run(None, {"density": batch})[0][0], np.float32)
