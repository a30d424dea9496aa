import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from karyofast import config
from karyofast.errors import DataError, ModelError, OptionError, TrainingError
from karyofast.models.mdgan import Discriminator, Draws, Generator, Latent
from karyofast.train import gan
from karyofast.train.diffaugment import BACKGROUND, diffaugment, draw_changes
from karyofast.train.gan import diversity, train_gan
from karyofast.train.gan_graph import ReplayedStep
from karyofast.train.gan_model import GanOptions, GanSampler, gan_of, load_gan
from karyofast.train.gan_step import gan_step, set_share, state_of
from karyofast.train.loop import CHECKPOINT, LOG, OPTIONS
from karyofast.train.sheet import sheet

FAMILY = [("mdgan", "density"), ("mdgan", "mixture"), ("gan", "mixture"), ("mgan", "mixture")]
SMALL = GanOptions(size=(32, 16), width=2, batch=8, steps=4, every=2, latent_size=6, mixed=False)


def small(**changed):
    return config.from_dict(GanOptions, {**config.to_dict(SMALL), **changed})


@pytest.fixture(scope="module")
def crops():
    """Bars of several lengths with a band, in two classes of different darkness."""
    rng = np.random.default_rng(1)
    made = np.full((24, 32, 16), -1.0, np.float32)
    for number, one in enumerate(made):
        half = int(rng.integers(6, 14))
        one[16 - half : 16 + half, 5:11] = 0.3 if number % 2 else -0.2
        one[int(rng.integers(12, 20)), 5:11] = 0.9
    return made


@pytest.fixture(scope="module")
def labels():
    return np.arange(24) % 2 + 3


def test_the_mixture_is_drawn_around_its_places():
    torch.manual_seed(0)
    latent = Latent("mdgan", "mixture", 3, narrow=0.1)
    draws = latent.draw(4000, np.random.default_rng(2))
    fed = latent(draws).detach()
    assert (draws.which.max(), draws.part.max()) == (7, 7)
    for j, k in ((0, 0), (3, 5)):
        of_place = fed[(draws.which == j) & (draws.part == k)]
        # the normal distribution and the Gaussian both have a standard deviation of 0.1
        assert torch.allclose(of_place.mean(dim=0), latent.mean[j, k], atol=0.06)
        assert of_place.std(dim=0).mean() == pytest.approx(0.1 * np.sqrt(2.0), rel=0.25)
    assert latent.mean.std().item() == pytest.approx(1.0, abs=0.05)


def test_the_density_is_that_of_the_normal_and_of_the_mixture_at_uniform_numbers():
    from scipy.stats import norm

    torch.manual_seed(0)
    latent = Latent("mdgan", "density", 2, distributions=3, gaussians=4)
    draws = latent.draw(5, np.random.default_rng(2))
    assert draws.base.min() >= 0
    assert draws.base.max() < 1
    fed = latent(draws).detach().numpy()
    for n in range(5):
        j = int(draws.which[n])
        for d in range(2):
            z = float(draws.base[n, d])
            mean, deviation = (
                latent.mean[j, :, d].detach().numpy(),
                latent.log_deviation[j, :, d].exp().detach().numpy(),
            )
            assert fed[n, d] == pytest.approx(norm.pdf(z) + norm.pdf(z, mean, deviation).mean(), rel=1e-5)


def test_the_means_of_both_readings_are_trained():
    for reading in ("density", "mixture"):
        made = gan_of(small(latent=reading))
        before = made.generator.latent.mean.detach().clone()
        state = state_of(made, SMALL.how)
        gan_step(state, torch.zeros(4, 1, 32, 16), None, np.random.default_rng(0), SMALL.how)
        assert (made.generator.latent.mean != before).any()


def test_the_networks_have_the_layers_of_the_paper():
    generator, discriminator = Generator(Latent("gan", "mixture", 64), (64, 32)), Discriminator((64, 32))

    def count(network, kind):
        return sum(isinstance(module, kind) for module in network.modules())

    assert (count(generator, torch.nn.Linear), count(generator, torch.nn.Conv2d)) == (1, 4)
    assert (count(discriminator, torch.nn.Linear), count(discriminator, torch.nn.Conv2d)) == (1, 4)
    assert count(discriminator, torch.nn.AvgPool2d) == 4
    with pytest.raises(ModelError, match=r"multiples of 16\. Got: \(60, 32\)"):
        Discriminator((60, 32))


def test_each_generator_of_mgan_has_a_first_layer_of_its_own():
    made = gan_of(small(kind="mgan")).generator.eval()
    base, none = torch.ones(2, 6), torch.zeros(2, dtype=torch.int64)
    same, other = made(Draws(none, none, base, base)), made(Draws(torch.tensor([0, 1]), none, base, base))
    assert torch.equal(same[0], same[1])
    assert torch.equal(same[0], other[0])
    assert not torch.equal(other[0], other[1])


def test_each_loss_moves_its_own_network_and_the_average_follows():
    made = gan_of(SMALL)
    start = {name: one.clone() for name, one in made.state_dict().items()}
    gan_step(state_of(made, SMALL.how), torch.zeros(4, 1, 32, 16), None, np.random.default_rng(0), SMALL.how)
    # the generator moves last: what it was moved by must not have reached the discriminator
    assert {one.grad is None for one in made.discriminator.parameters()} == {True}
    assert all(one.grad is not None for one in made.generator.parameters())
    for name in ("discriminator.last.weight", "generator.first.weight", "average.first.weight"):
        assert not torch.equal(made.state_dict()[name], start[name])
    assert {one.requires_grad for one in made.average.parameters()} == {False}


@pytest.mark.parametrize(("kind", "latent"), FAMILY)
@pytest.mark.parametrize("conditional", [False, True])
def test_a_killed_training_resumes_to_the_same_losses(crops, labels, tmp_path, kind, latent, conditional):
    options = small(kind=kind, latent=latent, conditional=conditional)
    whole = train_gan(crops, labels, tmp_path / "whole", options)

    def stop(step, steps, figures):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_gan(crops, labels, tmp_path / "killed", options, progress=stop)
    # what a run may have logged before it was killed between its log and its checkpoint
    with (tmp_path / "killed" / LOG).open("a") as file:
        file.write('{"step": 4, "generator": 7.0}\n')
    resumed = train_gan(crops, labels, tmp_path / "killed", options)
    assert (tmp_path / "killed" / LOG).read_text() == (tmp_path / "whole" / LOG).read_text()
    label = 3 if conditional else None
    drawn = [one.sample(5, np.random.default_rng(3), label) for one in (whole, resumed, load_gan(tmp_path / "whole"))]
    assert drawn[0].shape == (5, 32, 16)
    assert np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(drawn[0], drawn[2])


def test_a_run_leaves_its_options_its_log_its_sheets_and_a_model(crops, labels, tmp_path):
    train_gan(crops, labels, tmp_path, small(conditional=True))
    assert config.load(tmp_path / OPTIONS, GanOptions) == small(conditional=True)
    assert [json.loads(line)["step"] for line in (tmp_path / LOG).read_text().splitlines()] == [2, 4]
    assert sorted(one.name for one in (tmp_path / "samples").iterdir()) == ["step-000002.png", "step-000004.png"]
    page = cv2.imread(str(tmp_path / "samples" / "step-000004.png"), cv2.IMREAD_GRAYSCALE)
    assert page.shape == (4 + 2 * (2 * 32 + 4), 40 + 10 * (2 * 16 + 4))
    assert load_gan(tmp_path / "model").labels == (3, 4)
    again = train_gan(crops, labels, tmp_path, small(conditional=True))
    assert again.labels == (3, 4)


def test_the_seed_decides(crops, tmp_path):
    logs = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train_gan(crops, None, tmp_path / name, small(seed=seed))
        logs.append((tmp_path / name / LOG).read_text())
    assert logs[0] == logs[1] != logs[2]


def test_a_few_hundred_steps_learn_what_the_bars_look_like(crops, tmp_path):
    options = small(steps=150, every=150, width=4, how={"ema": 0.9, "rate": 2e-3})
    made = train_gan(crops, None, tmp_path, options).sample(64, np.random.default_rng(0))
    # background at the rim, a bar in the middle
    assert made[:, :, 0].mean() < -0.75
    assert np.abs(made[:, 13:19, 6:10].mean() - crops[:, 13:19, 6:10].mean()) < 0.3


def test_a_training_that_diverges_says_so_and_writes_no_model(crops, tmp_path):
    train_gan(crops, None, tmp_path, SMALL)
    with pytest.raises(TrainingError, match="diverged by step"):
        train_gan(crops, None, tmp_path, small(steps=50, how={"rate": 1e30}), resume=False)
    assert not (tmp_path / "model").exists()


def test_a_generator_that_collapses_says_so_and_writes_no_model(crops, tmp_path, monkeypatch):
    options = small(steps=40, grace=6)
    monkeypatch.setattr(gan, "diversity", lambda *_: 0.1)
    with pytest.raises(TrainingError, match=r"collapsed by step 8: its pictures differ 0\.10 times"):
        train_gan(crops, None, tmp_path, options)
    assert not (tmp_path / "model").exists()
    with pytest.raises(TrainingError, match="collapsed by step 4"):
        train_gan(crops, None, tmp_path / "last", small(grace=4))


def test_diversity_is_that_of_pictures_of_one_class(crops, labels):
    sampler = GanSampler(gan_of(small(conditional=True)).average, small(conditional=True), (3, 4))
    assert diversity(sampler, crops, labels, np.random.default_rng(0)) < 0.2

    class Copies(GanSampler):
        def sample(self, n, rng, label=None):
            return np.stack([rng.choice(crops[labels == one]) for one in label])

    copies = Copies(gan_of(small(conditional=True)).average, small(conditional=True), (3, 4))
    assert diversity(copies, crops, labels, np.random.default_rng(0)) == pytest.approx(1.0, abs=0.25)


def test_augmentation_passes_gradients_keeps_shapes_and_depends_on_its_seed_alone():
    pictures = torch.rand(6, 1, 32, 16, requires_grad=True)

    def changed(seed):
        return diffaugment(pictures, torch.from_numpy(draw_changes(6, (32, 16), np.random.default_rng(seed))))

    first, again = changed(1), changed(1)
    assert first.shape == pictures.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, changed(2))
    first.sum().backward()
    assert torch.isfinite(pictures.grad).all()
    assert (pictures.grad != 0).any()
    # a patch of half the rows and half the columns is missing, less where it lies over the rim
    missing = (first == BACKGROUND).float().mean(dim=(1, 2, 3))
    assert (missing > 0.05).all()
    assert (missing < 0.7).all()


def test_what_cannot_be_trained_on_is_refused(crops, labels, tmp_path):
    with pytest.raises(DataError, match=r"crops must have shape \(2 or more, 32, 16\). Got: \(24, 16, 16\)"):
        train_gan(crops[:, :16], None, tmp_path, SMALL)
    with pytest.raises(DataError, match="crops must be -1 to 1"):
        train_gan(3 * crops, None, tmp_path, SMALL)
    with pytest.raises(OptionError, match=r"labels must have shape \(24,\)"):
        train_gan(crops, None, tmp_path, small(conditional=True))
    with pytest.raises(DataError, match=r"labels must be 0 to 23\. Got: 24 to 24"):
        train_gan(crops, np.full(24, 24), tmp_path, small(conditional=True))
    with pytest.raises(OptionError, match=r"batch at least 2\. Got: 1"):
        small(batch=1)
    train_gan(crops, None, tmp_path / "run", SMALL)
    with pytest.raises(OptionError, match="other options"):
        train_gan(crops, None, tmp_path / "run", small(seed=1))
    with pytest.raises(OptionError, match="other crops"):
        train_gan(crops[::-1], None, tmp_path / "run", SMALL)


def test_a_class_that_the_network_does_not_know_is_refused():
    one = GanSampler(gan_of(SMALL).average, SMALL)
    every = GanSampler(gan_of(small(conditional=True)).average, small(conditional=True), (3, 4))
    rng = np.random.default_rng(0)
    assert every.sample(2, rng, np.array([3, 4])).shape == (2, 32, 16)
    assert one.sample(0, rng).shape == (0, 32, 16)
    with pytest.raises(OptionError, match="label must be None"):
        one.sample(2, rng, 3)
    with pytest.raises(OptionError, match=r"label must be a class of the conditional network \(4, 5\)"):
        every.sample(2, rng)
    with pytest.raises(OptionError, match="Got: 7"):
        every.sample(2, rng, 7)
    with pytest.raises(ModelError):
        load_gan(config.Path("nowhere"))


def test_a_run_on_cuda_agrees_with_the_cpu_at_the_first_step():
    if not torch.cuda.is_available():
        pytest.skip("NOT TESTED: PyTorch sees no GPU here")
    real = torch.rand(8, 1, 32, 16) * 2 - 1
    losses = [
        gan_step(state_of(gan_of(SMALL, device), SMALL.how), real.to(device), None, np.random.default_rng(0), SMALL.how)
        for device in ("cpu", "cuda")
    ]
    assert torch.stack(losses[0]).tolist() == pytest.approx(torch.stack(losses[1]).tolist(), rel=1e-3)


def test_replayed_steps_agree_with_steps_launched_one_by_one():
    if not torch.cuda.is_available():
        pytest.skip("NOT TESTED: PyTorch sees no GPU here")
    options = small(conditional=True)
    real, labels = torch.rand(8, 1, 32, 16, device="cuda") * 2 - 1, torch.arange(8, device="cuda")
    losses = []
    for replayed in (False, True):
        state = state_of(gan_of(options, "cuda"), options.how)
        step = ReplayedStep(state, options.how, True) if replayed else None
        for number in range(8):
            set_share(state, options.how, 1.0 - 0.1 * number)
            rng = np.random.default_rng(number)
            one = step(real, labels, rng) if step else gan_step(state, real, labels, rng, options.how, True)
            losses.append(torch.stack(one).tolist())
        assert state.step == 8
    assert np.allclose(losses[:8], losses[8:], rtol=0.02)


def test_the_rates_of_a_run_fall_to_nothing(crops, tmp_path):
    train_gan(crops, None, tmp_path, small(steps=8))
    rates = {group["lr"] for group in torch.load(tmp_path / CHECKPOINT)["optimizer"]["param_groups"]}
    assert list(rates) == pytest.approx([0.25 * SMALL.how.rate])


def test_a_conditional_discriminator_is_asked_for_the_class_of_real_ones_alone():
    made = gan_of(small(conditional=True))
    real, labels = torch.zeros(4, 1, 32, 16), torch.tensor([3, 4, 3, 4])
    assert made.discriminator(real, labels).named.shape == (4, 24)
    before = made.discriminator.named.weight.detach().clone()
    for naming, same in ((0.0, True), (0.5, False)):
        how = replace(SMALL.how, naming=naming)
        gan_step(state_of(made, how), real, labels, np.random.default_rng(0), how)
        assert torch.equal(made.discriminator.named.weight, before) == same


def test_bfloat16_agrees_with_float32_at_the_first_step():
    real = torch.rand(8, 1, 32, 16) * 2 - 1
    losses = [
        gan_step(state_of(gan_of(SMALL), SMALL.how), real, None, np.random.default_rng(0), SMALL.how, half=half)
        for half in (False, True)
    ]
    assert torch.stack(losses[0]).tolist() == pytest.approx(torch.stack(losses[1]).tolist(), rel=0.02)


def test_a_sheet_has_a_row_a_name():
    page = sheet([np.full((3, 4, 2), -1.0, np.float32), np.full((1, 4, 2), 1.0, np.float32)], ["1", "X"], zoom=1)
    assert page.shape == (4 + 2 * 8, 40 + 3 * 6)
    assert (page[4:8, 40:] == 255).all()
    assert (page[12:16, 40:42] == 0).all()
