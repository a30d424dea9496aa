import csv
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from karyofast.classify import FLOOR, Frame
from karyofast.crops import CropSource, split_of, trained_slide
from karyofast.errors import DataError, ModelError, OptionError
from karyofast.models.slim import Slim
from karyofast.models.vgg16 import NOTHING, Vgg16
from karyofast.train import classifier, separator
from karyofast.train.ahead import drawn_ahead
from karyofast.train.augment import Augmentation, augmented, no_chromosome
from karyofast.train.axes import composed, cut, picture, targets
from karyofast.train.classifier import joint_loss
from karyofast.train.compose import ComposeOptions, PieceStore, compose
from karyofast.train.crops import UNLABELLED, cut_out, of_cells, prepare, simulate
from karyofast.train.kept import CROPS, kept
from karyofast.train.loop import CHECKPOINT, one_cycle
from karyofast.train.run import read_data
from karyofast.train.start import start_from, start_separator


@pytest.fixture(scope="module")
def small(data_dir, tmp_path_factory):
    """Twelve chromosomes each of some cells of pki3, with at least one case in every split."""
    source = CropSource(data_dir / "pki3.zip")
    wanted = {"train": 2, "validation": 1, "test": 1}
    rows, seen = [], set()
    for _, of_cell in source.cells():
        part = split_of(of_cell[0].case)
        if wanted[part] > 0 and of_cell[0].case not in seen:
            wanted[part] -= 1
            seen.add(of_cell[0].case)
            rows += of_cell[:12]
    path = tmp_path_factory.mktemp("small") / "small.zip"
    with zipfile.ZipFile(path, "w") as out, zipfile.ZipFile(data_dir / "pki3.zip") as whole:
        for row in rows:
            out.writestr(row.file, whole.read(row.file))
        lines = ["file,label,cell,case"]
        lines += [f"{row.file},{(*range(1, 23), 'X', 'Y')[row.label]},{row.cell},{row.case}" for row in rows]
        out.writestr("manifest.csv", "\n".join(lines))
    return path


@pytest.fixture(scope="module")
def crops(small):
    return prepare(small, seed=3, variants=2, jobs=1)


FRAME = Frame(32, 32, 14.0, 1.2)
OPTIONS = classifier.TrainOptions(epochs=2, more=0, batch=12, frame=FRAME, variants=2, simulated=0)


def test_preparing_twice_gives_the_same_crops(small, crops):
    again = prepare(small, seed=3, variants=2, jobs=2)
    assert np.array_equal(again.upright, crops.upright)
    for one, two in zip(again.crops, crops.crops, strict=True):
        for a, b in zip(one, two, strict=True):
            assert np.array_equal(a, b)


def test_crops_are_kept_and_made_anew_where_something_else_decides_them(crops, tmp_path):
    both, made_of, asked = crops + simulate(1, "giemsa", seed=1, variants=2, jobs=1), {"seed": 3}, []

    def make():
        asked.append(True)
        return both

    def same():
        found = kept(tmp_path / "new" / CROPS, made_of, make)
        assert found.scales == both.scales
        for name in ("upright", "oriented", "label", "cell", "split"):
            assert np.array_equal(getattr(found, name), getattr(both, name))
        for one, two in zip(found.crops, both.crops, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))

    same()
    same()
    assert len(asked) == 1
    made_of["seed"] = 4
    same()
    assert len(asked) == 2
    whole = (tmp_path / "new" / CROPS).read_bytes()
    (tmp_path / "new" / CROPS).write_bytes(whole[: len(whole) // 2])
    same()
    assert len(asked) == 3


def test_what_cannot_be_read_is_told_before_anything_is_straightened(small, tmp_path):
    def tell(what, *_):
        pytest.fail(f"{what} began")

    with pytest.raises(DataError, match=r"none\.zip"):
        read_data(tmp_path / "none.zip", OPTIONS, tmp_path, tell=tell)
    with pytest.raises(DataError, match=r"none\.json"):
        read_data(small, OPTIONS, tmp_path, tmp_path / "none.json", tell)
    with pytest.raises(OptionError, match="--leave-out must name cells"):
        read_data(small, replace(OPTIONS, left_out=("none",)), tmp_path, tell=tell)


def test_cells_whose_labels_are_wrong_are_left_out_and_others_keep_theirs_hidden(small, crops, tmp_path):
    wrong = str(crops.cell[crops.part("validation")[0]])
    some = read_data(small, replace(OPTIONS, left_out=(wrong,), cells=1), tmp_path)
    assert not (some.cell == wrong).any()
    kept = set(some.cell[some.part("train")])
    assert len(kept) == 1
    assert set(some.cell[some.part(UNLABELLED)]) == set(crops.cell[crops.part("train")]) - kept


def test_augmented_crops_differ_and_keep_to_their_seed(crops):
    first, right = augmented(crops, 0, Frame(), np.random.default_rng(1), Augmentation())
    again, right_again = augmented(crops, 0, Frame(), np.random.default_rng(1), Augmentation())
    other, _ = augmented(crops, 0, Frame(), np.random.default_rng(2), Augmentation())
    assert first.shape == Frame().size
    assert np.array_equal(first, again)
    assert right == right_again
    assert not np.array_equal(first, other)


def test_either_end_may_be_up_where_the_orientation_is_not_known():
    logits = torch.full((2, 49), -20.0)
    logits[0, 5], logits[1, 24 + 5] = 20.0, 20.0
    right = torch.tensor([5, 5])
    assert joint_loss(logits, right, torch.tensor([False, False]), 0.0) < 1e-3
    assert joint_loss(logits, right, torch.tensor([True, True]), 0.0) > 10.0
    smooth = torch.nn.functional.cross_entropy(logits, right, label_smoothing=0.1)
    assert joint_loss(logits, right, torch.tensor([True, True]), 0.1) == pytest.approx(float(smooth), rel=1e-5)
    nothing = torch.full((1, 49), -20.0)
    nothing[0, NOTHING] = 20.0
    assert joint_loss(nothing, torch.tensor([NOTHING]), torch.tensor([False]), 0.0) < 1e-3


def test_chromosomes_of_real_metaphases_are_of_training_slides_and_of_sure_class(data_dir, tmp_path):
    whole = json.loads((data_dir / "mfish" / "instances.json").read_text())
    chosen = {
        slide: next(one for one in whole["images"] if trained_slide(one["slide"]) == slide) for slide in (True, False)
    }
    ids = {one["id"] for one in chosen.values()}
    for one in chosen.values():
        (tmp_path / one["file_name"]).write_bytes((data_dir / "mfish" / one["file_name"]).read_bytes())
    some = [one for one in whole["annotations"] if one["image_id"] in ids]
    made = {"images": list(chosen.values()), "annotations": some, "categories": whole["categories"]}
    (tmp_path / "instances.json").write_text(json.dumps(made))
    crops = cut_out(tmp_path / "instances.json", variants=2)
    sure = [one for one in some if one["image_id"] == chosen[True]["id"] and not one["uncertain"]]
    assert len(crops.label) == len(sure)
    assert sorted(crops.label + 1) == sorted(one["category_id"] for one in sure)
    assert not crops.oriented.any()
    assert set(crops.split) == {"train"}


def test_what_is_made_into_no_chromosome_is_told_from_chromosomes(crops):
    rng = np.random.default_rng(1)
    for index in range(len(crops.label)):
        drawn, right = augmented(crops, index, FRAME, rng, Augmentation(nothing=1.0))
        assert right == NOTHING
        assert np.isfinite(drawn).all()
        assert augmented(crops, index, FRAME, rng, Augmentation(nothing=0.0))[1] % 24 == crops.label[index]
    made = [no_chromosome(crops, 0, rng) for _ in range(60)]
    assert all((one > FLOOR).any() for one in made)
    lengths = np.array([len(one) for one in made])
    assert lengths.min() < 0.7 * len(crops.crops[0][0])
    assert lengths.max() > 1.2 * len(crops.crops[0][0])


def test_simulated_cells_are_for_training_and_know_which_end_is_up():
    made = simulate(2, "giemsa", seed=1, variants=2, jobs=1)
    assert len(made.label) == 92
    assert len(made.part("train")) == 92
    assert np.array_equal(np.bincount(made.label[:46], minlength=24), [2] * 23 + [0])
    assert np.array_equal(np.bincount(made.label[46:], minlength=24), [2] * 22 + [1, 1])
    # the short arm of an acrocentric is less than half: where the chromosome is narrowest tells which end is up
    longer = [
        (one[0].shape[0] // 2 > int(np.argmin((one[0] > 0).sum(axis=1)[5:-5])) + 5) == bool(up[0])
        for one, up, label in zip(made.crops, made.upright, made.label, strict=True)
        if label in (12, 13, 14)
    ]
    assert np.mean(longer) > 0.6
    both = made + made
    assert len(both.crops) == len(both.scales) == len(both.upright) == 184


def test_a_resumed_training_ends_with_the_weights_of_an_unbroken_one(crops, tmp_path):
    torch.set_num_threads(1)
    whole = classifier.train(crops, tmp_path / "whole", OPTIONS)

    class Killed(Exception):
        pass

    def kill(step, steps, figures):
        if step == steps // 2 + 1:
            raise Killed

    with pytest.raises(Killed):
        classifier.train(crops, tmp_path / "broken", OPTIONS, progress=kill)
    resumed = classifier.train(crops, tmp_path / "broken", OPTIONS)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    lines = [json.loads(line) for line in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert {"class", "orientation", "loss", "seconds"} <= set(lines[0])


def test_batches_drawn_in_other_processes_are_the_same_batches(crops, tmp_path):
    torch.set_num_threads(1)
    options = replace(OPTIONS, epochs=1, network="slim")
    alone = classifier.train(crops, tmp_path / "alone", options)
    helped = classifier.train(crops, tmp_path / "helped", options, workers=2)
    for one, other in zip(alone.parameters(), helped.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_what_is_drawn_ahead_comes_in_order_and_ends_with_its_error():
    assert list(drawn_ahead(divmod, 17, range(2, 12), 3)) == [divmod(17, step) for step in range(2, 12)]
    assert list(drawn_ahead(divmod, 17, range(2, 12), 0)) == [divmod(17, step) for step in range(2, 12)]
    with pytest.raises(ZeroDivisionError):
        list(drawn_ahead(divmod, 17, range(5), 2))
    early = drawn_ahead(divmod, 17, range(2, 100), 2)
    assert next(early) == (8, 1)
    early.close()


def test_a_student_comes_nearer_to_its_teacher_than_one_without(crops, started, tmp_path):
    folder, teacher = started
    options = replace(OPTIONS, network="slim", frame=Frame(48, 32, 20.0, 1.2), epochs=6)
    indices = crops.part("train")
    told, _ = classifier.predict(teacher, FRAME, crops, indices)
    apart = {}
    for name, teachers in (("alone", ()), ("taught", (str(folder),))):
        student = classifier.train(crops, tmp_path / name, replace(options, teachers=teachers, taught=1.0))
        said, _ = classifier.predict(student, options.frame, crops, indices)
        apart[name] = float(np.abs(said - told).sum(axis=1).mean())
    assert apart["taught"] < 0.8 * apart["alone"]
    with pytest.raises(ModelError):
        classifier.train(crops, tmp_path / "none", replace(options, teachers=("no-such-model",)))


def test_an_ablation_scores_every_arm_and_trains_none_twice(crops, tmp_path):
    from karyofast.train.ablation import ALL, ARMS, ENSEMBLE, MIRRORED, ablate

    options = replace(OPTIONS, epochs=1, network="slim")
    arms = (ALL, "no augmentation")
    steps = []
    first = ablate(crops, tmp_path, options, 2, arms, tell=lambda arm, *_: steps.append(arm))
    trained = [(arm, seed) for seed in (0, 1) for arm in arms]
    assert [(one.arm, one.seed) for one in first] == [*trained, (MIRRORED, 0), (MIRRORED, 1), (ENSEMBLE, 0)]
    assert set(steps) == set(arms)
    again = ablate(crops, tmp_path, options, 2, arms, tell=lambda *_: pytest.fail("trained twice"))
    assert again == first
    assert all(one.score.crops == len(crops.part("test")) for one in first)
    with pytest.raises(OptionError, match="other options"):
        ablate(crops, tmp_path, replace(options, batch=6), 1, (ALL,))
    with pytest.raises(OptionError, match="no elastic"):
        ablate(crops, tmp_path, options, 1, ("no elastic",))
    with pytest.raises(OptionError, match="must be one of"):
        ablate(crops, tmp_path, options, 1, ("without composed metaphases",))
    # without composed ones, what lacks simulated chromosomes is trained on real cells alone
    with pytest.raises(OptionError, match="without simulated chromosomes; without affine changes"):
        ablate(crops, tmp_path, replace(options, simulated=1), 1, ("real cells alone",))
    for augmentation, _ in ARMS.values():
        replace(options.augmentation, **augmentation)


def test_an_arm_without_composed_metaphases_trains_on_the_others_for_as_many_steps(crops, tmp_path):
    from karyofast.train.ablation import ablate

    train = crops.part("train")
    renamed = replace(crops, cell=np.char.replace(crops.cell, str(crops.cell[train[0]]), "composed 0"))
    others = np.count_nonzero(~np.char.startswith(renamed.cell[train], "composed "))
    options = replace(OPTIONS, epochs=4, network="slim", batch=4, composed=1)
    steps = {}
    for arm in ("all of it", "without composed metaphases"):
        ablate(renamed, tmp_path, options, 1, (arm,), tell=lambda arm, _, total, __: steps.update({arm: total}))
    assert steps["all of it"] == 4 * (len(train) // 4)
    assert steps["without composed metaphases"] == round(4 * len(train) / others) * (others // 4)


def test_an_ablation_may_be_of_some_training_cells(crops):
    cells = set(crops.cell[crops.part("train")])
    some = of_cells(crops, 1)
    (kept,) = set(some.cell[some.part("train")])
    assert kept in cells
    assert set(some.cell[some.part(UNLABELLED)]) == cells - {kept}
    assert np.array_equal(some.part("test"), crops.part("test"))
    assert len(some.part("train")) == int((crops.cell == kept).sum())
    with pytest.raises(OptionError, match=f"must be 1 to {len(cells)}"):
        of_cells(crops, len(cells) + 1)


def test_an_arm_learns_from_its_own_answers_and_never_sees_the_labels_left_out(crops, tmp_path, monkeypatch):
    from karyofast.train import ablation

    monkeypatch.setattr(ablation, "SURE", 0.0)
    options = replace(OPTIONS, epochs=4, network="slim", batch=6, cells=1)
    some, seen = of_cells(crops, 1), []
    monkeypatch.setattr(ablation, "train", lambda used, *rest: (seen.append(used), classifier.train(used, *rest))[1])
    others = some.part(UNLABELLED)
    first = ablation.ablate(some, tmp_path / "a", options, 1, (ablation.SELF,))
    labelled, taught = seen
    assert labelled is some
    assert set(taught.part("train")) > set(some.part("train"))
    own = np.intersect1d(others, taught.part("train"))
    assert not taught.oriented[own].any()
    # other labels of the cells left out, the same answer
    hidden = replace(some, label=np.where(some.split == UNLABELLED, 0, some.label))
    assert ablation.ablate(hidden, tmp_path / "b", options, 1, (ablation.SELF,)) == first


def test_an_arm_of_crops_stood_up_as_they_are_is_scored_on_such(small, crops, tmp_path):
    from karyofast.train.ablation import RAW, ablate

    bent = prepare(small, seed=3, variants=2, jobs=1, straight=False)
    assert np.array_equal(bent.label, crops.label)
    options = replace(OPTIONS, epochs=1, network="slim", width=0.5)
    (score,) = ablate(crops, tmp_path, options, arms=(RAW,), raw=lambda: bent)
    assert score.arm == RAW
    with pytest.raises(OptionError, match="must be one of"):
        ablate(crops, tmp_path, options, arms=(RAW,))
    with pytest.raises(OptionError, match="slim alone"):
        classifier.train(crops, tmp_path / "vgg", replace(options, network="vgg16"))


def test_a_network_with_the_band_profile_sees_the_mean_inside_of_each_row(crops, tmp_path):
    from karyofast.classify import FLOOR
    from karyofast.models.slim import Slim, _band_profile

    crop = torch.full((1, 1, 32, 32), FLOOR)
    crop[0, 0, 4:8, 10:14] = 1.0
    crop[0, 0, 6, 10:12] = 0.0
    profile = _band_profile(crop)
    assert profile.shape == crop.shape
    assert profile[0, 0, :, 0].tolist() == pytest.approx([FLOOR] * 4 + [1.0, 1.0, 0.5, 1.0] + [FLOOR] * 24)
    assert Slim((32, 32), profile=True)(crop).shape == (1, 49)
    with pytest.raises(OptionError, match="slim alone"):
        classifier.train(crops, tmp_path, classifier.TrainOptions(profile=True))


def test_the_temperature_makes_a_network_as_sure_as_it_is_right(crops):
    from types import SimpleNamespace

    from karyofast.train.score import calibration

    def network(confidence):
        """Right in four of five crops of any class, and always as sure."""
        answers = np.full((len(crops.label), 24), (1 - confidence) / 23, np.float32)
        for at, true in enumerate(crops.label):
            answers[at, true if at % 5 else (true + 1) % 24] = confidence
        given = iter([answers, answers])
        return SimpleNamespace(frame=FRAME, predict=lambda some: (next(given), np.ones(len(some), np.float32)))

    count = len(crops.label)
    whole = np.arange(count)
    for confidence, colder in ((0.5, True), (0.97, False)):
        found = calibration(network(confidence), crops, whole)["calibration"]
        assert found["crops"] == count
        assert (found["temperature"] < 1.0) == colder
    assert calibration(network(0.5), crops, whole[:0]) == {}


def test_elastic_bands_move_along_the_axis_and_the_ends_stay(crops):
    from karyofast.train.augment import _stretched

    values = np.arange(60, dtype=np.float32)[:, None].repeat(5, axis=1)
    moved = _stretched(values, np.random.default_rng(0), 0.02)
    assert moved.shape == values.shape
    assert (moved[0], moved[-1]) == (pytest.approx(0), pytest.approx(59, abs=1e-3))
    assert 0.2 < np.abs(moved - values).max() < 0.04 * 60
    assert (np.diff(moved[:, 0]) > 0).all()


@pytest.fixture(scope="module")
def started(small, tmp_path_factory):
    """A tiny model, trained a little and exported: its folder and the network it was made of."""
    from karyofast.train.run import write_classifier

    crops = prepare(small, seed=3, variants=2, jobs=1)
    folder = tmp_path_factory.mktemp("start")
    network = classifier.train(crops, folder / "run", OPTIONS)
    write_classifier(network, crops, folder / "tiny", "tiny", small, OPTIONS)
    return folder / "tiny", network


def test_a_training_that_starts_from_an_exported_model_answers_as_it_does(crops, started):
    folder, network = started
    other = Vgg16((32, 32))
    inputs = torch.from_numpy(np.stack([augmented(crops, i, FRAME, np.random.default_rng(i), Augmentation())[0]
                                        for i in range(len(crops.label))])[:, None])  # fmt: skip
    start_from(other, str(folder), inputs)
    with torch.inference_mode():
        was, now = network.eval()(inputs), other.eval()(inputs)
        assert torch.allclose(was, now, atol=0.05 * float(was.abs().max()))
        # in training the normalisations go by the batch: on the crops they were unfolded on they change nothing
        assert torch.allclose(other.features.train()(inputs), other.features.eval()(inputs), atol=1e-2)


def test_a_slim_network_trains_is_exported_and_goes_on_from_there(small, crops, tmp_path):
    from karyofast.train.run import write_classifier

    options = replace(OPTIONS, network="slim")
    network = classifier.train(crops, tmp_path / "run", options)
    score = write_classifier(network, crops, tmp_path / "tiny", "tiny", small, options)
    assert score.crops == len(crops.part("test"))
    assert "for small devices" in (tmp_path / "tiny" / "README.md").read_text()
    inputs = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (12, 1, 32, 32)).astype(np.float32))
    other = Slim((32, 32))
    start_from(other, str(tmp_path / "tiny"), inputs)
    with torch.inference_mode():
        was, now = network.eval()(inputs), other.eval()(inputs)
    assert torch.allclose(was, now, atol=0.05 * float(was.abs().max()))
    with pytest.raises(OptionError, match="vgg16 alone"):
        classifier.train(crops, tmp_path / "frozen", replace(options, frozen=2))
    with pytest.raises(ModelError, match="other than vgg16"):
        start_from(other, str(tmp_path / "state.pt"), inputs)


def test_frozen_convolutions_stay_as_they_started(crops, started, tmp_path):
    folder, _ = started
    trained = classifier.train(crops, tmp_path, replace(OPTIONS, epochs=1, start=str(folder), frozen=4))
    convolutions = [module for module in trained.features if isinstance(module, torch.nn.Conv2d)]
    fresh = Vgg16((32, 32))
    start_from(fresh, str(folder), torch.zeros(4, 1, 32, 32))
    started_as = [module for module in fresh.features if isinstance(module, torch.nn.Conv2d)]
    same = [torch.equal(one.weight, other.weight) for one, other in zip(convolutions, started_as, strict=True)]
    assert same == [True] * 4 + [False] * 9


def test_a_start_with_another_frame_takes_the_convolutions_alone(started):
    folder, network = started
    other = Vgg16((64, 32))
    head = other.head[2].weight.detach().clone()
    start_from(other, str(folder), torch.randn(4, 1, 64, 32))
    assert torch.equal(other.head[2].weight, head)
    same = Vgg16((32, 32))
    start_from(same, str(folder), torch.randn(4, 1, 32, 32))
    assert torch.allclose(same.head[2].weight, network.head[2].weight, atol=1e-3)


def test_a_start_from_what_are_no_weights_is_refused(tmp_path):
    (tmp_path / "broken.pt").write_bytes(b"not a state dict")
    with pytest.raises(ModelError, match="state dict of vgg16_bn"):
        start_from(Vgg16((32, 32)), str(tmp_path / "broken.pt"), torch.zeros(4, 1, 32, 32))


def test_a_folder_of_another_run_is_not_trained_over(crops, tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"")
    from karyofast import config

    config.save(tmp_path / "options.toml", OPTIONS)
    with pytest.raises(OptionError, match="other options"):
        classifier.train(crops, tmp_path, classifier.TrainOptions(epochs=1))


def test_a_set_without_training_cases_is_refused(crops, tmp_path):
    with pytest.raises(DataError, match="training cases"):
        classifier.train(replace(crops, split=np.full(len(crops.split), "test")), tmp_path, OPTIONS)


def test_a_whole_run_writes_a_model_that_loads_and_a_card_with_its_score(small, tmp_path):
    from karyofast.models.store import find
    from karyofast.runtimes.onnx import OnnxClassifier
    from karyofast.train.run import train_classifier

    score = train_classifier(small, tmp_path, OPTIONS, name="tiny", threads=1)
    assert score.crops == 12
    assert score.cells == 1
    info = find(str(tmp_path / "tiny"), "classifier")
    assert info.values["measured"]["crop"] == score.crop
    assert info.values["training"]["data"] == "small.zip"
    assert f"{score.crop:.2%}" in (tmp_path / "tiny" / "README.md").read_text()
    classes, _ = OnnxClassifier(info).predict(np.zeros((5, 1, 32, 32), np.float32))
    assert classes.shape == (5, 24)


def test_scenes_hold_what_was_asked_for(small):
    source = CropSource(small)
    store = PieceStore(source, source.rows)
    rng = np.random.default_rng(5)
    crossed = compose(store.draw(rng, 12), rng, ComposeOptions(touching=0.0, crossing=1.0), adding=False)
    apart = compose(store.draw(rng, 12), rng, ComposeOptions(touching=0.0, crossing=0.0), adding=False)
    assert np.sum([one.mask for one in crossed.laid], axis=0).max() >= 2
    assert np.sum([one.mask for one in apart.laid], axis=0).max() == 1
    for one in apart.laid:
        assert crossed.density.max() <= 255
        assert apart.density[one.mask].mean() > 30


def test_aligned_chromosomes_lie_in_nearly_the_direction_of_a_neighbour(small):
    source = CropSource(small)
    store = PieceStore(source, source.rows)
    options = ComposeOptions(touching=1.0, crossing=0.0, aligned=1.0, skew=10.0)
    scene = compose(store.draw(np.random.default_rng(5), 6), np.random.default_rng(6), options, adding=False)
    ends = [one.axis[-1] - one.axis[0] for one in scene.laid]
    angles = [float(np.arctan2(*end)) for end in ends]
    assert len(angles) >= 3
    for number, angle in enumerate(angles[1:], start=1):
        turned = [abs((angle - other + np.pi / 2) % np.pi - np.pi / 2) for other in angles[:number]]
        assert np.rad2deg(min(turned)) < 10.5
    assert np.sum([one.mask for one in scene.laid], axis=0).max() <= 2


def test_a_separator_that_starts_from_an_exported_one_answers_as_it_does(small, tmp_path):
    from karyofast.models.axisnet import AxisNet
    from karyofast.models.store import find
    from karyofast.runtimes.onnx import OnnxSeparator

    density = np.random.default_rng(3).uniform(0, 1.5, (4, 1, 64, 64)).astype(np.float32)
    network = AxisNet()
    start_separator(network, "axis", torch.from_numpy(density))
    shipped = OnnxSeparator(find("axis", "separator"), 1)
    with torch.inference_mode():
        answered = torch.sigmoid(network.eval()(torch.from_numpy(density))).numpy()
    for own, one in zip(answered, density, strict=True):
        assert np.abs(own - shipped.lifted(one[0])).max() < 2e-3
    with pytest.raises(ModelError, match="separator"):
        start_separator(AxisNet(), "g-band", torch.from_numpy(density))


def test_targets_mark_overlaps_and_draw_cores_inside_the_masks(small):
    source = CropSource(small)
    rng = np.random.default_rng(6)
    example = composed(PieceStore(source, source.rows), rng, ComposeOptions(), 12)
    foreground, overlap, cores = example.targets[0], example.targets[1], example.targets[2:]
    assert overlap[foreground == 0].sum() == 0
    assert cores.any(axis=0)[foreground == 0].sum() == 0
    assert 0 < cores.any(axis=0).sum() < foreground.sum()


def test_a_cut_of_a_real_picture_carries_no_weight_where_the_truth_is_doubtful(data_dir):
    from karyofast.coco import load
    from karyofast.io import read_metaphase

    truth = next(iter(load(data_dir / "mfish" / "instances.json")))
    metaphase = read_metaphase(data_dir / "mfish" / truth.image.file_name)
    masks = [one.region.full_mask(metaphase.shape) for one in truth.instances]
    real = picture(metaphase.density, masks, masks[0])
    example = cut(real, np.random.default_rng(0), 160, 12)
    assert example.density.shape == (160, 160)
    assert example.targets[0].any()
    whole = picture(metaphase.density, masks, np.any(masks, axis=0))
    assert cut(whole, np.random.default_rng(0), 160, 12).weight.min() == 0.0


def test_the_separator_trains_resumes_and_is_exported(small, tmp_path):
    from karyofast.models.store import find
    from karyofast.runtimes.onnx import OnnxSeparator
    from karyofast.train.run import train_separator

    options = separator.SeparatorOptions(
        steps=2, more=1, batch=2, every=2, scene=ComposeOptions(side=64, fewest=2, most=3)
    )
    folder = train_separator(small, tmp_path, options=options, threads=1)
    again = train_separator(small, tmp_path, options=options, threads=1)
    assert folder == again
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3]
    runtime = OnnxSeparator(find(str(folder), "separator"))
    lifted = runtime.lifted(np.zeros((32, 48), np.float32))
    assert lifted.shape == (14, 32, 48)
    assert 0 <= lifted.min() <= lifted.max() <= 1


def test_targets_of_nothing_are_empty():
    assert not targets([], (20, 30), 12).any()


def test_the_rate_rises_and_falls_to_nothing():
    rates = [one_cycle(done, 0.1) for done in np.linspace(0, 1, 21)]
    assert max(rates) <= 1.001
    assert rates[0] < 0.01
    assert rates[-1] == pytest.approx(0, abs=1e-6)


def test_the_manifest_of_the_small_set_is_a_manifest(small):
    with zipfile.ZipFile(small) as file:
        rows = list(csv.DictReader(file.read("manifest.csv").decode().splitlines()))
    assert set(rows[0]) == {"file", "label", "cell", "case"}
