import numpy as np
import pytest
from karyotypes import bars, karyotype, label

from karyofast import view, view_layout
from karyofast.view_case import Composite


def cell(zoom, p_up=0.99):
    crops, names = bars("46,XX")
    crops = [np.kron(crop, np.ones((zoom, zoom), np.uint8)) for crop in crops[:10]]
    return karyotype([crop[:, : 12 * zoom] for crop in crops], [label(name, p_up=p_up) for name in names[:10]])


def gathered(*cells, best=6):
    composite = Composite(best)
    for letter, one in zip("ABC", cells, strict=False):
        composite.add(one, letter)
    return composite.placed


def test_each_cell_stands_at_its_own_scale():
    for found in gathered(cell(1), cell(2)).values():
        heights = {
            letter: [one.height for one in found if one.cell == letter and one.index >= 0] for letter in ("A", "B")
        }
        assert heights["A"] == pytest.approx(heights["B"], rel=0.04)


def test_p_arms_are_up_and_centromeres_level_whichever_way_the_crops_lie():
    upright = cell(1)
    turned = karyotype([one.crop[::-1, ::-1] for one in upright.straightened], cell(1, p_up=0.01).labels)
    for found in gathered(upright, turned).values():
        pairs = zip(found[:2], found[2:4], strict=False)
        for one, other in pairs:
            assert (one.cell, other.cell) == ("A", "B")
            assert one.centromere == pytest.approx(other.centromere, abs=2.5)


def test_letters_have_a_line_of_their_own_above_the_class():
    placed = gathered(cell(1), cell(2))
    plain, _ = view_layout.figures(cell(1), 1.0)
    lettered, bare = (view_layout.rows(figures, False, 1.0)[0] for figures in (placed, plain))
    assert lettered.below - bare.below in range(view_layout.LETTERS - 2, view_layout.LETTERS + 3)
    sheet = view_layout.Sheet("K7", "", "", view_layout.rows(placed, False, 1.0))
    drawn = view.draw(sheet, 1.0)
    foot = view.HEADER + view.ABOVE + lettered.above + lettered.below
    strip = drawn[foot - 9 : foot + 1, :, 0]
    assert (strip < 200).any(), "letters"
    assert not (drawn[foot - view_layout.LETTERS + 3 : foot - 11, :, 0] < 200).any(), "clear of the q arms"


def test_a_class_keeps_the_surest_whatever_the_order_of_the_cells():
    sure, less = cell(1), cell(1)
    less = karyotype([one.crop for one in less.straightened], [label(one.name, 0.93) for one in less.labels])
    for cells, letter in (((sure, less), "A"), ((less, sure), "B")):
        assert [figure.cell for figure in gathered(*cells, best=2)["1"]] == [letter, letter]
