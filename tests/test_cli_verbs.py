"""The verbs detect, segment, classify, simulate, evaluate and train, through `karyofast.cli.main.main` itself."""

import csv
import io
import json
import shutil
import sys
import zipfile

import cv2
import numpy as np
import pytest

from karyofast import coco
from karyofast.crops import CropSource, split_of, trained_slide
from karyofast.types import CLASSES


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Two simulated metaphases with their truth."""
    from karyofast.config import SimulateOptions
    from karyofast.simulate import simulate_metaphase, write_dataset

    folder = tmp_path_factory.mktemp("drawn")
    options = SimulateOptions(size=(420, 420), touching=2, crossing=1, nuclei=0, debris=5, length=60.0, width=9.0)
    rng = np.random.default_rng(1)
    write_dataset(folder, [simulate_metaphase(rng, text, options) for text in ("46,XY", "45,X")])
    return folder


@pytest.fixture(scope="module")
def single(drawn, tmp_path_factory):
    """One simulated metaphase with the truth of its first ten chromosomes."""
    folder = tmp_path_factory.mktemp("single")
    content = json.loads((drawn / "instances.coco.json").read_text())
    content["images"] = content["images"][:1]
    content["annotations"] = content["annotations"][:10]
    (folder / "instances.json").write_text(json.dumps(content))
    (folder / "simulated-0001.png").write_bytes((drawn / "simulated-0001.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def one_cell(data_dir, tmp_path_factory):
    """A real cell of the test split, as a zip file."""
    return _crops_of(data_dir, tmp_path_factory.mktemp("cell") / "cell.zip", {"test": 46})


@pytest.fixture(scope="module")
def few_crops(data_dir, tmp_path_factory):
    """A few real chromosomes of each split, as a zip file."""
    wanted = {"test": 4, "train": 3, "validation": 2}
    return _crops_of(data_dir, tmp_path_factory.mktemp("few") / "few.zip", wanted)


def _crops_of(data_dir, path, wanted):
    source = CropSource(data_dir / "pki3.zip")
    rows, wanted = [], dict(wanted)
    for _, of_cell in source.cells():
        rows += of_cell[: wanted.pop(split_of(of_cell[0].case), 0)]
    with zipfile.ZipFile(path, "w") as file:
        lines = ["file,label,cell,case"]
        for row in rows:
            file.writestr(row.file, source.read(row.file))
            lines.append(f"{row.file},{CLASSES[row.label]},{row.cell},{row.case}")
        file.writestr("manifest.csv", "\n".join(lines))
    return path


@pytest.mark.parametrize(
    "verb",
    [
        *(["detect"], ["segment"], ["classify"], ["simulate"], ["evaluate"], ["train"]),
        *(["evaluate", name] for name in ("detection", "instances", "failures", "classification", "pipeline")),
        *(["train", name] for name in ("classifier", "separator", "gan", "plane")),
    ],
)
def test_help_tells_how_to_call_each_verb(karyofast, verb):
    code, out, err = karyofast(*verb, "--help")
    assert code == 0
    assert err == ""
    if verb not in (["evaluate"], ["train"]):
        assert "Examples:" in out
        assert "karyofast " + " ".join(verb) in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("detect",),
        ("detect", "a.png", "-o", "out", "--method", "magic"),
        ("segment", "a.png", "-o", "out", "--polarity", "grey"),
        ("simulate", "-n", "0", "-o", "out"),
        ("evaluate", "detection"),
        ("evaluate", "instances", "--data", "x", "--slides", "some"),
        ("train", "classifier", "--data", "x"),
        ("nothing",),
    ],
)
def test_a_wrong_call_exits_with_2_and_writes_nothing(karyofast, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = karyofast(*arguments)
    assert code == 2
    assert out == ""
    assert "Usage" in err
    assert list(tmp_path.iterdir()) == []


def test_detect_writes_a_picture_and_masks_and_goes_on_after_a_bad_file(karyofast, drawn, tmp_path):
    (tmp_path / "text.png").write_text("text")
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((90, 80), 255, np.uint8))
    out = tmp_path / "out"
    bad, blank = tmp_path / "text.png", tmp_path / "blank.png"
    code, told, err = karyofast("detect", drawn / "simulated-0001.png", bad, blank, "-o", out, "--json")
    assert code == 3
    assert f"{bad}: is no picture" in err
    images = json.loads(told)["images"]
    assert [one["error"] is None for one in images] == [True, False, True]
    assert images[0]["candidates"] > 20
    assert images[2] == {"image": str(blank), "candidates": 0, "flags": ["blank"], "error": None}
    truths = coco.load(out / "candidates.coco.json")
    assert [one.image.file_name for one in truths] == ["simulated-0001.png", "blank.png"]
    assert [len(one.instances) for one in truths] == [images[0]["candidates"], 0]
    assert {"level", "euler", "variance"} <= set(truths[0].instances[0].extra)
    picture = cv2.imread(str(out / "simulated-0001" / "candidates.png"))
    assert picture.shape == (840, 840, 3)
    # outlines are in colour, the picture is grey
    assert np.ptp(picture.astype(int), axis=2).max() > 100
    assert (out / "blank" / "candidates.png").exists()
    assert not (out / "text").exists()


def test_detect_prints_a_line_an_image_and_with_quiet_nothing_more(karyofast, drawn, tmp_path):
    code, out, err = karyofast("detect", drawn, "-o", tmp_path, "--method", "otsu", "--quiet")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 2
    assert all("candidates" in line for line in out.splitlines())


def test_the_filters_of_detect_can_be_left_out(karyofast, drawn, tmp_path):
    picture = drawn / "simulated-0001.png"
    counts = []
    for given in ((), ("--no-filter-geometry", "--no-filter-variance")):
        _, out, _ = karyofast("detect", picture, "-o", tmp_path, "--json", *given)
        counts.append(json.loads(out)["images"][0]["candidates"])
    assert counts[0] < counts[1]


def test_pictures_of_one_name_get_folders_of_their_own(karyofast, drawn, tmp_path):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "cell.png").write_bytes((drawn / "simulated-0002.png").read_bytes())
    inputs = tmp_path / "a" / "cell.png", tmp_path / "b"
    code, _, _ = karyofast("segment", *inputs, "-o", tmp_path / "out", "--method", "none", "-q")
    assert code == 0
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["cell", "cell-2", "instances.coco.json"]
    ids = [one["id"] for one in json.loads((tmp_path / "out" / "instances.coco.json").read_text())["annotations"]]
    assert ids == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("method", ["axis", "rrt", "watershed", "none"])
def test_segment_writes_masks_without_classes(karyofast, drawn, tmp_path, method):
    picture = drawn / "simulated-0002.png"
    code, out, _ = karyofast("segment", picture, "-o", tmp_path, "--method", method, "--json")
    assert code == 0
    count = json.loads(out)["images"][0]["chromosomes"]
    assert 25 <= count <= 65
    instances = coco.load(tmp_path / "instances.coco.json")[0].instances
    assert len(instances) == count
    assert {one.label for one in instances} == {None}
    assert all(0.0 <= one.extra["score"] <= 1.0 for one in instances)
    assert (tmp_path / "simulated-0002" / "overlay.png").exists()


def test_segment_with_a_model_that_is_not_there_fails(karyofast, drawn, tmp_path):
    code, out, err = karyofast("segment", drawn, "-o", tmp_path / "out", "--model", "none-such")
    assert (code, out) == (1, "")
    assert "none-such" in err
    assert not (tmp_path / "out").exists()


def test_an_input_that_names_nothing_fails(karyofast, tmp_path):
    code, out, err = karyofast("detect", tmp_path / "none.png", "-o", tmp_path / "out")
    assert (code, out) == (1, "")
    assert "none.png" in err
    assert "Traceback" not in err


def test_an_out_folder_that_is_a_file_fails(karyofast, drawn, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = karyofast("detect", drawn, "-o", tmp_path / "file")
    assert code == 1
    assert "cannot be made" in err


def test_classify_names_a_real_cell_and_scores_what_is_labelled(karyofast, one_cell, tmp_path):
    code, out, err = karyofast("classify", one_cell, "-o", tmp_path / "deep" / "p.csv")
    assert (code, err) == (0, "")
    assert "top-1" in out
    with (tmp_path / "deep" / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    truth = CropSource(one_cell).rows
    assert [row["file"] for row in rows] == [row.file for row in truth]
    assert [row["cell"] for row in rows] == [row.cell for row in truth]
    known = [row for row in truth if split_of(row.case) == "test"]
    assigned = {row["file"]: row["assigned"] for row in rows}
    right = np.mean([assigned[row.file] == CLASSES[row.label] for row in known])
    # a cell that the shipped model never saw: most of it is right, whatever way it was trained
    assert right > 0.8


def test_classify_goes_on_after_a_bad_crop(karyofast, one_cell, tmp_path):
    source = CropSource(one_cell)
    for row in source.rows[:3]:
        (tmp_path / row.file.replace("/", "-")).write_bytes(source.read(row.file))
    (tmp_path / "broken.png").write_text("text")
    code, out, err = karyofast("classify", tmp_path, "-o", tmp_path / "p.csv", "--json")
    assert code == 3
    assert "broken.png: " in err
    told = json.loads(out)
    assert told["crops"] == 4
    assert list(told["failed"]) == ["broken.png"]
    assert told["score"] is None
    rows = list(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text())))
    assert [row["label"] == "" for row in rows] == [row["file"] == "broken.png" for row in rows]
    assert {row["assigned"] for row in rows} == {""}


def test_classify_of_nothing_fails_and_writes_nothing(karyofast, tmp_path):
    code, out, err = karyofast("classify", tmp_path / "none.csv", "-o", tmp_path / "p.csv")
    assert (code, out) == (1, "")
    assert "none.csv" in err
    assert list(tmp_path.iterdir()) == []


def test_simulate_draws_the_same_pictures_for_the_same_seed(karyofast, tmp_path):
    for folder, number in (("a", 1), ("b", 2)):
        code, out, _ = karyofast("simulate", "-n", number, "--seed", 5, "-o", tmp_path / folder, "--json")
        assert code == 0
        assert json.loads(out)["images"] == number
    first = [(tmp_path / folder / "simulated-0001.png").read_bytes() for folder in "ab"]
    assert first[0] == first[1]
    assert first[1] != (tmp_path / "b" / "simulated-0002.png").read_bytes()


def test_simulate_draws_the_karyotype_asked_for(karyofast, tmp_path):
    code, out, _ = karyofast("simulate", "--karyotype", "47,XX,+21", "--stain", "dapi", "--varied", "-o", tmp_path)
    assert code == 0
    assert "1 metaphase" in out
    names = [one.name for one in coco.load(tmp_path / "instances.coco.json")[0].instances]
    assert len(names) == 47
    assert names.count("21") == 3
    assert names.count("X") == 2


def test_a_karyotype_that_cannot_be_read_fails_before_anything_is_written(karyofast, tmp_path):
    code, out, err = karyofast("simulate", "--karyotype", "46,ZZ", "-o", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "ZZ" in err
    assert not (tmp_path / "out").exists()


def test_evaluate_detection_sets_the_baselines_side_by_side(karyofast, drawn, tmp_path):
    scores = tmp_path / "scores.json"
    code, out, _ = karyofast("evaluate", "detection", "--data", drawn, "--method", "all", "--json", scores)
    assert code == 0
    methods = ["er", "er-no-geometry", "er-no-variance", "er-unfiltered", "otsu", "adaptive", "mser"]
    assert [line.split()[0] for line in out.splitlines()[1:]] == methods
    content = json.loads(scores.read_text())
    assert list(content["scores"]) == methods
    assert content["scores"]["er"]["candidates"]["recall"] > 0.8
    assert len(content["scores"]["er"]["images"]) == 2


def test_a_filter_left_out_is_scored_under_its_own_name(karyofast, drawn):
    for given, name in (
        (["--no-filter-geometry"], "er-no-geometry"),
        (["--no-filter-variance"], "er-no-variance"),
        (["--no-filter-geometry", "--no-filter-variance"], "er-unfiltered"),
    ):
        code, out, _ = karyofast("evaluate", "detection", "--data", drawn, "--json", "-", *given)
        assert code == 0
        assert list(json.loads(out)["scores"]) == [name]


def test_slides_are_halved_as_the_training_of_the_separator_halves_them(karyofast, drawn):
    seen = {}
    for half in ("train", "held-out", "all"):
        code, out, err = karyofast(
            *("evaluate", "detection", "--data", drawn, "--method", "otsu", "--slides", half, "--json", "-")
        )
        images = json.loads(out)["scores"]["otsu"]["images"] if code == 0 else []
        assert code == 0 or "slides asked for" in err
        seen[half] = {image["name"].removesuffix(".png") for image in images}
    assert len(seen["all"]) == 2
    assert seen["train"] == {name for name in seen["all"] if trained_slide(name)}
    assert seen["held-out"] == seen["all"] - seen["train"]


def test_evaluate_instances_tells_methods_and_images(karyofast, drawn):
    code, out, _ = karyofast(
        *("evaluate", "instances", "--data", drawn / "instances.coco.json", "--by-image"),
        *("--method", "er", "--method", "otsu", "--method", "er"),
    )
    assert code == 0
    table, details = out.split("\n\n")
    assert [line.split()[0] for line in table.splitlines()] == ["method", "er", "otsu"]
    assert len(details.splitlines()) == 1 + 2 * 2


def test_evaluate_instances_tells_both_rims_and_the_count_before_the_second_look(karyofast, single, tmp_path):
    folder = tmp_path / "both"
    shutil.copytree(single, folder)
    shutil.copy(folder / "instances.json", folder / "instances_halfmax.json")
    code, out, _ = karyofast("evaluate", "instances", "--data", folder, "--method", "first-look", "--json", "-")
    assert code == 0
    score = json.loads(out)["scores"]["first-look"]
    assert score["instances"]["ap50_halfmax"] == score["instances"]["ap50"] > 0.0
    # ten of the 46 chromosomes are annotated
    assert score["count"]["mean_error"] > 20


def test_evaluate_failures_draws_what_each_method_gets_wrong(karyofast, drawn, tmp_path):
    out = tmp_path / "failures"
    methods = ("--method", "otsu", "--method", "watershed")
    code, told, _ = karyofast("evaluate", "failures", "--data", drawn, "-o", out, "--by-image", *methods)
    assert code == 0
    assert "crossing over 60" in told
    assert told.count("simulated-0002.png") == 2
    scores = json.loads((out / "failures.json").read_text())["scores"]
    # two pairs touch and one crosses in each picture, which Otsu leaves joined
    assert scores["otsu"]["joined"] >= 8
    assert cv2.imread(str(out / "otsu" / "joined-1.png")).shape[0] > 100
    code, _, told = karyofast("evaluate", "failures", "--data", drawn, "-o", out)
    assert code == 1
    assert "must be a new or an empty folder" in told


def test_evaluate_classification_uses_the_split_asked_for(karyofast, few_crops):
    totals = {}
    for split in ("test", "train", "all"):
        code, out, _ = karyofast(
            *("evaluate", "classification", "--data", few_crops, "--split", split, "--json", "-", "--seed", 3)
        )
        assert code == 0
        content = json.loads(out)
        assert (content["split"], content["rotate"], content["seed"]) == (split, True, 3)
        totals[split] = content["scores"]["g-band-fast"]["chromosomes"]
    assert totals == {"test": 4, "train": 3, "all": 9}


def test_evaluate_classification_prints_classes(karyofast, few_crops):
    code, out, _ = karyofast("evaluate", "classification", "--data", few_crops, "--no-rotate", "--by-class")
    assert code == 0
    table, classes = out.split("\n\n")
    assert [line.split()[1] for line in table.splitlines()[1:]] == ["crop", "assigned"]
    assert [line.split()[0] for line in classes.splitlines()[1:]] == list(CLASSES)


def test_evaluate_classification_leaves_cells_out_by_name_and_says_so(karyofast, few_crops):
    names = list(dict.fromkeys(row.cell for row in CropSource(few_crops).rows))
    wanted = ("evaluate", "classification", "--data", few_crops, "--split", "all", "--by-cell")
    code, out, _ = karyofast(*wanted, "--leave-out", names[0])
    assert code == 0
    table, cells = out.split("\n\n")
    assert table.splitlines()[0].endswith("left out")
    assert all(line.endswith(names[0]) for line in table.splitlines()[1:])
    assert sorted(line.split()[0] for line in cells.splitlines()[1:]) == sorted(names[1:])
    code, _, err = karyofast(*wanted, "--leave-out", "nobody")
    assert code == 2
    assert "'nobody'" in err


@pytest.mark.parametrize(("masks", "name"), [("found", "er"), ("true", "true masks")])
def test_evaluate_pipeline_scores_the_whole_way(karyofast, single, masks, name):
    given = ("--method", "er") if masks == "found" else ()
    code, out, _ = karyofast("evaluate", "pipeline", "--data", single, "--masks", masks, "--json", "-", *given)
    assert code == 0
    content = json.loads(out)
    assert (content["masks"], content["slides"]) == (masks, "all")
    assert list(content["scores"]) == [name]
    whole = content["scores"][name]["whole_way"]
    assert whole["true"] == 10
    if masks == "true":
        assert whole["separated"] == 1.0
        assert whole["false"] == 0


@pytest.mark.parametrize(
    ("arguments", "expected", "told"),
    [
        (("detection", "--data", "DRAWN", "--method", "magic"), 2, "--method must be one of er, er-no-geometry"),
        (
            ("instances", "--data", "DRAWN", "--method", "magic"),
            2,
            "--method must be one of second-look, first-look, axis, arms, rrt",
        ),
        (("pipeline", "--data", "DRAWN", "--masks", "true", "--method", "rrt"), 2, "nothing is separated"),
        (("detection", "--data", "EMPTY"), 1, "must hold instances.json"),
        (("detection", "--data", "EMPTY/none.json"), 1, "none.json"),
        (("classification", "--data", "EMPTY"), 1, "manifest.csv"),
    ],
)
def test_what_cannot_be_evaluated_is_told(karyofast, drawn, tmp_path, arguments, expected, told):
    named = [one.replace("DRAWN", str(drawn)).replace("EMPTY", str(tmp_path)) for one in arguments]
    code, out, err = karyofast("evaluate", *named)
    assert (code, out) == (expected, "")
    assert told in err


def test_train_without_torch_says_what_to_install(karyofast, one_cell, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("karyofast.train", "karyofast.export"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    for kind in ("classifier", "separator"):
        code, out, err = karyofast("train", kind, "--data", one_cell, "-o", tmp_path / "run")
        assert (code, out) == (1, "")
        assert "pip install 'karyofast[train]'" in err
    assert not (tmp_path / "run").exists()


def test_train_hands_its_options_on_and_tells_the_score(karyofast, one_cell, tmp_path, monkeypatch):
    from karyofast.train import run
    from karyofast.train.classifier import TrainOptions

    calls = []

    def train(data, out, options, name, pictures, resume, threads, device, progress, workers):
        progress("train", 1, 2, {"loss": 0.5})
        calls.append((data, out, options, name, pictures, resume, threads, device, workers))
        return run.ClassifierScore(46, 1, 0.9, 0.95, 0.98, 1.0, 1.0, 1.0, 1.0, 0.0)

    monkeypatch.setattr(run, "train_classifier", train)
    given = ("--epochs", 3, "--batch", 16, "--seed", 4, "--threads", 1, "--no-resume", "--name", "mine")
    given = (*given, "--teacher", "g-band", "--teacher", "q-band", "--workers", 2)
    code, out, _ = karyofast("train", "classifier", "--data", one_cell, "-o", tmp_path / "run", *given)
    assert code == 0
    options = TrainOptions(epochs=3, batch=16, seed=4, teachers=("g-band", "q-band"))
    assert calls == [(one_cell, tmp_path / "run", options, "mine", None, False, 1, "cpu", 2)]
    assert "95.00%" in out


def test_train_separator_hands_its_options_on(karyofast, one_cell, tmp_path, monkeypatch):
    from karyofast.train import run
    from karyofast.train.separator import SeparatorOptions

    calls = []

    def train(data, out, pictures, slides, options, name, resume, threads, device, progress, workers):
        progress("train", 1, 2, {"loss": 0.5})
        calls.append((data, out, pictures, slides, options, name, resume, threads, device, workers))
        return out / name

    monkeypatch.setattr(run, "train_separator", train)
    given = ("--pictures", tmp_path / "truth.json", "--steps", 5, "--batch", 2, "--workers", 3, "--json")
    code, out, err = karyofast("train", "separator", "--data", one_cell, "-o", tmp_path / "run", *given)
    assert (code, err) == (0, "")
    assert json.loads(out) == {"model": str(tmp_path / "run" / "axis")}
    expected = (one_cell, tmp_path / "run", tmp_path / "truth.json", None)
    assert calls == [(*expected, SeparatorOptions(steps=5, batch=2), "axis", True, 0, "cpu", 3)]


@pytest.mark.parametrize(
    ("given", "expected", "told"),
    [
        (["--data", "gone.zip"], 1, "gone.zip: no such file"),
        (["--data", "CELL", "--name", "a/b"], 2, "--name must be a plain name"),
    ],
)
def test_training_that_cannot_begin_is_told(karyofast, one_cell, tmp_path, given, expected, told):
    named = [one.replace("CELL", str(one_cell)) for one in given]
    code, _, err = karyofast("train", "classifier", "-o", tmp_path / "run", *named)
    assert code == expected
    assert told in err
