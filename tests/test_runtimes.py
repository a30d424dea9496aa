"""Each runtime against ONNX Runtime on the CPU; what is asked for and missing is an error that says what to install."""

import builtins
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_classifier import INPUT, small_network, store

from karyofast.cli.options import resolve
from karyofast.config import ClassifyOptions
from karyofast.errors import ModelError, NotBuiltError, OptionError
from karyofast.models.slim import Slim
from karyofast.models.store import find, read, write_manifest
from karyofast.pipeline import load_models
from karyofast.runtimes.load import PRECISIONS, load_classifier, warm_up
from karyofast.runtimes.onnx import OnnxClassifier, OnnxSeparator
from karyofast.runtimes.torch import TorchClassifier

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="NOT TESTED: no CUDA GPU that PyTorch sees on this machine"
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return store(small_network(), tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(5).uniform(-1, 1, (9, 1, *INPUT)).astype(np.float32)


def load(info, **options):
    return load_classifier(ClassifyOptions(model=str(info.folder), **options), threads=1)


def farthest(one, other, crops):
    return max(np.abs(a - b).max() for a, b in zip(one.predict(crops), other.predict(crops), strict=True))


def test_the_default_is_onnx_runtime_on_the_cpu(small, crops):
    loaded = load(small)
    assert type(loaded) is OnnxClassifier
    assert loaded.frame.size == INPUT
    assert farthest(loaded, OnnxClassifier(small, 1), crops) == 0


def test_one_that_keeps_no_memory_answers_the_same_crop_by_crop(small, crops):
    lean = load_classifier(ClassifyOptions(model=str(small.folder)), threads=1, lean=True)
    assert lean._session.get_session_options().enable_cpu_mem_arena is False
    whole = load(small).predict(crops)
    parts = [lean.predict(crops[row : row + 1]) for row in range(len(crops))]
    for one, other in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_allclose(np.concatenate(other), one, atol=1e-6)


def test_a_lean_separator_sees_a_large_picture_in_tiles_as_it_sees_it_whole():
    info = find("axis", "separator")
    density = np.random.default_rng(8).uniform(0, 2, (1072, 1600)).astype(np.float32)
    whole, tiled = (OnnxSeparator(info, 1, lean).lifted(density) for lean in (False, True))
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-5)


def test_low_memory_is_one_crop_at_a_time_by_runtimes_of_one_thread():
    options = resolve(None, low_memory=True)
    assert (options.low_memory, options.classify.batch) == (True, 1)
    models = load_models(options)
    for runtime in (models.separator("dark"), models.classifier("dark")):
        told = runtime._session.get_session_options()
        assert (told.intra_op_num_threads, told.enable_cpu_mem_arena) == (1, False)


@pytest.mark.parametrize(("precision", "bound"), [("auto", 1e-5), ("fp32", 1e-5), ("bf16", 2e-2)])
def test_torch_answers_as_onnx_runtime_for_any_batch(small, crops, precision, bound):
    loaded = load(small, runtime="torch", precision=precision)
    for batch in (1, 9):
        difference = farthest(loaded, OnnxClassifier(small, 1), crops[:batch])
        assert difference < bound
        assert precision != "bf16" or difference > 0


@needs_gpu
@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-4), ("fp16", 1e-2), ("bf16", 5e-2)])
def test_torch_on_cuda_answers_as_onnx_runtime(small, crops, precision, bound):
    loaded = load(small, runtime="torch", device="cuda", precision=precision)
    assert farthest(loaded, OnnxClassifier(small, 1), crops) < bound


@needs_gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_a_cuda_graph_answers_as_its_layers_launched_one_by_one(small, crops, precision):
    by_graph, one_by_one = (TorchClassifier(small, 1, "cuda", precision, 9, graph) for graph in (True, False))
    assert farthest(by_graph, one_by_one, crops) < 1e-3


@needs_gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_cuda_graph_answers_for_fewer_and_for_more_crops_than_its_batch(small, crops, precision):
    plain = OnnxClassifier(small, 1)
    loaded = load(small, runtime="torch", device="cuda", precision=precision, batch=4)
    for count in (4, 1, 9, 3):
        assert farthest(loaded, plain, crops[:count]) < 1e-2


def test_what_a_graph_gives_is_taken_before_the_next_part_overwrites_it(small, crops, monkeypatch):
    """On the CPU the pass of a graph is run instead of replayed, into the same tensors."""
    parts = []

    class Overwriting:
        def __init__(self, run, shape):
            self.run, self.kept = run, [torch.zeros(shape[0], 24), torch.zeros(shape[0])]

        def __call__(self, part):
            parts.append(len(part))
            for kept, new in zip(self.kept, self.run(part), strict=True):
                kept[: len(part)] = new
            return tuple(kept[: len(part)] for kept in self.kept)

    loaded = load(small, runtime="torch")
    runtime = TorchClassifier(small, 1, batch=4)
    runtime._run = Overwriting(runtime._pass, (4,))
    monkeypatch.setattr(torch.Tensor, "cpu", torch.Tensor.clone)
    assert farthest(runtime, loaded, crops) < 1e-6
    assert parts == [4, 4, 1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there: nothing is missing")
def test_torch_without_a_gpu_says_so(small):
    with pytest.raises(NotBuiltError, match="sees no GPU"):
        load(small, runtime="torch", device="cuda")


@pytest.mark.parametrize(("runtime", "provider"), [("onnxruntime", "cuda"), ("onnxruntime-tensorrt", "tensorrt")])
def test_a_provider_that_is_not_built_in_never_becomes_the_cpu(small, runtime, provider, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(NotBuiltError, match=f"without its {provider} provider.*pip install onnxruntime-gpu"):
        load(small, runtime=runtime, device="cuda")


def test_a_provider_that_cannot_start_never_becomes_the_cpu(small, monkeypatch):
    import onnxruntime

    class Fallen:
        def get_providers(self):
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **options: Fallen())
    with pytest.raises(NotBuiltError, match="cannot start its cuda provider"):
        load(small, device="cuda")


def test_a_package_that_is_missing_is_named_with_what_installs_it(small, monkeypatch):
    real = builtins.__import__

    def without_torch(name, *rest):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "karyofast.runtimes.torch", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(NotBuiltError, match=r"needs the package torch.*karyofast\[train\]"):
        load(small, runtime="torch")


@pytest.mark.parametrize("runtime", ["onnxruntime-tensorrt", "tensorrt"])
def test_what_runs_on_a_gpu_alone_refuses_the_cpu(small, runtime):
    with pytest.raises(OptionError, match=r"device must be cuda|runs engines"):
        load(small, runtime=runtime, device="cpu")


def test_a_precision_that_a_runtime_has_not_is_refused_with_those_it_has(small):
    for runtime, device, wrong in (("onnxruntime", "cpu", "bf16"), ("torch", "cpu", "fp16")):
        allowed = " or ".join(PRECISIONS[runtime, device])
        with pytest.raises(OptionError, match=f"precision must be {allowed} .*Got: {wrong}"):
            load(small, runtime=runtime, precision=wrong)


def test_int8_is_made_by_an_export(small):
    with pytest.raises(OptionError, match=r"must be fp32.*karyofast export int8 .*small --data DATA"):
        load(small, precision="int8")


def test_tensorrt_without_an_engine_says_how_to_build_one(small):
    with pytest.raises(OptionError, match=r"karyofast export tensorrt .*small --data DATA"):
        load(small, runtime="tensorrt")


def test_torch_reads_a_network_whose_blocks_add_to_what_they_read(tmp_path):
    torch.manual_seed(4)
    network = Slim(INPUT).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(layer.bias)  # the exporter would store like ones once
    info = store(network, tmp_path / "slim")
    crops = np.random.default_rng(6).uniform(-1, 1, (5, 1, *INPUT)).astype(np.float32)
    assert farthest(load(info, runtime="torch"), OnnxClassifier(info, 1), crops) < 1e-5


def test_torch_refuses_a_layer_that_it_does_not_know(tmp_path):
    class Forked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(2048, 49)

        def forward(self, crops):
            flat = crops.flatten(1)
            return self.head(flat + flat.sigmoid())

    info = store(Forked(), tmp_path / "forked")
    with pytest.raises(ModelError, match=r"runs layers of Conv.*Got: Sigmoid.*--runtime onnxruntime"):
        load(info, runtime="torch")


def test_warming_up_reads_a_batch_in_the_frame_of_the_model(small):
    seen = []

    class Remembers:
        frame = OnnxClassifier(small, 1).frame

        def predict(self, crops):
            seen.append((crops.shape, crops.dtype, float(crops.min())))

    warm_up(Remembers(), 7)
    assert seen == [((7, 1, *INPUT), np.float32, -1.0)]


def engine_of(folder, **changed):
    folder.mkdir()
    weights = folder / "model.engine"
    weights.write_bytes(b"engine")
    engine = {"flavour": "tensorrt-rtx", "version": "1.7.1", "compute_capabilities": ["8.6"], "batches": [1, 46, 92]}
    values = {"input_size": list(INPUT), "normalisation": {"median_rows": 28.0, "widening": 1.2}, "precision": "int8"}
    values["made_from"] = {"name": "small", "model": str(folder / "gone"), "sha256": "a" * 64}
    write_manifest(folder, "engine", "classifier", weights, {**values, "engine": {**engine, **changed}})
    return read(folder)


def test_an_engine_is_refused_where_it_was_not_built_for_with_the_command_that_rebuilds_it(tmp_path):
    from karyofast.runtimes.tensorrt import check

    info = engine_of(tmp_path / "engine")
    check(info, "1.7.1", "8.6")
    again = (
        r"Build it again: karyofast export tensorrt .*gone --flavour tensorrt-rtx --precision int8 --batches 1 46 92 "
    )
    again += r"--compute-capability 8\.6 --data DATA -o DIR"
    with pytest.raises(ModelError, match=rf"by tensorrt-rtx 1\.7\.1, 1\.8\.0 is installed.*{again}"):
        check(info, "1.8.0", "8.6")
    with pytest.raises(ModelError, match=rf"compute capability 8\.6, this is 8\.7.*{again}"):
        check(info, "1.7.1", "8.7")


def test_an_engine_of_a_model_that_has_changed_since_is_refused(tmp_path):
    from karyofast.runtimes.tensorrt import check

    info = engine_of(tmp_path / "engine")
    store(small_network(), tmp_path / "engine" / "gone")
    with pytest.raises(ModelError, match="which is another model now"):
        check(info, "1.7.1", "8.6")


@pytest.mark.skipif(find_spec("tensorrt_rtx") is not None, reason="tensorrt_rtx is there: nothing is missing")
def test_an_engine_without_its_flavour_of_tensorrt_says_what_to_install(tmp_path):
    with pytest.raises(NotBuiltError, match=r"karyofast\[tensorrt-rtx\]"):
        load(engine_of(tmp_path / "engine"))


class PretendGpu:
    """Stands in for tensorrt_rtx and polygraphy.cuda: memory by address, an engine that ONNX Runtime runs."""

    def __init__(self, network):
        memory, addresses, shape = {}, {}, {}

        class DeviceArray:
            def __init__(self, shape):
                self.ptr = len(memory)
                memory[self.ptr] = np.full(shape, np.nan, np.float32)

            def resize(self, shape):
                self.shape = shape
                return self

            def copy_from(self, host, stream):
                memory[self.ptr][: len(host)] = host

            def copy_to(self, host, stream):
                host[...] = memory[self.ptr][: self.shape[0]]

        class Context:
            def create_execution_context(self):
                return self

            def set_tensor_address(self, name, address):
                addresses[name] = address

            def set_input_shape(self, name, given):
                shape[name] = given
                return 2 <= given[0] <= 8

            def execute_async_v3(self, stream):
                count = shape["crops"][0]
                classes, up = network.predict(memory[addresses["crops"]][:count])
                memory[addresses["classes"]][:count], memory[addresses["up"]][:count] = classes, up
                return True

        self.__version__ = "1.7.1"
        self.Logger = type("Logger", (), {"ERROR": 0, "__init__": lambda self, level: None})
        self.Runtime = lambda logger: SimpleNamespace(deserialize_cuda_engine=lambda engine: Context())
        self.cuda = SimpleNamespace(
            Stream=lambda: SimpleNamespace(ptr=0, synchronize=lambda: None), DeviceArray=DeviceArray
        )


def test_an_engine_reads_more_crops_than_its_largest_batch_in_parts(small, crops, tmp_path, monkeypatch):
    from karyofast.runtimes import tensorrt

    network = OnnxClassifier(small, 1)
    pretended = PretendGpu(network)
    monkeypatch.setattr(tensorrt, "flavour_module", lambda flavour: pretended)
    monkeypatch.setattr(tensorrt, "compute_capability", lambda: "8.6")
    monkeypatch.setitem(sys.modules, "polygraphy", SimpleNamespace(cuda=pretended.cuda))
    engine = tensorrt.TensorRtClassifier(engine_of(tmp_path / "engine", batches=[2, 4, 8]))
    many = np.concatenate([crops, crops])
    assert farthest(engine, network, many) < 1e-6
    with pytest.raises(ModelError, match=r"takes 2 crops or more\. Got: 1"):
        engine.predict(many[:1])
