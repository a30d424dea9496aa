import numpy as np
import pytest
from separating import BINS, Oracle, arc, bar, best, cell, let_all_be_shown

from karyofast.config import SegmentOptions
from karyofast.errors import OptionError
from karyofast.segment import segment, unseparated
from karyofast.segment_axis import find_cores, known_piece, partitions, separate
from karyofast.segment_lift import lift
from karyofast.types import Box, Chromosome, Metaphase


@pytest.fixture(autouse=True)
def _no_scaling(request, monkeypatch):
    if "typical_width" not in request.node.name:
        let_all_be_shown(monkeypatch)


def test_a_crossing_belongs_to_both():
    laid = [bar((100, 40), (100, 160)), bar((40, 100), (160, 100))]
    metaphase, candidates = cell(laid)
    found = separate(metaphase, candidates, Oracle(laid))
    assert len(found) == 2
    assert all(best(found, one) > 0.85 for one in laid)
    assert all("overlap" in one.flags for one in found)
    shared = found[0].full_mask(metaphase.shape) & found[1].full_mask(metaphase.shape)
    assert shared[100, 100]


@pytest.mark.parametrize("degrees", [45, 60, 75, 120])
def test_crossings_from_45_degrees_come_apart(degrees):
    way = 60 * np.array([np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))])
    laid = [bar((100, 40), (100, 160)), bar(100 - way, 100 + way)]
    metaphase, candidates = cell(laid)
    assert len(separate(metaphase, candidates, Oracle(laid))) == 2


def test_two_side_by_side_are_cut_along_their_border():
    laid = [bar((94, 40), (94, 150)), bar((106, 50), (106, 160))]
    metaphase, candidates = cell(laid)
    assert len(candidates) == 1
    found = separate(metaphase, candidates, Oracle(laid))
    assert len(found) == 2
    assert all(best(found, one) > 0.8 for one in laid)
    assert all("touching" in one.flags or "overlap" in one.flags for one in found)


def test_a_bent_chromosome_stays_one():
    laid = [arc(), bar((20, 20), (20, 100))]
    metaphase, candidates = cell(laid)
    found = separate(metaphase, candidates, Oracle(laid))
    assert len(found) == 2
    assert best(found, laid[0]) > 0.95


def test_a_candidate_without_a_core_passes_as_it_is():
    laid = [bar((100, 40), (100, 160)), bar((40, 40), (40, 100))]
    metaphase, candidates = cell(laid)

    class Coreless(Oracle):
        def lifted(self, density):
            drawn = super().lifted(density)
            drawn[2:, :60] = 0.0
            return drawn

    found = separate(metaphase, candidates, Coreless(laid))
    assert len(found) == 2
    assert best(found, laid[1]) > 0.95


def test_every_pixel_of_a_cluster_is_given_to_somebody():
    laid = [bar((100, 40), (100, 160)), bar((40, 100), (160, 100)), arc()]
    metaphase, candidates = cell(laid)
    found = separate(metaphase, candidates, Oracle(laid))
    union = np.any([one.full_mask(metaphase.shape) for one in found], axis=0)
    true = np.any([one.mask for one in laid], axis=0)
    assert np.count_nonzero(union & true) > 0.97 * np.count_nonzero(true)
    assert not (union & ~true).any()


def test_what_the_network_holds_for_background_is_dropped_or_trimmed():
    laid = [bar((100, 40), (100, 160)), bar((40, 40), (40, 100))]
    metaphase, candidates = cell(laid)

    class Strict(Oracle):
        def lifted(self, density):
            drawn = super().lifted(density)
            drawn[0, :60] = 0.0
            drawn[0, :, 150:] = 0.0
            return drawn

    found = separate(metaphase, candidates, Strict(laid[:1]))
    assert len(found) == 1
    assert found[0].box.left + found[0].box.width == 150


def test_other_ways_are_given_once_and_the_first_is_the_plain_one():
    laid = [bar((100, 40), (100, 160)), bar((40, 100), (160, 100))]
    metaphase, candidates = cell(laid)

    class Faint(Oracle):
        def lifted(self, density):
            drawn = super().lifted(density)
            drawn[2:, :, 60:70] *= 0.4
            return drawn

    same = partitions(metaphase, candidates, lift(metaphase, candidates, Oracle(laid)))
    assert [len(ways) for ways in same] == [1]
    ways = partitions(metaphase, candidates, lift(metaphase, candidates, Faint(laid)))[0]
    assert [len(way) for way in ways] == [3, 2]
    assert [one.box for one in ways[0]] == [one.box for one in separate(metaphase, candidates, Faint(laid))]


def test_a_rim_drawn_otherwise_is_the_same_piece_and_an_arm_more_is_another():
    shape = (60, 200)
    mask = np.zeros(shape, bool)
    mask[20:40, 10:190] = True
    rim, arm = mask.copy(), mask.copy()
    rim[19:41, 9:191] = True
    arm[40:52, 100:112] = True
    box = Box(0, 0, *shape)
    one, other, more = (Chromosome(box, each) for each in (mask, rim, arm))
    assert known_piece(other, [[one]], 20.0) is one
    assert known_piece(more, [[one]], 20.0) is more


def test_neighbouring_directions_join_and_others_do_not():
    planes = np.zeros((BINS, 40, 40), np.float32)
    planes[11, 10:16, 5:20] = 0.9
    planes[0, 10:16, 15:35] = 0.9
    planes[6, 2:30, 20:26] = 0.9
    cores = find_cores(planes)
    assert sorted(len(core.pixels) for core in cores) == [168, 180]
    assert all(core.score == pytest.approx(0.9) for core in cores)


def test_an_echo_in_another_direction_is_dropped():
    planes = np.zeros((BINS, 40, 40), np.float32)
    planes[3, 10:16, 5:35] = 0.9
    planes[8, 11:15, 15:21] = 0.8
    assert len(find_cores(planes)) == 1


def test_no_candidate_gives_no_chromosome_and_a_missing_separator_is_named():
    laid = [bar((100, 40), (100, 160))]
    metaphase, candidates = cell(laid)
    assert separate(metaphase, [], Oracle(laid)) == []
    with pytest.raises(OptionError, match="must be given a separator"):
        segment(metaphase, candidates, SegmentOptions(method="axis"))


def test_method_none_takes_every_candidate_for_one_chromosome():
    laid = [bar((100, 40), (100, 160)), bar((40, 100), (160, 100))]
    metaphase, candidates = cell(laid)
    assert len(segment(metaphase, candidates, SegmentOptions(method="none"))) == 1


class Coreless(Oracle):
    """Holds everything for chromosome and draws cores in what it was given alone."""

    def lifted(self, density):
        drawn = super().lifted(density)
        drawn[0] = 1.0
        return drawn


@pytest.mark.parametrize(("polarity", "pieces"), [("dark", 1), ("bright", 2)])
def test_a_small_candidate_without_a_core_is_dirt_where_dirt_takes_the_stain(polarity, pieces):
    long, short = bar((20, 60), (140, 60)), bar((60, 140), (76, 140))
    metaphase, candidates = cell([long, short])
    seen = Metaphase(metaphase.grey, metaphase.density, polarity)
    found = separate(seen, candidates, Coreless([long]))
    assert len(candidates) == 2
    assert len(found) == pieces
    left_out = unseparated(candidates, found)
    assert len(left_out) == 2 - pieces
    assert all((one.stage, one.box.left > 100) == ("segment", True) for one in left_out)


def test_directions_do_not_join_within_a_crossing():
    planes = np.zeros((BINS, 40, 40), np.float32)
    planes[2, 10:16, 2:38] = 0.9
    planes[3, 10:16, 17:23] = 0.9
    planes[4, 2:30, 17:23] = 0.9
    crossed = np.zeros((40, 40), bool)
    assert len(find_cores(planes)) == 1
    crossed[10:16, 17:23] = True
    assert len(find_cores(planes, crossed=crossed)) == 2
