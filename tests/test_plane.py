import json

import cv2
import numpy as np
import pytest
import torch

from karyofast.errors import OptionError
from karyofast.train import plane, plane_study
from karyofast.train.gan_step import settled_share
from karyofast.train.plane import Mixture, PlaneOptions, mixture, run_plane, score_points
from karyofast.train.plane_study import KINDS, study_plane

SHORT = PlaneOptions(steps=6, every=3, batch=16, width=16)


@pytest.mark.parametrize(("target", "modes"), [("ring", 8), ("grid", 25), ("denver", 7)])
def test_the_mixtures_have_their_modes_and_are_drawn_around_them(target, modes):
    true = mixture(target)
    assert len(true.modes) == modes
    assert true.weights.sum() == pytest.approx(1.0)
    apart = np.linalg.norm(true.modes[:, None] - true.modes, axis=2) + 99 * np.eye(modes)
    assert apart.min() > 6 * true.deviation
    score = score_points(true.draw(5000, np.random.default_rng(0)), true)
    assert score.modes == modes
    # a plane normal distribution has 98.9 percent within three standard deviations
    assert score.high_quality == pytest.approx(0.989, abs=0.006)
    assert score.reverse_kl < 0.01


def test_the_denver_groups_lie_as_they_look():
    a, b, c, d, e, f, g = mixture("denver").modes
    assert a[0] > b[0] > c[0] > d[0] > e[0] > f[0] > g[0]
    # D is acrocentric, A and F are metacentric
    assert d[1] < min(b[1], g[1]) < max(c[1], e[1]) < min(a[1], f[1])
    assert mixture("denver").weights[2] == pytest.approx(15 / 46)
    with pytest.raises(OptionError, match="target must be denver, ring or grid"):
        mixture("line")


def test_points_of_one_mode_find_one_mode_and_diverge():
    true = Mixture(np.array([[0.0, 0.0], [4.0, 0.0]]), 0.1, np.array([0.5, 0.5]))
    points = np.zeros((100, 2), np.float32)
    points[:20, 1] = 0.5
    score = score_points(points, true, 7)
    assert (score.step, score.modes, score.high_quality) == (7, 1, 0.8)
    assert score.reverse_kl == pytest.approx(np.log(2.0))
    points[:2] = (4.0, 0.0)
    assert score_points(points, true).modes == 1
    points[:6] = (4.0, 0.0)
    assert score_points(points, true).modes == 2
    points[:] = np.nan
    assert score_points(points, true).high_quality == 0.0


def test_a_run_depends_on_its_seed_alone():
    first, again = run_plane(SHORT), run_plane(SHORT)
    assert first.scores == again.scores
    assert [one.step for one in first.scores] == [3, 6]
    assert np.array_equal(first.points[-1], again.points[-1])
    other = run_plane(PlaneOptions(**{**SHORT.__dict__, "seed": 1}))
    assert not np.array_equal(first.points[-1], other.points[-1])


def test_some_seconds_of_md_gan_go_to_the_modes():
    run = run_plane(PlaneOptions(target="grid", steps=300, every=100, batch=128, width=64))
    quality = [one.high_quality for one in run.scores]
    assert quality[0] < quality[1] < quality[2]
    assert run.scores[-1].modes >= 12
    assert quality[-1] > 0.15


def test_a_study_runs_every_kind_and_goes_on_where_it_was(tmp_path, monkeypatch):
    told = []
    rows = study_plane(tmp_path, ("ring",), 2, SHORT, lambda *one: told.append(one))
    assert [(row.target, row.kind) for row in rows] == [("ring", kind) for kind in KINDS]
    assert all((len(row.modes), row.of) == (2, 8) for row in rows)
    assert told[-1] == ("ring mdgan-mixture 1", 7, 8)
    kept = json.loads((tmp_path / "ring-mdgan-density-1.json").read_text())
    assert kept["options"]["latent"] == "density"
    assert [one["step"] for one in kept["scores"]] == [3, 6]
    picture = cv2.imread(str(tmp_path / "ring.png"), cv2.IMREAD_GRAYSCALE)
    assert picture.shape[0] == len(KINDS) * 220
    assert (picture < 100).sum() > 1000
    (tmp_path / "ring-gan-1.json").unlink()
    done = []
    monkeypatch.setattr(plane_study, "run_plane", lambda options: done.append(options) or run_plane(options))
    assert study_plane(tmp_path, ("ring",), 2, SHORT) == rows
    assert [(one.kind, one.seed) for one in done] == [("gan", 1)]


def test_runs_side_by_side_find_what_one_after_the_other_find(tmp_path):
    one = study_plane(tmp_path / "one", ("ring",), 1, SHORT, jobs=1)
    assert study_plane(tmp_path / "two", ("ring",), 1, SHORT, jobs=2) == one


def test_what_the_discriminator_sees_is_blurred_at_first_and_clear_later():
    networks = plane._networks(PlaneOptions(width=8))
    points = torch.zeros(50, 2)
    seen = []
    for deviation, step in ((0.5, 3), (0.5, 3), (0.5, 4), (0.0, 4)):
        networks.discriminator.blurred(deviation, 1, step)
        seen.append(networks.discriminator(points).score.detach())
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert seen[3].std() < 1e-6 < seen[0].std()


def test_the_rates_fall_to_nothing_in_the_last_part():
    shares = [settled_share(step, 100, 0.25) for step in (0, 75, 80, 100)]
    assert shares == pytest.approx([1.0, 1.0, 0.8, 0.0])
    assert settled_share(99, 100, 0.0) == 1.0


def test_blur_and_settling_that_make_no_sense_are_refused():
    for change in ({"blur": -0.1}, {"clear": 1.5}, {"settle": -0.1}):
        with pytest.raises(OptionError, match=f"{next(iter(change))} must be"):
            PlaneOptions(**change)
