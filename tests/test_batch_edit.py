"""Corrections of results on disk: a real G-band metaphase and a simulated one, through the whole pipeline."""

import json
import logging
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from karyofast import batch, batch_edit, clock, coco, pipeline
from karyofast.cli import main as cli
from karyofast.config import Options, SimulateOptions
from karyofast.edit import SAID
from karyofast.edit_script import read_script
from karyofast.errors import OptionError
from karyofast.evaluate_whole import score_karyotypes
from karyofast.io import read_metaphase
from karyofast.run_folder import Shard
from karyofast.run_scripts import trail
from karyofast.simulate import simulate_metaphase, write_dataset
from karyofast.summary import read_summary

REAL, DRAWN = "unknow214", "simulated-0001"


@pytest.fixture(scope="module")
def pictures(data_dir, tmp_path_factory):
    """A real picture and a simulated one, with the truth of the latter beside it."""
    folder = tmp_path_factory.mktemp("pictures")
    shutil.copy(data_dir / "gband" / "annotated" / f"{REAL}.jpg", folder)
    options = SimulateOptions(size=(420, 420), touching=2, crossing=1, nuclei=0, debris=5, length=60.0, width=9.0)
    write_dataset(folder, [simulate_metaphase(np.random.default_rng(1), "46,XY", options)])
    return [folder / f"{REAL}.jpg", folder / f"{DRAWN}.png"]


@pytest.fixture(scope="module")
def models():
    return pipeline.load_models(Options(), threads=1)


@pytest.fixture(scope="module")
def once(models):
    """The pipeline, which does the same picture once only: it gives the same each time, and takes its time."""
    known = {}
    whole = pipeline.karyotype

    def karyotype(metaphase, options=None, models=models, clock=None):
        if metaphase.name not in known:
            known[metaphase.name] = whole(metaphase, Options(), models)
        if clock:
            clock.end()
            clock.seconds.update(known[metaphase.name].seconds)
        return known[metaphase.name]

    return karyotype


@pytest.fixture(autouse=True)
def quick(monkeypatch, once, models):
    """No second reading of a picture, no second loading of the models, and a clock that stands still."""
    monkeypatch.setattr(pipeline, "karyotype", once)
    monkeypatch.setattr(pipeline, "load_models", lambda options, threads=0: models)
    monkeypatch.setattr(clock.time, "perf_counter", lambda: 0.0)


@pytest.fixture(scope="module")
def first(pictures, once, models, tmp_path_factory):
    """A run of both pictures, not to be changed."""
    out = tmp_path_factory.mktemp("first") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "karyotype", once)
        patch.setattr(pipeline, "load_models", lambda options, threads=0: models)
        patch.setattr(clock.time, "perf_counter", lambda: 0.0)
        batch.run(pictures, out)
    return out


@pytest.fixture
def out(first):
    """A copy of that run in the same folder, so that the pictures lie where they lay seen from it."""
    copy = first.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(first, copy)


def written(path, *operations, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"operations": operations, **more}), encoding="utf-8")
    return path


def told(out, name):
    return json.loads((out / name / "karyotype.json").read_text(encoding="utf-8"))


def told_of_run(out):
    return {name: (out / name).read_bytes() for name in ("run.json", "summary.csv", "cases.csv", "report.html")}


def tree(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def a_chain(out, name):
    """Each operation once, on a result as it is: the longest is cut and joined, and so on."""
    cell = told(out, name)
    by_area = [one["index"] for one in sorted(cell["chromosomes"], key=lambda one: -one["area"])]
    boxes = {one["index"]: one["box"] for one in cell["chromosomes"]}
    longest, count = boxes[by_area[0]], cell["count"]
    middle = longest["top"] + longest["height"] // 2
    across = [[longest["left"], middle], [longest["left"] + longest["width"] - 1, middle + 2]]
    smallest = boxes[by_area[-1]]
    left, top = smallest["left"], smallest["top"]
    right, bottom = left + smallest["width"] - 1, top + smallest["height"] - 1
    return [
        {"op": "cut", "chromosome": by_area[0], "line": across},
        {"op": "join", "chromosomes": [count, count + 1]},
        {"op": "drop", "chromosome": by_area[-1]},
        {"op": "add", "polygon": [[left, top], [right, top], [right, bottom], [left, bottom]]},
        {"op": "relabel", "chromosome": by_area[4], "to": "X"},
        {"op": "flip", "chromosome": by_area[5]},
    ]


@pytest.mark.parametrize("name", [REAL, DRAWN])
def test_an_edited_result_is_the_one_that_a_run_with_the_script_gives(pictures, first, out, tmp_path, name):
    script = written(tmp_path / "edits" / f"{name}.json", *a_chain(first, name), masks=told(first, name)["masks"])
    batch_edit.edit(out, {name: read_script(script)})
    edited = tree(out)
    assert edited != tree(first)
    assert {key for key, data in edited.items() if tree(first)[key] != data} == {
        *(
            f"{name}/{file}"
            for file in ("karyotype.json", "karyogram.png", "overlay.png", "preview.jpg", "instances.json")
        ),
        *("run.json", "summary.csv", "instances.coco.json", "report.html"),
    }
    again = first.parent / "again"
    for edits in (script.parent, out):
        shutil.rmtree(again, ignore_errors=True)
        batch.run(pictures, again, edits=edits)
        assert tree(again) == edited


def test_every_output_tells_of_the_correction(out, first, tmp_path):
    script = read_script(written(tmp_path / "e.json", *a_chain(first, REAL)))
    before, (row,) = told(first, REAL), batch_edit.edit(out, {REAL: script})
    after = told(out, REAL)
    (trail_entry,) = after["edits"]
    assert trail_entry["script"] == script.sha256
    assert trail_entry["masks"] == before["masks"] != after["masks"]
    assert [one["op"] for one in trail_entry["operations"]] == ["cut", "join", "drop", "add", "relabel", "flip"]
    assert "edited by hand 6" in after["flags"]
    assert after["dropped"][-1]["reason"] == "dropped by hand" or len(after["dropped"]) == len(before["dropped"])
    hand = {flag for one in after["chromosomes"] for flag in one["flags"] if "by hand" in flag}
    assert hand == {"joined by hand", "added by hand", SAID, "flipped by hand"}
    (said,) = [one for one in after["chromosomes"] if SAID in one["flags"]]
    assert (said["class"], said["probability"], said["low_confidence"]) == ("X", 1.0, False)
    assert row.edits == 6
    assert [one.edits for one in read_summary(out / "summary.csv")] == [6, 0]
    assert json.loads((out / "run.json").read_text())["edits"] == {REAL: [script.sha256]}
    assert "edited by hand 6" in (out / "report.html").read_text()
    merged = coco.load(out / "instances.coco.json")
    assert [len(one.instances) for one in merged] == [after["count"], told(out, DRAWN)["count"]]
    picture = cv2.imread(str(out / REAL / "overlay.png"))
    assert (picture != cv2.imread(str(first / REAL / "overlay.png"))).any()


def test_a_second_correction_starts_from_the_first(pictures, out, first, tmp_path):
    one = read_script(written(tmp_path / "1.json", {"op": "drop", "chromosome": 0}))
    two = read_script(written(tmp_path / "2.json", {"op": "drop", "chromosome": 0}))
    batch_edit.edit(out, {DRAWN: one})
    assert told(out, DRAWN)["chromosomes"][0]["box"] == told(first, DRAWN)["chromosomes"][1]["box"]
    batch_edit.edit(out, {DRAWN: two})
    assert told(out, DRAWN)["count"] == told(first, DRAWN)["count"] - 2
    assert [len(one.operations) for one in trail(out / DRAWN)] == [1, 1]
    again = first.parent / "again"
    shutil.rmtree(again, ignore_errors=True)
    batch.run(pictures, again, edits=out)
    assert tree(again) == tree(out)


def test_a_rerun_leaves_corrections_alone_unless_it_is_told(pictures, out, first, tmp_path):
    script = written(tmp_path / "edits" / f"{REAL}.json", {"op": "drop", "chromosome": 3})
    batch_edit.edit(out, {REAL: read_script(script)})
    edited = tree(out)
    batch.run(pictures, out)
    assert tree(out) == edited
    batch.run(pictures, out, edits=script.parent)
    assert tree(out) == edited
    written(script, {"op": "flip", "chromosome": 3})
    batch.run(pictures, out, edits=script.parent)
    assert [one["op"] for one in told(out, REAL)["edits"][0]["operations"]] == ["flip"]
    batch.run(pictures, out, force=True)
    assert tree(out) == tree(first)


def test_lots_apply_the_scripts_of_their_own_images_and_are_merged_to_what_one_run_gives(pictures, first, tmp_path):
    for name in (REAL, DRAWN):
        written(tmp_path / "edits" / f"{name}.json", {"op": "drop", "chromosome": 3})
    whole, lots = first.parent / "whole", first.parent / "lots"
    for folder in (whole, lots):
        shutil.rmtree(folder, ignore_errors=True)
    batch.run(pictures, whole, edits=tmp_path / "edits", case_regex=r"[a-z]+(?=[^/]*$)")
    for number in (1, 2):
        rows = batch.run(pictures, lots, edits=tmp_path / "edits", shard=Shard(number, 2))
        assert {row.edits for row in rows} <= {1}
        with pytest.raises(OptionError, match="is not of a run that came to its end"):
            batch_edit.edit(lots, {REAL: read_script(tmp_path / "edits" / f"{REAL}.json")})
    batch.run(pictures, lots, case_regex=r"[a-z]+(?=[^/]*$)")
    for number in (1, 2):
        (lots / f"summary-{number}-of-2.csv").unlink()
    assert tree(lots) == tree(whole)


def test_cases_are_told_of_after_a_correction_too(pictures, first, tmp_path):
    out, own = first.parent / "cases", tmp_path / "own"
    shutil.rmtree(out, ignore_errors=True)
    before = batch.run(pictures, out, case_regex=r"[a-z]+(?=[^/]*$)")
    script = read_script(written(tmp_path / "e.json", {"op": "drop", "chromosome": 3}))
    (row,) = batch_edit.edit(out, {REAL: script})
    assert row.case == before[0].case == "unknow"
    rows = read_summary(out / "summary.csv")
    assert [(one.case, one.edits) for one in rows] == [("unknow", 1), ("simulated", 0)]
    assert [line.split(",")[:2] for line in (out / "cases.csv").read_text().splitlines()[1:]] == [
        ["simulated", "1"],
        ["unknow", "1"],
    ]
    after = told_of_run(out)
    batch.run(pictures, out, case_regex=r"[a-z]+(?=[^/]*$)")
    assert told_of_run(out) == after
    batch_edit.edit(out, {DRAWN: script}, own)
    assert [(one.case, one.edits) for one in read_summary(own / "summary.csv")] == [("simulated", 1)]
    assert (own / "cases.csv").read_text().splitlines()[1].startswith("simulated,1,")


def test_corrected_results_may_go_into_a_folder_of_their_own(pictures, out, first, tmp_path):
    script = read_script(written(tmp_path / "e.json", {"op": "drop", "chromosome": 3}))
    own = tmp_path / "own"
    batch_edit.edit(out, {REAL: script}, own)
    assert tree(out) == tree(first)
    assert {file.name for file in own.iterdir()} == {
        *("run.json", "summary.csv", "instances.coco.json", "report.html"),
        REAL,
    }
    assert told(own, REAL)["count"] == told(first, REAL)["count"] - 1
    before = tree(own)
    batch.run(pictures[:1], own)
    assert json.loads(before["run.json"])["edits"] == json.loads(tree(own)["run.json"])["edits"]
    assert (own / REAL / "karyotype.json").read_bytes() == before[f"{REAL}/karyotype.json"]


def test_a_result_may_be_corrected_from_another_folder_than_the_run_was_called_in(
    pictures, tmp_path, monkeypatch, karyofast
):
    shutil.copy(pictures[1], tmp_path)
    monkeypatch.chdir(tmp_path)
    batch.run([Path(pictures[1].name)], Path("out"))
    script = written(tmp_path / "e.json", {"op": "drop", "chromosome": 3})
    monkeypatch.chdir(tmp_path / "out" / DRAWN)
    assert karyofast("edit", ".", "--script", script)[0] == 0
    (row,) = read_summary(tmp_path / "out" / "summary.csv")
    assert (row.image, row.edits) == (pictures[1].name, 1)
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path / "out")
    batch.run([Path(pictures[1].name)], Path("out"))
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ({"op": "drop", "chromosome": 99}, r"operation 2 \(drop\): chromosome 99 does not exist"),
        ({"op": "cut", "chromosome": 3, "line": [[0, 0], [1, 1]]}, r"operation 2 \(cut\): the line does not meet"),
    ],
)
def test_an_operation_that_cannot_be_done_changes_nothing(out, first, tmp_path, operation, reason):
    good = read_script(written(tmp_path / "good.json", {"op": "drop", "chromosome": 1}))
    bad = read_script(written(tmp_path / "bad.json", {"op": "drop", "chromosome": 1}, operation))
    with pytest.raises(OptionError, match=rf"bad\.json: {reason}"):
        batch_edit.edit(out, {REAL: good, DRAWN: bad})
    with pytest.raises(OptionError, match=reason):
        batch_edit.edit(out, {DRAWN: bad}, tmp_path / "own")
    assert tree(out) == tree(first)
    assert not (tmp_path / "own").exists()


def test_in_a_run_it_fails_its_picture_alone(pictures, tmp_path):
    written(tmp_path / "edits" / f"{DRAWN}.json", {"op": "drop", "chromosome": 99})
    rows = batch.run(pictures, tmp_path / "out", edits=tmp_path / "edits")
    assert [row.status for row in rows] == ["done", "failed"]
    assert "operation 1 (drop): chromosome 99 does not exist" in rows[1].error
    assert rows[1].stage == "edit"


def test_results_that_cannot_be_corrected_are_refused(out, first, tmp_path):
    script = read_script(written(tmp_path / "e.json", {"op": "drop", "chromosome": 1}))
    with pytest.raises(OptionError, match=r"has no result 'other'. Got: unknow214, simulated-0001"):
        batch_edit.edit(out, {"other": script})
    with pytest.raises(OptionError, match="must be the folder of a run"):
        batch_edit.edit(tmp_path, {REAL: script})
    (out / REAL / "overlay.png").unlink()
    with pytest.raises(OptionError, match="is not whole"):
        batch_edit.edit(out, {REAL: script})
    moved = json.loads((out / DRAWN / "karyotype.json").read_text())
    (out / DRAWN / "karyotype.json").write_text(json.dumps({**moved, "masks": "of another machine"}))
    with pytest.raises(OptionError, match="holds other masks than its picture gives here"):
        batch_edit.edit(out, {DRAWN: script})
    run = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**run, "karyofast": "0.0.1"}))
    with pytest.raises(OptionError, match=r"was made otherwise than here: karyofast was '0\.0\.1'"):
        batch_edit.edit(out, {DRAWN: script})


def test_wrong_folders_of_scripts_are_refused_before_anything_is_written(pictures, first, tmp_path):
    edits, new = tmp_path / "edits", tmp_path / "new"
    with pytest.raises(OptionError, match="must be a folder of scripts"):
        batch.run(pictures, new, edits=edits)
    path = written(edits / "nobody.json", {"op": "drop", "chromosome": 1})
    with pytest.raises(OptionError, match=r"nobody\.json: no image of this run has the result folder 'nobody'"):
        batch.run(pictures, new, edits=edits)
    path.unlink()
    path = edits / f"{REAL}.json"
    path.write_text(json.dumps({"pictures": {REAL: {"operations": [{"op": "flip", "chromosome": 0}]}}}))
    with pytest.raises(OptionError, match="must hold the operations of unknow214 alone"):
        batch.run(pictures, new, edits=edits)
    path.write_text("{")
    with pytest.raises(OptionError, match=r"unknow214\.json: cannot be read"):
        batch.run(pictures, new, edits=edits)
    with pytest.raises(OptionError, match="cannot be read from the folder of this run"):
        batch.run(pictures, first, edits=first)
    assert not new.exists()


@pytest.fixture
def karyofast(monkeypatch, capsys):
    """Run the command; gives (exit code, stdout, stderr)."""
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["karyofast", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        return end.value.code or 0, told.out, told.err

    return run


def test_the_command_corrects_one_result_or_several(karyofast, out, first, tmp_path):
    one = written(tmp_path / "one.json", {"op": "drop", "chromosome": 3})
    code, told_of, _ = karyofast("edit", out / REAL, "--script", one)
    count = told(first, REAL)["count"] - 1
    assert (code, told(out, REAL)["count"]) == (0, count)
    assert f"({count} chromosomes, 1 corrections by hand)" in told_of
    several = tmp_path / "several.json"
    several.write_text(json.dumps({"pictures": {DRAWN: {"operations": [{"op": "flip", "chromosome": 0}]}}}))
    code, told_of, _ = karyofast("edit", out, "--script", several, "--json")
    (row,) = json.loads(told_of)["images"]
    assert (code, row["edits"], row["count"]) == (0, 1, told(first, DRAWN)["count"])


def test_the_command_refuses_with_exit_code_2_and_changes_nothing(karyofast, pictures, out, tmp_path):
    before = tree(out)
    for operation, reason in (
        ({"op": "drop", "chromosome": 99}, "operation 1 (drop): chromosome 99 does not exist"),
        ({"op": "melt"}, 'operation 1: must have an "op" of cut, join'),
    ):
        script = written(tmp_path / "wrong.json", operation)
        code, told_of, error = karyofast("edit", out / DRAWN, "--script", script)
        assert (code, told_of) == (2, "")
        assert f"karyofast: {script}: {reason}" in error
    code, _, error = karyofast("run", *pictures, "-o", tmp_path / "new", "--edits", tmp_path)
    assert code == 2
    assert "wrong.json" in error
    assert tree(out) == before


def test_a_correction_that_is_right_raises_the_score_and_a_wrong_one_lowers_it(pictures, once, tmp_path):
    metaphase = read_metaphase(pictures[1])
    truth = coco.load(pictures[1].parent / "instances.coco.json")[0]
    found = once(metaphase)
    score = score_karyotypes([(found, truth)]).total
    # a chromosome that is separated, taken away and given back by the outline of its true mask
    regions = [one.region for one in truth.instances]
    number, region = next(
        (number, region)
        for number, one in enumerate(found.chromosomes)
        for region in regions
        if (both := (one.full_mask(metaphase.shape) & region.full_mask(metaphase.shape)).sum())
        and both > 0.8 * max(one.area, region.area)
    )
    outline, _ = cv2.findContours(region.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    polygon = (max(outline, key=len)[:, 0] + [region.box.left, region.box.top]).tolist()
    wrong = read_script(written(tmp_path / "wrong.json", {"op": "drop", "chromosome": number}))
    right = read_script(written(tmp_path / "right.json", {"op": "add", "polygon": polygon}))
    without = pipeline.revise(found, wrong)
    back = pipeline.revise(without, right)
    assert score_karyotypes([(without, truth)]).total("separated") == score("separated") - 1
    assert score_karyotypes([(back, truth)]).total("separated") == score("separated")
    assert back.chromosomes[-1].full_mask(metaphase.shape).sum() == pytest.approx(region.area, rel=0.02)
