import numpy as np
import pytest

from karyofast.patch import PAD, turned


@pytest.fixture
def bar():
    """An upright bar, dark at its first row, and its axis from the dark end on."""
    density = np.zeros((21, 11), np.uint8)
    density[2:19, 4:7] = 100
    density[2:6, 4:7] = 200
    return density, density > 0, np.array([[2.0, 5.0], [18.0, 5.0]])


def test_a_quarter_turn_counter_clockwise_lays_the_first_end_to_the_left(bar):
    density, mask, axis = turned(*bar, zoom=1.0, degrees=90.0)
    first, last = axis
    assert first[0] == pytest.approx(last[0])
    assert last[1] - first[1] == pytest.approx(16.0)
    row = round(first[0])
    assert density[row, round(first[1]) + 1] == pytest.approx(200.0, abs=1.0)
    assert density[row, round(last[1]) - 1] == pytest.approx(100.0, abs=1.0)
    assert abs(int(mask.sum()) - int(bar[1].sum())) <= 6


@pytest.mark.parametrize("degrees", [0.0, 33.0, 45.0, 200.0])
def test_the_patch_holds_the_whole_with_background_about_it(bar, degrees):
    density, mask, _ = turned(*bar, zoom=2.5, degrees=degrees)
    assert density.shape == mask.shape == (density.shape[0],) * 2
    assert mask.sum() == mask[PAD:-PAD, PAD:-PAD].sum()
    assert mask.sum() == pytest.approx(2.5**2 * bar[1].sum(), rel=0.1)


def test_a_mirror_image_changes_left_and_right_after_the_turn(bar):
    plain, mask, axis = turned(*bar, zoom=1.0, degrees=30.0)
    mirrored, seen, line = turned(*bar, zoom=1.0, degrees=30.0, mirrored=True)
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1.0)
    assert np.count_nonzero(seen != mask[:, ::-1]) <= 4
    np.testing.assert_allclose(line, np.stack([axis[:, 0], plain.shape[1] - 1.0 - axis[:, 1]], axis=1))
