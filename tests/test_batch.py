import csv
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from karyotypes import bars, karyotype, label, picture
from run_tree import tree

from karyofast import batch_facts, batch_image, coco, report, run_folder
from karyofast.batch import run
from karyofast.batch_workers import Bounds
from karyofast.config import ArrangeOptions, Options, SegmentOptions
from karyofast.errors import ImageError, ModelError, OptionError, OutputError
from karyofast.models.store import ON_CPU
from karyofast.summary import read_summary
from karyofast.types import Karyotype

WHOLE = {"karyotype.json", "karyogram.png", "overlay.png", "preview.jpg", "instances.json"}
OTHER = Options(arrange=ArrangeOptions(gain_price=5.0))


class KilledHere(BaseException):
    """Stands for Ctrl-C or a kill: nothing in a run may catch it."""


def analyse(metaphase):
    """A small karyotype that depends on the picture: as many chromosomes as its first pixel says."""
    number = int(metaphase.grey[0, 0])
    if number == 13:
        raise ZeroDivisionError("thirteen\nchromosomes")
    if number == 14:
        raise ImageError(f"{metaphase.name}: shows fourteen.")
    crops, names = bars("46,XX")
    made = karyotype(crops[:number], [label(name) for name in names[:number]], metaphase.name, seconds={"detect": 0.5})
    return replace(made, metaphase=replace(made.metaphase, name=metaphase.name))


class Counting:
    """`analyse` that remembers what it was called with, and stops at one name."""

    def __init__(self, stop=None):
        self.names, self.stop = [], stop

    def __call__(self, metaphase) -> Karyotype:
        if metaphase.name == self.stop:
            raise KilledHere
        self.names.append(metaphase.name)
        return analyse(metaphase)


@pytest.fixture(autouse=True)
def drawn_small(monkeypatch):
    """Sheets of a few pixels: drawing has tests of its own and takes most of a run's time."""
    monkeypatch.setattr(report.view, "karyogram", lambda made, options: np.full((3, 9, 3), made.count, np.uint8))
    monkeypatch.setattr(report.view, "overlay", lambda made: np.full((4, 8, 3), made.count, np.uint8))


@pytest.fixture
def pictures(tmp_path):
    return [picture(tmp_path / "in" / f"{name}.png", number) for name, number in (("a", 3), ("b", 4), ("c", 5))]


def test_a_run_writes_a_folder_an_image_and_files_for_all(pictures, tmp_path):
    out = tmp_path / "deep" / "out"
    told = []
    rows = run(pictures, out, analyse=analyse, progress=told.append)
    assert [(row.image, row.status, row.count) for row in rows] == [
        (str(path), "done", number) for path, number in zip(pictures, (3, 4, 5), strict=True)
    ]
    assert told == rows
    assert {file.name for file in out.iterdir()} == {
        *("run.json", "summary.csv", "instances.coco.json", "report.html"),
        *("a", "b", "c"),
    }
    for name in "abc":
        assert {file.name for file in (out / name).iterdir()} == WHOLE
        assert json.loads((out / name / "karyotype.json").read_text())["image"] == name
    assert read_summary(out / "summary.csv") == rows
    assert "a/karyogram.png" in (out / "report.html").read_text()


def test_run_json_tells_settings_versions_and_inputs(pictures, tmp_path):
    run(pictures, tmp_path / "out", OTHER, analyse=analyse)
    said = json.loads((tmp_path / "out" / "run.json").read_text())
    assert said["options"]["arrange"]["gain_price"] == 5.0
    assert said["inputs"] == [str(path) for path in pictures]
    assert said["folders"] == {"../in/a.png": "a", "../in/b.png": "b", "../in/c.png": "c"}
    assert said["versions"]["numpy"] == np.__version__
    assert said["karyofast"]


def test_run_json_is_there_before_the_first_image(pictures, tmp_path):
    with pytest.raises(KilledHere):
        run(pictures, tmp_path / "out", analyse=Counting(stop="a"))
    assert set(tree(tmp_path / "out")) == {"run.json"}


def test_run_json_names_the_models_with_their_hashes(monkeypatch, pictures, tmp_path):
    monkeypatch.setattr(batch_image.pipeline, "load_models", lambda options, threads: None)
    monkeypatch.setattr(batch_image.pipeline, "karyotype", lambda metaphase, options, models, clock: analyse(metaphase))
    run(pictures[:1], tmp_path / "out")
    models = json.loads((tmp_path / "out" / "run.json").read_text())["models"]
    assert {kind: model["name"] for kind, model in models.items()} == {
        "classifier_dark": ON_CPU["dark"],
        "classifier_bright": ON_CPU["bright"],
        "separator_dark": "axis",
        "separator_bright": "axis-fluorescence",
    }
    assert all(len(model["sha256"]) == 64 for model in models.values())
    assert set(batch_facts.models_of(Options(segment=SegmentOptions("rrt")))) == {
        "classifier_dark",
        "classifier_bright",
    }


def test_an_unknown_model_stops_the_run_before_anything_is_written(pictures, tmp_path):
    with pytest.raises(ModelError, match="no-such-model"):
        run(pictures, tmp_path / "out", Options(segment=SegmentOptions(model="no-such-model")))
    assert not (tmp_path / "out").exists()


def test_merged_instances_are_the_document_that_coco_would_write(pictures, tmp_path):
    out = tmp_path / "out"
    run(pictures, out, analyse=analyse)
    content = json.loads((out / "instances.coco.json").read_text())
    assert [(one["id"], one["file_name"], one["folder"]) for one in content["images"]] == [
        (1, "a.png", "a"),
        (2, "b.png", "b"),
        (3, "c.png", "c"),
    ]
    assert [one["id"] for one in content["annotations"]] == list(range(1, 13))
    assert [one["image_id"] for one in content["annotations"]] == [1] * 3 + [2] * 4 + [3] * 5
    written = (out / "instances.coco.json").read_text()
    assert written == json.dumps(coco.document(content["images"], content["annotations"], content["info"]))
    assert [len(truth.instances) for truth in coco.load(out / "instances.coco.json")] == [3, 4, 5]


def test_a_rerun_does_nothing_again_and_changes_no_byte(pictures, tmp_path):
    out = tmp_path / "out"
    first = run(pictures, out, analyse=analyse)
    before = tree(out, times=True)
    again = Counting()
    assert run(pictures, out, analyse=again) == first
    assert again.names == []
    assert tree(out, times=True) == before


def test_a_killed_run_is_completed_to_the_same_bytes(pictures, tmp_path):
    run(pictures, tmp_path / "whole", analyse=analyse)
    cut = tmp_path / "cut"
    with pytest.raises(KilledHere):
        run(pictures, cut, analyse=Counting(stop="b"))
    assert not (cut / "summary.csv").exists()
    rest = Counting()
    run(pictures, cut, analyse=rest)
    assert rest.names == ["b", "c"]
    assert tree(cut) == tree(tmp_path / "whole")


@pytest.mark.parametrize("name", ["karyogram.png", "overlay.png", "karyotype.json", "instances.json"])
def test_a_kill_while_a_file_is_written_leaves_nothing_that_passes_for_whole(monkeypatch, name, pictures, tmp_path):
    run(pictures, tmp_path / "whole", analyse=analyse)
    cut, real = tmp_path / "cut", os.replace

    def killed(source, target):
        if Path(target).name == name and Path(target).parent.name == "b":
            raise KilledHere
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KilledHere):
            run(pictures, cut, analyse=analyse)
    assert not list(cut.rglob("*.tmp"))
    rest = Counting()
    run(pictures, cut, analyse=rest)
    assert rest.names == ["b", "c"]
    assert tree(cut) == tree(tmp_path / "whole")


def test_what_a_hard_kill_left_half_written_is_swept(pictures, tmp_path):
    run(pictures, tmp_path / "whole", analyse=analyse)
    cut = tmp_path / "cut"
    (cut / "a").mkdir(parents=True)
    (cut / ".run.json.123.tmp").write_text("{")
    (cut / ".instances.coco.json.123.tmp").write_text("{")
    (cut / "a" / ".karyogram.png.123.tmp").write_text("half")
    (cut / "a" / "karyogram.png").write_text("of an earlier time")
    run(pictures, cut, analyse=analyse)
    assert tree(cut) == tree(tmp_path / "whole")


def test_a_changed_picture_is_done_again_alone(pictures, tmp_path):
    out = tmp_path / "out"
    run(pictures, out, analyse=analyse)
    picture(pictures[1], 7)
    stat = pictures[1].stat()
    os.utime(pictures[1], ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    again = Counting()
    rows = run(pictures, out, analyse=again)
    assert again.names == ["b"]
    assert [row.count for row in rows] == [3, 7, 5]


def test_force_does_all_again(pictures, tmp_path):
    run(pictures, tmp_path / "out", analyse=analyse)
    again = Counting()
    run(pictures, tmp_path / "out", analyse=again, force=True)
    assert again.names == ["a", "b", "c"]


def test_other_settings_are_refused_until_forced(pictures, tmp_path):
    out = tmp_path / "out"
    run(pictures, out, analyse=analyse)
    before = tree(out, times=True)
    with pytest.raises(OptionError, match=r"options\.arrange\.gain_price was 4\.0, is 5\.0.*--force"):
        run(pictures, out, OTHER, analyse=analyse)
    assert tree(out, times=True) == before
    again = Counting()
    run(pictures, out, OTHER, analyse=again, force=True)
    assert again.names == ["a", "b", "c"]


def test_a_forced_run_that_was_killed_does_not_mix_two_settings(pictures, tmp_path):
    out = tmp_path / "out"
    run(pictures, out, analyse=analyse)
    with pytest.raises(KilledHere):
        run(pictures, out, OTHER, analyse=Counting(stop="b"), force=True)
    rest = Counting()
    run(pictures, out, OTHER, analyse=rest)
    assert rest.names == ["b", "c"]


@pytest.mark.parametrize("content", ["{", "[]", '{"folders": {"x": "../x"}}', '{"folders": {"x": ""}}'])
def test_a_foreign_run_json_is_refused_until_forced(content, pictures, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text(content)
    with pytest.raises(OptionError, match="--force"):
        run(pictures, out, analyse=analyse)
    assert [row.status for row in run(pictures, out, analyse=analyse, force=True)] == ["done"] * 3


def test_bad_images_are_rows_with_a_reason(pictures, tmp_path, caplog):
    broken = tmp_path / "in" / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nno more")
    odd = [picture(tmp_path / "in" / f"{number}.png", number) for number in (13, 14)]
    inputs = [pictures[0], broken, *odd, tmp_path / "in" / "gone.png", pictures[1]]
    with caplog.at_level(logging.DEBUG, logger="karyofast.batch_image"):
        rows = run(inputs, tmp_path / "out", analyse=analyse)
    assert [row.status for row in rows] == ["done", "failed", "failed", "failed", "failed", "done"]
    assert "broken.png" in rows[1].error
    assert rows[2].error == "unexpected ZeroDivisionError: thirteen chromosomes"
    assert rows[3].error == "14: shows fourteen."
    assert "gone.png: cannot be read: No such file" in rows[4].error
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)
    with (tmp_path / "out" / "summary.csv").open() as file:
        assert [line["status"] for line in csv.DictReader(file)] == [row.status for row in rows]
    assert len(coco.load(tmp_path / "out" / "instances.coco.json")) == 2
    assert not (tmp_path / "out" / "13").exists()


def test_a_failed_image_is_tried_again(pictures, tmp_path):
    bad = picture(tmp_path / "in" / "d.png", 13)
    run([*pictures, bad], tmp_path / "out", analyse=analyse)
    again = Counting()
    run([*pictures, bad], tmp_path / "out", analyse=again)
    assert again.names == ["d"]


def test_an_image_that_became_bad_leaves_no_stale_result(pictures, tmp_path):
    out = tmp_path / "out"
    run(pictures, out, analyse=analyse)
    pictures[0].write_bytes(b"no picture")
    rows = run(pictures, out, analyse=analyse)
    assert [row.status for row in rows] == ["failed", "done", "done"]
    assert not (out / "a").exists()
    assert len(coco.load(out / "instances.coco.json")) == 2


def test_images_of_one_stem_have_folders_of_their_own(tmp_path):
    inputs = [
        picture(tmp_path / "one" / "cell.png", 3),
        picture(tmp_path / "two" / "cell.png", 4),
        picture(tmp_path / "two" / "CELL.bmp", 5),
        picture(tmp_path / "two" / "run.json.png", 6),
        picture(tmp_path / "two" / "...png", 7),
    ]
    out = tmp_path / "out"
    rows = run(inputs, out, analyse=analyse)
    assert [row.count for row in rows] == [3, 4, 5, 6, 7]
    folders = {
        one["folder"]: one["file_name"] for one in json.loads((out / "instances.coco.json").read_text())["images"]
    }
    assert folders == {
        "cell": "cell.png",
        "cell-2": "cell.png",
        "CELL-3": "CELL.bmp",
        "run.json-2": "run.json.png",
        "..-2": "...png",
    }
    assert len(json.loads((out / "cell-2" / "karyotype.json").read_text())["chromosomes"]) == 4


def test_an_image_keeps_its_folder_when_others_come_before_it(tmp_path):
    first, second = picture(tmp_path / "b" / "cell.png", 3), picture(tmp_path / "a" / "cell.png", 4)
    out = tmp_path / "out"
    run([first], out, analyse=analyse)
    again = Counting()
    rows = run([second, first], out, analyse=again)
    assert again.names == ["cell"]
    assert [row.count for row in rows] == [4, 3]
    assert json.loads((out / "run.json").read_text())["folders"] == {"../b/cell.png": "cell", "../a/cell.png": "cell-2"}


def test_an_image_is_known_again_from_another_folder_and_when_all_is_moved(pictures, tmp_path, monkeypatch):
    run(pictures, tmp_path / "out", analyse=analyse)
    again = Counting()
    monkeypatch.chdir(tmp_path / "in")
    rows = run([Path("a.png"), Path("../in/a.png")], Path("../out"), analyse=again)
    assert again.names == []
    assert [Path(row.image).name for row in rows] == ["a.png"]
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").rename(tmp_path / "new" / "in")
    (tmp_path / "out").rename(tmp_path / "new" / "out")
    run([tmp_path / "new" / "in" / "a.png"], tmp_path / "new" / "out", analyse=again)
    assert again.names == []


def test_drawings_of_an_earlier_run_are_not_taken_for_metaphases(pictures, tmp_path):
    out = tmp_path / "in" / "out"
    run(pictures, out, analyse=analyse)
    rows = run(sorted((tmp_path / "in").rglob("*.png")), out, analyse=analyse)
    assert [Path(row.image).name for row in rows] == ["a.png", "b.png", "c.png"]


def test_results_may_lie_beside_the_pictures(tmp_path):
    inputs = [picture(tmp_path / "a.png", 3), picture(tmp_path / "plain.png", 4).rename(tmp_path / "plain")]
    rows = run(inputs, tmp_path, analyse=analyse)
    assert [(row.status, row.count) for row in rows] == [("done", 3), ("done", 4)]
    assert (tmp_path / "plain-2" / "karyotype.json").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"jobs": 0}, "jobs"),
        ({"jobs": 2, "models": object()}, "Leave `models` out"),
        ({"bounds": Bounds(seconds=9), "models": object()}, "Leave `models` out"),
        ({"case_regex": "("}, "must be a regular expression"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message, pictures, tmp_path):
    with pytest.raises(OptionError, match=message):
        run(pictures, tmp_path / "out", analyse=analyse, **settings)


def test_a_folder_that_cannot_be_made_is_told_in_words(pictures, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written to"):
        run(pictures, tmp_path / "file", analyse=analyse)


def test_a_run_without_images_writes_empty_tables(tmp_path):
    assert run([], tmp_path / "out", analyse=analyse) == []
    assert read_summary(tmp_path / "out" / "summary.csv") == []
    assert coco.load(tmp_path / "out" / "instances.coco.json") == ()


def test_a_part_of_other_shape_is_not_taken_for_a_result(pictures, tmp_path):
    out = tmp_path / "out"
    run(pictures, out, analyse=analyse)
    for name, content in (("a", "[]"), ("b", '{"made_from": {}}')):
        (out / name / run_folder.PART).write_text(content)
    again = Counting()
    run(pictures, out, analyse=again)
    assert again.names == ["a", "b"]
