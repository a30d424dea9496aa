import cv2
import numpy as np
import pytest
from drawn_pieces import doubtful, line, piece
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from karyofast.second_look import look
from karyofast.second_look_notches import chords, notched, notches, outline
from karyofast.types import Box, Candidate


def parts_of(way, mask):
    """Masks of the two parts of a way that divides a piece, the smaller first; nothing is lost or owned twice."""
    masks = [one.full_mask(mask.shape) for one in way]
    assert np.array_equal(np.sum(masks, axis=0), mask.astype(int))
    return sorted(masks, key=np.count_nonzero)


def agreement(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


@pytest.mark.parametrize(
    ("larger", "smaller"),
    [
        (((30, 60), (100, 60)), ((65, 72), (65, 105))),  # end to flank
        (((60, 20), (60, 75)), ((60, 86), (60, 120))),  # end to end
        (((30, 60), (100, 60)), ((104, 68), (104, 110))),  # at an angle
    ],
)
def test_what_touches_a_doubtful_piece_is_divided_from_it(larger, smaller):
    one, other = line(*larger), line(*smaller)
    other &= ~one
    mask = one | other
    found = [parts_of(way, mask) for way in notches((doubtful(mask),))]
    assert max(agreement(small, other) for small, _ in found) > 0.8
    assert max(agreement(large, one) for _, large in found) > 0.9


def test_a_sure_piece_and_a_straight_one_are_not_divided():
    pair = line((30, 60), (100, 60)) | line((65, 72), (65, 105))
    assert notches((doubtful(pair),)) != []
    assert notches((piece(pair),)) == []
    assert notches((doubtful(line((20, 60), (100, 60))),)) == []


def test_the_corners_of_a_crossing_are_no_notches():
    along, across = line((60, 20), (60, 140)), line((15, 60), (105, 60))
    # the crossing was left whole to one of the two, which has a corner of the other
    jagged = along | (across & line((45, 60), (75, 60), width=14))
    alone = notches((doubtful(jagged),))
    assert len(alone) > len(notches((doubtful(jagged), piece(across))))


def test_the_other_pieces_of_a_way_stay():
    pair, apart = line((30, 60), (100, 60)) | line((65, 72), (65, 95)), line((20, 120), (100, 120))
    whole = piece(apart)
    for way in notches((whole, doubtful(pair))):
        assert way[0] is whole.chromosome
        assert ["cut" in one.flags for one in way] == [False, True, True]


def test_cuts_are_few_short_and_differ():
    star = np.any([line((60, 80), at, width=10) for at in ((10, 80), (60, 140), (110, 80), (60, 20))], axis=0)
    found = [parts_of(way, star) for way in notches((doubtful(star),))]
    assert 0 < len(found) <= 3
    for at, one in enumerate(found):
        assert all(np.count_nonzero(one[0] ^ other[0]) > 20 for other in found[:at])


def test_chords_are_sorted_by_length_and_begin_in_notches():
    rim = outline(line((30, 60), (100, 60)) | line((65, 72), (65, 105)))
    dents, found = notched(rim, 1.8), chords(rim, 12.0)
    assert found
    assert all(begin < end and {begin, end} & set(dents) for begin, end in found)
    assert all(np.hypot(*(rim[end] - rim[begin])) <= 18.0 for begin, end in found)
    assert notched(outline(np.ones((20, 9), bool)), 1.0) == []


@given(arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))))
def test_any_mask_has_an_outline_that_can_be_cut(mask):
    mask[mask.shape[0] // 2, mask.shape[1] // 2] = True
    rim = outline(mask)
    for begin, end in chords(rim, 3.0):
        canvas = np.zeros(mask.shape, np.uint8)
        cv2.fillPoly(canvas, [rim[begin : end + 1]], 1)
        assert 0 <= begin < end < len(rim)
        assert mask[rim[[begin, end], 1], rim[[begin, end], 0]].all()


def test_the_second_look_divides_what_lies_end_to_flank():
    one, other = line((30, 60), (100, 60)), line((65, 72), (65, 105))
    mask = one | (other & ~one)
    whole = doubtful(mask)
    read = {id(whole.chromosome): whole}

    def reader(asked):
        return [read.setdefault(id(each), piece(each.full_mask(mask.shape), "2")) for each in asked]

    def cost(pieces):
        """The cell lacks two chromosomes of these areas."""
        areas = sorted(int(each.chromosome.area) for each in pieces)
        missing = sorted([int((other & ~one).sum()), int(one.sum())])
        return sum(abs(a - b) for a, b in zip(areas, missing, strict=False)) / 50 + 20.0 * abs(len(areas) - 2)

    (chosen,) = look([Candidate(Box(0, 0, *mask.shape), mask)], [[[whole.chromosome]]], reader, cost)
    small, large = sorted((each.chromosome.full_mask(mask.shape) for each in chosen), key=np.count_nonzero)
    assert agreement(small, other & ~one) > 0.8
    assert agreement(large, one) > 0.9
