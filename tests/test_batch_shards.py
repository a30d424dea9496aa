import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from karyotypes import bars, karyotype, label
from run_tree import tree

from karyofast import report
from karyofast.batch import run
from karyofast.errors import OptionError
from karyofast.run_folder import Shard
from karyofast.summary import case_of, case_pattern, read_summary


class Counting:
    """A stand-in for the pipeline that remembers the pictures it was given."""

    def __init__(self):
        self.names = []

    def __call__(self, metaphase):
        self.names.append(metaphase.name)
        crops, names = bars("45,X")
        return karyotype(crops[:4], [label(name) for name in names[:4]], seconds={"detect": 0.5})


@pytest.fixture(autouse=True)
def drawn_small(monkeypatch):
    monkeypatch.setattr(report.view, "karyogram", lambda made, options: np.full((3, 9, 3), made.count, np.uint8))
    monkeypatch.setattr(report.view, "overlay", lambda made: np.full((4, 8, 3), made.count, np.uint8))


@pytest.fixture
def pictures(tmp_path):
    grey = np.full((40, 50), 200, np.uint8)
    grey[10:30, 20:25] = 60
    paths = [tmp_path / place / f"c{number}.png" for place in ("one", "two") for number in range(6)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), grey)
    (tmp_path / "one" / "c3.png").write_bytes(b"no picture")
    return paths


def test_lots_are_every_image_once_and_depend_on_its_name_alone():
    paths = [Path(f"slide{number}.tif") for number in range(1000)]
    lots = [[path for path in paths if Shard(number, 4).holds(path)] for number in (1, 2, 3, 4)]
    assert sorted(path for lot in lots for path in lot) == sorted(paths)
    assert all(200 < len(lot) < 300 for lot in lots)
    assert all(Shard(1, 4).holds(Path("elsewhere") / path) for path in lots[0])


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "a/b", "1/2/3", "-1/2", "1/0"])
def test_a_lot_that_cannot_be_is_refused(text):
    with pytest.raises(OptionError, match="must be i/n"):
        Shard.parse(text)


def test_lots_and_the_run_that_merges_them_make_what_one_run_makes(pictures, tmp_path):
    run(pictures, tmp_path / "whole", analyse=Counting(), case_regex="one|two")
    out, names = tmp_path / "out", []
    for number in (2, 1):
        own = Counting()
        rows = run(pictures, out, analyse=own, shard=Shard(number, 2))
        names += own.names
        assert read_summary(out / f"summary-{number}-of-2.csv") == rows
        assert not (out / "summary.csv").exists()
    assert sorted(names) == sorted(path.stem for path in pictures if path.read_bytes() != b"no picture")
    merging = Counting()
    rows = run(pictures, out, analyse=merging, case_regex="one|two")
    assert merging.names == []
    assert [row.image for row in rows] == [str(path) for path in pictures]
    for name in ("summary-1-of-2.csv", "summary-2-of-2.csv"):
        (out / name).unlink()
    assert tree(out) == tree(tmp_path / "whole")


def test_a_lot_is_done_again_when_forced(pictures, tmp_path):
    for force in (False, True):
        own = Counting()
        run(pictures, tmp_path / "out", analyse=own, shard=Shard(1, 2), force=force)
        assert len(own.names) > 0
    again = Counting()
    run(pictures, tmp_path / "out", analyse=again, shard=Shard(1, 2))
    assert again.names == []


def test_a_case_is_the_first_group_or_the_match():
    assert case_of("a/C17_3.tif", case_pattern(r"([^/]+)_\d+")) == "C17"
    assert case_of("a/C17_3.tif", case_pattern(r"C\d+")) == "C17"
    assert case_of("a/C17_3.tif", case_pattern(r"(x)?C\d+")) == ""
    assert case_of("a/b.tif", case_pattern(r"C\d+")) == ""


def test_cases_are_told_in_the_tables_and_go_when_they_are_not_asked_for(pictures, tmp_path):
    out = tmp_path / "out"
    rows = run(pictures, out, analyse=Counting(), case_regex="one|two")
    assert {row.case for row in rows} == {"one", "two"}
    assert [row.case for row in read_summary(out / "summary.csv")] == [row.case for row in rows]
    lines = (out / "cases.csv").read_text().splitlines()
    assert lines[0] == "case,images,failed,counted,analysed,karyotyped,iscn,clones"
    assert [line.split(",")[:6] for line in lines[1:]] == [
        ["one", "6", "1", "5", "5", "5"],
        ["two", "6", "0", "6", "6", "6"],
    ]
    said = json.loads((out / "run.json").read_text())
    assert (said["case_regex"], said["total"]["counted"], said["total"]["karyotyped"]) == ("one|two", 11, 11)
    run(pictures, out, analyse=Counting())
    assert not (out / "cases.csv").exists()


def test_run_json_tells_the_seconds_of_each_stage_and_the_log_what_happened(pictures, tmp_path):
    out, log = tmp_path / "out", tmp_path / "run.log"
    run(pictures, out, analyse=Counting(), log=log)
    seconds = json.loads((out / "run.json").read_text())["seconds"]
    assert {"read", "analyse", "draw", "write"} <= set(seconds)
    run(pictures, out, analyse=Counting(), log=log)
    assert json.loads((out / "run.json").read_text())["seconds"] == seconds
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events == ["start", "resumed", *["image"] * 12, "end", "start", "resumed", "image", "end"]
    failed = lines[-2]
    assert (failed["status"], failed["stage"], Path(failed["image"]).name) == ("failed", "read", "c3.png")
