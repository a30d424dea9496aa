import numpy as np

from karyofast.evaluate_cells import cell_figures


def figures(true, given, cells, alone=None):
    given = None if given is None else np.array(given)
    return cell_figures(np.array(true), np.array(true if alone is None else alone), given, cells)


def test_the_cell_that_agrees_least_with_its_labels_comes_first():
    found = figures([0, 1, 0, 1, 0, 1], [0, 1, 5, 6, 0, 6], ["a", "a", "b", "b", "c", "c"])
    assert [one.name for one in found] == ["b", "c", "a"]
    assert [one.right_assigned for one in found] == [0, 1, 2]
    assert {one.crops for one in found} == {2}


def test_labels_that_are_shifted_by_one_are_told_and_make_a_cell_suspect():
    labels = [15, 15, 16, 16, 17, 17, 0, 0]
    (one,) = figures(labels, [16, 16, 17, 17, 18, 18, 0, 0], ["a"] * 8)
    assert one.read_as == (("16", "17"), ("17", "18"), ("18", "19"))
    assert one.suspect
    assert one.row()["label read as"] == "16 as 17, 17 as 18, 18 as 19"
    assert one.row()["labels"] == "suspect"


def test_two_pairs_taken_for_one_another_are_no_reason_to_doubt_the_labels():
    (one,) = figures([7, 7, 22, 22], [22, 22, 7, 7], ["a"] * 4)
    assert one.read_as == (("8", "X"), ("X", "8"))
    assert not one.suspect


def test_what_is_unplaced_or_single_or_read_in_two_ways_is_no_other_reading():
    (one,) = figures([0, 0, 1, 2, 2], [-1, -1, 5, 6, 7], ["a"] * 5)
    assert one.read_as == ()
    assert one.right_assigned == 0


def test_without_an_assignment_the_crops_alone_are_compared():
    (one,) = figures([0, 0], None, ["a", "a"], alone=[0, 3])
    assert (one.right_crop, one.right_assigned) == (1, None)
    assert one.row()["assigned"] == "-"
    assert one.to_dict()["right_assigned"] is None
