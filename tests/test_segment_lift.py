import numpy as np
import pytest
from separating import Oracle, bar, cell

from karyofast import segment_lift
from karyofast.segment_lift import lift, missed, typical_width
from karyofast.types import Box, Dropped, Metaphase


@pytest.fixture(autouse=True)
def _no_scaling(request, monkeypatch):
    """The oracle draws on the picture's own grid: let the picture be of the network's scale."""
    if "typical_width" not in request.node.name:
        monkeypatch.setattr(segment_lift, "typical_width", lambda candidates: segment_lift.WIDTH)


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
