import json

import numpy as np
import pytest

from karyofast.evaluate import FailureScore, evaluate_failures, truth_of
from karyofast.evaluate_data import TruthPicture
from karyofast.evaluate_failures import find_failures
from karyofast.types import Box, Metaphase, Region

SHAPE = (60, 80)


def bar(top, left, height=10, width=10):
    return Region(Box(top, left, height, width), np.ones((height, width), dtype=bool))


def kinds(predicted, true, **given):
    return [one.kinds for one in find_failures(predicted, truth_of(true, SHAPE, **given)).fates]


def test_what_is_found_as_it_is_has_no_failure():
    true = [bar(0, 0), bar(0, 10), bar(20, 20, 4, 30), bar(10, 30, 30, 4)]
    assert kinds(true, true) == [()] * 4


def test_two_under_one_prediction_are_joined_the_larger_too_although_it_has_its_pair():
    true = [bar(0, 0, 10, 14), bar(0, 14, 10, 6), bar(30, 30)]
    found = find_failures([bar(0, 0, 10, 20), bar(30, 30)], truth_of(true, SHAPE))
    assert [one.kinds for one in found.fates] == [("joined",), ("joined",), ()]
    assert [one.predicted for one in found.fates] == [(0,), (0,), (1,)]
    assert found.count("joined") == 2


def test_a_crossing_belongs_to_both_and_joins_nobody():
    # most of the small one lies under the large one, whose prediction covers it there
    true = [bar(10, 0, 10, 60), bar(8, 20, 14, 6)]
    assert kinds(true, true) == [(), ()]
    assert kinds(true[:1], true) == [(), ("lost",)]
    # and is joined when its own ends go to the large one as well
    both = Region(
        Box(8, 0, 14, 60), np.vstack([np.zeros((2, 60), bool), np.ones((10, 60), bool), np.zeros((2, 60), bool)])
    )
    mask = both.mask.copy()
    mask[:, 20:26] = True
    assert kinds([Region(both.box, mask)], true) == [("joined",), ("joined",)]


def test_a_chromosome_in_two_pieces_is_split_even_when_one_is_large_enough_for_a_pair():
    assert kinds([bar(0, 0, 10, 8), bar(0, 8, 10, 2)], [bar(0, 0)]) == [("split",)]


def test_one_that_is_not_covered_is_lost_and_a_half_is_enough_not_to_be():
    assert kinds([], [bar(0, 0)]) == [("lost",)]
    assert kinds([bar(0, 0, 10, 4)], [bar(0, 0)]) == [("lost",)]
    assert kinds([bar(0, 0, 10, 5)], [bar(0, 0)]) == [()]


def test_one_that_is_seen_but_far_too_large_is_misshapen():
    assert kinds([bar(0, 0, 10, 25)], [bar(0, 0)]) == [("misshapen",)]


def test_ends_exchanged_at_a_crossing_join_both():
    cross = [bar(20, 0, 4, 44), bar(0, 20, 44, 4)]
    corner = np.zeros((44, 44), bool)
    corner[20:24, :24] = corner[:24, 20:24] = True
    found = [Region(Box(0, 0, 44, 44), corner), Region(Box(0, 0, 44, 44), corner[::-1, ::-1])]
    assert all("joined" in one for one in kinds(found, cross))


def test_a_prediction_on_nothing_true_is_invented_and_one_on_an_ignored_knot_is_not():
    truth = truth_of([bar(0, 0), bar(20, 20, 12, 12)], SHAPE, ignore={1})
    found = find_failures([bar(0, 0), bar(22, 22, 6, 6), bar(45, 60)], truth)
    assert found.invented == (2,)
    assert len(found.fates) == 1
    # the knot is not asked for, so nothing is joined with it
    assert find_failures([bar(0, 0, 32, 32)], truth).fates[0].kinds == ("misshapen",)


def test_every_chromosome_without_a_pair_has_a_failure():
    rng = np.random.default_rng(3)
    for _ in range(20):
        true = [bar(int(r), int(c), 9, 12) for r, c in zip(rng.integers(0, 50, 8), rng.integers(0, 66, 8), strict=True)]
        found = [
            bar(int(r), int(c), *(int(v) for v in rng.integers(4, 12, 2)))
            for r, c in zip(rng.integers(0, 45, 7), rng.integers(0, 66, 7), strict=True)
        ]
        from karyofast.evaluate_match import iou_matrix, match

        truth = truth_of(true, SHAPE)
        paired = {column for _, column in match(iou_matrix(found, true))}
        bare = [one.index for one in find_failures(found, truth).fates if not one.kinds]
        assert set(bare) <= paired


def test_the_score_tells_shares_by_size_and_contact():
    true = [bar(0, 0, 10, 20), bar(0, 20, 10, 5), bar(30, 0), bar(30, 40), bar(50, 60)]
    score = FailureScore((find_failures([bar(0, 0, 10, 25), bar(30, 0)], truth_of(true, SHAPE, name="a.png")),))
    (row,) = score.rows("mine")
    assert (row["method"], row["true"], row["joined"], row["lost"], row["predicted"]) == (
        "mine",
        "5",
        "40.0",
        "40.0",
        "2",
    )
    groups = {one["chromosomes"]: one for one in score.group_rows()}
    assert groups["area under 0.6"]["joined"] == groups["area over 1.25"]["joined"] == "100.0"
    assert (groups["area 0.9 to 1.25"]["true"], groups["area 0.9 to 1.25"]["lost"]) == ("3", "66.7")
    assert (groups["touching"]["joined"], groups["alone"]["joined"]) == ("100.0", "0.0")
    assert groups["crossing under 30"]["true"] == "0"
    values = json.loads(json.dumps(score.to_dict()))
    assert values["joined_share"] == pytest.approx(0.4)
    assert values["by_contact"]["alone"]["lost"] == 2
    assert [one["kinds"] for one in values["images"][0]["failures"]] == [["joined"], ["joined"], ["lost"], ["lost"]]
    assert score.image_rows()[0] == {
        "image": "a.png", "true": "5", "joined": "2", "split": "0", "lost": "2", "misshapen": "0", "invented": "0"
    }  # fmt: skip


def test_evaluating_shows_each_picture_with_its_failures(tmp_path):
    picture = TruthPicture(truth_of([bar(0, 0), bar(0, 10)], SHAPE, name="a.png"), tmp_path / "a.png", "a")
    grey = np.zeros(SHAPE, np.uint8)
    seen = []
    score = evaluate_failures(
        [picture],
        lambda metaphase: [bar(0, 0, 10, 20)],
        read=lambda path: Metaphase(grey, grey, "bright", name=path.name),
        seen=lambda metaphase, image: seen.append((metaphase.name, image.count("joined"))),
    )
    assert seen == [("a.png", 2)]
    assert score.to_dict()["joined"] == 2
