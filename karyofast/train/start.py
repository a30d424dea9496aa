"""Where a training starts: from the weights of a model that was exported before, or of torchvision's VGG-16."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from karyofast.errors import ModelError
from karyofast.models.axisnet import AxisNet
from karyofast.models.slim import Slim
from karyofast.models.store import find
from karyofast.models.vgg16 import Vgg16, load_imagenet

STATE_DICTS = (".pt", ".pth", ".safetensors")
"""Suffixes of state dicts; anything else is a model's name or folder."""


def start_from(network: Vgg16 | Slim, weights: str, crops: Tensor) -> None:
    """Load weights into a classifier that is about to be trained.

    Parameters
    ----------
    network : Vgg16 or Slim
        Changed in place.
    weights : str
        For a Vgg16 a state dict of torchvision's `vgg16_bn` (``.pt``, ``.pth`` or ``.safetensors``), of which the
        convolutional part is taken; else a model of the store or a model folder, of which the head is taken too where
        it has the same layers.
    crops : float32 (n, 1, rows, columns)
        Training inputs, a few hundred. An exported model's batch normalisations were folded into its convolutions;
        they are unfolded on these.

    Raises
    ------
    ModelError
        No such weights, or they are of another network.
    """
    path = Path(weights)
    if path.suffix in STATE_DICTS:
        if not isinstance(network, Vgg16):
            raise ModelError(
                f"weights must be a model's name or folder for a network other than vgg16. Got: {weights}."
            )
        load_imagenet(network, _state_dict(path))
        return
    tensors = _initialisers(find(weights, "classifier").weights)
    own_head = dict(network.head.named_parameters())
    missing = [name for name in own_head if f"network.head.{name}" not in tensors]
    if missing:
        raise ModelError(f"{weights} must have the head of a {type(network).__name__}. Got: no {missing[0]}.")
    head = {name: tensors[f"network.head.{name}"] for name in own_head}
    if all(parameter.shape == head[name].shape for name, parameter in own_head.items()):
        for name, parameter in own_head.items():
            _fill(parameter, head[name], weights)
    _unfold(network.features, tensors, weights, crops)


def slim_widths(weights: str) -> tuple[int, ...]:
    """Channels of an exported `karyofast.models.slim.Slim`, a model of the store or a model folder."""
    kernels = [one for one in _initialisers(find(weights, "classifier").weights).values() if one.ndim == 4]
    # two convolutions a residual block, then the head's own
    return tuple(len(one) for one in kernels if one.shape[-1] > 1)[::2]


def start_separator(network: AxisNet, weights: str, density: Tensor) -> None:
    """Load the weights of an exported separator into one that is about to be trained.

    Parameters
    ----------
    network : AxisNet
        Changed in place.
    weights : str
        A separator of the store or a model folder.
    density : float32 (n, 1, rows, columns)
        Training inputs, some ten, on which the batch normalisations are unfolded.

    Raises
    ------
    ModelError
        No such weights, or of another network.
    """
    tensors = _initialisers(find(weights, "separator").weights)
    for name, parameter in network.head.named_parameters():
        if f"network.head.{name}" not in tensors:
            raise ModelError(f"{weights} must have the head of an AxisNet. Got: no {name}.")
        _fill(parameter, tensors[f"network.head.{name}"], weights)
    _unfold(network, tensors, weights, density)


def _fill(parameter: Tensor, value: Tensor, weights: str) -> None:
    if parameter.shape != value.shape:
        raise ModelError(f"{weights} must have weights of shape {tuple(parameter.shape)}. Got: {tuple(value.shape)}.")
    with torch.no_grad():
        parameter.copy_(value)


@torch.no_grad()
def _unfold(network: nn.Module, tensors: Mapping[str, Tensor], weights: str, inputs: Tensor) -> None:
    """Fill each convolution, in the order in which they run, and the batch normalisation after it.

    An export folds the normalisation into the convolution. Here each one is given the moments of what it sees, and the
    scale and shift that undo them; a bias that the convolution has no place for is in the shift.
    """
    biased = [(name, value) for name, value in tensors.items() if name.startswith("onnx::Conv")]
    pairs = list(zip(biased[::2], biased[1::2], strict=True))
    normalised = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if len(pairs) != len(normalised):
        raise ModelError(f"{weights} must have {len(normalised)} convolutions to start from. Got: {len(pairs)}.")
    left = iter(pairs)
    shift = [torch.zeros(())]

    def fill(module: nn.Module, _: object) -> None:
        (_, kernel), (_, bias) = next(left)
        assert isinstance(module, nn.Conv2d)
        _fill(module.weight, kernel, weights)
        shift[0] = bias
        if module.bias is not None:
            _fill(module.bias, bias, weights)
            shift[0] = torch.zeros_like(bias)

    def undo(module: nn.Module, seen: tuple[Tensor]) -> None:
        assert isinstance(module, nn.BatchNorm2d)
        variance, mean = torch.var_mean(seen[0], dim=(0, 2, 3), correction=0)
        if module.running_mean is not None and module.running_var is not None:
            module.running_mean.copy_(mean)
            module.running_var.copy_(variance)
        module.weight.copy_((variance + module.eps).sqrt())
        module.bias.copy_(mean + shift[0].to(mean.device))

    head = getattr(network, "head", None)
    hooks = [
        module.register_forward_pre_hook(fill if isinstance(module, nn.Conv2d) else undo)
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)) and module is not head
    ]
    network.eval()
    try:
        network(inputs)
    finally:
        for hook in hooks:
            hook.remove()


def _initialisers(path: Path) -> dict[str, Tensor]:
    """The weights of an ONNX file, those stored as fp16 under their own names again."""
    return {
        tensor.name.removesuffix("_fp16"): torch.from_numpy(numpy_helper.to_array(tensor).copy()).float()
        for tensor in onnx.load(str(path)).graph.initializer
    }


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, weights_only=True)  # type: ignore[no-any-return]
    except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path}: must be a state dict of vgg16_bn. Got: {error}.") from error
