import json
import subprocess
import sys
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from karyofast.classify import Frame
from karyofast.crops import CropSource, split_of
from karyofast.errors import DataError, OptionError, TrainingError
from karyofast.experiments import figures, plan, report, run
from karyofast.experiments import generated as added_by_gan
from karyofast.experiments.added import composed, simulated
from karyofast.experiments.fit import Affine, FitOptions, fit, moved, read
from karyofast.experiments.found import Found
from karyofast.experiments.generated import gan_options, generated, person_labels
from karyofast.experiments.inputs import Inputs, read_inputs, training_cells
from karyofast.experiments.networks import build
from karyofast.experiments.plan import (
    ALL_CELLS,
    FULL,
    MEDIUM,
    PRESETS,
    QUICK,
    Arm,
    PaperOptions,
    Scope,
    Trial,
    few_arms,
    groups,
    trials,
)
from karyofast.experiments.report import write_report
from karyofast.experiments.run import possible, run_paper
from karyofast.experiments.statistics import holm, paired, spread
from karyofast.experiments.trial import Bench, Result, run_group, run_trial
from karyofast.models.mlp import Mlp
from karyofast.models.siamese import Siamese
from karyofast.models.store import find
from karyofast.runtimes.onnx import OnnxClassifier
from karyofast.train.generated import Looked
from karyofast.train.workers import Task, side_by_side
from karyofast.types import CLASSES

SIZE = (32, 16)
TINY = PaperOptions(
    frame=Frame(*SIZE, 14.0, 1.2), steps=4, batch=4,
    gan_steps=2, gan_batch=2, conditional_steps=2, conditional_batch=4, gan_width=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def cells(data_dir, tmp_path_factory):
    """Twelve chromosomes each of two training cells and a test cell of bioimlab, as a zip file."""
    wanted = {"train": 2, "test": 1}
    rows = []
    for _, of_cell in CropSource(data_dir / "bioimlab.zip").cells():
        part = split_of(of_cell[0].case)
        if wanted.get(part, 0) > 0:
            wanted[part] -= 1
            rows += sorted(of_cell, key=lambda row: row.label)[:12]
    path = tmp_path_factory.mktemp("cells") / "cells.zip"
    with zipfile.ZipFile(path, "w") as out, zipfile.ZipFile(data_dir / "bioimlab.zip") as whole:
        for row in rows:
            out.writestr(row.file, whole.read(row.file))
        lines = ["file,label,cell", *(f"{row.file},{CLASSES[row.label]},{row.cell}" for row in rows)]
        out.writestr("manifest.csv", "\n".join(lines))
    return path


@pytest.fixture(scope="module")
def inputs(cells, tmp_path_factory):
    return read_inputs(cells, TINY.frame, tmp_path_factory.mktemp("inputs") / "inputs.npz", jobs=1)


@pytest.fixture
def bench(cells, inputs, tmp_path):
    torch.set_num_threads(1)
    return Bench(tmp_path, cells, inputs, TINY, jobs=1)


@pytest.fixture
def never_collapsed(monkeypatch):
    """Generators of two steps are taken as they are."""
    monkeypatch.setattr(
        added_by_gan, "gan_options", lambda *given: replace(gan_options(*given), least_diversity=0.0, mixed=False)
    )


def told(*_):
    pass


def shapes(n, rng):
    """Two kinds of pictures: a bar above, a bar below."""
    labels = rng.integers(2, size=n)
    values = np.full((n, *SIZE), -1.0, np.float32)
    for value, label in zip(values, labels, strict=True):
        first = 4 + 16 * label + int(rng.integers(3))
        value[first : first + 6, 4:12] = rng.uniform(0.2, 1.0)
    return values, labels


def test_a_trial_that_two_tables_need_is_planned_once():
    planned = trials(("table1", "table2", "figure11"), QUICK, Scope(seeds=2))
    assert len(planned) == len(set(planned)) == len({one.key for one in planned})
    assert sum(one.arm == Arm() for one in planned) == 2
    assert {one.arm.persons for one in planned} == {0, 50, 100, 150, 200, 250}
    assert {one.cells for one in planned} == {ALL_CELLS}


def test_every_kind_of_addition_is_tried_with_and_without_augmentation_and_a_start_where_there_is_one():
    kinds = {(one.extra, one.affine) for one in few_arms(QUICK, Scope())}
    assert len(kinds) == len(few_arms(QUICK, Scope())) == 10
    fewer = few_arms(*PRESETS["quick"])
    assert {one.extra for one in fewer if one.affine} == {extra for extra, _ in kinds}
    assert [one.extra for one in fewer if not one.affine] == ["none", "mdgan"]
    assert sum(one.start for one in few_arms(FULL, Scope())) == 2
    assert all(one.balanced == bool(one.persons) for one in few_arms(FULL, Scope()))
    assert not any(one.arm.balanced for one in trials(("table1", "table2"), QUICK, Scope()))
    assert Arm(extra="mdgan", persons=50, balanced=True).key != Arm(extra="mdgan", persons=50).key


def test_settings_that_make_no_sense_are_refused():
    for change in ({"steps": 0}, {"gan_steps": 0}, {"batch": 1}):
        with pytest.raises(OptionError, match=f"{next(iter(change))} must be at least"):
            replace(QUICK, **change)
    with pytest.raises(OptionError, match=r"CNN other than vgg16\. Got: 2 with residual"):
        replace(MEDIUM, frozen=2)
    with pytest.raises(OptionError, match="seeds must be at least 1"):
        Scope(seeds=0)
    with pytest.raises(OptionError, match="cells must be at least 0"):
        Scope(cells=(-1,))


def test_a_training_set_that_is_too_large_becomes_all_cells():
    assert possible(Scope(cells=(5, 10, 25, 50, 100)), 81).cells == (5, 10, 25, 50, ALL_CELLS)
    assert possible(Scope(cells=(5, 10)), 81).cells == (5, 10)


def test_training_cells_are_of_the_training_split_and_nested(inputs):
    one, both = training_cells(inputs, 1, seed=3), training_cells(inputs, 2, seed=3)
    assert len(one) == 12
    assert set(one.cell) < set(both.cell)
    assert not set(both.cell) & set(inputs.part("test").cell)
    assert np.array_equal(training_cells(inputs, ALL_CELLS, seed=3).values, both.values)
    with pytest.raises(OptionError, match="cells must be at most 2"):
        training_cells(inputs, 3, seed=3)


def test_inputs_read_from_their_file_are_the_same(cells, inputs, tmp_path):
    kept = tmp_path / "kept.npz"
    inputs.save(kept)
    again = read_inputs(tmp_path / "not there", TINY.frame, kept)
    assert np.array_equal(again.values, inputs.values)
    assert again.values.dtype == np.float32
    assert np.array_equal(again.cell, inputs.cell)
    assert np.abs(inputs.values).max() <= 1.0


def test_data_without_unseen_cells_are_refused(cells, tmp_path):
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(cells) as whole, zipfile.ZipFile(path, "w") as out:
        lines = whole.read("manifest.csv").decode().splitlines()
        train = [line for line in lines[1:] if split_of(line.split(",")[2]) == "train"][:3]
        for line in train:
            out.writestr(line.split(",")[0], whole.read(line.split(",")[0]))
        out.writestr("manifest.csv", "\n".join([lines[0], *train]))
    with pytest.raises(DataError, match="must have cells of the split test"):
        read_inputs(path, TINY.frame, tmp_path / "inputs.npz", jobs=1)


def test_a_person_has_two_of_each_autosome_and_the_sexes_take_turns():
    labels = person_labels(4)
    counts = np.bincount(labels, minlength=24)
    assert len(labels) == 4 * 46
    assert (counts[:22] == 8).all()
    assert counts[22:].tolist() == [6, 2]


def test_augmentation_of_no_range_mirrors_and_changes_nothing_else():
    rng = np.random.default_rng(0)
    values, _ = shapes(8, rng)
    values[:, :, 8:] = np.where(values[:, :, 8:] > 0, 0.1, -1.0)
    crops = torch.from_numpy(values[:, None])
    changed = moved(crops, rng, Affine(0.0, 0.0, 0.0))
    mirrors = [crops, crops.flip(2), crops.flip(3), crops.flip(2, 3)]
    found = set()
    for one, *copies in zip(changed, *mirrors, strict=True):
        same = [torch.allclose(one, copy, atol=1e-5) for copy in copies]
        assert sum(same) == 1
        found.add(same.index(True))
    assert len(found) > 1


def test_augmentation_lets_background_in_and_keeps_a_square_square():
    crops = torch.full((64, 1, *SIZE), -1.0)
    crops[:, :, 12:20, 4:12] = 1.0
    changed = moved(crops, np.random.default_rng(1), Affine(90.0, 0.0, 0.0))
    area = (changed + 1.0).sum(dim=(1, 2, 3)) / 2.0
    assert torch.allclose(area, torch.full((64,), 64.0), rtol=0.05)
    far = moved(crops, np.random.default_rng(1), Affine(0.0, 0.0, 2.0))
    assert far.min() >= -1.0
    assert (far.amax(dim=(1, 2, 3)) < -0.9).any()


@pytest.mark.parametrize("network", ["mlp2", "mlp5", "sharma", "swati", "cnn"])
def test_every_network_learns_to_tell_two_shapes_apart(network):
    torch.set_num_threads(1)
    values, labels = shapes(80, np.random.default_rng(2))
    model = build(Arm(network), TINY, values, seed=1)
    assert model(torch.from_numpy(values[:3, None])).shape == (3, 24)
    fit(model, values, labels, FitOptions(steps=40, batch=16, rate=1e-3 if network != "swati" else 3e-3, seed=1))
    unseen, right = shapes(60, np.random.default_rng(3))
    assert np.mean(read(model, unseen) == right) > 0.9


def test_a_training_with_the_same_seed_ends_the_same():
    torch.set_num_threads(1)
    values, labels = shapes(20, np.random.default_rng(2))
    ends = []
    for seed in (1, 1, 2):
        model = build(Arm("sharma"), TINY, values, seed)
        loss = fit(model, values, labels, FitOptions(steps=3, batch=8, rate=1e-3, seed=seed, affine=True))
        ends.append((loss, next(model.parameters()).detach().numpy().copy()))
    assert ends[0][0] == ends[1][0] != ends[2][0]
    assert np.array_equal(ends[0][1], ends[1][1])


def test_the_twin_stays_as_it_is_while_the_mlp_is_trained():
    values, labels = shapes(20, np.random.default_rng(2))
    torch.manual_seed(0)
    model = Siamese(SIZE)
    seen = []

    def look(done, _):
        seen.append([one.detach().clone() for one in (next(model.twin.parameters()), next(model.mlp.parameters()))])

    fit(model, values, labels, FitOptions(steps=6, batch=8), progress=look)
    assert not torch.equal(seen[0][0], seen[2][0])
    assert torch.equal(seen[0][1], seen[2][1])
    assert torch.equal(seen[2][0], seen[5][0])
    assert not torch.equal(seen[3][1], seen[5][1])


def test_a_start_reads_as_the_model_that_it_comes_from():
    rng = np.random.default_rng(0)
    values = np.full((12, *MEDIUM.frame.size), -1.0, np.float32)
    values[:, 30:80, 10:22] = rng.uniform(-0.5, 1.0, (12, 50, 12))
    network = build(Arm(start=True), MEDIUM, values, seed=0)
    classes, _ = OnnxClassifier(find("g-band-fast", "classifier")).predict(values[:, None])
    assert np.array_equal(read(network, values), classes.argmax(axis=1))


def test_a_start_keeps_its_first_convolutions(inputs):
    options = replace(FULL, frozen=2)
    values = np.zeros((4, *FULL.frame.size), np.float32)
    values[:, 30:90, 8:24] = np.random.default_rng(0).random((4, 60, 16))
    network = build(Arm(start=True), options, values, seed=0)
    assert network(torch.from_numpy(values[:, None])).shape == (4, 24)
    convolutions = [one for one in network.modules() if isinstance(one, torch.nn.Conv2d)]
    assert [one.weight.requires_grad for one in convolutions[:4]] == [False, False, True, True]
    labels = np.arange(4)
    norm = next(one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d))
    before = convolutions[0].weight.detach().clone(), norm.running_mean.clone()
    fit(network, values, labels, FitOptions(steps=1, batch=2))
    assert torch.equal(before[0], convolutions[0].weight)
    assert torch.equal(before[1], norm.running_mean)


def test_half_of_each_batch_is_real_however_much_was_added():
    """What was added bears another class than what is real, so that what a network is shown tells how many of each."""
    shown = []

    class Counting(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(2))

        def forward(self, crops):
            shown.append(crops[:, 0, 0, 0].tolist())
            return self.bias.expand(len(crops), 2)

    labels = np.array([0] * 5 + [1] * 95)
    values = np.broadcast_to(labels[:, None, None], (100, *SIZE)).astype(np.float32)
    fit(Counting(), values, labels, FitOptions(steps=4, batch=9, real=5))
    assert [batch.count(0.0) for batch in shown] == [4, 4, 4, 4]
    shown.clear()
    fit(Counting(), values, labels, FitOptions(steps=4, batch=9))
    assert sum(batch.count(0.0) for batch in shown) < 8


def test_composed_chromosomes_are_of_the_cells_named_and_bear_their_class(cells, inputs, tmp_path):
    name = str(training_cells(inputs, 1, 0).cell[0])
    made = composed(cells, [name], 2, TINY.frame, tmp_path / "composed.npz", seed=0)
    real = inputs.only(inputs.cell == name)
    assert set(made.label) <= set(real.label)
    assert len(made) > 18
    filled = {label: np.mean(made.values[made.label == label] > -1.0) for label in set(made.label)}
    assert filled[int(real.label.min())] > filled[int(real.label.max())]
    again = composed(tmp_path / "not there", [], 2, TINY.frame, tmp_path / "composed.npz", seed=0)
    assert np.array_equal(again.values, made.values)
    with pytest.raises(DataError, match="none of them"):
        composed(cells, ["no such cell"], 1, TINY.frame, tmp_path / "none.npz", seed=0)


def test_a_simulated_person_has_46_chromosomes(tmp_path):
    made = simulated(1, TINY.frame, tmp_path / "simulated.npz", jobs=1)
    assert len(made) == 46
    assert set(made.label) == set(range(23))


@pytest.mark.parametrize("kind", ["mdgan", "conditional"])
def test_generated_chromosomes_leave_out_a_class_that_has_too_few(kind, tmp_path, never_collapsed):
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 5, 5, 7])
    values = rng.uniform(-1, 1, (6, *SIZE)).astype(np.float32)
    real = Inputs(values, labels, np.full(6, "a"), np.full(6, "train"))
    made, missing = generated(kind, real, 2, TINY, tmp_path, seed=0)
    assert sorted(made.label.tolist()) == [0, 0, 0, 0, 5, 5, 5, 5]
    assert set(missing) == set(CLASSES) - {"1", "6"}
    again, _ = generated(kind, real, 2, TINY, tmp_path, seed=0)
    assert np.array_equal(made.values, again.values)
    assert gan_options(kind, TINY, 0).diffaugment == (kind == "conditional")


def test_a_trial_counts_what_unseen_cells_were_read_rightly(bench, never_collapsed):
    trial = Trial(Arm(extra="mdgan", persons=1), 1, 0)
    result = run_trial(trial, bench, told)
    unseen = bench.inputs.part("test")
    assert sum(result.asked.values()) == len(unseen)
    assert (result.real, result.trial) == (12, trial)
    # the cell shows the first twelve chromosomes by class: two of each of the first six
    assert result.missing == [*CLASSES[6:]]
    assert result.added == 12
    assert result.accuracy("PT") == sum(result.right.values()) / len(unseen)
    assert result.accuracy("P22") is None
    path = bench.folder / "trials" / f"{trial.key}.json"
    assert Result.load(path) == result
    written = path.read_bytes()
    assert run_trial(trial, bench, told) == result
    assert path.read_bytes() == written


def test_a_generator_that_collapsed_adds_nothing_and_is_named(bench):
    result = run_trial(Trial(Arm(extra="conditional", persons=1), 1, 0), bench, told)
    assert result.added == 0
    assert result.missing == list(CLASSES)


def test_a_training_that_failed_is_not_tried_again(bench, monkeypatch):
    trained = []

    def collapsing(*given):
        given[2].mkdir(parents=True)
        trained.append(given[2].name)
        raise TrainingError("collapsed")

    monkeypatch.setattr(added_by_gan, "train_gan", collapsing)
    real = bench.inputs.part("train")
    for persons in (1, 2):
        made, missing = generated("conditional", real, persons, TINY, bench.folder, seed=0)
        assert (len(made), missing) == (0, list(CLASSES))
    assert trained == ["all"]
    assert "collapsed" in (bench.folder / "all" / added_by_gan.FAILED).read_text(encoding="utf-8")


class Looks:
    """A judge that sees the mean of eight strips, and the class 1 everywhere."""

    seen = 0

    def __init__(self, *_):
        pass

    def look(self, crops):
        Looks.seen += len(crops)
        features = crops.reshape(len(crops), 8, -1).mean(axis=2)
        return Looked(features, np.zeros(len(crops), np.int64), np.full((len(crops), 24), 1 / 24, np.float32))


def test_generated_chromosomes_are_shown_and_scored_against_unseen_ones(bench, never_collapsed, monkeypatch):
    monkeypatch.setattr(figures, "Judge", Looks)
    monkeypatch.setattr(Looks, "seen", 0)
    scores = figures.figure9(bench, told)
    assert set(scores) == {"mdgan", "conditional"}
    unseen = bench.inputs.part("test")
    # 24 of each of six classes of both kinds at np 50, and of MD-GAN at np 250: what two figures show is seen once
    assert Looks.seen == len(bench.inputs.part("train")) + len(unseen) + 3 * 6 * figures.LOOKED
    assert scores["mdgan"].crops == len(unseen)
    assert scores["mdgan"].recognised == pytest.approx(np.mean(unseen.label == 0))
    assert (bench.folder / "figure9.png").exists()
    ten = figures.read_figure10(bench.folder)
    assert set(ten) == {"50", "250"}
    assert ten["250"]["crops"] == figures.LOOKED * 6
    assert ten["250"]["recognised"] == pytest.approx(1 / 6)
    monkeypatch.setattr(figures, "Judge", None)
    assert figures.figure9(bench, told) == scores
    write_report(Found(bench.folder, ("figure9",), TINY, Scope(), 2, len(unseen)))
    text = (bench.folder / "report.md").read_text()
    assert "| MD-GAN |" in text
    assert text.count("| real, unseen |") == 1
    assert "| 250 | 144 | 16.7 |" in text
    assert "](figure10.png)" in text


def test_the_plane_is_studied_with_every_kind_of_generator(tmp_path):
    rows = figures.figure8(tmp_path, 1, replace(TINY, plane_steps=1), told)
    assert len(rows) == 3 * 4
    write_report(Found(tmp_path, ("figure8",), TINY, Scope(), plane=tuple(rows)))
    text = (tmp_path / "report.md").read_text()
    assert text.count("| mdgan-density |") == 3
    assert (tmp_path / "plane" / "denver.png").exists()


def test_a_result_that_cannot_be_read_is_named(bench):
    trial = Trial(Arm(), 1, 0)
    path = bench.folder / "trials" / f"{trial.key}.json"
    path.parent.mkdir()
    for broken in ("{", "[]", json.dumps({"accuracy": {}, "trial": {}})):
        path.write_text(broken)
        with pytest.raises(DataError, match="must be the result of a trial"):
            run_trial(trial, bench, told)


def test_a_killed_run_goes_on_where_it_was_and_ends_as_an_unbroken_one(cells, inputs, tmp_path, monkeypatch):
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
        inputs.save(tmp_path / name / run.INPUTS)
    monkeypatch.setattr(run, "cost_of_full", lambda folder, device: None)
    scope = Scope(seeds=2, cells=(1,), few_persons=1)
    monkeypatch.setattr(plan, "few_arms", lambda options, scope: [Arm(), Arm(affine=True)])
    monkeypatch.setattr(report, "few_arms", lambda options, scope: [Arm(), Arm(affine=True)])

    def stop(what, done, total):
        if what == "cnn-affine_cells1_seed0" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_paper(("few",), cells, tmp_path / "killed", TINY, scope, threads=1, tell=stop)
    files = sorted((tmp_path / "killed" / "trials").iterdir())
    assert [path.name for path in files] == ["cnn_cells1_seed0.json"]
    assert (tmp_path / "killed" / "report.html").exists()
    before = files[0].read_bytes()
    later = lambda what, done, total: stop("cnn-affine_cells1_seed0", 2, total)  # noqa: E731
    (tmp_path / "killed" / "report.md").unlink()
    with pytest.raises(KeyboardInterrupt):
        run_paper(("few",), cells, tmp_path / "killed", TINY, scope, threads=1, tell=later)
    assert "(1) |" in (tmp_path / "killed" / "report.md").read_text()
    run_paper(("few",), cells, tmp_path / "killed", TINY, scope, threads=1)
    run_paper(("few",), cells, tmp_path / "whole", TINY, scope, threads=1)
    assert files[0].read_bytes() == before
    for path in sorted((tmp_path / "whole" / "trials").iterdir()):
        one, other = Result.load(path), Result.load(tmp_path / "killed" / "trials" / path.name)
        assert replace(one, seconds=0.0, added_seconds=0.0) == replace(other, seconds=0.0, added_seconds=0.0)
    assert (tmp_path / "whole" / "report.md").read_text() == (tmp_path / "killed" / "report.md").read_text()


def test_a_run_folder_takes_no_other_options_and_no_other_data(cells, tmp_path):
    run.claim(tmp_path, TINY, cells)
    run.claim(tmp_path, TINY, None)
    with pytest.raises(OptionError, match="other options"):
        run.claim(tmp_path, replace(TINY, steps=5), cells)
    other = tmp_path / "other.zip"
    other.write_bytes(cells.read_bytes() + b" ")
    with pytest.raises(OptionError, match="other crops_sha256"):
        run.claim(tmp_path, TINY, other)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(OptionError, match="is not of a run of karyofast paper"):
        run.claim(tmp_path, TINY, cells)


def test_data_that_a_part_needs_and_that_is_not_there_is_named_before_anything_is_written(cells, tmp_path):
    out = tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    for parts, data, message in (
        (("table1",), tmp_path / "gone", "no such file or folder"),
        (("table1",), empty, "must hold bioimlab.zip"),
        (("detection",), empty, "must hold gband/instances.json for detection"),
        (("figure6",), empty, "must hold gband/instances.json for figure6"),
    ):
        with pytest.raises(DataError, match=message):
            run_paper(parts, data, out, TINY, Scope())
    assert not out.exists()


def test_differences_are_paired_over_seeds():
    base = {0: 50.0, 1: 70.0, 2: 60.0}
    steady = paired({0: 52.0, 1: 72.1, 2: 61.9}, base)
    assert steady.mean == pytest.approx(2.0)
    assert steady.chance < 0.01
    assert steady.low < 2.0 < steady.high
    assert paired({0: 60.0, 1: 65.0, 2: 61.0}, base).chance > 0.5
    assert paired({0: 60.0}, base) is None
    assert paired(base, base).chance == 1.0
    # two seeds that agree to the last digit prove nothing
    assert paired({seed: one + 4.0 for seed, one in list(base.items())[:2]}, base).chance == 0.5
    assert paired({5: 1.0, 0: 51.0, 1: 72.0}, base).seeds == 2


def test_the_spread_of_one_seed_is_not_known():
    assert spread([]) is None
    assert spread([3.0]).deviation is None
    assert spread([2.0, 4.0]).deviation == pytest.approx(2**0.5)


def test_chances_are_corrected_for_their_number():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_an_mlp_has_as_many_layers_as_it_is_told():
    for layers in (2, 5):
        network = Mlp(SIZE, layers)
        assert sum(isinstance(one, torch.nn.Linear) for one in network.modules()) == layers


def test_trials_that_share_what_is_added_are_in_one_group_and_those_of_a_seed_together():
    planned = trials(("table1", "few"), QUICK, Scope(seeds=2))
    made = groups(planned)
    assert sorted(one.key for group in made for one in group) == sorted(one.key for one in planned)
    assert [group[0].seed for group in made] == sorted(group[0].seed for group in made)
    assert [len(group) for group in made][:3] == [5, 2, 2]
    where = {}
    for number, group in enumerate(made):
        for one in group:
            if one.arm.extra in ("mdgan", "conditional", "composed"):
                assert where.setdefault((one.arm.extra, one.cells, one.seed), number) == number


def test_trials_side_by_side_find_what_one_after_the_other_find(cells, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "cost_of_full", lambda folder, device: None)
    arms = [Arm(), Arm(affine=True), Arm(extra="composed", persons=1), Arm(extra="simulated", persons=1)]
    monkeypatch.setattr(plan, "few_arms", lambda options, scope: arms)
    threads = torch.get_num_threads()
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        out.mkdir()
        inputs.save(out / run.INPUTS)
        run_paper(("few",), cells, out, TINY, Scope(1, (1,)), "cpu", jobs)
    torch.set_num_threads(threads)
    for path in (tmp_path / "1" / "trials").iterdir():
        one, other = Result.load(path), Result.load(tmp_path / "2" / "trials" / path.name)
        assert replace(one, seconds=0.0, added_seconds=0.0) == replace(other, seconds=0.0, added_seconds=0.0)


def test_workers_end_with_the_run_that_was_killed(tmp_path):
    path = tmp_path / "long.py"
    path.write_text(
        "import os, pathlib, sys, time\n"
        "from karyofast.train.workers import Task, side_by_side\n\n\n"
        "def work(place):\n"
        "    pathlib.Path(place, str(os.getpid())).touch()\n"
        "    time.sleep(600)\n\n\n"
        "if __name__ == '__main__':\n"
        "    side_by_side([Task(str(n), work, (sys.argv[1],)) for n in range(2)], 2, print)\n"
    )
    place = tmp_path / "workers"
    place.mkdir()
    run = subprocess.Popen([sys.executable, str(path), str(place)], stdout=subprocess.PIPE)
    while len(list(place.iterdir())) < 2:
        assert run.poll() is None
        time.sleep(0.1)
    run.kill()
    # the workers have its output too: it ends when the last of them has ended
    run.communicate(timeout=120)


def test_a_task_that_fails_says_so(tmp_path):
    tasks = [Task("bad", run_group, ([], tmp_path / "gone", tmp_path, TINY))]
    with pytest.raises(FileNotFoundError):
        side_by_side(tasks, 2, told)
