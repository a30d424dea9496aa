import numpy as np
import pytest

from karyofast.evaluate import truth_of
from karyofast.evaluate_contacts import contacts, crossing_angle
from karyofast.types import Box, Region

SHAPE = (120, 120)


def rod(row, column, degrees, length=60.0, width=8.0):
    """A straight chromosome around a centre, turned from the horizontal."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    along = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
    x, y = columns - column, rows - row
    full = (np.abs(x * along[0] + y * along[1]) <= length / 2) & (np.abs(-x * along[1] + y * along[0]) <= width / 2)
    down, right = np.flatnonzero(full.any(axis=1)), np.flatnonzero(full.any(axis=0))
    box = Box(int(down[0]), int(right[0]), int(down[-1] - down[0]) + 1, int(right[-1] - right[0]) + 1)
    return Region(box, full[box.slices])


@pytest.mark.parametrize("degrees", [20, 45, 90, 135])
def test_two_rods_cross_at_the_angle_they_were_laid_at(degrees):
    expected = min(degrees, 180 - degrees)
    assert crossing_angle(rod(60, 60, 0), rod(60, 60, degrees)) == pytest.approx(expected, abs=4)


def test_the_angle_is_that_at_the_crossing_and_not_that_of_the_whole():
    bent = rod(60, 40, 0), rod(82, 68, 90)
    elbow = bent[0].full_mask(SHAPE) | bent[1].full_mask(SHAPE)
    elbow = Region(Box(0, 0, *SHAPE), elbow)
    assert crossing_angle(elbow, rod(95, 68, 0, length=40)) == pytest.approx(90, abs=6)
    assert crossing_angle(elbow, rod(60, 25, 90, length=40)) == pytest.approx(90, abs=6)


def test_regions_apart_have_no_crossing_angle():
    with pytest.raises(ValueError, match="must have pixels in common"):
        crossing_angle(rod(20, 60, 0), rod(100, 60, 0))


def test_a_chromosome_is_alone_touching_or_crossing_at_its_sharpest_angle():
    lying = [rod(60, 60, 0), rod(60, 40, 90), rod(60, 78, 45), rod(56, 100, 90, length=30), rod(110, 30, 0, length=30)]
    truth = truth_of(lying, SHAPE)
    kind, angle = contacts(truth, 0)
    assert kind == "crossing 30 to 60"
    assert angle == pytest.approx(45, abs=4)
    assert contacts(truth, 1)[0] == "crossing over 60"
    assert contacts(truth, 4) == ("alone", None)
    # rims that lap over are no crossing
    assert contacts(truth_of([rod(40, 60, 0), rod(48, 60, 0, length=20)], SHAPE), 0) == ("touching", None)
    beside = truth_of([rod(40, 60, 0), rod(49, 60, 0)], SHAPE)
    assert contacts(beside, 0) == contacts(beside, 1) == ("touching", None)
