"""The detection stage, by method, on real and drawn pictures."""

import pytest

from karyofast.config import DetectOptions
from karyofast.detect import detect
from karyofast.types import Metaphase


@pytest.mark.parametrize("picture", ["gband", "mfish", "drawn"])
@pytest.mark.parametrize("method", ["er", "otsu", "adaptive", "mser"])
def test_detect(benchmark, pictures, method, picture):
    density = pictures[picture]
    metaphase = Metaphase(density, density, "bright", picture)
    options = DetectOptions(method=method)
    detect(metaphase, options)  # compiles
    benchmark.group = f"detect, {picture}"
    assert len(benchmark(detect, metaphase, options)) >= 20
