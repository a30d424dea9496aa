import json
import logging

import pytest
from typer.testing import CliRunner

from karyofast import bench
from karyofast.cli import main as cli
from karyofast.errors import KaryofastError, OptionError
from karyofast.kernels.ops import OPERATIONS
from karyofast.summary import failed_row


@pytest.fixture
def call(monkeypatch):
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)
    real = bench.measure
    monkeypatch.setattr(bench, "measure", lambda: real(rounds=1))
    return lambda *arguments: CliRunner().invoke(cli.app, ["info", "--bench", *arguments])


def test_info_measures_kernels_stages_images_and_crops(call, monkeypatch):
    said = json.loads(call("--json").stdout)["bench"]
    assert said["rounds"] == 1
    assert set(said["kernels_ms"]) == {one.name for one in OPERATIONS}
    assert {"read", "detect", "segment", "straighten", "classify", "draw", "write"} <= set(said["stages_ms"])
    assert sum(row["median"] for row in said["stages_ms"].values()) == pytest.approx(
        said["image_ms"]["median"], rel=0.01
    )
    assert said["images_per_s"]["median"] == pytest.approx(1e3 / said["image_ms"]["median"], rel=0.01)
    assert set(said["crops_per_s"]) == {"dark", "bright"}
    monkeypatch.setattr(bench, "measure", lambda: said)
    text = call().stdout
    assert "images a second" in text
    for name, row in said["kernels_ms"].items():
        assert f"{name}, ms" in text
        assert f"{row['median']:g}" in text


def test_the_spread_is_of_all_rounds():
    assert bench.Spread.of([3.0, 1.0, 2.0]) == bench.Spread(2.0, 1.0, 3.0)


def test_no_rounds_and_a_picture_that_fails_are_told(monkeypatch):
    with pytest.raises(OptionError, match="1 or more"):
        bench.measure(0)
    monkeypatch.setattr(bench.pipeline, "load_models", lambda: None)
    failing = failed_row("simulated.png", "no such thing", stage="segment")
    monkeypatch.setattr(bench.Setup, "load", lambda self, models: lambda task, told: failing)
    with pytest.raises(KaryofastError, match="fails on this machine: segment: no such thing"):
        bench.measure(1)
