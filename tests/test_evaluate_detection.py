import numpy as np

from karyofast.evaluate import DetectionScore, score_candidates, truth_of
from karyofast.evaluate_detection import blobs
from karyofast.types import Box, Region

SHAPE = (40, 60)


def bar(top, left, height=10, width=10):
    return Region(Box(top, left, height, width), np.ones((height, width), dtype=bool))


def triple(counts):
    return counts.hits, counts.predicted, counts.true


def test_chromosomes_that_touch_at_a_corner_form_one_blob():
    asked, ignored = blobs(truth_of([bar(0, 0), bar(10, 10), bar(0, 30)], SHAPE))
    assert sorted(one.area for one in asked) == [100, 200]
    assert not ignored.any()


def test_one_candidate_for_a_touching_pair_is_right():
    truth = truth_of([bar(0, 0), bar(0, 10), bar(20, 0)], SHAPE)
    counts = score_candidates([bar(0, 0, 10, 20), bar(20, 0)], truth).counts
    assert triple(counts) == (2, 2, 2)


def test_a_split_pair_scores_one_hit_where_a_piece_is_half_and_none_where_not():
    truth = truth_of([bar(0, 0), bar(0, 10)], SHAPE)
    assert triple(score_candidates([bar(0, 0), bar(0, 10)], truth).counts) == (1, 2, 1)
    assert triple(score_candidates([bar(0, 0, 10, 9), bar(0, 11, 10, 9)], truth).counts) == (0, 2, 1)


def test_debris_is_wrong_and_a_missed_blob_lowers_recall():
    truth = truth_of([bar(0, 0), bar(20, 20)], SHAPE)
    counts = score_candidates([bar(0, 1), bar(30, 40, 3, 3)], truth).counts
    assert (counts.precision, counts.recall) == (0.5, 0.5)


def test_a_blob_with_an_ignored_chromosome_is_neither_asked_for_nor_wrong():
    truth = truth_of([bar(0, 0), bar(0, 10), bar(20, 20)], SHAPE, ignore={1})
    found = [bar(0, 0, 10, 20), bar(0, 2, 10, 4), bar(20, 20), bar(30, 0, 3, 3)]
    assert triple(score_candidates(found, truth).counts) == (1, 2, 1)


def test_empty_pictures_and_empty_predictions():
    truth = truth_of([bar(0, 0)], SHAPE)
    assert triple(score_candidates([], truth).counts) == (0, 0, 1)
    assert triple(score_candidates([bar(0, 0)], truth_of([], SHAPE)).counts) == (0, 1, 0)


def test_pictures_are_pooled_by_their_counts():
    truth = truth_of([bar(0, 0), bar(20, 20)], SHAPE, name="a.png")
    score = DetectionScore((score_candidates([bar(0, 0)], truth), score_candidates([], truth)))
    assert triple(score.pooled) == (1, 1, 4)
    (row,) = score.rows("mine")
    assert (row["method"], row["precision"], row["recall"]) == ("mine", "100.0", "25.0")
    assert [line["precision"] for line in score.image_rows()] == ["100.0", "-"]
    assert score.to_dict()["images"][0]["name"] == "a.png"
