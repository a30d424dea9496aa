import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from karyofast import coco
from karyofast.evaluate import average_precision, score_instances, truth_of
from karyofast.evaluate_instances import _runs, score_image_instances
from karyofast.types import Box, Chromosome, Region

SHAPE = (40, 60)


def bar(top, left, height=10, width=10, score=1.0):
    return Chromosome(Box(top, left, height, width), np.ones((height, width), dtype=bool), score)


def triple(counts):
    return counts.hits, counts.predicted, counts.true


def test_the_truth_scores_full_marks_against_itself():
    masks = [bar(0, 0), bar(0, 10), bar(20, 20), bar(25, 22)]
    score = score_instances([(masks, truth_of(masks, SHAPE))])
    assert triple(score.pooled) == triple(score.crowded) == (4, 4, 4)
    assert (score.touching.recall, score.overlapping.recall) == (1.0, 1.0)
    assert (score.touching.true, score.overlapping.true) == (4, 2)
    assert (*score.ap, *score.crowded_ap) == pytest.approx((1.0,) * 4)
    assert (score.count_errors, score.count_right, score.mean_count_error) == ((0,), 1.0, 0.0)


def test_nothing_found():
    score = score_instances([([], truth_of([bar(0, 0)], SHAPE))])
    assert triple(score.pooled) == (0, 0, 1)
    assert (score.pooled.precision, score.pooled.recall, score.pooled.f1) == (None, 0.0, 0.0)
    assert score.ap == (0.0, 0.0)
    assert score.crowded_ap == (None, None)
    assert score.count_errors == (-1,)


def test_a_shift_by_a_fifth_hits_at_a_half_and_not_at_three_quarters():
    # 80 px in common of 120: IoU 2/3
    score = score_instances([([bar(0, 2)], truth_of([bar(0, 0)], SHAPE))])
    assert triple(score.pooled) == (1, 1, 1)
    assert score.ap == pytest.approx((1.0, 0.0))


def test_a_pair_left_joined_is_one_wrong_prediction_and_two_missed():
    truth = truth_of([bar(0, 0, 10, 9), bar(0, 9, 10, 9), bar(20, 20)], SHAPE)
    # 180 of 200 px are the pair: each chromosome is 90 of 200
    image = score_image_instances([bar(0, 0, 10, 20), bar(20, 20)], truth)
    assert triple(image.counts) == (1, 2, 3)
    assert triple(image.crowded) == (0, 1, 2)
    assert image.touching.recall == 0.0
    assert image.count_error == -1


def test_a_split_chromosome_keeps_its_larger_piece():
    image = score_image_instances([bar(0, 0, 10, 6), bar(0, 6, 10, 4)], truth_of([bar(0, 0)], SHAPE))
    assert triple(image.counts) == (1, 2, 1)
    assert image.count_error == 1


def test_an_overlap_given_to_both_is_right_and_given_to_one_costs_the_other():
    cross = [bar(8, 0, 4, 20), bar(0, 8, 20, 4)]
    truth = truth_of(cross, SHAPE)
    assert all(one.touching and one.overlapping for one in truth.instances)
    assert score_image_instances(cross, truth).overlapping.recall == 1.0
    # the upright one as its longer half alone: 32 of 80 px
    image = score_image_instances([cross[0], bar(0, 8, 8, 4)], truth)
    assert image.overlapping.recall == 0.5
    assert triple(image.crowded) == (1, 2, 2)


def test_predictions_on_an_ignored_knot_are_neither_right_nor_wrong():
    truth = truth_of([bar(0, 0), bar(20, 20, 12, 12)], SHAPE, ignore={1})
    found = [bar(0, 0), bar(20, 20, 6, 6), bar(26, 26, 6, 6), bar(20, 28, 10, 10), bar(0, 50, 5, 5)]
    image = score_image_instances(found, truth)
    # the fourth has 40 of its 100 px on the knot, the fifth none
    assert triple(image.counts) == (1, 3, 1)
    assert image.count_error is None
    score = score_instances([(found, truth)])
    assert (score.count_errors, score.count_right, score.mean_count_error) == ((), None, None)


def test_a_chromosome_beside_a_knot_still_has_to_be_found():
    truth = truth_of([bar(0, 0), bar(0, 10)], SHAPE, ignore={1})
    assert triple(score_image_instances([bar(0, 0, 10, 20)], truth).counts) == (1, 1, 1)
    # half on the knot is not mostly
    assert triple(score_image_instances([bar(0, 1, 10, 20)], truth).counts) == (0, 1, 1)
    assert triple(score_image_instances([bar(0, 2, 10, 18)], truth).counts) == (0, 0, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
@example(98940)
@example(454)
@example(1719)
def test_figures_do_not_depend_on_the_order_of_masks(seed):
    rng = np.random.default_rng(seed)
    true = [bar(int(r), int(c), 8, 9) for r, c in zip(rng.integers(0, 30, 6), rng.integers(0, 50, 6), strict=True)]
    found = [bar(*(int(v) for v in (rng.integers(0, 30), rng.integers(0, 50))), 8, 9) for _ in range(3)]
    found += [
        bar(min(one.box.top + int(rng.integers(0, 3)), 32), one.box.left, 8, 9, score=float(rng.choice([0.5, 1.0])))
        for one in true
    ]
    ignore = {0} if rng.random() < 0.5 else set()
    first = score_instances([(found, truth_of(true, SHAPE, ignore=ignore))])
    order, turn = rng.permutation(len(found)), rng.permutation(len(true))
    moved = {int(np.flatnonzero(turn == k)[0]) for k in ignore}
    second = score_instances([([found[k] for k in order], truth_of([true[k] for k in turn], SHAPE, ignore=moved))])
    assert triple(first.pooled) == triple(second.pooled)
    assert first.count_errors == second.count_errors
    assert first.ap == pytest.approx(second.ap)


def test_average_precision_is_that_of_a_coco_file_read_by_pycocotools(tmp_path):
    rng = np.random.default_rng(5)
    pictures, images, true, found = [], [], [], []
    for number in range(1, 4):
        masks = [bar(12 * k, 14 * j, 9, 10) for k in range(3) for j in range(4)]
        truth = truth_of(masks, SHAPE, ignore={3})
        predicted = [
            bar(one.box.top + int(rng.integers(0, 2)), one.box.left + int(rng.integers(0, 3)), 9, 10, rng.random())
            for one in masks
            if rng.random() < 0.8
        ]
        pictures.append((predicted, truth))
        images.append({"id": number, "file_name": f"{number}.png", "height": 40, "width": 60})
        for one in truth.instances:
            true.append(coco.annotation(len(true) + 1, number, 0, one.region, SHAPE) | {"iscrowd": int(one.ignore)})
        found += [coco.annotation(0, number, 0, one, SHAPE, score=one.score) for one in predicted]
    (tmp_path / "true.json").write_text(json.dumps(coco.document(images, true)))
    with contextlib.redirect_stdout(io.StringIO()):
        read = COCO(str(tmp_path / "true.json"))
        evaluation = COCOeval(read, read.loadRes(found), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert average_precision(pictures) == pytest.approx((evaluation.stats[1], evaluation.stats[2]), abs=1e-12)
    assert 0.1 < evaluation.stats[2] < evaluation.stats[1] < 1.0


def test_average_precision_of_three_ranked_predictions_by_hand():
    # ranks: hit, miss, hit of 3 true: precision 1 up to recall 1/3, 2/3 up to recall 2/3, then 0
    truth = truth_of([bar(0, 0), bar(0, 20), bar(0, 40)], SHAPE)
    found = [bar(0, 0, score=0.9), bar(20, 20, score=0.8), bar(0, 20, score=0.7)]
    expected = (34 * 1.0 + 33 * 2 / 3) / 101
    assert average_precision([(found, truth)], levels=[0.5]) == pytest.approx((expected,))


def test_average_precision_says_nothing_on_stdout(capsys):
    average_precision([([bar(0, 0)], truth_of([bar(0, 0)], SHAPE))])
    assert capsys.readouterr().out == ""


@given(st.integers(0, 2**32 - 1))
def test_run_lengths_of_a_region_are_those_of_its_picture(seed):
    rng = np.random.default_rng(seed)
    height, width = (int(v) for v in rng.integers(1, 8, 2))
    box = Box(int(rng.integers(0, 9 - height)), int(rng.integers(0, 9 - width)), height, width)
    region = Region(box, rng.random((height, width)) < 0.5)
    runs = _runs(region, (8, 8))
    drawn = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(8, 8).T
    assert np.array_equal(drawn, region.full_mask((8, 8)))


def test_joined_and_split_chromosomes_and_the_bias_of_the_count_are_told():
    joined = truth_of([bar(0, 0), bar(0, 10), bar(20, 20)], SHAPE)
    split = truth_of([bar(0, 0), bar(20, 20)], SHAPE)
    found = [bar(0, 0, 10, 20), bar(20, 20)], [bar(0, 0, 10, 5), bar(0, 5, 10, 5), bar(20, 20), bar(0, 50)]
    score = score_instances(list(zip(found, (joined, split), strict=True)))
    assert [(one.joined, one.split, one.count_error) for one in score.images] == [(2, 0, -1), (0, 1, 2)]
    assert (score.joined, score.split) == pytest.approx((0.4, 0.2))
    assert (score.mean_count_error, score.count_bias) == (1.5, 0.5)
    (row,) = score.rows()
    assert (row["joined"], row["split"], row["count error"], row["bias"]) == ("40.0", "20.0", "1.5", "+0.5")


def test_average_precision_is_told_for_both_rims_where_there_are_two():
    wide, narrow = truth_of([bar(0, 0, 10, 10)], SHAPE), truth_of([bar(1, 1, 8, 8)], SHAPE)
    score = score_instances([([bar(0, 0)], wide)], [narrow])
    # 64 of 100 px
    assert (score.ap, score.halfmax_ap) == (pytest.approx((1.0, 1.0)), pytest.approx((1.0, 0.0)))
    assert score.rows()[0]["AP75 half-max"] == "0.0"
    assert score.to_dict()["instances"]["ap50_halfmax"] == pytest.approx(1.0)
    assert "AP75 half-max" not in score_instances([([bar(0, 0)], wide)]).rows()[0]


def test_rows_and_json_carry_the_same_figures():
    masks = [bar(0, 0), bar(0, 10), bar(20, 20)]
    score = score_instances([(masks[:2], truth_of(masks, SHAPE, name="a.png"))])
    (row,) = score.rows("mine")
    assert (row["method"], row["F1"], row["touching"], row["count error"]) == ("mine", "80.0", "100.0", "1.0")
    assert score.image_rows()[0]["count error"] == "-1"
    values = json.loads(json.dumps(score.to_dict()))
    assert values["instances"]["f1"] == pytest.approx(0.8)
    assert values["touching"] == {"hits": 2, "true": 2, "recall": 1.0}
    assert values["images"][0]["name"] == "a.png"
