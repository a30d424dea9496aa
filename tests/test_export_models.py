"""Exports of whole model folders, on real crops of pki3."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from small_classifier import INPUT, small_network, store

from karyofast.errors import DataError, ModelError, OptionError, OutputError
from karyofast.export import parity, separator
from karyofast.export.deliver import deliver_int8, deliver_onnx
from karyofast.export.parity import Bounds, compare, outcome
from karyofast.export.plain import plain
from karyofast.export.quantize import QuantizeOptions, excluded, is_quantised, quantize
from karyofast.export.samples import UNKNOWN, Samples, draw
from karyofast.models.store import find, list_models
from karyofast.runtimes.onnx import OnnxClassifier, frame_of


@pytest.fixture(autouse=True)
def timed_twice(monkeypatch):
    """Tests measure no time; what the times are written as needs two of them."""
    monkeypatch.setattr(parity, "ROUNDS", 2)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return store(small_network(), tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def crops(data_dir, small):
    frame = frame_of(small)
    return {part: draw(data_dir / "pki3.zip", part, 60, frame) for part in ("train", "test")}


def test_samples_are_whole_cells_of_one_split_in_the_frame_of_the_model(crops, small):
    for part, drawn in crops.items():
        assert (drawn.data, drawn.split) == ("pki3.zip", part)
        assert drawn.crops.shape == (60, 1, *INPUT)
        assert drawn.crops.min() == pytest.approx(-1)
        assert set(drawn.labels) <= set(range(24))
    assert not np.array_equal(crops["train"].crops, crops["test"].crops)


def test_a_split_without_crops_is_named(tmp_path, small):
    (tmp_path / "manifest.csv").write_text("file,label,cell\n")
    with pytest.raises(DataError, match="split 'train'"):
        draw(tmp_path, "train", 5, frame_of(small))


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.name)
def test_every_shipped_model_becomes_plain_onnx(model):
    network = plain(model.weights)
    kinds = {tensor.data_type for tensor in network.graph.initializer}
    assert TensorProto.FLOAT16 not in kinds
    assert not any(node.op_type == "Cast" for node in network.graph.node)
    assert all(value.type.tensor_type.shape.dim[0].dim_param for value in [*network.graph.input, *network.graph.output])


def test_plain_onnx_answers_as_its_source_and_takes_any_batch(small, crops, tmp_path):
    likeness, cost = deliver_onnx(small, tmp_path / "out", crops["test"])
    assert likeness.max_difference < 1e-5
    assert likeness.top1_agreement == likeness.p_arm_agreement == 1.0
    assert likeness.accuracy_source == likeness.accuracy_exported
    assert cost.exported_bytes > cost.source_bytes
    made = find(str(tmp_path / "out"), "classifier")
    assert frame_of(made) == frame_of(small)
    assert made.values["made_from"]["sha256"] == small.sha256
    for batch in (1, 7):
        classes, up = OnnxClassifier(made).predict(crops["test"].crops[:batch])
        assert classes.shape == (batch, 24)
        assert up.shape == (batch,)


def test_parity_tells_outputs_accuracy_time_and_memory(small, crops, tmp_path):
    deliver_onnx(small, tmp_path / "out", crops["test"])
    told = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert told["bounds"] == {"difference": 1e-4, "agreement": 1.0}
    assert told["outputs"]["crops"] == told["outputs"]["labelled"] == 60
    assert told["source"]["sha256"] == small.sha256
    assert told["cost"]["source_mib"] > 0
    assert told["cost"]["exported_mib"] > 0
    assert told["cost"]["speed_up_low"] <= told["cost"]["speed_up"] <= told["cost"]["speed_up_high"]


def test_a_network_with_a_fixed_batch_or_of_no_network_is_refused(tmp_path):
    crops = helper.make_tensor_value_info("crops", TensorProto.FLOAT, [4, 1, 32, 32])
    out = helper.make_tensor_value_info("classes", TensorProto.FLOAT, [4, 1, 32, 32])
    graph = helper.make_graph([helper.make_node("Relu", ["crops"], ["classes"])], "fixed", [crops], [out])
    path = tmp_path / "fixed.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(ModelError, match=r"batch must be free.*Got: 4"):
        plain(path)
    path.write_bytes(b"no network")
    with pytest.raises(ModelError, match="valid ONNX"):
        plain(path)


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_int8_stays_near_its_source_on_crops_it_was_not_calibrated_on(small, crops, method):
    network = quantize(plain(small.weights), crops["train"].crops, QuantizeOptions(method))
    scales = [node for node in network.graph.node if node.op_type == "DequantizeLinear"]
    per_channel = [node for node in scales if any(one.name == "axis" for one in node.attribute)]
    assert is_quantised(network)
    assert len(per_channel) >= 4
    kinds = [tensor.data_type for tensor in network.graph.initializer if len(tensor.dims) >= 2]
    assert set(kinds) == {TensorProto.INT8}


def test_excluded_layers_stay_fp32(small, crops):
    model = plain(small.weights)
    assert excluded(model, (1, -1)) == [model.graph.node[0].name, excluded(model, (4,))[0]]
    network = quantize(model, crops["train"].crops[:16], QuantizeOptions(exclude=(1, -1)))
    floats = [t for t in network.graph.initializer if len(t.dims) >= 2 and t.data_type == TensorProto.FLOAT]
    assert len(floats) == 2
    with pytest.raises(OptionError, match=r"1 to 4.*Got: 5"):
        quantize(model, crops["train"].crops, QuantizeOptions(exclude=(5,)))


def test_for_tensorrt_activations_have_no_offset_and_biases_stay_fp32(small, crops):
    network = quantize(plain(small.weights), crops["train"].crops[:16], QuantizeOptions(target="tensorrt"))
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network.graph.initializer}
    for node in network.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            assert not arrays[node.input[2]].any()
            assert arrays[node.input[2]].dtype == np.int8
    assert all(array.dtype != np.int32 for array in arrays.values())


def test_an_int8_export_is_a_model_folder_that_says_how_it_was_made(small, crops, tmp_path):
    likeness, cost = deliver_int8(
        small, tmp_path / "out", crops["train"], crops["test"], bounds=Bounds(difference=0.1, agreement=0.8)
    )
    assert 0 < likeness.mean_difference < 0.01
    assert cost.exported_bytes < cost.source_bytes
    made = find(str(tmp_path / "out"), "classifier")
    assert made.values["precision"] == "int8"
    assert made.values["quantisation"]["data"] == "pki3.zip"
    assert made.values["quantisation"]["split"] == "train"
    assert made.values["measured"]["crop"] == likeness.accuracy_exported
    with pytest.raises(ModelError, match="quantised already"):
        deliver_int8(made, tmp_path / "again", crops["train"], crops["test"])


def test_an_export_past_its_bounds_fails_and_leaves_nothing_behind(small, crops, tmp_path):
    with pytest.raises(ModelError, match=r"small-int8 is not the model.*at most 1e-09 may.*Nothing was written"):
        deliver_int8(
            small, tmp_path / "out", crops["train"], crops["test"], bounds=Bounds(difference=1e-9, agreement=0.0)
        )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_not_written_to(small, crops, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="new or an empty folder"):
        deliver_onnx(small, tmp_path, crops["test"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


class Says:
    """A runtime that gives the same answers always."""

    def __init__(self, classes, up):
        self.classes, self.up = np.asarray(classes, np.float32), np.asarray(up, np.float32)

    def predict(self, crops):
        return self.classes, self.up


def test_a_crop_that_turns_into_no_whole_chromosome_counts_as_changed():
    sure, doubt = np.zeros((2, 24)), np.zeros((2, 24))
    sure[:, 5], doubt[:, 5] = 0.9, [0.9, 0.3]
    assert outcome(np.asarray(doubt, np.float32)).tolist() == [5, 24]
    samples = Samples("made", "test", np.zeros((2, 1, 32, 32), np.float32), np.array([5, UNKNOWN]))
    likeness = compare(Says(sure, [0.6, 0.6]), Says(doubt, [0.6, 0.4]), samples)
    assert likeness.top1_agreement == likeness.p_arm_agreement == 0.5
    assert likeness.max_difference == pytest.approx(0.6)
    assert (likeness.labelled, likeness.accuracy_exported) == (1, 1.0)


def test_outputs_that_are_no_numbers_are_past_every_bound():
    samples = Samples("made", "test", np.zeros((1, 1, 32, 32), np.float32), np.array([UNKNOWN]))
    sure = np.eye(24, dtype=np.float32)[:1]
    likeness = compare(Says(sure, [0.6]), Says(np.full((1, 24), np.nan), [0.6]), samples)
    assert likeness.accuracy_source is None
    with pytest.raises(ModelError, match=r"differs by nan.*0\.00% of the crops"):
        likeness.check(Bounds(1.0, 0.5), "made")


def test_the_command_makes_an_int8_model_that_classify_takes_at_once(data_dir, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from karyofast.cli.main import app

    monkeypatch.chdir(tmp_path)
    data = str(data_dir / "pki3.zip")
    call = ["export", "int8", "g-band", "--data", data, "-o", "int8", "--crops", "46", "--calibration", "16", "--json"]
    made = CliRunner().invoke(app, call)
    assert made.exit_code == 0, made.output
    outputs = json.loads(made.stdout)["outputs"]
    assert outputs["top1_agreement"] == 1.0
    assert outputs["accuracy_exported"] > 0.9
    named = CliRunner().invoke(app, ["classify", data, "-o", "out.csv", "--model", "int8", "--precision", "fp32"])
    assert "precision must be int8, as int8 was exported" in str(named.exception)


def test_the_command_refuses_what_is_no_classifier_before_any_work(data_dir, tmp_path):
    from typer.testing import CliRunner

    from karyofast.cli.main import app

    for verb in ("onnx", "tensorrt"):
        call = ["export", verb, "axis", "--data", str(data_dir / "pki3.zip"), "-o", str(tmp_path / "out")]
        made = CliRunner().invoke(app, [*call, "--flavour", "trtexec"] if verb == "tensorrt" else call)
        assert "must be a classifier" in str(made.exception)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_onnx_the_command_says_what_to_install(data_dir, tmp_path, monkeypatch):
    import sys

    from typer.testing import CliRunner

    from karyofast.cli.main import app

    for name in ("deliver", "plain"):
        monkeypatch.delitem(sys.modules, f"karyofast.export.{name}")
    monkeypatch.setitem(sys.modules, "onnx", None)
    call = ["export", "onnx", "g-band", "--data", str(data_dir / "pki3.zip"), "-o", str(tmp_path / "out")]
    made = CliRunner().invoke(app, call)
    assert "pip install 'karyofast[export]'" in str(made.exception)


@pytest.fixture(scope="module")
def scenes(data_dir):
    return {part: separator.draw(data_dir / "pki3.zip", part, 4) for part in ("train", "test")}


def test_a_separator_in_int8_draws_what_its_source_does(scenes, tmp_path):
    likeness, cost = separator.deliver_separator(
        find("axis", "separator"), tmp_path / "out", scenes["train"], scenes["test"], threads=1
    )
    assert (likeness.scenes, likeness.data, likeness.split) == (4, "pki3.zip", "test")
    assert min(likeness.agreement.values()) >= separator.AGREEMENT
    assert all(likeness.dice_exported[part] > 0.5 for part in separator.PARTS)
    assert cost.exported_bytes < cost.source_bytes
    made = find(str(tmp_path / "out"), "separator")
    assert made.name == "axis-int8"
    assert made.values["quantisation"]["exclude"] == list(separator.FLOAT)
    assert made.values["made_from"]["name"] == "axis"
    told = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert told["outputs"]["agreement"] == likeness.agreement
    with pytest.raises(ModelError, match="quantised already"):
        separator.deliver_separator(made, tmp_path / "again", scenes["train"], scenes["test"])


def test_a_separator_past_its_bounds_is_not_written(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(separator.MapLikeness.check, "__defaults__", (1.0,))
    with pytest.raises(ModelError, match=r"axis-int8 is not the model.*at least 1.0 must. Nothing was written"):
        separator.deliver_separator(find("axis", "separator"), tmp_path / "out", scenes["train"], scenes["test"])
    assert list(tmp_path.iterdir()) == []


def test_shipped_int8_models_are_within_their_bounds():
    made = [model for model in list_models() if model.values.get("precision") == "int8"]
    assert {model.name for model in made} == {"g-band-int8", "g-band-fast-int8", "q-band-fast-int8"}
    for model in made:
        told = json.loads((model.folder / "parity.json").read_text())
        assert told["exported"] == {"name": model.name, "sha256": model.sha256}
        assert told["source"]["sha256"] == find(told["source"]["name"], model.kind).sha256
        assert told["outputs"]["top1_agreement"] >= told["bounds"]["agreement"] == 0.995
