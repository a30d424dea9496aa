import json
from dataclasses import replace

import numpy as np
import pytest

from karyofast import iscn
from karyofast.evaluate import score_karyotypes, truth_of
from karyofast.evaluate_whole import same_iscn, true_iscn
from karyofast.types import CLASSES, Arrangement, Box, Chromosome, Karyotype, Label, Metaphase, Straightened

SHAPE = (120, 120)
NORMAL = tuple(CLASSES.index(name) for name in iscn.parse("46,XY"))
GRID = [Chromosome(Box(16 * (k // 7), 16 * (k % 7), 12, 6), np.ones((12, 6), dtype=bool)) for k in range(49)]


def label(index, p_up=0.9):
    return Label(np.eye(24, dtype=np.float32)[index], p_up)


def karyotype(chromosomes, assigned, crops=None):
    grey = np.zeros(SHAPE, np.uint8)
    return Karyotype(
        Metaphase(grey, grey, "bright"),
        chromosomes=tuple(chromosomes),
        labels=tuple(label(index) for index in (crops if crops is not None else assigned)),
        arrangement=Arrangement(tuple(assigned), iscn.format([CLASSES[index] for index in assigned if index >= 0])),
    )


def truth(**extra):
    return truth_of(GRID[:46], SHAPE, NORMAL, **extra)


def test_a_perfect_karyotype_is_wholly_right():
    score = score_karyotypes([(karyotype(GRID[:46], NORMAL), truth())])
    assert (score.placed, score.read, score.separated, score.sure_placed) == (1.0, 1.0, 1.0, 1.0)
    assert (score.wholly_right, score.count_right, score.iscn_right) == (1.0, 1.0, 1.0)
    assert score.paired.assigned.accuracy == 1.0
    assert score.paired.cells_right == 1


def test_a_missed_chromosome_costs_its_share_the_cell_the_count_and_the_iscn():
    score = score_karyotypes([(karyotype(GRID[1:46], NORMAL[1:]), truth())])
    assert score.placed == score.separated == 45 / 46
    assert (score.wholly_right, score.count_right, score.iscn_right) == (0.0, 0.0, 0.0)
    assert score.paired.crop.accuracy == 1.0
    assert (score.paired.cells, score.paired.cells_right) == (1, 0)


def test_the_crop_may_err_where_the_assignment_is_right_and_the_reverse():
    crops = (5, *NORMAL[1:])
    score = score_karyotypes([(karyotype(GRID[:46], NORMAL, crops), truth())])
    assert (score.placed, score.read) == (1.0, 45 / 46)
    unplaced = (-1, *NORMAL[1:])
    score = score_karyotypes([(karyotype(GRID[:46], unplaced, NORMAL), truth())])
    assert (score.placed, score.read) == (45 / 46, 1.0)
    assert (score.count_right, score.iscn_right) == (1.0, 0.0)


def test_two_wrong_labels_that_cancel_leave_the_iscn_right_and_the_cell_wrong():
    swapped = (NORMAL[2], NORMAL[1], NORMAL[0], *NORMAL[3:])
    score = score_karyotypes([(karyotype(GRID[:46], swapped), truth())])
    assert (score.iscn_right, score.count_right, score.wholly_right) == (1.0, 1.0, 0.0)
    assert score.placed == 44 / 46


def test_an_extra_piece_makes_the_cell_wrong_unless_it_lies_on_what_is_ignored():
    extra = karyotype(GRID[:47], (*NORMAL, -1))
    score = score_karyotypes([(extra, truth())])
    assert (score.total("false"), score.wholly_right, score.count_right) == (1, 0.0, 0.0)
    knot = truth_of(GRID[:47], SHAPE, (*NORMAL, None), ignore={46})
    score = score_karyotypes([(extra, knot)])
    assert (score.total("false"), score.wholly_right) == (0, 1.0)
    assert (score.count_right, score.iscn_right) == (None, None)


def test_a_class_that_nobody_knows_is_not_asked_for():
    score = score_karyotypes([(karyotype(GRID[:46], NORMAL), truth_of(GRID[:46], SHAPE, (None, *NORMAL[1:])))])
    assert (score.total("true"), score.placed, score.iscn_right) == (45, 1.0, None)
    assert score.count_right == 1.0


def test_doubtful_labels_are_shown_apart():
    doubted = truth()
    instances = tuple(replace(one, uncertain=k < 6) for k, one in enumerate(doubted.instances))
    wrong = (NORMAL[5], *NORMAL[1:])
    score = score_karyotypes([(karyotype(GRID[:46], wrong), replace(doubted, instances=instances))])
    assert (score.placed, score.sure_placed, score.total("sure")) == (45 / 46, 1.0, 40)


def test_the_true_iscn_is_silent_where_pieces_are_in_doubt():
    assert true_iscn(truth()) == "46,XY"
    first, *others = truth().instances
    marked = replace(first, extra={"uncertain": True})
    assert true_iscn(replace(truth(), instances=(marked, *others))) is None
    assert true_iscn(truth_of([], SHAPE)) is None


def test_iscn_texts_are_compared_by_what_they_say():
    assert same_iscn("47,XX,+21", "47, XX, +21")
    assert not same_iscn("46,XX", "46,XY")
    assert not same_iscn("", "46,XY")


@pytest.mark.parametrize(("degrees", "up"), [(90.0, True), (40.0, True), (-90.0, False), (200.0, False)])
def test_the_p_arm_is_compared_with_its_true_direction(degrees, up):
    upright = Straightened(
        np.ones((12, 6), np.uint8),
        np.stack([np.arange(12.0), np.full(12, 3.0)], axis=1).astype(np.float32),
        np.full(12, 6.0, np.float32),
        np.ones(12, np.float32),
    )
    one = truth_of(GRID[:1], SHAPE, [0])
    turned = replace(one, instances=(replace(one.instances[0], orientation=degrees),))
    # the label says that the p arm is at the top of the crop, and the crop's top is the picture's
    score = score_karyotypes([(replace(karyotype(GRID[:1], (0,)), straightened=(upright,)), turned)])
    assert (score.paired.orientation_right, score.paired.orientation_total) == (int(up), 1)


def test_a_karyotype_with_parts_missing_is_refused():
    broken = replace(karyotype(GRID[:46], NORMAL), labels=())
    with pytest.raises(ValueError, match="as many labels and assigned classes as chromosomes, 46"):
        score_karyotypes([(broken, truth())])


def test_rows_and_json_carry_the_same_figures():
    score = score_karyotypes([(karyotype(GRID[1:46], NORMAL[1:]), truth(name="a.png"))])
    (row,) = score.rows("axis")
    assert (row["placed"], row["X"], row["Y"], row["count right"]) == ("97.8", "100.0", "100.0", "0.0")
    assert score.image_rows()[0]["count"] == "45/46"
    assert score.image_rows()[0]["true ISCN"] == "46,XY"
    values = json.loads(json.dumps(score.to_dict()))
    assert values["whole_way"]["placed"] == pytest.approx(45 / 46)
    assert values["karyotype"] == {"count_images": 1, "count_right": 0.0, "iscn_images": 1, "iscn_right": 0.0}
    assert values["images"][0]["iscn"] == "45,XY,-1"
