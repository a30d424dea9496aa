import json

import numpy as np
import pytest

from karyofast.evaluate import format_table, score_classes
from karyofast.evaluate_classes import calibration
from karyofast.evaluate_table import percent
from karyofast.types import CLASSES

X, Y = CLASSES.index("X"), CLASSES.index("Y")


def sure(*classes):
    return np.eye(24)[list(classes)]


def test_top_1_and_macro_f1_by_hand():
    # class 0: 2 hits, 1 taken from class 1; class 1: 1 hit of 2; X: hit
    score = score_classes([0, 0, 1, 1, X], sure(0, 0, 1, 0, X))
    assert score.crop.accuracy == 0.8
    first, second = score.crop.of("1"), score.crop.of("2")
    assert (first.precision, first.recall, first.f1) == (2 / 3, 1.0, 0.8)
    assert (second.precision, second.recall, second.f1) == (1.0, 0.5, 2 / 3)
    assert score.crop.macro_f1 == pytest.approx((0.8 + 2 / 3 + 1.0) / 3)
    assert (score.crop.of("X").recall, score.crop.of("Y").recall) == (1.0, None)
    assert score.assigned is None


def test_a_class_that_is_only_ever_given_wrongly_does_not_enter_the_mean():
    score = score_classes([0, 1], sure(0, 2))
    assert score.crop.of("3").f1 == 0.0
    assert score.crop.macro_f1 == 0.5


def test_the_confusion_matrix_has_true_rows_given_columns_and_a_last_one_for_unplaced():
    score = score_classes([0, 0, Y, 5], sure(0, 1, X, 5), assigned=[0, 0, Y, -1])
    assert np.array(score.crop.confusion).shape == (24, 25)
    assert (score.crop.confusion[0][1], score.crop.confusion[Y][X]) == (1, 1)
    assert score.assigned.confusion[5][24] == 1
    assert score.assigned.confusion[Y][Y] == 1
    assert (score.crop.accuracy, score.assigned.accuracy) == (0.5, 0.75)
    assert np.array(score.assigned.confusion).sum() == 4


def test_a_cell_is_right_when_all_its_chromosomes_are():
    score = score_classes(
        [0, 1, 2, 3, 4],
        sure(0, 9, 2, 3, 4),
        assigned=[0, 1, 2, 9, 4],
        cells=["a", "a", "b", "b", "c"],
        spoilt=["c", "d"],
    )
    assert (score.cells, score.cells_right, score.cells_right_crop) == (4, 1, 1)
    score = score_classes([0, 1], sure(0, 9), cells=["a", "b"])
    assert (score.cells, score.cells_right, score.cells_right_crop) == (2, 1, 1)


def test_orientation_counts_only_what_is_known():
    score = score_classes([0] * 4, sure(0, 0, 0, 0), p_up=[0.9, 0.2, 0.5, 0.9], upright=[True, True, True, None])
    assert (score.orientation_right, score.orientation_total) == (2, 3)
    assert score_classes([0], sure(0)).orientation is None


def test_calibration_error_by_hand():
    # bin 10 of 15 (0.6, 0.667]: two at 0.65, one right; bin 15: three at 0.95, all right
    confidence = np.array([0.65, 0.65, 0.95, 0.95, 0.95])
    found = calibration(confidence, np.array([True, False, True, True, True]))
    assert found.error == pytest.approx((2 * 0.15 + 3 * 0.05) / 5)
    assert [(k, one.count) for k, one in enumerate(found.bins) if one.count] == [(9, 2), (14, 3)]
    assert found.bins[9].accuracy == 0.5
    assert len(found.bins) == 15
    assert found.bins[0].confidence is None


def test_confidence_0_and_1_lie_in_the_outer_bins():
    found = calibration(np.array([0.0, 1.0]), np.array([False, True]))
    assert (found.bins[0].count, found.bins[-1].count, found.error) == (1, 1, 0.0)


def test_the_order_of_chromosomes_changes_nothing():
    rng = np.random.default_rng(3)
    true = rng.integers(0, 24, 80)
    belief = rng.dirichlet(np.full(24, 0.1), 80)
    given = np.where(rng.random(80) < 0.7, true, -1)
    cells = [f"c{k}" for k in rng.integers(0, 9, 80)]
    order = rng.permutation(80)
    one = score_classes(true, belief, given, cells)
    other = score_classes(true[order], belief[order], given[order], [cells[k] for k in order])
    assert one.crop == other.crop
    assert one.assigned == other.assigned
    assert one.calibration.error == pytest.approx(other.calibration.error)
    assert (one.cells_right, one.cells) == (other.cells_right, other.cells)


def test_nothing_to_score_is_said_as_nothing():
    score = score_classes([], np.zeros((0, 24)), assigned=[], cells=[])
    assert (score.crop.accuracy, score.crop.macro_f1, score.calibration.error) == (None, None, None)
    assert score.rows("none")[0]["top-1"] == "-"
    json.dumps(score.to_dict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([24], sure(0)), "`true` must be whole numbers of 0 to 23"),
        (([0.5], sure(0)), "`true` must be whole numbers"),
        (([0], np.zeros((1, 23))), r"`probabilities` must be finite and of shape \(1, 24\)"),
        (([0], np.full((1, 24), np.nan)), "24 values not finite"),
        (([0], sure(0), [-2]), "`assigned` must be whole numbers of -1 to 23"),
        (([0], sure(0), [0, 1]), "`assigned` must have 1 entries"),
        (([0], sure(0), [0], ["a", "b"]), "`cells` must have 1 entries"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        score_classes(*arguments)


def test_rows_and_json_carry_the_same_figures():
    score = score_classes([0, X], sure(0, 1), assigned=[0, X], cells=["a", "a"])
    crop, assigned = score.rows("vgg")
    assert (crop["class from"], crop["top-1"], crop["X"], crop["cells right"]) == ("crop", "50.00", "0.0", "0.0")
    assert (assigned["class from"], assigned["top-1"], assigned["cells right"]) == ("assigned", "100.00", "100.0")
    values = json.loads(json.dumps(score.to_dict()))
    assert values["crop"]["accuracy"] == 0.5
    assert values["assigned"]["x_recall"] == 1.0
    assert values["cells"] == {"total": 1, "right": 1, "share": 1.0, "right_crop": 0, "share_crop": 0.0}
    assert [row["class"] for row in score.class_rows()] == list(CLASSES)


def test_a_table_lines_words_up_left_and_numbers_right():
    table = format_table(
        [{"method": "er", "recall": percent(1.0)}, {"method": "otsu", "recall": percent(None), "n": "7"}]
    )
    assert table.splitlines() == ["method  recall  n", "er       100.0", "otsu         -  7"]
    assert format_table([]) == ""
