import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from karyofast.sheets import ROOM, sheets

SIDES = st.integers(1, 40)


@given(st.lists(st.tuples(SIDES, SIDES), max_size=30), st.integers(1, 4))
def test_each_mask_stands_once_apart_from_the_others_and_at_an_even_place(shapes, margin):
    rng = np.random.default_rng(0)
    masks = [rng.random(shape) < 0.5 for shape in shapes]
    met = []
    for sheet in sheets(masks, margin):
        left = sheet.mask.copy()
        owner = sheet.numbers()
        for number, (rows, columns) in sheet.places.items():
            assert rows.start % 2 == columns.start % 2 == 0
            height, width = shapes[number]
            own = sheet.mask[rows, columns]
            assert np.array_equal(own[margin : margin + height, margin : margin + width], masks[number])
            assert np.count_nonzero(own) == np.count_nonzero(masks[number])
            assert own.shape[0] >= height + 2 * margin
            assert own.shape[1] >= width + 2 * margin
            assert np.all(owner[rows, columns] == number)
            left[rows, columns] = False
        assert not left.any()
        met += sheet.places
    assert sorted(met) == list(range(len(masks)))


def test_a_sheet_is_filled_up_and_a_large_mask_has_its_own():
    large = np.ones((500, 500), dtype=bool)
    small = [np.ones((30, 20), dtype=bool)] * 40
    found = list(sheets([*small, large, large], 3))
    assert [len(sheet.places) for sheet in found] == [1, 1, 40]
    assert found[0].mask.size < 1.05 * large.size
    assert found[2].mask.size < 1.3 * sum(36 * 26 for _ in small) < ROOM
