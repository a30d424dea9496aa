import json

import numpy as np
import pytest
from karyotypes import bars, karyotype, label

from karyofast import pipeline
from karyofast.config import ArrangeOptions, Options
from karyofast.edit import SAID, apply, fingerprint
from karyofast.edit_script import read_script
from karyofast.errors import OptionError
from karyofast.types import CLASSES, Dropped, Karyotype


@pytest.fixture
def cell() -> Karyotype:
    """A cell of 46 bars; none so sure that the sizes of bars, which are no chromosomes', would count."""
    crops, names = bars("46,XX")
    return karyotype(crops, [label(name, 0.85) for name in names])


@pytest.fixture
def script(tmp_path):
    def make(*operations, **more):
        path = tmp_path / "edits.json"
        path.write_text(json.dumps({"operations": operations, **more}), encoding="utf-8")
        return read_script(path)

    return make


def middle(one, share=0.5):
    """A line across a bar at a share of its height, from beyond its left rim to beyond its right one."""
    row = one.box.top + int(share * one.box.height)
    return [[one.box.left - 3, row], [one.box.left + one.box.width + 3, row]]


def corners(top, left, height, width):
    return [[left, top], [left + width - 1, top], [left + width - 1, top + height - 1], [left, top + height - 1]]


def masks(parts, shape):
    return [part.chromosome.full_mask(shape) for part in parts]


def test_a_cut_gives_every_pixel_to_one_of_the_parts(cell, script):
    whole, shape = cell.chromosomes[3], cell.metaphase.shape
    parts, dropped = apply(cell, script({"op": "cut", "chromosome": 3, "line": middle(whole)}))
    upper, lower = masks(parts[-2:], shape)
    assert len(parts) == 47
    assert dropped == []
    assert not (upper & lower).any()
    np.testing.assert_array_equal(upper | lower, whole.full_mask(shape))
    assert parts[-2].chromosome.box.top < parts[-1].chromosome.box.top
    assert all(part.reading is None and part.chromosome.flags == ("cut by hand",) for part in parts[-2:])
    assert [part.chromosome for part in parts[:-2]] == [*cell.chromosomes[:3], *cell.chromosomes[4:]]
    assert {part.chromosome.candidate for part in parts[-2:]} == {whole.candidate}


def test_a_line_that_crosses_twice_cuts_in_three(cell, script):
    whole = cell.chromosomes[0]
    first, second = middle(whole, 0.3), middle(whole, 0.6)
    parts, _ = apply(cell, script({"op": "cut", "chromosome": 0, "line": [*first, *second[::-1]]}))
    assert len(parts) == 48
    assert sum(part.chromosome.area for part in parts[-3:]) == whole.area


def test_a_join_undoes_a_cut(cell, script):
    cut = {"op": "cut", "chromosome": 3, "line": middle(cell.chromosomes[3])}
    parts, _ = apply(cell, script(cut, {"op": "join", "chromosomes": [46, 47]}))
    shape = cell.metaphase.shape
    assert len(parts) == 46
    np.testing.assert_array_equal(masks(parts[-1:], shape)[0], cell.chromosomes[3].full_mask(shape))
    assert parts[-1].chromosome.flags == ("joined by hand",)


def test_a_join_fills_the_gap_between_ends_that_face_one_another(cell, script):
    whole, shape = cell.chromosomes[0], cell.metaphase.shape
    three = [*middle(whole, 0.4), *middle(whole, 0.6)[::-1]]
    cut = {"op": "cut", "chromosome": 0, "line": three}
    parts, dropped = apply(cell, script(cut, {"op": "drop", "chromosome": 47}, {"op": "join", "chromosomes": [46, 48]}))
    bridged = parts[-1].chromosome
    gap = dropped[0].full_mask(shape)
    assert len(parts) == 46
    assert (bridged.full_mask(shape) & gap).sum() > 0.5 * gap.sum()
    assert bridged.area <= 1.1 * whole.area


def test_what_is_added_is_the_polygon_and_its_overlap_belongs_to_both(cell, script):
    one, shape = cell.chromosomes[5], cell.metaphase.shape
    polygon = corners(one.box.top + 10, one.box.left - 8, 9, 30)
    parts, _ = apply(cell, script({"op": "add", "polygon": polygon}))
    added = parts[-1].chromosome
    assert (added.area, added.box) == (9 * 30, (one.box.top + 10, one.box.left - 8, 9, 30))
    assert added.flags == ("added by hand", "overlap")
    assert parts[5].chromosome.flags == (*one.flags, "overlap")
    assert parts[5].reading is not None
    assert (added.full_mask(shape) & one.full_mask(shape)).any()


def test_dropping_one_of_two_that_overlap_ends_the_overlap(cell, script):
    one = cell.chromosomes[5]
    add = {"op": "add", "polygon": corners(one.box.top + 10, one.box.left - 8, 9, 30)}
    parts, dropped = apply(cell, script(add, {"op": "drop", "chromosome": 46}))
    assert [part.chromosome.flags for part in parts] == [one.flags for one in cell.chromosomes]
    assert [(one.stage, one.reason, one.area) for one in dropped] == [("edit", "dropped by hand", 270)]


def test_an_added_chromosome_is_no_longer_among_those_left_out(cell, script):
    one, far = cell.chromosomes[5], cell.chromosomes[9]
    left_out = [Dropped(each.box, each.mask, "detect", "faint") for each in (one, far)]
    left = Karyotype(cell.metaphase, (), (), (), (), dropped=tuple(left_out))
    _, dropped = apply(left, script({"op": "add", "polygon": corners(*one.box)}))
    assert dropped == left_out[1:]


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        ([{"op": "drop", "chromosome": 46}], r"operation 1 \(drop\): chromosome 46 does not exist.*0 to 45"),
        ([{"op": "flip", "chromosome": -1}], r"operation 1 \(flip\): chromosome -1 does not exist"),
        ([{"op": "relabel", "chromosome": 99, "to": "X"}], r"operation 1 \(relabel\): chromosome 99 does not exist"),
        ([{"op": "join", "chromosomes": [1, 99]}], r"operation 1 \(join\): chromosome 99 does not exist"),
        (
            [{"op": "drop", "chromosome": 4}, {"op": "flip", "chromosome": 4}],
            r"operation 2 \(flip\): chromosome 4 is no longer there: operation 1 \(drop\) took it",
        ),
        ([{"op": "join", "chromosomes": [0, 45]}], r"operation 1 \(join\): the pieces lie \d+ px apart, and \d+ px"),
        ([{"op": "cut", "chromosome": 0, "line": [[700, 5], [720, 9]]}], r"\(cut\): the line does not meet"),
        ([{"op": "cut", "chromosome": 0, "line": [[26, 5], [26, 20]]}], r"\(cut\): the line does not part"),
        ([{"op": "cut", "chromosome": 0, "line": [[5, 20], [5, 620]]}], r"\(cut\): \[5, 620\] lies outside"),
        ([{"op": "add", "polygon": [[1, 1], [-9, 30], [5, 30]]}], r"\(add\): \[-9, 30\] lies outside of the picture"),
        ([{"op": "add", "polygon": [[1, 1], [3, 1], [1, 3]]}], r"\(add\): the polygon encloses \d px"),
    ],
)
def test_what_cannot_be_done_is_refused_with_file_number_and_reason(cell, script, operations, reason):
    with pytest.raises(OptionError, match=rf"edits\.json: .*{reason}"):
        apply(cell, script(*operations))


def test_a_script_for_other_masks_is_refused(cell, script):
    flip = {"op": "flip", "chromosome": 0}
    own = fingerprint(cell.chromosomes)
    assert len(apply(cell, script(flip, masks=own))[0]) == 46
    with pytest.raises(OptionError, match=f"other masks.*{own}"):
        apply(cell, script(flip, masks="0123456789abcdef"))
    assert fingerprint(cell.chromosomes[1:]) != own
    assert fingerprint(cell.chromosomes[::-1]) != own


def test_a_class_that_is_said_is_kept_and_the_others_give_way(cell, script):
    # one of the two 22 is said to be a 21, of which there are two already
    index = [one.name for one in cell.labels].index("22")
    said = pipeline.revise(cell, script({"op": "relabel", "chromosome": index, "to": "21"}))
    assert said.arrangement.assigned[index] == CLASSES.index("21")
    assert index not in said.arrangement.low_confidence
    assert (said.labels[index].confidence, said.labels[index].name) == (1.0, "21")
    # one of those gives way to it, and is told of
    (moved,) = [k for k in range(46) if k != index and said.arrangement.assigned[k] != cell.arrangement.assigned[k]]
    assert cell.labels[moved].name == "21"
    assert moved in said.arrangement.low_confidence
    assert SAID in said.chromosomes[index].flags
    again = pipeline.revise(said, script({"op": "flip", "chromosome": 0}))
    assert again.iscn == said.iscn
    assert again.arrangement.cost == pytest.approx(said.arrangement.cost)


def test_a_class_that_is_said_outbids_every_price(cell, script):
    index = [one.name for one in cell.labels].index("1")
    dear = Options(arrange=ArrangeOptions(gain_price=100.0, unplaced_price=0.0))
    said = pipeline.revise(cell, script({"op": "relabel", "chromosome": index, "to": "Y"}), dear)
    assert said.arrangement.assigned[index] == CLASSES.index("Y")


def test_more_of_a_class_than_there_are_places_is_refused(cell, script):
    wanted = [{"op": "relabel", "chromosome": index, "to": "Y"} for index in range(4)]
    with pytest.raises(OptionError, match=r"edits\.json: more chromosomes are said to be Y than .* Got: 4"):
        pipeline.revise(cell, script(*wanted))


def test_a_flip_turns_the_orientation_and_nothing_else(cell, script):
    turned = pipeline.revise(cell, script({"op": "flip", "chromosome": 7}))
    assert (cell.labels[7].orientation, turned.labels[7].orientation) == ("up", "down")
    assert turned.chromosomes[7].flags == ("flipped by hand",)
    assert turned.arrangement == cell.arrangement
    back = pipeline.revise(turned, script({"op": "flip", "chromosome": 7}))
    assert back.labels[7].orientation == "up"
    assert [len(one["operations"]) for one in back.edits] == [1, 1]
    assert "edited by hand 2" in back.flags


def test_what_is_dropped_is_missing_from_the_cell(cell, script):
    index = [one.name for one in cell.labels].index("21")
    assert pipeline.revise(cell, script({"op": "drop", "chromosome": index})).iscn == "45,XX,-21"


def test_every_chromosome_may_be_dropped(cell, script):
    empty = pipeline.revise(cell, script(*[{"op": "drop", "chromosome": index} for index in range(46)]))
    assert (empty.count, empty.iscn) == (0, "")
    assert "empty" in empty.flags
    with pytest.raises(OptionError, match=r"does not exist\. The cell has none"):
        apply(empty, script({"op": "drop", "chromosome": 0}))
