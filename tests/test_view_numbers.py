import numpy as np

from karyofast.types import Box, Region
from karyofast.view_numbers import beside

SHAPE = (100, 120)
SIZE = (7.0, 9.0)


def bar(top, left, height=10, width=30):
    return Region(Box(top, left, height, width), np.ones((height, width), dtype=bool))


def box_of(place):
    return [round(middle - side / 2) for middle, side in zip(place, SIZE, strict=True)]


def painted(place):
    top, left = box_of(place)
    canvas = np.zeros(SHAPE, bool)
    canvas[max(top, 0) : top + 7, max(left, 0) : left + 9] = True
    return canvas


def test_a_number_stands_beside_its_chromosome_and_on_none():
    regions = [bar(10, 10), bar(10, 60), bar(50, 10), bar(60, 70, 30, 10)]
    places = beside(regions, SHAPE, [SIZE] * 4)
    everything = np.any([one.full_mask(SHAPE) for one in regions], axis=0)
    for one, place in zip(regions, places, strict=True):
        assert not (painted(place) & everything).any()
        rows, columns = np.nonzero(one.mask)
        apart = np.hypot(rows + one.box.top - place[0], columns + one.box.left - place[1])
        assert apart.min() < 10


def test_numbers_of_neighbours_do_not_cover_one_another():
    regions = [bar(10 + 10 * number, 20, 10, 40) for number in range(6)]
    drawn = sum(painted(place).astype(int) for place in beside(regions, SHAPE, [SIZE] * 6))
    assert drawn.max() == 1


def test_a_number_at_the_rim_lies_inside_the_picture():
    corner = bar(0, 0, 12, 12)
    (place,) = beside([corner], SHAPE, [SIZE])
    top, left = box_of(place)
    assert top >= 0
    assert left >= 0
    whole = Region(Box(0, 0, *SHAPE), np.ones(SHAPE, bool))
    (place,) = beside([whole], SHAPE, [SIZE])
    assert 0 <= place[0] <= SHAPE[0]
    assert 0 <= place[1] <= SHAPE[1]


def test_no_chromosomes_have_no_numbers():
    assert beside([], SHAPE, []) == []
