"""A small untrained classifier as a model folder; it has the layers of VGG-16 and none of its cost."""

import torch
from torch import nn

from karyofast.export.onnx import export_classifier
from karyofast.models.store import read, write_manifest
from karyofast.types import CLASSES

INPUT = (64, 32)


def small_network():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4),
        nn.Conv2d(8, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4),
        nn.Flatten(), nn.Linear(24 * 8, 48), nn.ReLU(), nn.Linear(48, 49),
    )  # fmt: skip


def store(network, folder):
    folder.mkdir()
    weights = folder / "model.onnx"
    export_classifier(network, INPUT, weights)
    values = {"classes": list(CLASSES), "input_size": list(INPUT)}
    values["normalisation"] = {"median_rows": 28.0, "widening": 1.2}
    write_manifest(folder, "small", "classifier", weights, values)
    return read(folder)
