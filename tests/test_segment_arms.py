import cv2
import numpy as np
import pytest

from karyofast.config import SegmentOptions
from karyofast.errors import OptionError
from karyofast.segment import segment
from karyofast.segment_arms import find_cores
from karyofast.types import Candidate, Metaphase

SHAPE = (120, 160)
THICK = 7


def line(*points):
    canvas = np.zeros(SHAPE, np.uint8)
    cv2.polylines(canvas, [np.array([point[::-1] for point in points], np.int32)], False, 1, THICK)
    return canvas.astype(bool)


def lifted(*lines):
    """What a perfect network says of chromosomes with these cores: all in one direction, crossings as overlaps."""
    answer = np.zeros((3, *SHAPE), np.float32)
    owners = np.sum(lines, axis=0)
    answer[0] = cv2.dilate((owners > 0).astype(np.uint8), np.ones((7, 7), np.uint8))
    answer[1] = cv2.dilate((owners > 1).astype(np.uint8), np.ones((5, 5), np.uint8))
    answer[2] = 0.9 * (owners > 0)
    return answer


def owner_of(cores, drawn):
    """Which line each core covers for the most part."""
    masks = [np.zeros(SHAPE, bool) for _ in cores]
    for mask, core in zip(masks, cores, strict=True):
        mask.ravel()[core.pixels] = True
    return sorted(
        max(range(len(drawn)), key=lambda k, mask=mask: (mask & drawn[k]).sum() / drawn[k].sum()) for mask in masks
    )


def test_two_that_cross_fall_apart_and_share_the_crossing():
    drawn = line((60, 20), (60, 140)), line((20, 80), (100, 80))
    cores = find_cores(lifted(*drawn))
    assert owner_of(cores, drawn) == [0, 1]
    assert np.intersect1d(cores[0].pixels, cores[1].pixels).size > THICK**2 / 2
    assert all(one.score == pytest.approx(0.9) for one in cores)


def test_three_on_one_crossing_are_joined_by_their_straightest_pairs():
    drawn = line((60, 20), (60, 140)), line((10, 50), (110, 110)), line((110, 50), (10, 110))
    assert owner_of(find_cores(lifted(*drawn)), drawn) == [0, 1, 2]


def test_one_that_crosses_two_is_one_and_one_that_ends_on_another_is_its_own():
    drawn = line((60, 10), (60, 150)), line((20, 40), (100, 40)), line((60, 110), (110, 110))
    assert owner_of(find_cores(lifted(*drawn)), drawn) == [0, 1, 2]


def test_a_bend_stays_one_and_scraps_are_nothing():
    assert len(find_cores(lifted(line((20, 20), (80, 60), (20, 100))))) == 1
    assert find_cores(np.zeros((3, *SHAPE), np.float32)) == []
    speck = np.zeros((3, *SHAPE), np.float32)
    speck[2, 5:8, 5:8] = 1.0
    assert find_cores(speck) == []


def test_the_method_arms_gives_a_crossing_to_both_and_needs_the_network():
    drawn = line((60, 20), (60, 140)), line((20, 80), (100, 80))
    mask = cv2.dilate(np.any(drawn, axis=0).astype(np.uint8), np.ones((6, 6), np.uint8)).astype(bool)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    from karyofast.types import Box

    box = Box(int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)
    candidates = [Candidate(box, mask[box.slices])]
    density = (mask * 150).astype(np.uint8)

    class Perfect:
        stride = 8

        def lifted(self, density):
            answer = [cv2.resize(plane, density.shape[::-1]) for plane in lifted(*drawn)]
            return np.stack(answer).astype(np.float32)

    found = segment(Metaphase(255 - density, density, "dark"), candidates, SegmentOptions("arms"), Perfect())
    assert len(found) == 2
    assert all("overlap" in one.flags for one in found)
    with pytest.raises(OptionError, match="method 'arms' must be given a separator"):
        segment(Metaphase(255 - density, density, "dark"), candidates, SegmentOptions("arms"))
