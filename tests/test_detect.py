import cv2
import numpy as np
import pytest

from karyofast.config import DetectOptions
from karyofast.detect import detect, examine
from karyofast.kernels import two_class_variance
from karyofast.types import Metaphase

METHODS = ("er", "otsu", "adaptive", "mser")


def read(path, polarity):
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return Metaphase(grey, 255 - grey if polarity == "dark" else grey, polarity, path.stem)


@pytest.fixture(scope="module")
def giemsa(data_dir):
    return read(data_dir / "gband" / "annotated" / "1071262.jpg", "dark")


@pytest.fixture(scope="module")
def dapi(data_dir):
    return read(data_dir / "mfish" / "A0502XY_dapi.png", "bright")


@pytest.fixture
def drawn():
    """Rods on an uneven background, two of them touching, a nucleus and specks of dirt."""
    density = np.zeros((400, 400), dtype=np.uint8)
    for row in range(4):
        for column in range(5):
            top, left = 30 + 60 * row, 30 + 40 * column
            cv2.line(density, (left, top), (left, top + 34), 150, 11)
    cv2.line(density, (190, 47), (216, 47), 150, 11)  # one that touches the last of its row
    cv2.circle(density, (320, 320), 50, 190, -1)
    for column in range(20, 300, 30):
        cv2.circle(density, (column, 380), 1, 200, -1)
    smooth = cv2.GaussianBlur(density, (0, 0), 1.5).astype(np.float64)
    ramp = np.linspace(0, 40, 400)[None, :]
    noise = np.random.default_rng(1).normal(0, 2, density.shape)
    density = np.clip(smooth + ramp + noise, 0, 255).astype(np.uint8)
    return Metaphase(255 - density, density, "dark")


def owners(candidates, shape):
    owner = np.zeros(shape, dtype=int)
    for candidate in candidates:
        owner[candidate.box.slices] += candidate.mask
    return owner


def test_rods_are_found_and_nucleus_and_dirt_are_not(drawn):
    found = detect(drawn)
    assert len(found) == 20
    assert not owners(found, drawn.shape)[300:, 300:].any()
    assert not owners(found, drawn.shape)[370:].any()


def test_what_the_filters_leave_out_is_put_down_with_its_reason(drawn):
    found, dropped = examine(drawn)
    assert [one.box for one in found] == [one.box for one in detect(drawn)]
    (rim,) = dropped  # of the nucleus, on its own stain; and none of the specks
    assert rim.full_mask(drawn.shape)[260:, 260:].sum() == rim.area
    assert (rim.stage, rim.reason) == ("detect", "little stain of its own")


def test_what_is_far_fainter_than_the_cell_is_left_out_without_a_word(drawn):
    density = drawn.density.copy()
    density[300:340, 60:72] += 25
    found, dropped = examine(Metaphase(255 - density, density, "dark"))
    assert len(found) == 20
    assert all(one.box.left > 200 for one in dropped)


def test_a_hair_as_dark_as_the_cell_is_put_down_as_thin(drawn):
    density = drawn.density.copy()
    cv2.line(density, (40, 290), (240, 340), 190, 3)
    _, dropped = examine(Metaphase(255 - density, density, "dark"))
    assert "thin" in {one.reason for one in dropped if one.box.left < 100}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0, 17, 255])
def test_a_blank_picture_has_no_candidates(method, value):
    blank = np.full((60, 80), value, dtype=np.uint8)
    assert detect(Metaphase(blank, blank, "bright"), DetectOptions(method=method)) == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (2, 9), (16, 16)])
def test_tiny_pictures_are_no_error(method, shape):
    density = np.arange(shape[0] * shape[1]).reshape(shape).astype(np.uint8)
    assert len(detect(Metaphase(density, density, "bright"), DetectOptions(method=method))) <= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("connectivity", [4, 8])
def test_every_method_gives_disjoint_measured_candidates(dapi, method, connectivity):
    found = detect(dapi, DetectOptions(method=method, connectivity=connectivity))
    assert len(found) >= 20
    assert owners(found, dapi.shape).max() == 1
    assert [candidate.box for candidate in found] == sorted(candidate.box for candidate in found)
    expected = two_class_variance(dapi.density, [candidate.box for candidate in found])
    assert [candidate.variance for candidate in found] == pytest.approx(expected)
    assert all(0 <= candidate.level <= 255 and candidate.euler <= 1 for candidate in found)


def test_real_pictures_keep_their_counts(giemsa, dapi):
    # the truth has 44 and 40 blobs; two pairs of the second touch above their visible edge
    assert len(detect(giemsa)) == 44
    assert len(detect(dapi)) == 38


@pytest.mark.parametrize("name", ["filter_geometry", "filter_variance", "one_cell"])
def test_filters_only_remove(giemsa, dapi, drawn, name):
    off = {"filter_geometry": False, "filter_variance": False, "one_cell": False}
    for picture in (giemsa, dapi, drawn):
        every = {(c.box, c.mask.tobytes()) for c in detect(picture, DetectOptions(**off))}
        some = {(c.box, c.mask.tobytes()) for c in detect(picture, DetectOptions(**{**off, name: True}))}
        assert some <= every
        assert name == "one_cell" or len(some) < len(every)


def test_polarity_of_the_picture_does_not_matter(giemsa):
    bright = Metaphase(giemsa.density, giemsa.density, "bright")
    assert [c.box for c in detect(bright)] == [c.box for c in detect(giemsa)]


def test_a_fainter_and_smaller_print_gives_the_same_candidates(drawn):
    faint = (drawn.density * 0.4).astype(np.uint8)
    assert len(detect(Metaphase(255 - faint, faint, "dark"))) == 20
    large = cv2.resize(np.asarray(drawn.density), None, fx=1.6, fy=1.6, interpolation=cv2.INTER_CUBIC)
    assert len(detect(Metaphase(255 - large, large, "dark"))) == 20


def test_a_second_cell_at_the_rim_is_left_out(drawn):
    density = np.pad(np.asarray(drawn.density)[:, :260], ((0, 0), (0, 300)), mode="edge").copy()
    for top in (40, 100, 160):
        cv2.line(density, (545, top), (559, top + 20), 230, 11)
    picture = Metaphase(255 - density, density, "dark")
    kept = owners(detect(picture), picture.shape)
    every = owners(detect(picture, DetectOptions(one_cell=False)), picture.shape)
    assert every[:, 500:].any()
    assert not kept[:, 500:].any()
    assert kept[:, :260].any()
