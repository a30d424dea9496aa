"""Runs with pictures and OUT at URLs: a real S3 server (moto) and fsspec's own memory."""

import os
from pathlib import Path

import fsspec
import numpy as np
import pytest
from karyotypes import bars, karyotype, label, picture
from moto.server import ThreadedMotoServer
from run_tree import tree

from karyofast import batch_store, remote, report
from karyofast.batch import run
from karyofast.config import ArrangeOptions, Options
from karyofast.errors import OptionError, OutputError
from karyofast.run_folder import Shard

NAMES = ("a", "b", "c")


class KilledHere(BaseException):
    """Stands for a kill."""


def analyse(metaphase):
    """As many chromosomes as the first pixel says."""
    crops, names = bars("46,XX")
    number = int(metaphase.grey[0, 0])
    return karyotype(crops[:number], [label(name) for name in names[:number]], seconds={"detect": 0.5})


@pytest.fixture(scope="module")
def server():
    """The environment of an S3 server on this machine; worker processes see it too."""
    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    host, port = made.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").mkdir("lab")
        yield
    made.stop()


@pytest.fixture(params=["s3", "memory"])
def place(request, tmp_path):
    """A folder at a URL, with pictures of which one is broken."""
    if request.param == "s3":
        request.getfixturevalue("server")
    url = f"{request.param}://{'/lab' if request.param == 'memory' else 'lab'}/{tmp_path.name}"
    files, root = remote.at(url)
    for number, name in enumerate(NAMES, 3):
        local = picture(tmp_path / "in" / f"{name}.png", number)
        files.put_file(str(local), f"{root}/in/{name}.png")
    files.pipe_file(f"{root}/in/broken.png", b"no picture")
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    files.pipe_file(f"{root}/in/notes.txt", b"no picture either")
    return url


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Sheets of a few pixels, where the run is in this process."""
    monkeypatch.setattr(report.view, "karyogram", lambda made, options: np.full((3, 9, 3), made.count, np.uint8))
    monkeypatch.setattr(report.view, "overlay", lambda made: np.full((4, 8, 3), made.count, np.uint8))


def copied(url, folder, times=False):
    """What lies at a URL, as `run_tree.tree` tells it."""
    files, root = remote.at(url)
    for name in files.find(root):
        target = folder / os.path.relpath(name, root)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(name, str(target))
    return tree(folder, times)


def test_pictures_at_a_url_give_the_results_of_files(place, tmp_path):
    inputs = remote.expand([f"{place}/in"])
    assert inputs == [f"{place}/in/{name}.png" for name in ("a", "b", "broken", "c")]
    assert remote.expand([f"{place}/in/[ab].png"]) == inputs[:2]
    rows = run(inputs, tmp_path / "far", Options(), analyse=analyse)
    near = run(sorted((tmp_path / "in").iterdir()), tmp_path / "near", Options(), analyse=analyse)
    assert [row.image for row in rows] == inputs
    assert [(row.status, row.iscn, row.count) for row in rows] == [(row.status, row.iscn, row.count) for row in near]
    assert rows[2].error.startswith(f"{place}/in/broken.png: is no picture")
    for name in ("karyogram.png", "overlay.png", "preview.jpg", "karyotype.json"):
        assert tree(tmp_path / "far" / "a")[name] == tree(tmp_path / "near" / "a")[name]
    before = tree(tmp_path / "far", times=True)
    run(inputs, tmp_path / "far", Options(), analyse=analyse)
    assert tree(tmp_path / "far", times=True) == before
    files, root = remote.at(place)
    files.pipe_file(f"{root}/in/a.png", (tmp_path / "in" / "b.png").read_bytes())
    assert run(inputs, tmp_path / "far", Options(), analyse=analyse)[0].count == 4


def test_results_at_a_url_are_those_of_a_folder(place, tmp_path):
    inputs = sorted((tmp_path / "in").iterdir())
    rows = batch_store.run(inputs, f"{place}/out", Options(), analyse=analyse, case_regex="[a-c][.]")
    assert rows == run(inputs, tmp_path / "near", Options(), analyse=analyse, case_regex="[a-c][.]")
    far, near = copied(f"{place}/out", tmp_path / "far"), tree(tmp_path / "near")
    assert set(far) == set(near)
    paths = ("run.json", *(f"{name}/instances.json" for name in NAMES))  # how a picture's path is told differs there
    assert {name for name in far if far[name] != near[name]} <= set(paths)
    assert [far[name].partition(b'"row"')[2] for name in paths[1:]] == [
        near[name].partition(b'"row"')[2] for name in paths[1:]
    ]


def test_a_killed_run_at_a_url_is_completed_to_the_same_bytes(place, tmp_path):
    inputs = remote.expand([f"{place}/in"])

    def kill(row):
        raise KilledHere

    with pytest.raises(KilledHere):
        batch_store.run(inputs, f"{place}/out", Options(), analyse=analyse, progress=kill)
    files, root = remote.at(f"{place}/out")
    assert files.exists(f"{root}/a/instances.json")
    assert not files.exists(f"{root}/b/instances.json")
    first = copied(f"{place}/out", tmp_path / "killed", times=True)["a/instances.json"]
    batch_store.run(inputs, f"{place}/out", Options(), analyse=analyse)
    assert copied(f"{place}/out", tmp_path / "killed", times=True)["a/instances.json"] == first
    batch_store.run(inputs, f"{place}/whole", Options(), analyse=analyse)
    assert copied(f"{place}/out", tmp_path / "out") == copied(f"{place}/whole", tmp_path / "whole")


def test_an_image_that_fails_leaves_no_earlier_result_at_a_url(place, tmp_path):
    inputs = remote.expand([f"{place}/in"])
    batch_store.run(inputs, f"{place}/out", Options(), analyse=analyse, case_regex="x")
    files, root = remote.at(place)
    files.pipe_file(f"{root}/in/a.png", b"broken now")
    rows = batch_store.run(inputs, f"{place}/out", Options(), analyse=analyse)
    assert [row.status for row in rows] == ["failed", "done", "failed", "done"]
    there = copied(f"{place}/out", tmp_path / "far")
    assert not [name for name in there if name.startswith("a/")]
    assert "cases.csv" not in there


def test_other_settings_at_a_url_are_refused_and_named(place):
    inputs = remote.expand([f"{place}/in/a.png"])
    batch_store.run(inputs, f"{place}/out/", Options(), analyse=analyse)
    other = Options(arrange=ArrangeOptions(gain_price=5.0))
    with pytest.raises(OptionError, match=f"{place}/out/: holds a run with other settings"):
        batch_store.run(inputs, f"{place}/out/", other, analyse=analyse)
    assert [row.status for row in batch_store.run(inputs, f"{place}/out", other, analyse=analyse, force=True)] == [
        "done"
    ]


def test_lots_and_processes_fill_one_bucket(server, tmp_path):
    inputs = [picture(tmp_path / "in" / f"{name}.png", 3) for name in NAMES]
    for number in (1, 2):
        batch_store.run(inputs, "s3://lab/lots", Options(), analyse=analyse, shard=Shard(number, 2), jobs=2)
    rows = batch_store.run(inputs, "s3://lab/lots", Options(), analyse=analyse)
    assert [row.status for row in rows] == ["done"] * 3
    assert {"summary-1-of-2.csv", "summary-2-of-2.csv", "report.html"} <= set(copied("s3://lab/lots", tmp_path / "far"))


def test_a_bucket_that_is_not_there_stops_the_run_with_its_name(server, tmp_path):
    with pytest.raises(OutputError, match="s3://no-such-bucket/out: cannot be"):
        batch_store.run([picture(tmp_path / "a.png", 3)], "s3://no-such-bucket/out", Options(), analyse=analyse)


def test_a_url_of_an_unknown_kind_is_refused():
    with pytest.raises(OptionError, match="Name a URL that fsspec knows"):
        remote.expand(["nonsense://a/b.png"])


def test_file_urls_are_paths(tmp_path):
    path = picture(tmp_path / "a.png", 3)
    assert remote.expand([f"file://{path}", str(path)]) == [Path(path)]
