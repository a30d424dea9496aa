from __future__ import annotations

import json
from itertools import pairwise

import pytest

from karyofast.errors import DataError, OptionError
from karyofast.ideogram import load_ideogram, parse_bands, relative_lengths
from karyofast.types import CLASSES

RESOLUTIONS = (400, 550, 850)
ACROCENTRIC = {"13", "14", "15", "21", "22"}


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_has_the_24_classes_in_order(resolution):
    assert tuple(load_ideogram(resolution)) == CLASSES


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_bands_cover_each_chromosome_without_holes(resolution):
    for chromosome in load_ideogram(resolution).values():
        bands = chromosome.bands
        assert bands[0].start == 0
        assert all(a.stop == b.start for a, b in pairwise(bands))
        assert all(band.start < band.stop for band in bands)
        assert "".join(band.arm for band in bands).startswith("p")
        assert "qp" not in "".join(band.arm for band in bands)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_chromosome_1_is_the_longest_and_21_the_shortest(resolution):
    lengths = relative_lengths(resolution)
    assert lengths["1"] == 1.0
    assert max(lengths, key=lengths.__getitem__) == "1"
    assert min(lengths, key=lengths.__getitem__) == "21"
    assert lengths["21"] == pytest.approx(3200 / 15100)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_centromere_is_where_cytogenetics_has_it(resolution):
    ideogram = load_ideogram(resolution)
    assert ideogram["1"].centromere_index == pytest.approx(0.49, abs=0.01)
    assert ideogram["13"].centromere_index < 0.2
    assert all(0.0 < chromosome.centromere_index < 0.5 for chromosome in ideogram.values())
    assert {name for name, chromosome in ideogram.items() if chromosome.acrocentric} == ACROCENTRIC


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_two_acen_bands_meet_at_each_centromere(resolution):
    for chromosome in load_ideogram(resolution).values():
        stains = [band for band in chromosome.bands if band.stain == "acen"]
        assert [band.arm for band in stains] == ["p", "q"]
        assert stains[0].stop == chromosome.centromere == stains[1].start


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_only_gpos_bands_have_a_density(resolution):
    for chromosome in load_ideogram(resolution).values():
        for band in chromosome.bands:
            assert (band.density > 0) == (band.stain == "gpos")
            assert band.density in (0, 25, 50, 75, 100)


def test_known_bands_of_the_550_table():
    one, seven = load_ideogram(550)["1"], load_ideogram(550)["7"]
    first = one.bands[0]
    assert (first.arm, first.name, first.start, first.stop, first.stain) == ("p", "36.3", 0, 451, "gneg")
    dark = next(band for band in seven.bands if band.arm == "q" and band.name == "21.1")
    assert dark.stain == "gpos"
    heterochromatin = [band for band in load_ideogram(550)["Y"].bands if band.stain == "gvar"]
    assert [band.name for band in heterochromatin] == ["12"]


def test_bundled_tables_are_the_shared_ones_and_name_their_source(data_dir):
    from importlib.resources import files

    for resolution in RESOLUTIONS:
        own = json.loads((files("karyofast") / "data" / f"ideogram-{resolution}.json").read_text("utf-8"))
        given = json.loads((data_dir / "ideogram" / f"homo-sapiens-{resolution}.json").read_text("utf-8"))
        assert own["bands"] == [row.strip() for row in given["chrBands"]]
        assert "CC0" in own["source"]
        assert "NCBI" in own["source"]


def test_an_unknown_resolution_is_refused_by_name():
    with pytest.raises(OptionError, match=r"`resolution` must be one of \(400, 550, 850\). Got: 600"):
        load_ideogram(600)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1 p 36 0 100 1 1000", "must be 'chromosome arm band"),
        ("1 r 36 0 100 1 1000 gneg", "must be 'chromosome arm band"),
        ("1 p 36 0 100 1 1000 purple", "must have a stain of"),
    ],
)
def test_a_broken_row_is_named(row, reason):
    with pytest.raises(DataError, match=reason) as caught:
        parse_bands("1", [row])
    assert row in str(caught.value)


def test_a_chromosome_without_q_arm_is_refused():
    with pytest.raises(DataError, match="bands of both arms"):
        parse_bands("1", ["1 p 36 0 100 1 1000 gneg"])


def test_a_hole_is_closed_by_the_band_before_it():
    rows = ["1 p 2 0 100 1 10 gneg", "1 p 1 130 200 11 20 acen", "1 q 1 200 300 21 30 acen"]
    assert [band.stop for band in parse_bands("1", rows).bands] == [130, 200, 300]
