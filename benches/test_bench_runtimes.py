"""Runtimes of the classifier, int8 beside fp32, on the crops of one cell; `karyofast export` prints ratios of pairs."""

import numpy as np
import pytest

from karyofast.export.plain import plain
from karyofast.export.quantize import quantize
from karyofast.export.samples import draw
from karyofast.models.store import find, read, write_manifest
from karyofast.runtimes.onnx import OnnxClassifier, frame_of
from karyofast.runtimes.torch import TorchClassifier

CELL = 46


@pytest.fixture(scope="module")
def model():
    return find("g-band", "classifier")


@pytest.fixture(scope="module")
def runtimes(model, data_dir, tmp_path_factory):
    import onnx

    folder = tmp_path_factory.mktemp("int8")
    train = draw(data_dir / "pki3.zip", "train", 64, frame_of(model))
    onnx.save(quantize(plain(model.weights), train.crops), folder / "model.onnx")
    kept = {key: model.values[key] for key in ("input_size", "normalisation")}
    write_manifest(folder, "int8", "classifier", folder / "model.onnx", kept)
    return {
        "onnxruntime-fp32": lambda: OnnxClassifier(model, 1),
        "onnxruntime-int8": lambda: OnnxClassifier(read(folder), 1),
        "torch-fp32": lambda: TorchClassifier(model, 1),
        "torch-bf16": lambda: TorchClassifier(model, 1, precision="bf16"),
    }


@pytest.mark.benchmark(group="runtimes, 46 crops, one thread")
@pytest.mark.parametrize("name", ["onnxruntime-fp32", "onnxruntime-int8", "torch-fp32", "torch-bf16"])
def test_reading_a_cell(benchmark, runtimes, data_dir, model, name):
    crops = draw(data_dir / "pki3.zip", "test", CELL, frame_of(model)).crops
    runtime = runtimes[name]()
    classes, _ = benchmark(runtime.predict, np.ascontiguousarray(crops))
    assert classes.shape == (CELL, 24)


@pytest.mark.benchmark(group="student, 46 chromosomes from both ends, two threads")
@pytest.mark.parametrize("name", ["g-band-fast", "g-band-fast-int8"])
def test_the_student_reads_a_cell(benchmark, data_dir, name):
    student = find(name, "classifier")
    crops = draw(data_dir / "pki3.zip", "test", CELL, frame_of(student)).crops
    both = np.concatenate([crops, crops[:, :, ::-1, ::-1]])
    classes, _ = benchmark(OnnxClassifier(student, 2).predict, both)
    assert classes.shape == (2 * CELL, 24)
