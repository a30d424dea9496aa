import json
import shutil

import cv2
import numpy as np
import pytest
from case_runs import made, run_of

from karyofast.case_results import find, read
from karyofast.errors import DataError, ImageError, OptionError

CELLS = {"K7_1": made("47,XX,+21", "K7_1"), "K7_2": made("46,XX", "K7_2", doubted=1), "K9_1": made("46,XY", "K9_1")}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("cells"), CELLS, case_regex="K[0-9]+")


@pytest.fixture
def out(first):
    """A copy of that run in the same folder, so that the pictures lie where they lay seen from it."""
    copy = first.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(first, copy)


def names(found):
    return [task.folder.name for task in found.tasks]


@pytest.mark.parametrize("name", ["K7_1", "K7_2"])
def test_what_is_read_again_is_what_the_run_has_found(first, name):
    cell = CELLS[name]
    again, row = read(find([first / name]).tasks[0])
    assert (again.iscn, row.iscn, row.image) == (cell.iscn, cell.iscn, str(first.parent / f"{name}.png"))
    assert again.arrangement.assigned == cell.arrangement.assigned
    assert again.arrangement.low_confidence == cell.arrangement.low_confidence
    for new, old in zip(again.chromosomes, cell.chromosomes, strict=True):
        np.testing.assert_array_equal(new.full_mask((620, 760)), old.full_mask((620, 760)))
    for new, old in zip(again.straightened, cell.straightened, strict=True):
        assert new.length == pytest.approx(old.length, abs=3)
    for new, old in zip(again.labels, cell.labels, strict=True):
        assert (new.name, new.orientation) == (old.name, old.orientation)
        assert new.confidence == pytest.approx(old.confidence, abs=1e-4)


def test_results_come_from_their_own_folders_or_from_a_case_of_a_run_each_once(first, monkeypatch):
    assert names(find([first / "K9_1", first / "K7_1", first / "K9_1"])) == ["K9_1", "K7_1"]
    found = find([first, first / "K7_2"], "K7")
    assert (names(found), found.case, found.without) == (["K7_1", "K7_2"], "K7", ())
    monkeypatch.chdir(first / "K7_1")
    assert names(find([first.__class__(".")])) == ["K7_1"]


def test_several_cases_are_not_mixed_unasked(first):
    with pytest.raises(OptionError, match=r"holds several cases: 'K7', 'K9'\. Name one with --case"):
        find([first])
    with pytest.raises(OptionError, match="no finished result of case 'K8'"):
        find([first], "K8")


def test_a_result_that_is_not_finished_is_left_out_of_its_run_and_refused_by_name(out):
    (out / "K7_1" / "instances.json").unlink()
    found = find([out], "K7")
    assert (names(found), [name[-8:] for name in found.without]) == (["K7_2"], ["K7_1.png"])
    with pytest.raises(OptionError, match=r"K7_1: holds no finished result\. Run .*K7_1.png again"):
        find([out / "K7_1"])
    with pytest.raises(OptionError, match="has no result 'K5'"):
        find([out / "K5"])


def test_runs_of_other_settings_or_models_are_refused(first, out):
    content = json.loads((out / "run.json").read_text())
    content["models"] = {"separator": {"name": "other", "sha256": "1"}}
    (out / "run.json").write_text(json.dumps(content))
    with pytest.raises(OptionError, match=r"copy: was made otherwise than .*run: models"):
        find([first / "K7_1", out / "K7_2"])
    with pytest.raises(OptionError, match="holds no finished result"):
        find([out / "K7_2"])  # made before run.json was, as a forced run that was killed leaves it


def test_what_is_no_folder_of_a_run_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"must be the folder of a run or of a result in it.*Got: no run.json"):
        find([tmp_path])


def test_a_picture_that_is_gone_or_another_one_is_told(out):
    picture = out.parent / "K7_1.png"
    (task,) = find([out / "K7_1"]).tasks
    kept = picture.read_bytes()
    try:
        cv2.imwrite(str(picture), np.full((40, 50), 200, np.uint8))
        with pytest.raises(ImageError, match=r"must be the picture that was karyotyped.*Got: \(40, 50\)"):
            read(task)
        picture.unlink()
        with pytest.raises(ImageError, match=r"K7_1.png"):
            read(task)
    finally:
        picture.write_bytes(kept)


@pytest.mark.parametrize("change", [{"chromosomes": []}, {"chromosomes": [{"top": 3}]}, {"iscn": None, "polarity": 3}])
def test_a_result_whose_files_disagree_is_told(out, change):
    path = out / "K7_1" / "karyotype.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | change if "polarity" not in change else {}))
    with pytest.raises(DataError, match="holds no whole result"):
        read(find([out / "K7_1"]).tasks[0])
