import csv
import io
import json
import zipfile

import cv2
import numpy as np
import pytest
from small_classifier import small_network, store

from karyofast.classify import Frame
from karyofast.crops import CropSource, split_of
from karyofast.errors import DataError, OptionError
from karyofast.train.gan_model import GanOptions, load_gan
from karyofast.train.gan_run import generators, train_generators
from karyofast.train.generated import Judge, frame_for, kid, likeness, score_generated

RNG = np.random.default_rng


def cloud(seed, n=200, middle=0.0, spread=1.0):
    return (middle + spread * RNG(seed).standard_normal((n, 4))).astype(np.float32)


def test_two_draws_of_one_kind_are_alike():
    score = likeness(cloud(1), cloud(2))
    assert abs(score.kid) < 0.1
    assert min(score.precision, score.recall, score.coverage) > 0.9
    assert score.density == pytest.approx(1.0, abs=0.2)


def test_what_lies_elsewhere_is_neither_precise_nor_covers():
    score = likeness(cloud(1, middle=9.0), cloud(2))
    assert score.kid > 10
    assert (score.precision, score.recall, score.density, score.coverage) == (0.0, 0.0, 0.0, 0.0)


def test_one_good_picture_again_and_again_is_precise_and_covers_little():
    score = likeness(cloud(1, spread=0.01), cloud(2))
    assert score.precision == 1.0
    assert score.recall < 0.1
    assert score.coverage < 0.5


def test_the_reach_of_a_point_is_the_distance_to_its_kth_neighbour():
    real = np.array([[0.0], [1.0], [3.0]], np.float32)
    made = np.array([[0.9], [1.9], [9.0], [10.0]], np.float32)
    # with k = 1: 0 and 1 reach 1 far, 3 reaches 2 far; 0.9 and 1.9 reach 1 far, 9 and 10 too
    score = likeness(made, real, nearest=1)
    assert score.precision == 0.5
    assert score.density == (2 + 2) / 4
    assert score.coverage == 1.0
    assert score.recall == pytest.approx(2 / 3)


def test_kid_is_the_mean_of_the_kernel_over_different_pairs():
    one, two = cloud(1, 4), cloud(2, 3)

    def mean(a, b, own):
        values = [(x @ y / 4 + 1) ** 3 for i, x in enumerate(a) for j, y in enumerate(b) if not (own and i == j)]
        return np.mean(values)

    expected = mean(one, one, True) + mean(two, two, True) - 2 * mean(one, two, False)
    assert kid(one, two) == pytest.approx(expected, rel=1e-4)


def test_a_smaller_layout_shows_the_same_piece_of_a_crop():
    assert frame_for((64, 32), Frame()) == Frame(64, 32, 28.0, 2.4)
    assert frame_for((128, 32), Frame()) == Frame()


@pytest.fixture(scope="module")
def judge_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge") / "small"
    store(small_network(), folder)
    return folder


@pytest.fixture(scope="module")
def few(data_dir, tmp_path_factory):
    """Classes 1, 2 and X of two training cells and of two test cells of bioimlab."""
    source = CropSource(data_dir / "bioimlab.zip")
    wanted = {"train": 2, "validation": 0, "test": 2}
    path = tmp_path_factory.mktemp("few") / "few.zip"
    lines = [["file", "label", "cell"]]
    with zipfile.ZipFile(path, "w") as out:
        for cell, rows in source.cells():
            part = split_of(rows[0].case)
            if wanted[part] == 0:
                continue
            wanted[part] -= 1
            for row in rows:
                if row.label in (0, 1, 22):
                    out.writestr(row.file, source.read(row.file))
                    lines.append([row.file, ("1", "2", *[""] * 20, "X")[row.label], cell])
        text = io.StringIO()
        csv.writer(text).writerows(lines)
        out.writestr("manifest.csv", text.getvalue())
    return path


SMALL = GanOptions(size=(32, 16), width=2, batch=4, steps=2, every=2, latent_size=4, mixed=False)


def test_a_judge_reads_either_end_alike(judge_folder):
    judge = Judge(str(judge_folder))
    crops = RNG(1).uniform(-1, 1, (70, 32, 16)).astype(np.float32)
    features, classes, shares = judge.look(crops)
    turned, turned_classes, turned_shares = judge.look(np.ascontiguousarray(crops[:, ::-1, ::-1]))
    assert features.shape == (70, 48)
    assert np.allclose(features, turned, atol=1e-5)
    assert np.array_equal(classes, turned_classes)
    assert np.allclose(shares, turned_shares, atol=1e-5)
    known = classes >= 0
    assert np.array_equal(shares.argmax(axis=1)[known], classes[known])
    assert (shares.sum(axis=1) <= 1.0 + 1e-5).all()


def test_a_judge_of_nothing_says_nothing(judge_folder):
    features, classes, shares = Judge(str(judge_folder)).look(np.zeros((0, 32, 16), np.float32))
    assert (features.shape, classes.shape, shares.shape) == ((0, 48), (0,), (0, 24))


def test_training_crops_given_back_are_held_for_copies(judge_folder):
    judge = Judge(str(judge_folder))
    train, unseen = (RNG(seed).uniform(-1, 1, (30, 32, 16)).astype(np.float32) for seed in (1, 2))
    labels = np.arange(30) % 3
    copied = score_generated(train, unseen, train, labels, labels, judge)
    assert (copied.copies, copied.generated) == (1.0, copied.real)
    assert copied.distance == pytest.approx(0.0, abs=1e-3)
    fresh = score_generated(unseen, unseen, train, labels, labels, judge)
    assert fresh.copies <= 0.05
    assert fresh.distance == fresh.distance_real > 0
    assert fresh.recognised == fresh.recognised_real
    with pytest.raises(DataError, match="crops must be more than 5"):
        score_generated(train[:5], unseen[:5], train, labels[:5], labels, judge)


@pytest.mark.parametrize("conditional", [True, False])
def test_a_whole_run_trains_draws_sheets_and_scores(few, judge_folder, tmp_path, conditional):
    options = GanOptions(**{**SMALL.__dict__, "conditional": conditional})
    told = []
    score = train_generators(
        few, tmp_path, options, judge=str(judge_folder), oriented=False, threads=1,
        progress=lambda what, *_: told.append(what),
    )  # fmt: skip
    assert score.crops == sum(split_of(row.cell) == "test" for row in CropSource(few).rows)
    assert json.loads((tmp_path / "score.json").read_text())["generated"]["kid"] == score.generated.kid
    assert {path.name for path in tmp_path.iterdir()} >= {"generated.png", "real.png"}
    three = cv2.imread(str(tmp_path / "real.png"), cv2.IMREAD_GRAYSCALE)
    assert three.shape[0] == 4 + 3 * (2 * 32 + 4)
    if conditional:
        assert load_gan(tmp_path).labels == (0, 1, 22)
        assert set(told) == {"straighten", "train"}
    else:
        assert {load_gan(tmp_path / name).options.conditional for name in ("1", "2", "X")} == {False}
        assert {"train 1", "train 2", "train X"} <= set(told)


def test_a_killed_run_of_one_network_a_class_goes_on_in_the_class_where_it_was(tmp_path):
    options = GanOptions(**{**SMALL.__dict__, "conditional": False, "steps": 4})
    crops, labels = RNG(1).uniform(-1, 1, (12, 32, 16)).astype(np.float32), np.arange(12) % 2
    generators(crops, labels, tmp_path / "whole", options)

    def stop(what, step, *_):
        if (what, step) == ("train 2", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generators(crops, labels, tmp_path / "killed", options, tell=stop)
    told = []
    generators(crops, labels, tmp_path / "killed", options, tell=lambda what, step, *_: told.append((what, step)))
    # the first class is done, the second goes on from its checkpoint of step 2
    assert told == [("train 2", 3), ("train 2", 4)]
    for name in ("1", "2"):
        for kept in ("log.jsonl", "model/model.safetensors"):
            killed, whole = (tmp_path / run / name / kept for run in ("killed", "whole"))
            assert killed.read_bytes() == whole.read_bytes()


def test_classes_and_cells_that_the_data_do_not_hold_are_told(few, judge_folder, tmp_path):
    with pytest.raises(OptionError, match="cells must be 1 to 2, the training cells"):
        train_generators(few, tmp_path, SMALL, ("1",), cells=3, judge=str(judge_folder), oriented=False, threads=1)
    with pytest.raises(DataError, match=r"must hold the classes in training and test cells\. Got: 0, 0"):
        train_generators(few, tmp_path, SMALL, ("7",), judge=str(judge_folder), oriented=False, threads=1)
