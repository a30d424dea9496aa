import json

import cv2
import numpy as np
import pytest

from karyofast.crops import trained_slide
from karyofast.errors import DataError
from karyofast.experiments.chart import COLOURS, chart
from karyofast.experiments.cost import cost_of_full
from karyofast.experiments.detection import METHODS, detection_figures, figure6, read_detection
from karyofast.experiments.found import Found, arm_name, compare, conclusion, few_pairs
from karyofast.experiments.plan import ALL_CELLS, FULL, PARTS, QUICK, Arm, Scope, Trial, few_arms, trials
from karyofast.experiments.published import TABLE1, TABLE2
from karyofast.experiments.report import write_report
from karyofast.experiments.trial import Result
from karyofast.types import CLASSES


def result(trial, share, missing=()):
    """A trial that reads `share` of 100 chromosomes of each class rightly."""
    right = {name: round(100 * share) for name in CLASSES}
    return Result(trial, right, dict.fromkeys(CLASSES, 100), 460, 0, list(missing), 0.1, 1.0, 0.0)


def found_of(folder, parts, scope, shares):
    """A run whose arms read a share of the chromosomes rightly, seed by seed."""
    found = Found(folder, parts, QUICK, scope, cells=81, unseen=2400)
    for trial in trials(parts, QUICK, scope):
        share = shares.get(trial.arm, 0.5)
        found.results[trial] = result(trial, share + 0.01 * trial.seed)
    return found


def test_the_report_has_the_papers_numbers_beside_ours(tmp_path):
    found = found_of(tmp_path, ("table1", "table2"), Scope(seeds=3), {Arm(): 0.70, Arm("mlp2"): 0.40})
    page = write_report(found)
    text = (tmp_path / "report.md").read_text()
    assert (
        "| CNN | 68.4 | 71.0 ± 1.0 (3) | 60.0 | 71.0 ± 1.0 (3) | 60.0 | 71.0 ± 1.0 (3) | 58.9 | 71.0 ± 1.0 (3) |"
        in text
    )
    assert "| Two layer MLP | 58.3 | 41.0 ± 1.0 (3) |" in text
    assert "| ours | - | 51.0 ± 1.0 (3) |" in text
    assert "np 50 against none: -20.0 points" in text
    assert "far fewer than good pictures need" in text
    html = page.read_text()
    assert html.count('<img src="data:image/png;base64,') == 1
    assert "<td>41.0 ± 1.0 (3)</td>" in html


def test_one_seed_says_nothing_of_differences(tmp_path):
    found = found_of(tmp_path, ("table1", "few"), Scope(seeds=1), {Arm(): 0.7})
    write_report(found)
    text = (tmp_path / "report.md").read_text()
    assert text.count("One seed alone") == 2
    assert "points (95 %" not in text
    assert "| CNN | 70.0 (1) | 70.0 (1) |" in text
    assert "Half of each batch is real" in text


def test_a_report_of_a_run_that_was_stopped_leaves_open_what_is_not_done(tmp_path):
    found = found_of(tmp_path, ("table1",), Scope(seeds=2), {})
    for trial in [trial for trial in found.results if trial.arm.persons == 250]:
        del found.results[trial]
    write_report(found)
    assert "| CNN+250MG | 63.6 | - | 60.0 | - | 50.0 | - | 60.5 | - |" in (tmp_path / "report.md").read_text()


def test_classes_that_were_not_generated_are_named(tmp_path):
    found = found_of(tmp_path, ("table1",), Scope(seeds=1), {})
    trial = Trial(Arm(extra="mdgan", persons=50), ALL_CELLS, 0)
    found.results[trial] = result(trial, 0.5, ("Y", "21", "3"))
    write_report(found)
    assert "classes 3, Y, 21" in (tmp_path / "report.md").read_text().replace("3, 21, Y", "3, Y, 21")


def noisy(found, arm, cells, shares):
    for seed, share in enumerate(shares):
        trial = Trial(arm, cells, seed)
        found.results[trial] = result(trial, share)


def test_what_the_few_cells_say_follows_from_the_numbers(tmp_path):
    scope = Scope(seeds=3, cells=(10,))
    found = Found(tmp_path, ("few",), QUICK, scope, 81, 2400)
    plain, affine = Arm(), Arm(affine=True)
    noisy(found, plain, 10, (0.50, 0.60, 0.55))
    noisy(found, affine, 10, (0.60, 0.71, 0.64))
    noisy(found, Arm(extra="mdgan", persons=50, balanced=True), 10, (0.40, 0.51, 0.44))
    noisy(found, Arm(extra="mdgan", persons=50, affine=True, balanced=True), 10, (0.60, 0.70, 0.66))
    noisy(found, Arm(extra="composed", persons=50, affine=True, balanced=True), 10, (0.80, 0.92, 0.83))
    comparisons = compare(found, few_pairs(few_arms(QUICK, scope), scope.cells))
    verdicts = {arm_name(one.arm, QUICK): one.verdict for one in comparisons}
    assert verdicts == {
        "CNN + MD-GAN np 50": "worse",
        "CNN + affine": "better",
        "CNN + affine + MD-GAN np 50": "not told apart",
        "CNN + affine + composed np 50": "better",
    }
    said = " ".join(conclusion(comparisons, found))
    assert "affine augmentation alone changes PT by +10.0 points" in said
    assert "On top of it CNN + affine + composed np 50 helps most, by +20.0 points" in said
    assert "without augmentation: better in 0 of 1 comparisons, worse in 1 (CNN + MD-GAN np 50 at 10 cells)" in said
    assert "once affine augmentation is in: better in 0 of 1 comparisons, worse in 0." in said
    without = [one for one in comparisons if one.arm.extra != "composed"]
    assert "nothing that was added helps measurably" in " ".join(conclusion(without, found))


def test_an_arm_is_compared_with_what_it_adds_to():
    pairs = few_pairs(few_arms(FULL, Scope()), (5,))
    bases = {arm: base for arm, base, _ in pairs}
    assert bases[Arm(affine=True)] == Arm()
    assert bases[Arm(extra="composed", persons=50, balanced=True)] == Arm()
    assert bases[Arm(extra="composed", persons=50, affine=True, balanced=True)] == Arm(affine=True)
    assert bases[Arm(affine=True, start=True)] == Arm()
    assert Arm() not in bases


def test_the_paper_agrees_with_itself():
    assert TABLE2["CNN"] == TABLE1[0]
    assert TABLE2["CNN+50MG"] == TABLE1[50]


def test_a_chart_draws_every_line_in_its_colour():
    picture = chart({"a": [(0, 50.0, 2.0), (50, 60.0, 0.0)], "b": [(50, 20.0, 0.0)], "c": []}, "t", "x")
    assert (picture.dtype, picture.ndim) == (np.uint8, 3)
    beside = picture[:, :500]
    drawn = [int((beside == colour).all(axis=2).sum()) for colour in COLOURS[:3]]
    assert drawn[0] > drawn[1] > 20
    assert drawn[2] == 0
    assert chart({}, "t", "x").shape == picture.shape


@pytest.fixture(scope="module")
def pictures(data_dir, tmp_path_factory):
    """The first annotated G-band picture, and a picture of mfish, in folders of their own."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("gband", "mfish"):
        content = json.loads((data_dir / name / "instances.json").read_text())
        image = next(one for one in content["images"] if name == "gband" or not trained_slide(one["slide"]))
        content["images"] = [image]
        content["annotations"] = [one for one in content["annotations"] if one["image_id"] == image["id"]]
        (folder / name).mkdir()
        (folder / name / "instances.json").write_text(json.dumps(content))
        source = next((data_dir / name).rglob(image["file_name"]))
        (folder / name / image["file_name"]).write_bytes(source.read_bytes())
    return folder


def test_detection_is_scored_method_by_method_and_kept(pictures, tmp_path):
    figures = detection_figures(pictures, tmp_path, lambda *_: None)
    assert len(figures) == 2 * len(METHODS)
    assert figures["gband er"]["precision"] >= figures["gband er-unfiltered"]["precision"]
    assert all(one["pictures"] == 1 for one in figures.values())
    path = tmp_path / "detection" / "gband_er.json"
    path.write_text(path.read_text().replace('"pictures": 1', '"pictures": 99'))
    assert detection_figures(pictures, tmp_path, lambda *_: None)["gband er"]["pictures"] == 99
    assert read_detection(tmp_path / "empty") == {}
    found = Found(tmp_path, ("detection",), QUICK, Scope())
    write_report(found)
    text = (tmp_path / "report.md").read_text()
    assert "| Otsu | 86.3 / 87.2 |" in text
    assert "gband: both filters against Otsu" in text


def test_figure_6_shows_clusters_four_times(pictures, tmp_path):
    path = figure6(pictures, tmp_path / "figure6.png", 1, lambda *_: None)
    picture = cv2.imread(str(path))
    assert picture.shape[0] % 220 == 0
    assert picture.shape[1] == 4 * 220
    first = picture[:220]
    assert (first[:, :220].std(axis=2) < 1).all()
    assert (first[:, 220:440].std(axis=2) > 20).any()


def test_pictures_that_are_not_there_are_named(tmp_path):
    with pytest.raises(DataError):
        detection_figures(tmp_path, tmp_path, lambda *_: None)


def test_the_cost_of_full_is_measured_once(tmp_path, monkeypatch):
    from karyofast.experiments import cost

    monkeypatch.setattr(cost, "_step", lambda options, device: 0.5)
    monkeypatch.setattr(cost, "_generator_step", lambda options, device: 0.1)
    told = cost_of_full(tmp_path, "cpu")
    # five sizes of training sets and all cells, five seeds each
    sets = 5 * 6
    generators = sets * 24 + 5 * 5
    assert told.generators == generators
    steps = sets * 24 * 4000 + 25 * 20000
    vgg = told.trainings - 4 * 5
    assert told.hours == pytest.approx((vgg * 2000 * 0.5 + steps * 0.1) / 3600)
    monkeypatch.setattr(cost, "_step", lambda options, device: 1 / 0)
    assert cost_of_full(tmp_path, "cpu") == told


def test_the_steps_timed_leave_out_what_is_done_once_and_what_the_last_one_shows(monkeypatch):
    from karyofast.experiments import cost

    # the first step loads, the last one shows what was made
    clock = iter(np.cumsum([90.0, 2.0, 50.0]))
    monkeypatch.setattr(cost.time, "perf_counter", lambda: next(clock))

    def train(steps, ended):
        for step in range(steps):
            ended(step + 1, steps)

    assert cost._timed(train, "cpu") == 2.0


def test_every_part_has_a_name():
    assert set(PARTS) >= {"table1", "table2", "few", "detection", "figure6", "figure11"}
