import numpy as np
from clusters import assert_matched, assert_nothing_lost, cell, ellipse, line

from karyofast.segment_watershed import watershed


def test_watershed_parts_two_ellipses_and_loses_nothing():
    upper, lower = ellipse(50, 80, 26, 8), ellipse(102, 80, 26, 8)
    metaphase, candidate = cell(upper, lower)
    found = watershed(metaphase, candidate)
    assert_matched(found, [upper, lower], 0.85)
    assert_nothing_lost(found, candidate)
    assert sum(one.area for one in found) == candidate.area


def test_a_crossing_is_cut_through_since_the_outline_alone_is_seen():
    down, across = line((30, 80), (130, 80)), line((80, 30), (80, 130))
    metaphase, candidate = cell(down, across)
    found = watershed(metaphase, candidate)
    assert_nothing_lost(found, candidate)
    assert np.array_equal(sum(one.full_mask(down.shape).astype(int) for one in found), (down | across).astype(int))
