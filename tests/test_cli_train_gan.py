import json

import pytest

from karyofast.train import gan_run
from karyofast.train.gan_model import GanOptions, StepOptions
from karyofast.train.generated import GeneratedScore, Likeness


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "manifest.csv").write_text("file,label,cell\na.png,1,1\n")
    return folder


SCORE = GeneratedScore(
    30, Likeness(0.2, 0.7, 0.6, 0.8, 0.5), Likeness(0.0, 0.9, 0.9, 1.0, 0.9), 0.86, 0.97, 0.0, 3.0, 2.5
)


def test_train_gan_hands_its_options_on_and_tells_the_score(karyofast, data, tmp_path, monkeypatch):
    calls = []

    def train(*given):
        calls.append(given[:-1])
        given[-1]("train", 1, 2, {"loss": 0.5})
        return SCORE

    monkeypatch.setattr(gan_run, "train_generators", train)
    given = ("--kind", "mgan", "--steps", 5, "--rows", 32, "--columns", 16, "--seed", 4, "--rate", 1e-3, "--cells", 7)
    code, out, _ = karyofast("train", "gan", "--data", data, "-o", tmp_path / "run", "--classes", "1,X", *given)
    assert code == 0
    options = GanOptions("mgan", conditional=True, steps=5, size=(32, 16), seed=4, how=StepOptions(rate=1e-3))
    assert calls == [(data, tmp_path / "run", options, ("1", "X"), 7, "q-band", True, True, 0, "cpu")]
    assert "recognised as their class        0.860     0.970" in out
    code, out, _ = karyofast("train", "gan", "--data", data, "-o", tmp_path / "run", "--each-class", "--json")
    assert code == 0
    assert json.loads(out)["measured"]["generated"]["coverage"] == 0.5
    assert calls[1][2] == GanOptions()


def test_train_plane_prints_a_row_a_kind(karyofast, tmp_path):
    code, out, _ = karyofast("train", "plane", "-o", tmp_path, "--targets", "ring", "--seeds", 1, "--steps", 2)
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[1:]] == ["gan", "mgan", "mdgan-density", "mdgan-mixture"]
    assert (tmp_path / "ring.png").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("gan", "--data", "DATA", "--rows", "40"), "--rows and --columns must be multiples of 16. Got: 40 and 32."),
        (("gan", "--data", "DATA", "--classes", "1,Z"), "--classes must be of 1..22, X, Y. Got: 'Z'."),
        (("plane", "--targets", "ring,line"), "--targets must be of denver, ring, grid. Got: 'line'."),
    ],
)
def test_a_call_that_cannot_be_done_is_told_before_anything_is_written(karyofast, data, tmp_path, given, told):
    named = [one.replace("DATA", str(data)) for one in given]
    code, out, err = karyofast("train", *named, "-o", tmp_path / "run")
    assert (code, out) == (2, "")
    assert told in err
    assert not (tmp_path / "run").exists()
