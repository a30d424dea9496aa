import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyofast.evaluate import iou_matrix, match
from karyofast.evaluate_match import Counts, check_inside, lies_mostly_on, union
from karyofast.masks import shared_pixels
from karyofast.types import Box, Region

SHAPE = (24, 24)


@st.composite
def regions(draw):
    count = draw(st.integers(0, 5))
    found = []
    for _ in range(count):
        height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        top, left = draw(st.integers(0, 24 - height)), draw(st.integers(0, 24 - width))
        bits = draw(st.integers(0, 2**32 - 1))
        mask = np.random.default_rng(bits).random((height, width)) < 0.8
        found.append(Region(Box(top, left, height, width), mask))
    return found


@given(regions(), regions())
def test_iou_in_boxes_is_iou_on_the_whole_picture(ours, theirs):
    matrix = iou_matrix(ours, theirs)
    assert matrix.shape == (len(ours), len(theirs))
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            a, b = one.full_mask(SHAPE), other.full_mask(SHAPE)
            whole = np.count_nonzero(a | b)
            assert matrix[i, j] == (np.count_nonzero(a & b) / whole if whole else 0.0)
            assert shared_pixels(one, other) == np.count_nonzero(a & b)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_matching_takes_the_most_pairs_and_then_the_largest_overlap(rows, columns, seed):
    iou = np.random.default_rng(seed).random((rows, columns))
    pairs = match(iou)
    assert all(iou[pair] >= 0.5 for pair in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert (len(pairs), pytest.approx(sum(iou[pair] for pair in pairs))) == _best(iou, 0, frozenset())


def _best(iou, row, taken):
    """Number of pairs and sum of IoU of the best choice, by trying all of them."""
    if row == iou.shape[0]:
        return 0, 0.0
    options = [_best(iou, row + 1, taken)]
    for column in range(iou.shape[1]):
        if column not in taken and iou[row, column] >= 0.5:
            pairs, total = _best(iou, row + 1, taken | {column})
            options.append((pairs + 1, total + iou[row, column]))
    return max(options)


def test_a_pair_at_exactly_one_half_counts():
    left, right = Region(Box(0, 0, 2, 3), np.ones((2, 3))), Region(Box(0, 1, 2, 3), np.ones((2, 3)))
    assert iou_matrix([left], [right])[0, 0] == 0.5
    assert match(np.array([[0.5]])) == [(0, 0)]
    assert match(np.array([[0.4999]])) == []


def test_a_threshold_outside_of_0_to_1_is_refused():
    with pytest.raises(ValueError, match="`hit` must be above 0"):
        match(np.ones((1, 1)), hit=0.0)


def test_counts_add_and_say_nothing_of_nothing():
    total = Counts(2, 4, 3) + Counts(1, 1, 1)
    assert (total.precision, total.recall, total.f1) == (3 / 5, 3 / 4, 6 / 9)
    assert (Counts().precision, Counts().recall, Counts().f1) == (None, None, None)
    assert Counts(0, 2, 0).to_dict() == {
        "hits": 0, "predicted": 2, "true": 0, "precision": 0.0, "recall": None, "f1": 0.0,
    }  # fmt: skip


def test_mostly_means_more_than_half():
    ground = union([Region(Box(0, 0, 2, 2), np.ones((2, 2)))], (4, 8))
    assert not lies_mostly_on(Region(Box(0, 0, 2, 4), np.ones((2, 4))), ground)
    assert lies_mostly_on(Region(Box(0, 0, 2, 3), np.ones((2, 3))), ground)
    assert not lies_mostly_on(Region(Box(0, 0, 2, 2), np.zeros((2, 2))), ground)


@pytest.mark.parametrize("box", [Box(-1, 0, 2, 2), Box(0, 3, 2, 2), Box(3, 0, 2, 2)])
def test_a_region_of_another_picture_is_refused(box):
    with pytest.raises(ValueError, match="must lie inside the picture"):
        check_inside([Region(box, np.ones((2, 2)))], (4, 4))
