from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karyofast import iscn
from karyofast.arrange import UNPLACED, CostFloor, arrange, cost, least_cost
from karyofast.config import ArrangeOptions
from karyofast.errors import OptionError
from karyofast.types import CLASSES, Label


def label(**probabilities):
    """A label with the probabilities of the classes named (c1, cX, ...), the rest spread over the others."""
    row = np.full(24, -1.0)
    for name, value in probabilities.items():
        row[CLASSES.index(name[1:])] = value
    row[row < 0] = (1.0 - row[row >= 0].sum()) / (row < 0).sum()
    return Label(row.astype(np.float32))


def sure(text, confidence=0.95):
    """The labels of a cell that the classifier reads well."""
    return [label(**{f"c{name}": confidence}) for name in iscn.parse(text)]


def noisy(text, rng, noise=2.0):
    """Labels as of a mediocre classifier: a softmax over noise with a lead for the true class."""
    names = iscn.parse(text)
    scores = rng.normal(0.0, noise, (len(names), 24))
    scores[np.arange(len(names)), [CLASSES.index(name) for name in names]] += 7.0
    odds = np.exp(scores)
    return [Label(row.astype(np.float32)) for row in odds / odds.sum(axis=1, keepdims=True)]


def classes_of(arrangement):
    return [CLASSES[index] if index != UNPLACED else None for index in arrangement.assigned]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("46,XX", ()),
        ("46,XY", ()),
        ("47,XX,+21", ("count 47", "gain 21")),
        ("48,XY,+21,+21", ("count 48", "gain 21 x2")),
        ("45,X", ("count 45", "sex X")),
        ("47,XXY", ("count 47", "sex XXY")),
        ("47,XYY", ("count 47", "sex XYY")),
        ("47,XXX", ("count 47", "sex XXX")),
        ("48,XXYY", ("count 48", "sex XXYY")),
        ("48,XXY,+21", ("count 48", "sex XXY", "gain 21")),
        ("45,XY,-7", ("count 45", "loss 7")),
        ("69,XXX", ("count 69", "ploidy 3")),
        ("69,XXY", ("count 69", "ploidy 3")),
        ("70,XXY,+21", ("count 70", "ploidy 3", "gain 21")),
        ("92,XXYY", ("count 92", "ploidy 4")),
        ("45,Y", ("count 45", "sex Y")),
        ("44,?", ("count 44", "sex ?")),
    ],
)
def test_clear_labels_give_the_karyotype_that_they_say_and_flag_what_is_not_normal(text, flags):
    labels = sure(text)
    arrangement = arrange(labels)
    assert arrangement.iscn == text
    assert arrangement.flags == flags
    assert arrangement.low_confidence == ()
    assert classes_of(arrangement) == list(iscn.parse(text))


def test_prices_may_be_whole_numbers():
    labels = noisy("47,XX,+21", np.random.default_rng(3))
    whole = arrange(labels, ArrangeOptions(unplaced_price=6, gain_price=4, missing_price=3))
    assert whole == arrange(labels, ArrangeOptions(unplaced_price=6.0, gain_price=4.0, missing_price=3.0))


def test_hyperdiploid_cell_is_not_taken_for_a_triploid_one():
    text = "54,XX," + ",".join(f"+{n}" for n in (4, 6, 8, 10, 14, 17, 18, 21))
    arrangement = arrange(sure(text))
    assert arrangement.iscn == text
    assert "gain of 8" in arrangement.flags


def test_doubtful_4_and_5_are_sorted_out_by_the_rest_of_the_cell():
    labels = sure("46,XX")
    names = list(iscn.parse("46,XX"))
    third = names.index("5")
    # read alone it is a third 4
    labels[third] = label(c4=0.6, c5=0.39)
    arrangement = arrange(labels)
    assert arrangement.iscn == "46,XX"
    assert classes_of(arrangement) == names
    assert arrangement.low_confidence == (third,), "at odds with its own crop, so it wants a look"


def test_homologues_that_could_change_places_want_a_look():
    labels = sure("46,XX")
    names = list(iscn.parse("46,XX"))
    first, second = names.index("4"), names.index("5")
    labels[first], labels[second] = label(c4=0.55, c5=0.44), label(c4=0.45, c5=0.54)
    arrangement = arrange(labels)
    assert classes_of(arrangement) == names
    assert set(arrangement.low_confidence) >= {first, second}
    assert f"low confidence {len(arrangement.low_confidence)}" in arrangement.flags


def test_doubt_between_two_constitutions_wants_a_look():
    labels = sure("46,XY")
    labels[-1] = label(cX=0.45, cY=0.5)
    arrangement = arrange(labels)
    assert arrangement.iscn == "46,XY"
    assert arrangement.low_confidence == (45,)


def test_extra_chromosome_that_fits_nowhere_is_left_unplaced():
    labels = [*sure("46,XY"), label(c7=0.07, c10=0.06, c9=0.05)]
    arrangement = arrange(labels)
    assert arrangement.assigned[-1] == UNPLACED
    assert arrangement.iscn == "46,XY"
    assert arrangement.flags == ("count 47", "unplaced 1", "low confidence 1")
    assert arrangement.low_confidence == (46,)


def test_chromosome_that_is_surely_another_is_not_forced_into_the_empty_place():
    # 47,XX,+21 of which a 5 was not found: 46 by count alone
    labels = sure("46,XX,-5,+21", confidence=0.995)
    arrangement = arrange(labels)
    assert arrangement.iscn == "46,XX,-5,+21"
    assert arrangement.flags == ("gain 21", "loss 5")


def test_empty_cell_has_no_karyotype():
    arrangement = arrange([])
    assert (arrangement.assigned, arrangement.iscn, arrangement.flags) == ((), "", ("count 0",))


def test_labels_that_say_nothing_all_want_a_look():
    uniform = [Label(np.full(24, 1 / 24, np.float32))] * 46
    arrangement = arrange(uniform)
    assert arrangement.low_confidence == tuple(range(46))
    assert arrangement.iscn in ("46,XX", "46,XY")


def test_zeros_are_doubt_and_not_certainty():
    certain = np.eye(24, dtype=np.float32)
    names = iscn.parse("46,XX")
    labels = [Label(certain[CLASSES.index(name)]) for name in names]
    assert arrange(labels).iscn == "46,XX"


def test_what_is_likely_no_chromosome_is_left_out_and_a_likely_one_kept():
    certain = np.eye(24, dtype=np.float32)
    labels = [Label(certain[CLASSES.index(name)]) for name in iscn.parse("46,XX")]
    labels[0] = Label(np.zeros(24, np.float32))
    arrangement = arrange(labels)
    assert arrangement.assigned[0] == UNPLACED
    assert arrangement.low_confidence == (0,)
    labels[0] = Label(0.2 * certain[0])
    assert labels[0].nothing == pytest.approx(0.8)
    assert arrange(labels).assigned[0] == 0


def test_incomplete_cell_is_laid_out_and_says_so():
    labels = sure("46,XY")[:40]
    arrangement = arrange(labels)
    assert classes_of(arrangement) == list(iscn.parse("46,XY"))[:40]
    assert arrangement.flags == ("count 40", "sex ?", "loss 21 x2", "loss 22 x2")
    assert arrangement.iscn == "40,?,-21,-21,-22,-22"
    assert arrange(labels[:20]).flags == ("count 20", "sex ?", "loss of 24")


@pytest.mark.parametrize("text", ["46,XX", "46,XY", "47,XX,+21", "45,XY,-3"])
def test_labels_chosen_together_are_right_more_often_than_one_by_one(text):
    rng = np.random.default_rng(5)
    names = list(iscn.parse(text))
    alone = together = 0
    for _ in range(15):
        labels = noisy(text, rng)
        alone += sum(one.name == name for one, name in zip(labels, names, strict=True))
        chosen = classes_of(arrange(labels))
        together += sum(one == name for one, name in zip(chosen, names, strict=True))
    total = 15 * len(names)
    assert alone < 0.97 * total, "the labels must be noisy enough to tell"
    assert total - together < 0.6 * (total - alone)


def test_prices_can_be_set():
    extra = [*sure("46,XY"), label(c21=0.95)]
    assert arrange(extra).iscn == "47,XY,+21"
    strict = ArrangeOptions(gain_price=20.0, unplaced_price=6.0)
    assert arrange(extra, strict).flags[:2] == ("count 47", "unplaced 1")
    loose = arrange(noisy("46,XX", np.random.default_rng(0)), ArrangeOptions(confidence=0.6))
    wary = arrange(noisy("46,XX", np.random.default_rng(0)), ArrangeOptions(confidence=0.999))
    assert set(loose.low_confidence) < set(wary.low_confidence)


@pytest.mark.parametrize(
    "row",
    [np.full(24, np.nan), np.r_[-0.1, np.full(23, 1.1 / 23)], np.ones(23) / 23, np.r_[np.inf, np.zeros(23)]],
)
def test_broken_probabilities_are_refused(row):
    with pytest.raises(ValueError, match="24 finite numbers"):
        arrange([Label(row.astype(np.float32))])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gain_price", -1.0),
        ("unplaced_price", float("nan")),
        ("missing_price", 1e9),
        ("outlier", 0.0),
        ("confidence", 1.0),
        ("confidence", 0.2),
    ],
)
def test_options_that_make_no_sense_are_refused(name, value):
    with pytest.raises(OptionError, match=name):
        ArrangeOptions(**{name: value})


def random_labels(seed, count):
    """Labels from sharp to flat, with zeros, and with some equal rows."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(24, rng.choice([0.02, 0.2, 1.0])), count)
    rows[rng.random((count, 24)) < 0.3] = 0.0
    if count > 3 and rng.random() < 0.3:
        rows[1] = rows[0]
    return [Label(row.astype(np.float32)) for row in rows]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2, 20, 45, 46, 47, 50, 69, 92]), st.randoms())
def test_every_chromosome_has_one_place_whatever_the_order(seed, count, shuffler):
    labels = random_labels(seed, count)
    arrangement = arrange(labels)
    assert len(arrangement.assigned) == count
    assert all(UNPLACED <= index < 24 for index in arrangement.assigned)
    assert set(arrangement.low_confidence) <= set(range(count))
    placed = [name for name in classes_of(arrangement) if name is not None]
    assert Counter(iscn.parse(arrangement.iscn) if placed else ()) == Counter(placed)

    order = list(range(count))
    shuffler.shuffle(order)
    shuffled = arrange([labels[k] for k in order])
    assert shuffled.iscn == arrangement.iscn
    assert shuffled.flags == arrangement.flags
    seen = Counter((labels[k].probabilities.tobytes(), arrangement.assigned[k]) for k in order)
    again = Counter((labels[k].probabilities.tobytes(), shuffled.assigned[j]) for j, k in enumerate(order))
    assert again == seen


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 5, 30, 46]))
def test_no_class_takes_more_than_it_needs_while_places_are_free(seed, count):
    # flat labels give no reason for a third copy as long as a class has fewer than two
    rng = np.random.default_rng(seed)
    rows = 1.0 + 0.5 * rng.random((count, 24))
    arrangement = arrange([Label((row / row.sum()).astype(np.float32)) for row in rows])
    copies = Counter(classes_of(arrangement))
    assert copies[None] == 0
    assert max(copies[name] for name in iscn.AUTOSOMES) <= 2
    assert copies["X"] + copies["Y"] <= 2


@pytest.mark.parametrize("text", ["46,XX", "46,XY", "45,X", "47,XXY", "47,XX,+21", "45,XY,-7", "48,XX,+8,+21"])
def test_the_quick_cost_is_that_of_the_whole_choice(text):
    labels = noisy(text, np.random.default_rng(3))
    assert cost(labels) == pytest.approx(arrange(labels).cost)


def test_a_cost_floor_is_below_the_cost_of_other_cells_and_changes_no_cost():
    rng = np.random.default_rng(3)
    options = ArrangeOptions()
    cell = rng.uniform(0.0, 12.0, (46, 24))
    cell[np.arange(44), np.arange(44) // 2] = 0.1
    floor = CostFloor(cell, options)
    own = floor.totals(floor.shares(cell))
    assert own.min() == pytest.approx(least_cost(cell, options), abs=1e-6)
    for kept, more in ((46, 1), (44, 3), (30, 0), (1, 0), (0, 2)):
        other = np.concatenate([cell[:kept], rng.uniform(0.0, 12.0, (more, 24))])
        floors = floor.totals(floor.shares(other))
        assert floors.min() <= least_cost(other, options)
        assert least_cost(other, options, floors) == least_cost(other, options)
