import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iscn_authenticator import KaryotypeParser, is_valid_karyotype

from karyofast import iscn
from karyofast.errors import OptionError
from karyofast.types import CLASSES


def cell(sex="XY", gained=(), lost=(), sets=2):
    """Classes of a cell, in no order."""
    copies = Counter(list(iscn.AUTOSOMES) * sets) + Counter(sex) + Counter(gained)
    copies.subtract(lost)
    names = list(copies.elements())
    random.Random(0).shuffle(names)
    return names


copies_of_cells = st.fixed_dictionaries({name: st.integers(0, 5) for name in CLASSES}).filter(
    lambda copies: 0 < sum(copies.values()) <= iscn.MOST
)
"""Any cell of up to five copies of each chromosome."""

aneuploid_cells = st.builds(
    cell,
    sex=st.sampled_from(["X", "XX", "XY", "XXX", "XXY", "XYY", "XXYY"]),
    gained=st.lists(st.sampled_from(iscn.AUTOSOMES), max_size=5),
    lost=st.lists(st.sampled_from(iscn.AUTOSOMES), max_size=5, unique=True),
)
"""Near-diploid cells, as they come."""


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        (cell("XY"), "46,XY"),
        (cell("XX"), "46,XX"),
        (cell("XX", ["21"]), "47,XX,+21"),
        (cell("X"), "45,X"),
        (cell("YXX"), "47,XXY"),
        (cell("XXY", ["21"]), "48,XXY,+21"),
        (cell("XX", lost=["7"]), "45,XX,-7"),
        (cell("XY", ["21", "21"]), "48,XY,+21,+21"),
        (cell("XX", ["21", "8"], ["5", "14"]), "46,XX,-5,+8,-14,+21"),
        (cell("XXX", sets=3), "69,XXX"),
        (cell("XXY", ["2"], ["11", "12"], sets=3), "68,XXY,+2,-11,-12"),
        (cell("XXYY", sets=4), "92,XXYY"),
        (cell("Y"), "45,Y"),
        (cell(""), "44,?"),
        (["X", "1"], "2<2n>,X,-1" + "".join(f",-{n},-{n}" for n in range(2, 23))),
        ([], ""),
    ],
)
def test_cell_is_written_as_a_cytogeneticist_would(classes, text):
    assert iscn.format(classes) == text


def test_hyperdiploid_cell_in_the_triploid_range_is_written_against_the_set_that_needs_fewer_changes():
    gained_twice = ["4", "6", "10", "14", "18", "21"]
    assert iscn.format(cell("XX", gained_twice * 2)).startswith("58<2n>,XX,+4,+4,+6,+6")
    near_triploid = iscn.format(cell("XXX", lost=["1", "2"], sets=3))
    assert near_triploid == "67,XXX,-1,-2"


def test_ploidy_can_be_asked_for_and_is_then_stated():
    assert iscn.format(cell("XX"), ploidy=3) == "46<3n>,XX," + ",".join(f"-{n}" for n in range(1, 23))
    assert iscn.ploidy("46<3n>,XX," + ",".join(f"-{n}" for n in range(1, 23))) == 3


@given(copies_of_cells)
def test_every_cell_reads_back_as_it_was_written(copies):
    classes = [name for name in CLASSES for _ in range(copies[name])]
    assert iscn.parse(iscn.format(classes)) == tuple(classes)


@given(copies_of_cells, st.integers(1, 4))
def test_every_cell_reads_back_whatever_it_was_written_against(copies, ploidy):
    classes = [name for name in CLASSES for _ in range(copies[name])]
    text = iscn.format(classes, ploidy)
    assert iscn.parse(text) == tuple(classes)
    assert iscn.ploidy(text) == ploidy


@given(aneuploid_cells, st.randoms(use_true_random=False))
def test_order_of_the_chromosomes_does_not_matter(classes, shuffler):
    text = iscn.format(classes)
    shuffler.shuffle(classes)
    assert iscn.format(classes) == text


@given(aneuploid_cells)
def test_another_parser_reads_the_same_counts(classes):
    text = iscn.format(classes)
    tree = KaryotypeParser().parse(text)
    assert is_valid_karyotype(text)
    assert tree.chromosome_count == len(classes)
    assert Counter(tree.sex_chromosomes) == Counter(name for name in classes if name in "XY")
    copies = Counter(dict.fromkeys(iscn.AUTOSOMES, 2))
    for change in tree.abnormalities:
        copies[change.chromosome] += 1 if change.type == "+" else -1
    assert copies == Counter({name: classes.count(name) for name in iscn.AUTOSOMES})


@given(aneuploid_cells, st.integers(1, 150))
def test_a_count_that_does_not_agree_is_refused(classes, count):
    # the second opinion takes 46,XY,+21 for right: the sum is ours to check
    _, _, rest = iscn.format(classes).partition(",")
    if (count - len(classes)) % len(iscn.AUTOSOMES):
        with pytest.raises(OptionError, match="sum of its sex chromosomes"):
            iscn.parse(f"{count},{rest}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("46,XY,+21", "47 for 2n"),
        ("47,XXY,+21", "48 for 2n"),
        ("46,X", "45 for 2n"),
        ("", "begin with a count"),
        ("0,X", "begin with a count"),
        ("9999,X", "begin with a count"),
        ("XY", "begin with a count"),
        ("46", "name its sex chromosomes"),
        ("46,", "name its sex chromosomes"),
        ("46,YX", "X before Y"),
        ("46,XZ", "name its sex chromosomes"),
        ("47,XX,21", "only whole autosomes"),
        ("47,XX,+23", "only whole autosomes"),
        ("47,XX,+021", "only whole autosomes"),
        ("45,X,-Y", "belong to the sex part"),
        ("46,XX,t(9;22)", "structural"),
        ("46,XX,+21,-21", "gain and lose"),
        ("43,XX,-7,-7,-7", "lose more"),
        ("69<2n>,XXX", "agrees with its <2n>"),
    ],
)
def test_wrong_text_is_refused_with_its_reason(text, reason):
    with pytest.raises(OptionError, match=reason):
        iscn.parse(text)


def test_unknown_class_and_ploidy_are_refused():
    with pytest.raises(OptionError, match="'23'"):
        iscn.format(["23"])
    with pytest.raises(OptionError, match="ploidy"):
        iscn.format(["1"], ploidy=5)


def test_spaces_and_any_order_are_read():
    assert iscn.parse("46, XX, +21, -5") == iscn.parse("46,XX,-5,+21")
