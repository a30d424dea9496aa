import numpy as np

from karyofast.evaluate import truth_of
from karyofast.evaluate_failures import find_failures
from karyofast.types import Box, Metaphase, Region
from karyofast.view_failures import CAPTION, COLUMNS, GAP, LINES, PANEL, sheets, tiles

SHAPE = (100, 120)


def bar(top, left, height=10, width=20):
    return Region(Box(top, left, height, width), np.ones((height, width), dtype=bool))


def drawn(predicted, true):
    grey = np.full(SHAPE, 128, np.uint8)
    return tiles(Metaphase(grey, grey, "bright"), find_failures(predicted, truth_of(true, SHAPE, name="a.png")))


def coloured(panel):
    """Share of the pixels of a panel on which an outline lies."""
    return float((np.ptp(panel.astype(int), axis=2) > 60).mean())


def test_a_joined_pair_shares_a_tile_and_each_lost_one_has_its_own():
    true = [bar(0, 0), bar(0, 20), bar(50, 0), bar(50, 60)]
    found = drawn([bar(0, 0, 10, 40), bar(80, 90)], true)
    assert [one.kind for one in found] == ["joined", "lost", "lost", "invented"]
    assert {one.picture.shape for one in found} == {(CAPTION + PANEL, 2 * PANEL + GAP, 3)}


def test_the_truth_is_drawn_on_the_left_and_what_was_found_on_the_right():
    (lost,) = drawn([], [bar(40, 50)])
    panels = lost.picture[CAPTION:, :PANEL], lost.picture[CAPTION:, PANEL + GAP :]
    assert coloured(panels[0]) > 0.01
    assert coloured(panels[1]) == 0.0
    (invented,) = drawn([bar(40, 50)], [])
    panels = invented.picture[CAPTION:, :PANEL], invented.picture[CAPTION:, PANEL + GAP :]
    assert coloured(panels[0]) == 0.0
    assert coloured(panels[1]) > 0.01


def test_a_failure_at_the_rim_and_one_as_large_as_the_picture_can_be_drawn():
    assert len(drawn([], [bar(0, 0), bar(90, 100)])) == 2
    assert len(drawn([], [Region(Box(0, 0, *SHAPE), np.ones(SHAPE, bool))])) == 1


def test_sheets_hold_all_tiles_in_their_order():
    found = drawn([], [bar(0, 0)]) * (COLUMNS * LINES + 1)
    first, second = sheets(found)
    height, width = found[0].picture.shape[:2]
    assert first.shape == (LINES * (height + GAP), COLUMNS * (width + 2 * GAP), 3)
    assert second.shape[0] == height + GAP
    assert np.array_equal(second[:height, :width], found[0].picture)
    assert sheets([]) == []
