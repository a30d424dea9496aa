"""Every kernel of `karyofast.kernels.ops`, fast side, on a real and a drawn picture; the tree beside its peers."""

import cv2
import numpy as np
import pytest

from karyofast.kernels import component_tree
from karyofast.kernels.ops import OPERATIONS


@pytest.mark.parametrize("picture", ["gband", "mfish", "drawn"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_kernel(benchmark, pictures, operation, picture):
    arguments = operation.scene(pictures[picture])
    operation.function(**arguments, impl="fast")  # compiles
    benchmark.group = f"{operation.name}, {picture}"
    result = benchmark(operation.function, **arguments, impl="fast")
    assert all(np.isfinite(column).all() for column in operation.columns(result).values())


@pytest.mark.parametrize("picture", ["gband", "mfish", "drawn"])
@pytest.mark.parametrize("side", ["karyofast", "karyofast up to Otsu", "cv2.MSER delta 1"])
def test_extremal_regions_beside_opencv(benchmark, pictures, picture, side):
    image = 255 - pictures[picture]
    otsu, _ = cv2.threshold(image, 0, 1, cv2.THRESH_OTSU)
    mser = cv2.MSER.create(delta=1)
    mser.setPass2Only(True)
    call = {
        "karyofast": lambda: component_tree(image),
        "karyofast up to Otsu": lambda: component_tree(image, max_level=int(otsu)),
        "cv2.MSER delta 1": lambda: mser.detectRegions(pictures[picture])[0],
    }[side]
    benchmark.group = f"extremal regions, {picture}"
    assert len(benchmark(call)) > 0
