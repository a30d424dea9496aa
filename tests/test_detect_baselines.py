import cv2
import numpy as np
import pytest

from karyofast.detect_baselines import adaptive, otsu, stable


@pytest.fixture
def banded():
    """Two blurred rods with dark and pale bands on an empty background."""
    density = np.full((640, 640), 10, dtype=np.uint8)
    for left in (30, 80):
        density[20:100, left : left + 12] = 120
        density[40:55, left : left + 12] = 200
        density[70:80, left : left + 12] = 200
    return cv2.GaussianBlur(density, (0, 0), 1.5)


def boxes(found):
    return sorted((one.box.left, one.box.top, one.box.width, one.box.height) for one in found)


@pytest.mark.parametrize(
    "find", [otsu, adaptive, lambda density, connectivity: stable(density, connectivity, density.size // 4)]
)
def test_every_baseline_finds_whole_rods(banded, find):
    for found, left in zip(boxes(find(banded, 8)), (30, 80), strict=True):
        assert np.allclose(found, (left, 20, 12, 80), atol=4)


def test_of_nested_stable_regions_one_is_kept(banded):
    found = stable(banded, 8, banded.size // 4)
    count = np.zeros(banded.shape, dtype=int)
    for one in found:
        count[one.box.slices] += one.mask
    assert count.max() == 1
    assert all(one.area > 800 for one in found)


def test_a_stable_region_is_what_lies_at_or_above_its_level(banded):
    for one in stable(banded, 8, banded.size // 4):
        inside = banded[one.box.slices][one.mask]
        assert inside.min() == one.level
        assert one.euler == 1


def test_a_region_above_the_largest_area_is_no_stable_region(banded):
    assert all(one.area <= 500 for one in stable(banded, 8, 500))


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (40, 2)])
def test_small_pictures_have_no_candidates(shape):
    density = np.zeros(shape, dtype=np.uint8)
    density[0, 0] = 200
    assert stable(density, 8, density.size) == otsu(density, 8) == []
