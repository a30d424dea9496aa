import cv2
import numpy as np
import pytest
from clusters import SHAPE, WIDTH, arc, assert_matched, assert_nothing_lost, cell, ellipse, line
from hypothesis import given, settings
from hypothesis import strategies as st

from karyofast import kernels, ridge
from karyofast.config import SegmentOptions
from karyofast.detect import detect
from karyofast.errors import OptionError
from karyofast.io import read_metaphase
from karyofast.kernels import edge_distance, relevance
from karyofast.segment import segment
from karyofast.segment_lift import typical_width
from karyofast.segment_rrt import is_single, separate, separate_all, singles
from karyofast.segment_watershed import watershed
from karyofast.types import Box, Candidate, Metaphase

RRT = SegmentOptions(method="rrt")


def test_two_ellipses_end_to_end_are_parted_at_their_neck():
    upper, lower = ellipse(50, 80, 26, 8), ellipse(102, 80, 26, 8)
    metaphase, candidate = cell(upper, lower)
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert_matched(found, [upper, lower], 0.9)
    assert_nothing_lost(found, candidate)
    first = min(found, key=lambda one: one.box.top)
    assert abs(first.box.top + first.box.height - 76) <= 3
    assert all(one.flags == ("touching",) for one in found)


def test_two_discs_that_touch_are_parted_between_them():
    left, right = ellipse(80, 65, 9, 9), ellipse(80, 83, 9, 9)
    metaphase, candidate = cell(left, right)
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert_matched(found, [left, right], 0.9)
    assert_nothing_lost(found, candidate)


@pytest.mark.parametrize("degrees", [40, 70])
def test_two_ellipses_that_touch_at_an_angle_are_parted(degrees):
    upper = ellipse(50, 80, 26, 8)
    away = np.radians(degrees)
    at = 76 + 24 * np.cos(away), 80 - 24 * np.sin(away)
    lower = ellipse(round(at[0]), round(at[1]), 26, 8, degrees)
    metaphase, candidate = cell(upper, lower)
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert_matched(found, [upper, lower], 0.8)
    assert_nothing_lost(found, candidate)


def test_an_end_that_touches_a_side_is_parted_from_it():
    upright, across = line((30, 60), (120, 60)), line((75, 73), (75, 130))
    metaphase, candidate = cell(upright, across)
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert_matched(found, [upright, across], 0.75)
    assert_nothing_lost(found, candidate)


def test_two_side_by_side_are_parted_along_the_pale_gap_between_them():
    left, right = line((30, 60), (120, 60)), line((30, 74), (120, 74))
    metaphase, candidate = cell(left, right, gap=line((10, 67), (150, 67), width=2))
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert_matched(found, [left, right], 0.8)
    assert_nothing_lost(found, candidate)


@pytest.mark.parametrize("angle", [90, 60])
def test_a_crossing_belongs_to_both(angle):
    upright = line((30, 80), (130, 80))
    away = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * 50
    slanting = line(80 - away, 80 + away)
    metaphase, candidate = cell(upright, slanting)
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert_matched(found, [upright, slanting], 0.8)
    assert_nothing_lost(found, candidate)
    shared = found[0].full_mask(SHAPE) & found[1].full_mask(SHAPE)
    truth = upright & slanting
    assert np.count_nonzero(shared & truth) / np.count_nonzero(shared | truth) > 0.5
    assert all(one.flags == ("overlap",) for one in found)


@pytest.mark.parametrize("mask", [arc(40, 0, 180), arc(30, 20, 250), line((40, 40), (80, 80), (80, 120))])
def test_a_bent_chromosome_stays_one(mask):
    metaphase, candidate = cell(mask)
    assert is_single(candidate, WIDTH)
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert len(found) == 1
    assert np.array_equal(found[0].mask, candidate.mask)
    assert found[0].flags == ()


def test_a_pale_band_across_a_chromosome_does_not_cut_it():
    mask = line((30, 80), (130, 80))
    metaphase, candidate = cell(mask, gap=line((80, 60), (80, 100), width=4))
    assert len(separate(metaphase, candidate, RRT, WIDTH)) == 1


@pytest.mark.parametrize("angle", [0, 30, 90])
def test_a_pale_band_that_opens_the_mask_does_not_cut_it(angle):
    # a threshold leaves a hole where a band is paler than it: its rim is no border
    mask = line((30, 80), (130, 80)) & ~ellipse(75, 80, 4, 3)
    turn = cv2.getRotationMatrix2D((80, 80), angle, 1.0)
    mask = cv2.warpAffine(mask.astype(np.uint8), turn, SHAPE).astype(bool)
    metaphase, candidate = cell(mask)
    assert is_single(candidate, WIDTH)
    (found,) = separate(metaphase, candidate, RRT, WIDTH)
    assert np.array_equal(found.mask, candidate.mask)


def test_holes_in_a_cluster_stay_holes():
    upright, across = line((30, 60), (120, 60)), line((75, 73), (75, 130))
    metaphase, candidate = cell(upright & ~ellipse(45, 60, 4, 3), across & ~ellipse(75, 110, 3, 3))
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert_matched(found, [upright, across], 0.7)
    assert_nothing_lost(found, candidate)


def waisted(corner):
    """Two arms that meet at row 80 in a waist of a third of their width."""
    arms = line((30, 80), (66, 80), width=14) | line((94, corner), (128, corner + (corner - 80) * 2), width=14)
    return arms | line((60, 80), (80, 80), (98, corner), width=5)


def test_a_waist_in_a_straight_line_is_a_centromere():
    metaphase, candidate = cell(waisted(80))
    assert is_single(candidate, WIDTH)
    assert len(separate(metaphase, candidate, RRT, WIDTH)) == 1


def test_a_waist_at_a_turn_is_a_touch():
    metaphase, candidate = cell(waisted(96))
    assert not is_single(candidate, WIDTH)
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert len(found) == 2
    assert_nothing_lost(found, candidate)


def test_the_width_may_be_left_out():
    upright, across = line((30, 60), (120, 60)), line((75, 73), (75, 130))
    metaphase, candidate = cell(upright, across)
    assert_matched(separate(metaphase, candidate, RRT), [upright, across], 0.75)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_the_mask_nothing_is_lost_and_every_piece_lies_on_it(data):
    rows = data.draw(st.lists(st.tuples(*[st.integers(20, 140)] * 4, st.integers(1, 18)), min_size=1, max_size=4))
    strokes = [line((a, b), (c, d), width=broad) for a, b, c, d, broad in rows]
    metaphase, candidate = cell(*strokes)
    _, labels = cv2.connectedComponents(candidate.mask.astype(np.uint8), connectivity=8)
    candidate = Candidate(candidate.box, labels == 1)  # a candidate is one component
    for found in (separate(metaphase, candidate, RRT, WIDTH), watershed(metaphase, candidate)):
        assert_nothing_lost(found, candidate)
        assert all(one.area > 0 and 0.0 <= one.score <= 1.0 for one in found)


def test_a_crossing_is_not_single():
    _, candidate = cell(line((30, 80), (130, 80)), line((80, 30), (80, 130)))
    assert not is_single(candidate, WIDTH)


def test_what_gives_no_chromosome_passes_unchanged_as_a_cluster():
    metaphase, candidate = cell(ellipse(80, 80, 40, 40))
    found = separate(metaphase, candidate, RRT, WIDTH)
    assert len(found) == 1
    assert np.array_equal(found[0].mask, candidate.mask)
    assert found[0].flags == ("cluster",)


def test_a_single_pixel_passes():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5, 5] = True
    metaphase, candidate = cell(mask)
    assert len(separate(metaphase, candidate, RRT, WIDTH)) == 1
    assert len(watershed(metaphase, candidate)) == 1


@pytest.mark.parametrize("method", ["rrt", "watershed"])
def test_segment_selects_the_method_and_numbers_the_candidates(method):
    metaphase, cluster = cell(ellipse(50, 80, 26, 8), ellipse(102, 80, 26, 8))
    _, single = cell(line((40, 20), (110, 20)))
    found = segment(metaphase, [single, cluster], SegmentOptions(method=method))
    assert [one.candidate for one in found] == [0, 1, 1]


def test_a_width_that_is_not_positive_is_refused():
    metaphase, candidate = cell(line((30, 80), (130, 80)))
    with pytest.raises(OptionError, match="typical_width"):
        separate(metaphase, candidate, RRT, 0.0)


@pytest.mark.parametrize("impl", ["reference", "fast"])
def test_relevance_by_hand(impl):
    # distances 3 and 4; cosines 1 and 0: (1-l)/(1+d) + l(c+1)/2 with l = 0.4
    best, value = relevance([[0, 0]], [[0, 2]], [[0, 3], [4, 0]], 0.4, impl)
    assert best.tolist() == [0]
    assert value == pytest.approx([0.6 / 4 + 0.4])
    # gradient away from the near seed and towards the far one
    best, value = relevance([[0, 0]], [[0, -1]], [[0, 3], [0, -9]], 0.4, impl)
    assert best.tolist() == [1]
    assert value == pytest.approx([0.6 / 10 + 0.4])
    # a seed on the point, and no gradient: cosine 0
    best, value = relevance([[1, 1]], [[0, 0]], [[1, 1]], 0.4, impl)
    assert value == pytest.approx([0.6 + 0.2])
    # a tie goes to the first; no seed gives -1
    assert relevance([[0, 0]], [[0, 0]], [[0, 2], [2, 0], [0, -2]], 0.4, impl)[0].tolist() == [0]
    assert relevance([[0, 0]], [[1, 0]], [], 0.4, impl)[0].tolist() == [-1]


@pytest.mark.parametrize("impl", ["reference", "fast"])
def test_edge_distance_by_hand(impl):
    edges = np.zeros((4, 5), dtype=bool)
    edges[0, 0] = edges[3, 4] = True
    distance = edge_distance(edges, impl)
    assert distance[0, 0] == 0.0
    assert distance[1, 2] == pytest.approx(np.sqrt(5))
    assert distance[3, 3] == 1.0
    assert np.isinf(edge_distance(np.zeros((2, 3), dtype=bool), impl)).all()


@pytest.mark.parametrize("impl", ["reference", "fast"])
def test_the_ridge_is_one_pixel_broad_and_keeps_the_shape_connected(impl):
    mask = line((30, 80), (130, 80)) | line((80, 30), (80, 130))
    radius = edge_distance(~mask)
    thinned = kernels.ridge(mask, radius, ridge.TIP * WIDTH, impl)
    assert (thinned <= mask).all()
    assert cv2.connectedComponents(thinned.astype(np.uint8), connectivity=8)[0] == 2
    blocks = thinned[1:, 1:] & thinned[:-1, 1:] & thinned[1:, :-1] & thinned[:-1, :-1]
    assert np.count_nonzero(blocks) <= 1
    assert len(ridge.cut(thinned, radius, WIDTH)) == 4


def test_a_real_metaphase_loses_nothing_and_parts_clusters(data_dir):
    picture = sorted((data_dir / "gband" / "unlabelled").glob("*.jpg"))[0]
    density = 255 - cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    metaphase = Metaphase(255 - density, density, "dark")
    _, dark = cv2.threshold(density, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    candidates = []
    for number in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[number])
        if 100 <= area <= 8000:
            inner = labels[top : top + height, left : left + width] == number
            candidates.append(Candidate(Box(top, left, height, width), inner))
    typical = typical_width(candidates)
    clusters = [one for one in candidates if not is_single(one, typical)]
    assert clusters
    pieces = [separate(metaphase, one, RRT, typical) for one in clusters]
    for candidate, found in zip(clusters, pieces, strict=True):
        assert_nothing_lost(found, candidate, density.shape)
    assert max(len(found) for found in pieces) > 1


def test_the_same_picture_is_separated_in_the_same_way_again(data_dir):
    # one of its ellipses has singular equations, where OpenCV shakes the points at random
    metaphase = read_metaphase(data_dir / "mfish" / "A3307EX_dapi.png")
    candidates = detect(metaphase)
    first, again = (segment(metaphase, candidates, RRT) for _ in range(2))
    assert [one.box for one in first] == [one.box for one in again]
    assert all(np.array_equal(one.mask, other.mask) for one, other in zip(first, again, strict=True))


def test_many_together_are_what_each_is_alone(data_dir):
    metaphase = read_metaphase(data_dir / "mfish" / "A0101XY_dapi.png")
    candidates = detect(metaphase)
    width = typical_width(candidates)
    single = singles(candidates, width)
    assert 0 < sum(single) < len(candidates)
    assert single == [is_single(one, width) for one in candidates]
    alone = [separate(metaphase, one, RRT, width) for one in candidates]
    for together, own in zip(separate_all(metaphase, candidates, RRT), alone, strict=True):
        assert [one.box for one in together] == [one.box for one in own]
        assert all(np.array_equal(one.mask, other.mask) for one, other in zip(together, own, strict=True))


def test_none_are_separated_into_none():
    metaphase, _ = cell(line((40, 40), (120, 120)))
    assert separate_all(metaphase, [], RRT) == [] == singles([], WIDTH)
