import csv
import json
import logging

import cv2
import numpy as np
import pytest
from case_runs import made, run_of
from typer.testing import CliRunner

from karyofast import case as cases
from karyofast import view
from karyofast.case_results import find
from karyofast.cli import main as cli
from karyofast.errors import OptionError
from karyofast.iscn import parse
from karyofast.types import CLASSES

MOSAIC = {
    "a": made("47,XX,+21", "a", sure=0.997),
    "b": made("46,XX,-7,+21", "b", sure=0.999),
    "c": made("46,XX", "c", sure=0.998),
    "d": made("47,XX,+8", "d", doubted=1),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("mosaic"), MOSAIC)


@pytest.fixture(scope="module")
def mosaic(run):
    return cases.combine(find([run]), "K7")


@pytest.fixture
def karyofast(monkeypatch):
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)
    return lambda *arguments: CliRunner().invoke(cli.app, [str(one) for one in arguments])


def test_cells_of_a_mosaic_give_its_clones_and_what_a_single_cell_shows(mosaic):
    assert mosaic.iscn == "47,XX,+21[2]/46,XX[1]"
    assert [(one.text, mosaic.letters(one), one.clonal) for one in mosaic.changes] == [
        ("+21", "A, B", True),
        ("-7", "B", False),
    ]
    assert [mosaic.count(step) for step in ("counted", "analysed", "karyotyped")] == [4, 4, 3]


def test_doubted_cells_count_on_request_alone(run):
    case = cases.combine(find([run]), "K7", trusted="analysed")
    assert case.iscn == "47,XX,+21[2]/46,XX[2]"
    assert ("+8", "D") in [(one.text, case.letters(one)) for one in case.changes]


def test_cells_of_both_sexes_in_one_case_are_told(tmp_path):
    out = run_of(tmp_path, {name: made(f"46,{name}", name) for name in ("XX", "XY")})
    assert cases.combine(find([out]), "K7").flags == ("XX and XY: one case, or a misread Y?",)
    assert cases.combine(find([out / "XY"]), "K7").flags == ()


def test_the_tables_tell_the_copies_of_each_class_cell_by_cell(mosaic, tmp_path):
    cases.write(mosaic, tmp_path / "K7")
    with (tmp_path / "K7" / "case.csv").open() as file:
        rows = list(csv.DictReader(file))
    told = json.loads((tmp_path / "K7" / "case.json").read_text())
    assert [row["cell"] for row in rows] == ["A", "B", "C", "D"]
    for row, cell, said in zip(rows, MOSAIC.values(), told["cells"], strict=True):
        found = parse(cell.iscn)
        assert [int(row[name]) for name in CLASSES] == [found.count(name) for name in CLASSES]
        assert said["copies"] == {name: found.count(name) for name in CLASSES}
        assert (tmp_path / "K7" / said["result"] / "karyotype.json").is_file()
    assert (told["iscn"], told["cells_total"], told["karyotyped"]) == ("47,XX,+21[2]/46,XX[1]", 4, 3)
    assert [one["single_cell"] for one in told["changes"]] == [False, True]


def test_a_class_shows_the_surest_homologues_of_all_cells_in_the_order_of_the_cells(run):
    case = cases.combine(find([run]), "K7", best=5)
    shown = [(figure.cell, figure.index >= 0) for figure in case.placed["7"]]
    assert shown == [("A", True), ("A", True), ("B", True), ("C", True), ("C", True)]
    few = cases.combine(find([run]), "K7", best=3)
    assert [figure.cell for figure in few.placed["21"]] == ["B", "B", "B"]
    assert [len(found) for found in few.placed.values()] == [3] * 23 + [0]


def test_a_missing_copy_leaves_an_empty_place_where_there_is_room(run):
    case = cases.combine(find([run]), "K7", best=8)
    assert [(figure.cell, figure.index < 0) for figure in case.placed["7"]].count(("B", True)) == 1


def test_the_karyogram_is_drawn_with_its_legend(mosaic, run, tmp_path):
    cases.write(mosaic, tmp_path)
    picture = cv2.imread(str(tmp_path / "karyogram.png"))
    sheet = cases.sheet(mosaic)
    assert [line.split()[:3] for line in sheet.legend] == [
        ["A", "a", "47,XX,+21"], ["B", "b", "46,XX,-7,+21"], ["C", "c", "46,XX"], ["D", "d", "47,XX,+8"],
    ]  # fmt: skip
    assert sheet.flags == "not clonal: -7 (B)"
    bare = view.draw(cases.Sheet(sheet.title, sheet.text, sheet.flags, sheet.rows), 1.0)
    columns = (bare.shape[1] - 2 * view.MARGIN) // view.COLUMN
    assert picture.shape[0] - bare.shape[0] == view.LINE * -(-4 // columns)
    assert (picture[:60] != 255).any()
    few = cases.sheet(cases.combine(find([run]), "K7", best=1))
    assert few.legend[-1].startswith("and 3 cells that are not shown")


def test_one_cell_alone_is_allowed_and_says_so(karyofast, run, tmp_path):
    told = karyofast("case", run / "b", "-o", tmp_path / "one")
    assert told.exit_code == 0
    assert "46,XX,-7,+21" in told.stdout
    assert "one  46,XX[1]  (one cell alone: 1 counted, 1 analysed, 1 karyotyped)" in told.stdout
    assert "+21  in A: not clonal, 2 cells needed" in told.stdout


def test_the_command_writes_the_case_and_prints_it(karyofast, run, tmp_path):
    told = karyofast("case", run, "-o", tmp_path / "K7", "--json", "--best", 2)
    said = json.loads(told.stdout)
    assert (said["case"], said["iscn"]) == ("K7", "47,XX,+21[2]/46,XX[1]")
    assert {len(found) for name, found in said["shown"].items() if name != "Y"} == {2}
    assert sorted(path.name for path in (tmp_path / "K7").iterdir()) == ["case.csv", "case.json", "karyogram.png"]
    doubted = karyofast("case", run / "d", "-o", tmp_path / "d")
    assert "no cell is free of doubt: --of analysed" in doubted.stdout


def test_what_cannot_be_is_refused(run, mosaic):
    with pytest.raises(OptionError, match=r"`best` must be 1 to 60 figures a class\. Got: 0"):
        cases.combine(find([run]), "K7", best=0)
    before = (run / "a" / "karyogram.png").read_bytes()
    for out in (run, run / "a"):
        with pytest.raises(OptionError, match="must be no folder that `karyofast run` has written"):
            cases.write(mosaic, out)
    assert (run / "a" / "karyogram.png").read_bytes() == before


def test_cells_are_lettered_like_columns():
    letters = [cases.letter(number) for number in range(1000)]
    assert letters[24:28] == ["Y", "Z", "AA", "AB"]
    assert len(set(letters)) == len(letters)
    assert np.all(np.diff([len(one) for one in letters]) >= 0)
