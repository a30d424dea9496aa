import re
from dataclasses import replace

import onnx
import pytest
from small_classifier import small_network, store

from karyofast.errors import ModelError, OptionError, OutputError
from karyofast.export.triton import TritonOptions, deliver_triton
from karyofast.models.store import find
from karyofast.types import CLASSES


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return store(small_network(), tmp_path_factory.mktemp("models") / "small")


def parsed(text):
    """The fields of a text of protobuf, as nested (name, value) pairs."""
    tokens = re.findall(r'"[^"]*"|[\w]+|[\[\]{}:,]', text)

    def message(end):
        fields = []
        while tokens and tokens[0] != end:
            name = tokens.pop(0)
            if tokens[0] == ":":
                tokens.pop(0)
            fields.append((name, value(tokens.pop(0))))
        return fields

    def value(token):
        if token == "{":
            fields = message("}")
            assert tokens.pop(0) == "}"
            return fields
        if token == "[":
            items = []
            while (item := tokens.pop(0)) != "]":
                items += [] if item == "," else [value(item)]
            return items
        return int(token) if token.isdigit() else token.strip('"')

    return message(None)


@pytest.mark.parametrize("model", ["g-band", "g-band-int8", "q-band", "q-band-fast-int8"])
def test_the_configuration_tells_what_the_network_has(tmp_path, model):
    info = find(model, "classifier")
    folder = deliver_triton(info, tmp_path / "repository", TritonOptions(threads=2))
    assert (folder / "1" / "model.onnx").read_bytes() == info.weights.read_bytes()
    assert (folder / "classes.txt").read_text().split() == list(CLASSES)
    graph = onnx.load(info.weights, load_external_data=False).graph
    sides = {
        one.name: [side.dim_value for side in one.type.tensor_type.shape.dim][1:]
        for one in (*graph.input, *graph.output)
    }
    told = parsed((folder / "config.pbtxt").read_text())
    assert told[:3] == [("name", model), ("backend", "onnxruntime"), ("max_batch_size", 92)]
    [crops], classes, up = (
        [dict(one) for name, value in told if name == "input" for one in value],
        *[dict(value[0]) for name, value in told if name == "output"],
    )
    assert (crops["name"], crops["data_type"], crops["dims"]) == ("crops", "TYPE_FP32", sides["crops"])
    assert (classes["name"], classes["dims"], classes["label_filename"]) == ("classes", sides["classes"], "classes.txt")
    assert (up["name"], up["dims"], up["reshape"], sides["up"]) == ("up", [1], [("shape", [])], [])
    fields = dict(told)
    assert fields["instance_group"] == [[("kind", "KIND_CPU"), ("count", 1)]]
    assert ("preferred_batch_size", [46]) in fields["dynamic_batching"]
    assert fields["parameters"] == [("key", "intra_op_thread_count"), ("value", [("string_value", "2")])]


def test_an_engine_becomes_a_plan_of_its_largest_batch(small, tmp_path):
    engine = tmp_path / "engine"
    engine.mkdir()
    (engine / "network.onnx").write_bytes(small.weights.read_bytes())
    (engine / "model.engine").write_bytes(b"an engine")
    values = {**small.values, "engine": {"flavour": "tensorrt", "batches": [1, 8, 16]}}
    info = replace(small, folder=engine, weights=engine / "model.engine", values=values)
    folder = deliver_triton(info, tmp_path / "repository")
    assert (folder / "1" / "model.plan").read_bytes() == b"an engine"
    told = dict(parsed((folder / "config.pbtxt").read_text()))
    assert (told["platform"], told["max_batch_size"]) == ("tensorrt_plan", 16)
    assert told["instance_group"] == [[("kind", "KIND_GPU"), ("count", 1)]]
    values["engine"]["flavour"] = "tensorrt-rtx"
    with pytest.raises(OptionError, match="Got: tensorrt-rtx"):
        deliver_triton(info, tmp_path / "other")


def test_a_repository_holds_several_models_and_overwrites_none(small, tmp_path):
    deliver_triton(small, tmp_path)
    deliver_triton(replace(small, name="second"), tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["second", "small"]
    with pytest.raises(OutputError, match="holds something already"):
        deliver_triton(small, tmp_path)


def test_a_network_of_one_batch_or_of_other_tensors_is_refused(small, tmp_path):
    network = onnx.load(small.weights)
    network.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    onnx.save(network, tmp_path / "fixed.onnx")
    with pytest.raises(ModelError, match="the batch of crops, and it alone, must be free"):
        deliver_triton(replace(small, weights=tmp_path / "fixed.onnx"), tmp_path / "repository")
    values = {**small.values, "input_size": [64, 48]}
    with pytest.raises(ModelError, match="must have the tensors"):
        deliver_triton(replace(small, values=values), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


def test_options_are_checked():
    with pytest.raises(OptionError, match="`largest` must be 1 or more"):
        TritonOptions(largest=0)
