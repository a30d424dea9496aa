import pytest

from karyofast.consensus import Clone, changes, clones, text


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([], ""),
        (["46,XX"] * 3, "46,XX[3]"),
        (["47,XX,+21"] * 2 + ["46,XX"] * 5, "47,XX,+21[2]/46,XX[5]"),
        # one gain, or two equal losses, are no clone
        (["47,XX,+8"] + ["46,XX"] * 4, "46,XX[5]"),
        (["45,XY,-7"] * 2 + ["46,XY"] * 4, "46,XY[6]"),
        (["45,XY,-7"] * 3 + ["46,XY"] * 4, "45,XY,-7[3]/46,XY[4]"),
        # each cell has lost another chromosome, all have gained the same
        (["46,XX,-5,+21", "46,XX,-9,+21", "45,XX,-1,-2,+21"], "47,XX,+21[3]"),
        # two clones that differ by a further copy of the same chromosome
        (["47,XX,+21"] * 2 + ["48,XX,+21,+21"] * 2, "47,XX,+21[2]/48,XX,+21,+21[2]"),
        (["45,X"] * 3 + ["46,XX"] * 2, "45,X[3]/46,XX[2]"),
        (["45,X"] * 2 + ["46,XX"] * 2, "46,XX[4]"),
        (["47,XXY"] * 2 + ["46,XY"], "47,XXY[2]/46,XY[1]"),
        (["69,XXY"] * 2 + ["46,XY", "69,XXX"], "69,XXY[2]/46,XY[1]"),
        (["40,?,-21,-21,-22,-22", "46,XY"], "46,XY[1]"),
    ],
)
def test_clones_are_what_enough_cells_show(cells, expected):
    assert text(clones(cells)) == expected


def test_a_clone_tells_how_many_of_its_cells_show_exactly_that():
    assert clones(["46,XX,-5,+21", "47,XX,+21", "47,XX,+21"]) == (Clone("47,XX,+21", 3, 2),)


def test_the_order_of_the_cells_does_not_matter():
    cells = ["47,XX,+21", "46,XX", "45,XX,-8", "47,XX,+21", "46,XX,-8,+21", "45,XX,-8"]
    assert clones(cells) == clones(cells[::-1]) == clones(sorted(cells))


def test_changes_are_told_with_their_cells_and_whether_enough_show_them():
    cells = ["47,XX,+21", "", "48,XX,+21,+21", "45,XX,-7", "45,X", "47,XXY", "46,XXY,-7", "69,XXX", "46,XX"]
    told = [(one.text, one.cells, one.needed, one.clonal) for one in changes(cells)]
    assert told[:2] == [("+21", (0, 2), 2, True), ("sex XXY", (5, 6), 2, True)]
    assert sorted(told[2:]) == [
        ("+21,+21", (2,), 2, False),
        ("-7", (3, 6), 3, False),
        ("69,XXX", (7,), 2, False),
        ("sex X", (4,), 3, False),
    ]


@pytest.mark.parametrize("cells", [[], ["46,XX", "46,XY"], [""]])
def test_normal_cells_show_no_change(cells):
    assert changes(cells) == ()
