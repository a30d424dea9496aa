"""TensorRT engines; what needs tensorrt_rtx runs by `make test-tensorrt`, in an environment of its own."""

import json
from importlib.util import find_spec

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from small_classifier import small_network, store

from karyofast.errors import KaryofastError, ModelError, NotBuiltError, OptionError
from karyofast.export.deliver_tensorrt import deliver_engine
from karyofast.export.plain import plain
from karyofast.export.samples import draw
from karyofast.export.tensorrt import EngineOptions, build, half, trtexec
from karyofast.models.store import find, list_models
from karyofast.runtimes.cuda import compute_capability
from karyofast.runtimes.onnx import OnnxClassifier, frame_of

FLOATING = [model for model in list_models() if model.values.get("precision") != "int8"]
"""Shipped models but those in the CPU's int8, whose offsets TensorRT does not take: it quantises from these itself."""

needs_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx") is None, reason="NOT TESTED: tensorrt_rtx is not installed; `make test-tensorrt` runs it"
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return store(small_network(), tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def crops(data_dir, small):
    return {part: draw(data_dir / "pki3.zip", part, 60, frame_of(small)) for part in ("train", "test")}


def rtx(precision, *capabilities):
    return EngineOptions("tensorrt-rtx", precision, capabilities, (1, 8, 16))


def test_fp16_reaches_to_the_logits_and_answers_nearly_the_same(small, crops, tmp_path):
    network = half(plain(small.weights))
    halves = [t for t in network.graph.initializer if t.data_type == TensorProto.FLOAT16 and len(t.dims) >= 2]
    assert len(halves) == 4
    assert {value.type.tensor_type.elem_type for value in network.graph.output} == {TensorProto.FLOAT}
    path = tmp_path / "half.onnx"
    onnx.save(network, path)
    from dataclasses import replace

    ours = OnnxClassifier(replace(small, weights=path), 1).predict(crops["test"].crops)
    true = OnnxClassifier(small, 1).predict(crops["test"].crops)
    assert 0 < np.abs(ours[0] - true[0]).max() < 1e-3


def test_trtexec_builds_the_same_engine(small, tmp_path):
    line = trtexec(tmp_path / "network.onnx", frame_of(small), EngineOptions("trtexec"))
    assert line.startswith("trtexec --onnx=")
    assert (
        "--stronglyTyped --minShapes=crops:1x1x64x32 --optShapes=crops:46x1x64x32 --maxShapes=crops:92x1x64x32" in line
    )


def test_for_trtexec_the_proven_network_alone_is_written(small, crops, tmp_path):
    likeness, cost = deliver_engine(small, tmp_path / "out", crops["test"], EngineOptions("trtexec", "fp16"))
    assert likeness.top1_agreement == 1.0
    assert cost is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["network.onnx", "parity.json"]


@pytest.mark.parametrize("batches", [(0, 1, 2), (2, 1, 4), (1, 8, 4)])
def test_batches_must_rise(batches):
    with pytest.raises(OptionError, match="batches must rise"):
        EngineOptions("trtexec", batches=batches)


def test_who_names_gpus_and_who_does_not():
    with pytest.raises(OptionError, match=r"must be named for tensorrt-rtx.*Got: tensorrt-rtx, none"):
        EngineOptions("tensorrt-rtx")
    with pytest.raises(OptionError, match=r"Got: tensorrt, \('8\.6',\)"):
        EngineOptions("tensorrt", capabilities=("8.6",))


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="tensorrt is there: nothing is missing")
def test_tensorrt_that_is_not_installed_is_named_and_nothing_is_left(small, crops, tmp_path):
    with pytest.raises(NotBuiltError, match=r"pip install 'karyofast\[tensorrt\]'"):
        deliver_engine(small, tmp_path / "out", crops["test"], EngineOptions("tensorrt", "fp16"))
    assert list(tmp_path.iterdir()) == []


def test_a_model_in_the_int8_of_a_cpu_is_refused_with_the_one_to_export(crops, tmp_path):
    with pytest.raises(ModelError, match=r"does not take\. Export g-band instead"):
        deliver_engine(
            find("g-band-int8", "classifier"), tmp_path / "out", crops["test"], EngineOptions("trtexec", "fp16")
        )
    assert list(tmp_path.iterdir()) == []


@needs_rtx
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_an_engine_is_built_for_gpus_that_are_not_here(small, crops, tmp_path, precision):
    deliver_engine(small, tmp_path / "out", crops["test"], rtx(precision, "8.6", "8.9"), crops["train"])
    made = find(str(tmp_path / "out"), "classifier")
    assert made.weights.stat().st_size > 10_000
    assert made.values["engine"]["compute_capabilities"] == ["8.6", "8.9"]
    assert made.values["precision"] == precision
    assert made.values["made_from"]["sha256"] == small.sha256
    told = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert told["outputs"]["top1_agreement"] >= 0.995
    if compute_capability() not in ("8.6", "8.9"):
        assert told["engine"].startswith("not run: it needs a GPU of compute capability 8.6, 8.9")


@needs_rtx
@pytest.mark.parametrize("model", FLOATING, ids=lambda model: model.name)
def test_every_shipped_model_is_parsed_and_the_classifier_is_built(model):
    network = half(plain(model.weights))
    if model.kind == "classifier":
        engine, version = build(network.SerializeToString(), rtx("fp16", "8.6"))
        assert len(engine) > 1_000_000
        assert version.startswith("1.")
        return
    import tensorrt_rtx as trt

    logger = trt.Logger(trt.Logger.ERROR)
    graph = trt.Builder(logger).create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    assert trt.OnnxParser(graph, logger).parse(network.SerializeToString())


@needs_rtx
def test_a_gpu_that_is_not_built_for_is_refused_with_those_that_are(small):
    with pytest.raises(OptionError, match=r"must be one of 7\.5, 8\.0, 8\.6.*Got: 8\.7"):
        build(plain(small.weights).SerializeToString(), rtx("fp16", "8.7"))


@needs_rtx
def test_what_tensorrt_cannot_parse_or_build_is_told(small):
    with pytest.raises(KaryofastError, match="cannot parse the network"):
        build(b"no network", rtx("fp16", "8.6"))
    with pytest.raises(KaryofastError, match=r"cannot build the engine.*SM75"):
        build(plain(small.weights).SerializeToString(), rtx("fp32", "7.5"))


@needs_rtx
@pytest.mark.skipif(compute_capability() is None, reason="NOT TESTED: no NVIDIA GPU on this machine")
def test_an_engine_answers_as_its_network_on_the_gpu_it_was_built_for(small, crops, tmp_path):
    engine, cost = deliver_engine(small, tmp_path / "out", crops["test"], rtx("fp16", compute_capability()))
    assert engine.top1_agreement >= 0.995
    assert cost.speed_up > 0
