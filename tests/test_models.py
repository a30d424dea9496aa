import warnings

import numpy as np
import pytest
import torch

from karyofast.config import ClassifyOptions, SegmentOptions
from karyofast.errors import ModelError
from karyofast.models.axisnet import BINS, AxisNet
from karyofast.models.slim import Slim
from karyofast.models.store import (
    CLASSIFIERS,
    INT8,
    classifier_for,
    find,
    list_models,
    read,
    separator_for,
    write_manifest,
)
from karyofast.models.vgg16 import Recogniser, Vgg16, load_imagenet


@pytest.fixture(scope="module")
def torchvision_vgg():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchvision.models import vgg16_bn

        return vgg16_bn(weights=None)


def test_the_convolutions_bear_torchvisions_names_and_shapes(torchvision_vgg):
    theirs = {k: tuple(v.shape) for k, v in torchvision_vgg.state_dict().items() if k.startswith("features")}
    ours = {k: tuple(v.shape) for k, v in Vgg16().state_dict().items() if k.startswith("features")}
    assert theirs.pop("features.0.weight") == (64, 3, 3, 3)
    assert ours.pop("features.0.weight") == (64, 1, 3, 3)
    assert ours == theirs


def test_loaded_weights_answer_a_grey_picture_as_torchvision_does(torchvision_vgg):
    network = Vgg16().eval()
    names = load_imagenet(network, torchvision_vgg.state_dict())
    assert len(names) == 13 * 7
    grey = torch.randn(2, 1, 64, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        theirs = torchvision_vgg.eval().features(grey.expand(-1, 3, -1, -1))
        ours = network.features(grey)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_other_weights_are_refused(torchvision_vgg):
    weights = torchvision_vgg.state_dict()
    with pytest.raises(ModelError, match=r"without features\.0\.bias"):
        load_imagenet(Vgg16(), {k: v for k, v in weights.items() if k != "features.0.bias"})
    with pytest.raises(ModelError, match="must have shape"):
        load_imagenet(Vgg16(), {**weights, "features.3.weight": torch.zeros(1, 1, 3, 3)})


def test_an_input_size_that_pooling_cannot_halve_is_refused():
    with pytest.raises(ModelError, match="multiples of 32"):
        Vgg16((90, 32))


def test_the_slim_network_gives_what_vgg16_gives_with_far_fewer_weights():
    crops = torch.zeros(3, 1, 112, 32)
    slim = Slim().eval()
    assert slim(crops).shape == Vgg16((128, 32)).eval()(torch.zeros(3, 1, 128, 32)).shape == (3, 49)
    weights = sum(parameter.numel() for parameter in slim.parameters())
    assert weights < 0.12 * sum(parameter.numel() for parameter in Vgg16().parameters())
    with pytest.raises(ModelError, match="multiples of 16"):
        Slim((100, 32))


def test_a_crop_and_its_half_turn_get_one_class_and_opposite_orientations():
    torch.manual_seed(0)
    reader = Recogniser(Vgg16()).eval()
    crops = torch.randn(3, 1, 128, 32)
    with torch.inference_mode():
        classes, up = reader(crops)
        turned, up_turned = reader(torch.flip(crops, dims=(2, 3)))
    assert (classes.sum(dim=1) < 1).all()
    assert torch.allclose(classes, turned, atol=1e-5)
    assert torch.allclose(up, 1 - up_turned, atol=1e-5)


def test_the_separator_keeps_the_size_of_its_picture():
    network = AxisNet().eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 48, 80)).shape == (1, 2 + BINS, 48, 80)


def test_the_shipped_models_are_whole_and_described():
    models = {model.name: model for model in list_models()}
    assert models["g-band"].kind == "classifier"
    assert models["axis"].kind == "separator"
    for model in models.values():
        assert (model.folder / "README.md").stat().st_size > 300
        assert model.weights.stat().st_size < 40 * 2**20
        told = (model.folder / "model.toml").read_text(encoding="utf-8")
        assert '"/' not in told, "the path of a machine"


def test_a_model_that_is_not_there_or_of_another_kind_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"shipped one \(.*g-band"):
        find("nothing", "classifier")
    with pytest.raises(ModelError, match="must be a classifier"):
        find("axis", "classifier")
    with pytest.raises(ModelError, match=r"folder with model\.toml"):
        find(str(tmp_path), "classifier")


def test_a_broken_model_directory_says_what_is_wrong(tmp_path):
    weights = tmp_path / "model.onnx"
    weights.write_bytes(b"weights")
    write_manifest(tmp_path, "mine", "classifier", weights, {"input_size": [96, 32]})
    assert read(tmp_path).values["input_size"] == [96, 32]
    weights.write_bytes(b"other")
    with pytest.raises(ModelError, match="sha256"):
        read(tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match="not there"):
        read(tmp_path)
    (tmp_path / "model.toml").write_text('name = "mine"')
    with pytest.raises(ModelError, match="lacks the key 'kind'"):
        read(tmp_path)
    (tmp_path / "model.toml").write_text("no toml")
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path)


def test_weights_that_are_no_network_are_refused(tmp_path):
    from karyofast.runtimes.onnx import OnnxClassifier

    weights = tmp_path / "model.onnx"
    weights.write_bytes(b"no network")
    values = {"input_size": [96, 32], "normalisation": {"median_rows": 42.0, "widening": 1.6}}
    write_manifest(tmp_path, "mine", "classifier", weights, values)
    with pytest.raises(ModelError, match="cannot load"):
        OnnxClassifier(read(tmp_path))


@pytest.mark.parametrize(
    ("asked", "dark", "bright"),
    [
        ({}, "g-band-fast-int8", "q-band-fast-int8"),
        ({"device": "cpu"}, "g-band-fast-int8", "q-band-fast-int8"),
        ({"precision": "int8"}, "g-band-fast-int8", "q-band-fast-int8"),
        ({"runtime": "onnxruntime", "device": "cpu", "precision": "int8"}, "g-band-fast-int8", "q-band-fast-int8"),
        ({"precision": "fp32"}, "g-band-fast", "q-band-fast"),
        ({"runtime": "torch"}, "g-band-fast", "q-band-fast"),
        ({"device": "cuda"}, "g-band-fast", "q-band-fast"),
        ({"model": "mine"}, "mine", "mine"),
    ],
)
def test_auto_is_the_quick_classifier_of_the_stain_where_a_cpu_runs_it(asked, dark, bright):
    options = ClassifyOptions(**asked)
    assert (classifier_for(options, "dark"), classifier_for(options, "bright")) == (dark, bright)


def test_auto_is_the_separator_of_the_stain():
    auto = SegmentOptions()
    assert separator_for(auto, "dark") == "axis"
    assert separator_for(auto, "bright") == "axis-fluorescence"
    assert separator_for(SegmentOptions(model="axis"), "bright") == "axis"


@pytest.mark.parametrize("ending", ["", INT8])
@pytest.mark.parametrize("name", [*CLASSIFIERS.values(), "g-band"])
def test_what_a_shipped_classifier_says_is_a_probability(name, ending):
    from karyofast.runtimes.onnx import OnnxClassifier

    runtime = OnnxClassifier(find(name + ending, "classifier"))
    classes, up = runtime.predict(np.random.default_rng(0).normal(size=(3, 1, *runtime.frame.size)).astype(np.float32))
    assert classes.shape == (3, 24)
    assert (classes >= 0).all()
    assert (classes.sum(axis=1) <= 1 + 1e-4).all()
    assert ((up >= 0) & (up <= 1)).all()
