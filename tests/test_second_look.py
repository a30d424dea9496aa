import numpy as np
import pytest
from drawn_pieces import doubtful, label, line, piece

from karyofast.arrange import arrange
from karyofast.config import ArrangeOptions
from karyofast.pieces import CellCost
from karyofast.second_look import choose, look
from karyofast.second_look_moves import Piece, Sketch, arms, cuts, joins, strangeness
from karyofast.sizes import RELATIVE_AREA, Typical, surprise
from karyofast.straighten import straighten_patch
from karyofast.types import CLASSES, Box, Candidate, Chromosome


def way(*names: str, sure: float = 0.97):
    """Pieces of which only the labels matter."""
    return tuple(Piece(None, None, label(name, sure)) for name in names)


def cost(pieces):
    return arrange([piece.label for piece in pieces]).cost


NORMAL = [name for name in CLASSES[:22] for _ in range(2)] + ["X", "Y"]


def singles(names):
    return [[way(name)] for name in names]


def test_a_joined_pair_is_cut_when_the_pieces_are_what_the_cell_lacks():
    rest = [name for name in NORMAL if name != "8"]
    ways = [*singles(rest), [way("1", sure=0.4), way("8", "8")]]
    assert choose(ways, cost)[-1] is ways[-1][1]


def test_a_chromosome_cut_in_two_is_joined_when_the_whole_is_what_the_cell_lacks():
    rest = list(NORMAL)
    rest.remove("2")
    ways = [*singles(rest), [way("13", "16", sure=0.5), way("2")]]
    assert choose(ways, cost)[-1] is ways[-1][1]


def test_a_clear_extra_chromosome_is_not_hidden_to_reach_46():
    rest = [name for name in NORMAL if name != "21"]
    ways = [*singles(rest), [way("21", "21", "21", sure=0.99), way("20", "21", sure=0.3)]]
    assert choose(ways, cost)[-1] is ways[-1][0]


def test_what_is_held_for_dirt_is_taken_back_where_it_is_read_as_what_the_cell_lacks():
    rest = list(NORMAL)
    rest.remove("21")
    ways = [*singles(rest), [(), way("21", sure=0.9)]]
    assert choose(ways, cost)[-1] is ways[-1][1]
    ways = [*singles(NORMAL), [(), way("21", sure=0.9)]]
    assert choose(ways, cost)[-1] == ()
    ways = [*singles(rest), [(), way("21", sure=0.1)]]
    assert choose(ways, cost)[-1] == ()


def test_the_first_way_stands_when_the_labels_hardly_tell():
    ways = [*singles(NORMAL[:-2]), [way("X", "Y", sure=0.970), way("X", "Y", sure=0.972)]]
    assert choose(ways, cost)[-1] is ways[-1][0]


def test_nothing_to_choose_gives_the_first_ways_without_asking():
    def never(labels):
        raise AssertionError("asked for a cost")

    ways = singles(NORMAL)
    assert choose(ways, never) == [options[0] for options in ways]
    assert choose([], never) == []


def candidate(*masks):
    union = np.any(masks, axis=0)
    return Candidate(Box(0, 0, *union.shape), union)


def test_two_arms_that_face_each_other_across_a_chromosome_may_be_joined():
    left, right, across = line((60, 20), (60, 65)), line((60, 95), (60, 140)), line((15, 80), (105, 80))
    whole = candidate(left, right, across, line((60, 60), (60, 100)))
    ways = joins([(piece(left), piece(right), piece(across))], whole)
    areas = [sorted(one.area for one in way) for way in ways]
    bars = [way for way in ways if any(one.box.width > 110 for one in way)]
    assert len(bars) == 1
    assert len(bars[0]) == 2
    assert min(areas)[0] > 400
    assert "joined" in bars[0][-1].flags


def test_two_pieces_that_both_own_a_crossing_may_be_joined_and_two_side_by_side_may_not():
    left, right = line((60, 20), (60, 82)), line((60, 78), (60, 140))
    across = line((20, 80), (100, 80))
    ways = joins([(piece(left), piece(right), piece(across))], candidate(left, right, across))
    masks = [way[-1].full_mask((120, 160)) for way in ways]
    assert any(np.array_equal(mask, left | right) for mask in masks)
    beside = line((74, 78), (74, 140))
    assert joins([(piece(left), piece(beside))], candidate(left, beside)) == []


def test_a_bend_that_was_cut_may_be_joined_and_what_lies_apart_may_not():
    up, along, away = line((20, 40), (70, 40)), line((76, 46), (76, 100)), line((20, 130), (100, 130))
    ways = joins([(piece(up), piece(along), piece(away))], candidate(up, along, away, line((70, 40), (76, 46))))
    assert len(ways) == 1
    assert ways[0][-1].area > 0.9 * (up | along).sum()


def test_a_folded_chromosome_that_was_cut_at_its_fold_may_be_joined():
    down, up = line((20, 60), (90, 60)), line((22, 68), (96, 74))
    ways = joins([(piece(down), piece(up))], candidate(down, up, line((20, 60), (22, 68), width=18)))
    assert [len(way) for way in ways] == [1]
    assert "joined" in ways[0][0].flags


def test_ways_that_share_a_pair_share_what_is_made_of_it():
    left, right, other = (
        piece(line((60, 20), (60, 82))),
        piece(line((60, 78), (60, 140))),
        piece(line((110, 20), (110, 140))),
    )
    cluster = candidate(*(each.chromosome.mask for each in (left, right, other)))
    ways = joins([(left, right), (left, right, other)], cluster)
    made = {id(one) for way in ways for one in way if "joined" in one.flags}
    assert len(ways) == 2
    assert len(made) == 1


def test_pieces_are_joined_when_the_whole_is_what_the_cell_lacks():
    left, right = line((60, 20), (60, 70)), line((60, 80), (60, 140))
    cluster = candidate(left, right, line((60, 60), (60, 90)))
    names = {id(one.chromosome): one for one in (piece(left, "13"), piece(right, "16"))}
    rest = list(NORMAL)
    rest.remove("2")
    small = np.ones((9, 4), bool)
    others = [Chromosome(Box(0, 0, 9, 4), small) for _ in rest]
    known = {id(one): name for one, name in zip(others, rest, strict=True)}
    offered = [[[one]] for one in others] + [[[entry.chromosome for entry in names.values()]]]
    asked = []

    def read(chromosomes):
        asked.append(len(chromosomes))
        found = []
        for one in chromosomes:
            if id(one) in names:
                found.append(names[id(one)])
            elif id(one) in known:
                found.append(Piece(one, straighten_patch(np.full((9, 4), 90, np.uint8), one), label(known[id(one)])))
            else:
                found.append(Piece(one, straighten_patch(np.full(one.mask.shape, 90, np.uint8), one), label("2")))
        return found

    candidates = [Candidate(one.box, one.mask) for one in others] + [cluster]
    ways = look(candidates, offered, read, cost)
    assert [entry.label.name for entry in ways[-1]] == ["2"]
    assert asked == [47, 1]


def sized(name, sure, area):
    """A piece of which only label and area matter; a chromosome of relative area 1 has 100 px."""
    chromosome = Chromosome(Box(0, 0, 1, area), np.ones((1, area), bool))
    return Piece(chromosome, None, label(name, sure), 0.0, surprise([area], Typical(100.0))[0])


def usual(name, sure=0.97):
    return sized(name, sure, round(100 * RELATIVE_AREA[CLASSES.index(name)]))


def drawn(ways):
    """All but the first ways as sketches, shared pieces as shared ones."""
    sketches = {id(one): Sketch(one.chromosome, one.sizes, None) for options in ways for way in options for one in way}
    return [[options[0], *(tuple(sketches[id(one)] for one in way) for way in options[1:])] for options in ways]


def reader(ways, asked):
    """Reads the pieces of `ways` again, and notes how many."""
    pieces = {id(one.chromosome): one for options in ways for way in options for one in way}

    def read(chromosomes):
        asked.append(len(chromosomes))
        return [pieces[id(one)] for one in chromosomes]

    return read


@pytest.mark.parametrize("seed", range(12))
def test_the_choice_is_the_same_when_ways_are_read_only_as_far_as_they_have_a_chance(seed):
    rng = np.random.default_rng(seed)
    ways = [[(usual(name, rng.choice([0.5, 0.97])),)] for name in rng.permutation(NORMAL)]
    for number in rng.choice(len(ways), 12, replace=False):
        for place in rng.integers(0, 2, rng.integers(1, 4)):
            names = rng.choice(CLASSES, rng.integers(1, 4))
            ways[number].insert(place, tuple(usual(str(name), rng.uniform(0.3, 0.99)) for name in names))
    cost = CellCost(ArrangeOptions())
    expected, asked = choose(ways, cost), []
    assert choose(drawn(ways), cost, read=reader(ways, asked)) == expected
    assert 0 < sum(asked) < sum(len(way) for options in ways for way in options[1:])


def test_nothing_more_is_read_in_a_cell_that_is_sure():
    ways = [[(usual(name),), (usual("21"), usual("22"))] for name in NORMAL]
    asked = []
    chosen = choose(drawn(ways), CellCost(ArrangeOptions()), read=reader(ways, asked))
    assert asked == []
    assert chosen == [options[0] for options in ways]


def test_a_sketch_costs_no_more_than_any_piece_of_its_area():
    cost, rng = CellCost(ArrangeOptions()), np.random.default_rng(2)
    cell = [usual(name) for name in NORMAL[:-1]]
    for area in rng.integers(20, 250, 12).tolist():
        sketch = Sketch(sized("1", 0.9, area).chromosome, surprise([area], Typical(100.0))[0], None)
        least = min(cost([*cell, sized(name, 0.999, area)]) for name in CLASSES)
        assert least - 0.2 < cost([*cell, sketch]) <= least


def test_the_cost_of_a_cell_is_that_of_its_arrangement():
    cell = [usual(name) for name in (*NORMAL, "21")]
    sizes = np.array([one.sizes for one in cell])
    expected = arrange([one.label for one in cell], ArrangeOptions(), sizes).cost
    assert CellCost(ArrangeOptions())(cell) == pytest.approx(expected)
    assert CellCost(ArrangeOptions())([]) > 0.0


def test_a_doubtful_piece_is_cut_at_its_neck_and_nothing_of_it_is_lost():
    mask = line((60, 20), (60, 70)) | line((60, 88), (60, 140)) | line((60, 60), (60, 100), width=5)
    ways = cuts((doubtful(mask),))
    assert any({one.box.left < 40 for one in way} == {True, False} for way in ways)
    for way in ways:
        whole = np.sum([one.full_mask(mask.shape) for one in way], axis=0)
        assert np.array_equal(whole, mask.astype(int))
    seams = [min(one.box.left + one.box.width for one in way) for way in ways]
    assert any(abs(seam - 79) < 8 for seam in seams)


def test_a_doubtful_piece_is_cut_at_its_sharpest_bend():
    mask = line((20, 30), (90, 30)) | line((90, 30), (90, 110))
    seams = [sorted(one.area for one in way) for way in cuts((doubtful(mask),))]
    upright, along = line((20, 30), (90, 30)).sum(), line((90, 30), (90, 110)).sum()
    assert any(abs(small - min(upright, along)) < 200 for small, _ in seams)


def test_a_sure_piece_and_a_short_one_are_not_cut():
    long = piece(line((60, 20), (60, 140)))
    sure = Piece(long.chromosome, long.straightened, label("1", sure=0.97))
    assert cuts((sure,)) == []
    assert cuts((doubtful(line((60, 60), (60, 61))),)) == []


def test_a_crossing_pair_taken_for_one_is_strange_and_a_bent_chromosome_is_not():
    cross = piece(line((60, 20), (60, 140)) | line((15, 80), (105, 80)))
    bent = piece(line((20, 30), (90, 30)) | line((90, 30), (90, 110)))
    assert strangeness(cross.chromosome, cross.straightened, label("1")) > 4.0
    assert strangeness(bent.chromosome, bent.straightened, label("1")) < 1.0


def test_a_strange_shape_counts_against_its_way():
    rest = [name for name in NORMAL if name != "8"]
    odd = tuple(Piece(None, None, label("8"), strangeness=20.0) for _ in range(2))
    plain = way("8", "8", sure=0.6)
    assert choose([*singles(rest), [odd, plain]], cost)[-1] is plain


def test_what_crosses_a_piece_is_offered_as_a_chromosome_of_its_own():
    upright, across = line((20, 60), (100, 60)), line((55, 35), (55, 85))
    crossed = arms((doubtful(upright | across),))[0]
    areas = [one.area for one in crossed]
    assert areas[0] == pytest.approx(upright.sum(), rel=0.1)
    assert areas[1] == pytest.approx(across.sum(), rel=0.1)
    assert sum(areas) > (upright | across).sum()
    assert all("overlap" in one.flags for one in crossed)


def test_what_touches_a_piece_from_one_side_is_offered_without_the_rest():
    upright, beside = line((20, 60), (100, 60)), line((60, 72), (60, 92))
    (touched,) = arms((doubtful(upright | beside),))
    assert touched[0].area + touched[1].area == (upright | beside).sum()
    assert touched[1].area == pytest.approx(beside.sum(), rel=0.3)


def test_a_straight_piece_has_no_arms():
    assert arms((doubtful(line((20, 60), (100, 60))),)) == []


def test_a_bounded_cost_is_asked_less_and_changes_no_choice():
    rest = list(NORMAL)
    rest.remove("2")
    hopeless = [[way(name), way(*["1", "1", "3"], sure=0.5)] for name in rest]
    ways = [*hopeless, [way("13", "16", sure=0.5), way("2")]]
    asked = []

    class Counted(CellCost):
        def __call__(self, pieces):
            asked.append(len(pieces))
            return super().__call__(pieces)

    plain = choose(ways, Counted(ArrangeOptions()).__call__)
    without, bounded = len(asked), Counted(ArrangeOptions())
    chosen = choose(ways, bounded)
    assert all(a is b for a, b in zip(chosen, plain, strict=True))
    assert chosen[-1] is ways[-1][1]
    assert len(asked) - without < without / 2
