import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from karyofast.export.onnx import export_classifier, export_separator
from karyofast.models.axisnet import AxisNet
from karyofast.models.vgg16 import Vgg16


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    torch.manual_seed(1)
    network = Vgg16((64, 32)).eval()
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_classifier(network, (64, 32), path)
    return network, path


@pytest.mark.parametrize("batch", [1, 5])
def test_the_exported_classifier_answers_as_the_network_for_any_batch(classifier, batch):
    network, path = classifier
    crops = np.random.default_rng(0).normal(size=(batch, 1, 64, 32)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    classes, up = session.run(None, {"crops": crops})
    with torch.inference_mode():
        joint = torch.softmax(network(torch.from_numpy(crops)), dim=1)
        true_classes = joint[:, :24] + joint[:, 24:48]
        true_up = joint[:, :24].sum(dim=1) / true_classes.sum(dim=1)
    assert np.abs(1.0 - classes.sum(axis=1) - joint[:, 48].numpy()).max() < 2e-3
    assert np.abs(classes - true_classes.numpy()).max() < 2e-3
    assert np.abs(up - true_up.numpy()).max() < 2e-3


def test_weights_are_stored_as_fp16(classifier):
    network, path = classifier
    parameters = sum(value.numel() for value in network.parameters())
    assert path.stat().st_size < 2.1 * parameters
    kinds = {tensor.data_type for tensor in onnx.load(str(path)).graph.initializer if np.prod(tensor.dims) >= 1024}
    assert kinds == {onnx.TensorProto.FLOAT16}


def test_the_exported_separator_takes_any_size(tmp_path):
    torch.manual_seed(2)
    network = AxisNet().eval()
    export_separator(network, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for shape in ((48, 80), (32, 32)):
        density = np.random.default_rng(0).random((1, 1, *shape), dtype=np.float32)
        lifted = session.run(None, {"density": density})[0]
        with torch.inference_mode():
            true = torch.sigmoid(network(torch.from_numpy(density)))
        assert lifted.shape == (1, 14, *shape)
        assert np.abs(lifted - true.numpy()).max() < 5e-3
