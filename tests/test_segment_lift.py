import numpy as np
import pytest
from separating import Oracle, bar, cell, let_all_be_shown

from karyofast import segment_lift
from karyofast.segment_lift import lift, missed, typical_width
from karyofast.types import Box, Candidate, Dropped, Metaphase


@pytest.fixture(autouse=True)
def _no_scaling(request, monkeypatch):
    if "typical_width" not in request.node.name and "shown" not in request.node.name:
        let_all_be_shown(monkeypatch)


def test_a_chromosome_that_detection_missed_is_found_where_the_network_sees_it():
    laid = [bar((100, 40), (100, 160)), bar((40, 40), (40, 100))]
    metaphase, candidates = cell(laid)
    there, away = sorted(candidates, key=lambda one: -one.area)
    lifted = lift(metaphase, [there], Oracle(laid))
    found = missed(metaphase, [there], [], lifted)
    assert len(found) == 1
    assert np.count_nonzero(found[0].full_mask(metaphase.shape) & away.full_mask(metaphase.shape)) > 0.95 * away.area
    assert missed(metaphase, candidates, [], lifted) == []


def test_what_detection_left_out_on_purpose_is_not_taken_back():
    laid = [bar((100, 40), (100, 160)), bar((40, 40), (40, 100))]
    metaphase, candidates = cell(laid)
    there, away = sorted(candidates, key=lambda one: -one.area)
    lifted = lift(metaphase, [there], Oracle(laid))
    debris = Dropped(away.box, away.mask, "detect", "round debris")
    assert missed(metaphase, [there], [debris], lifted) == []
    nucleus = Dropped(Box(0, 0, 90, 200), np.ones((90, 200), bool), "detect", "nucleus")
    assert len(missed(metaphase, [there], [nucleus], lifted)) == 1
    stranger = Dropped(nucleus.box, nucleus.mask, "detect", "another cell")
    assert missed(metaphase, [there], [stranger], lifted) == []


def test_typical_width_is_that_of_most():
    laid = [bar((30 + 40 * n, 20), (30 + 40 * n, 150), width=12) for n in range(4)]
    _, candidates = cell(laid)
    assert typical_width(candidates) == pytest.approx(12, abs=2)
    assert typical_width([]) > 0


def test_texture_of_a_nucleus_is_no_missed_chromosome():
    laid = [bar((100, 40), (100, 160)), bar((40, 40), (40, 100))]
    metaphase, candidates = cell(laid)
    there = max(candidates, key=lambda one: one.area)
    lifted = lift(metaphase, [there], Oracle(laid))
    density = metaphase.density.copy()
    density[10:75] = np.maximum(density[10:75], 100)
    nucleus = Metaphase(255 - density, density, "dark")
    assert missed(nucleus, [there], [], lifted) == []
    beside = metaphase.density.copy()
    beside[10:34] = np.maximum(beside[10:34], 100)
    assert len(missed(Metaphase(255 - beside, beside, "dark"), [there], [], lifted)) == 1


class Echo:
    """A separator that says what it is shown, and which row and column of that each pixel is."""

    stride = 16

    def __init__(self):
        self.shapes = []

    def lifted(self, density):
        self.shapes.append(density.shape)
        rows, cols = np.indices(density.shape, dtype=np.float32)
        return np.stack([density, rows, cols])


@pytest.fixture
def _of_the_scale(monkeypatch):
    monkeypatch.setattr(segment_lift, "typical_width", lambda candidates: segment_lift.WIDTH)


def far_apart(polarity):
    """A cell in a corner of a large picture, with something of another one far away."""
    density = np.zeros((400, 500), np.uint8)
    density[120:130, 100:180] = density[160:170, 120:150] = density[380:390, 470:490] = 150
    grey = 255 - density if polarity == "dark" else density
    boxes = [Box(120, 100, 10, 80), Box(160, 120, 10, 30)]
    return Metaphase(grey, density, polarity), [Candidate(box, np.ones(box[2:], bool)) for box in boxes]


@pytest.mark.usefixtures("_of_the_scale")
def test_the_cell_alone_is_shown_on_the_strides_of_the_picture():
    metaphase, candidates = far_apart("dark")
    echo = Echo()
    maps = lift(metaphase, candidates, echo).maps
    assert maps.shape == (3, 400, 500)
    (shape,) = echo.shapes
    assert shape[0] % 16 == shape[1] % 16 == 0
    assert shape[0] * shape[1] < 0.4 * 400 * 500
    np.testing.assert_allclose(maps[0, 60:210, 60:210], metaphase.density[60:210, 60:210] / 150.0)
    assert not maps[:, 370:, 460:].any()
    first = np.flatnonzero(maps[1:].any(axis=(0, 2)))[0]
    assert first % 16 in (0, 1)


@pytest.mark.usefixtures("_of_the_scale")
def test_where_the_cell_fills_the_picture_all_of_it_is_shown():
    metaphase, candidates = far_apart("dark")
    ends = [Candidate(Box(*at, 10, 20), np.ones((10, 20), bool)) for at in ((20, 30), (380, 470))]
    echo = Echo()
    maps = lift(metaphase, [*candidates, *ends], echo).maps
    assert echo.shapes == [(400, 512)]
    assert maps[0, 385, 480] > 0.5


@pytest.mark.usefixtures("_of_the_scale")
def test_fluorescence_is_shown_turned_by_half_too():
    metaphase, candidates = far_apart("bright")
    echo = Echo()
    maps = lift(metaphase, candidates, echo).maps
    once, turned = echo.shapes
    assert once == turned
    np.testing.assert_allclose(maps[0, 60:210, 60:210], metaphase.density[60:210, 60:210] / 150.0)
    there = maps[0] > 0
    np.testing.assert_allclose(maps[1][there], 0.5 * (once[0] - 1))
    np.testing.assert_allclose(maps[2][there], 0.5 * (once[1] - 1))
