import json
import logging
import os
import signal

import cv2
import pytest
from karyotypes import bars, karyotype, label, picture
from run_tree import tree

from karyofast import batch
from karyofast.batch import run
from karyofast.batch_workers import cores
from karyofast.config import Options, SegmentOptions
from karyofast.errors import ModelError
from karyofast.types import Karyotype


class StoppedHere(BaseException):
    """Stands for Ctrl-C."""


def analyse(metaphase):
    """As many chromosomes as the first pixel says; 13 is an error, 15 the end of its process."""
    number = int(metaphase.grey[0, 0])
    if number == 13:
        raise ZeroDivisionError("thirteen")
    if number == 15:
        os.kill(os.getpid(), signal.SIGKILL)
    crops, names = bars("46,XX")
    return karyotype(crops[:number], [label(name) for name in names[:number]], seconds={"detect": 0.5})


@pytest.fixture
def pictures(tmp_path):
    return [picture(tmp_path / "in" / f"{name}.png", number) for name, number in (("a", 3), ("b", 4))]


def test_two_processes_write_and_log_what_one_does(pictures, tmp_path, caplog, capfd):
    bad = picture(tmp_path / "in" / "d.png", 13)
    one = run([*pictures, bad], tmp_path / "one", analyse=analyse)
    told = []
    with caplog.at_level(logging.DEBUG):
        two = run([*pictures, bad], tmp_path / "two", analyse=analyse, jobs=2, progress=told.append)
    assert 'raise ZeroDivisionError("thirteen")' in capfd.readouterr().err
    assert two == one
    assert sorted(row.image for row in told) == sorted(row.image for row in one)
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


def test_corrections_by_hand_are_applied_in_processes_too(pictures, tmp_path):
    edits = tmp_path / "edits"
    edits.mkdir()
    (edits / "a.json").write_text(json.dumps({"operations": [{"op": "drop", "chromosome": 1}]}))
    one = run(pictures, tmp_path / "one", analyse=analyse, edits=edits)
    two = run(pictures, tmp_path / "two", analyse=analyse, edits=edits, jobs=2)
    assert [(row.count, row.edits) for row in two] == [(2, 1), (4, 0)]
    assert [row.image for row in one] == [row.image for row in two]
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


def threads(metaphase):
    """An empty karyotype whose seconds tell the threads of the libraries."""
    return Karyotype(metaphase, seconds={"opencv": float(cv2.getNumThreads())})


def test_the_cores_are_shared_out_to_the_processes(pictures, tmp_path):
    run(pictures, tmp_path / "out", analyse=threads, jobs=2)
    each = max(1, cores() // 2)
    for name in "ab":
        told = json.loads((tmp_path / "out" / name / "karyotype.json").read_text())["seconds"]
        assert told == {"opencv": each}


def test_a_worker_that_dies_costs_its_image_alone(pictures, tmp_path):
    deadly = picture(tmp_path / "in" / "deadly.png", 15)
    rows = run([pictures[0], deadly, pictures[1]], tmp_path / "out", analyse=analyse, jobs=2)
    assert [row.status for row in rows] == ["done", "failed", "done"]
    assert "a worker process ended with code -9" in rows[1].error
    assert rows[1].stage == "analyse"


def test_a_model_that_a_worker_cannot_load_stops_the_run(monkeypatch, pictures, tmp_path):
    # the parent's check is taken away, the workers' own stays: they are new processes
    monkeypatch.setattr(batch, "models_of", lambda options, models: {})
    with pytest.raises(ModelError, match="no-such-model"):
        run(pictures, tmp_path / "out", Options(segment=SegmentOptions(model="no-such-model")), jobs=2)


def test_stopping_with_several_processes_leaves_a_folder_that_a_rerun_completes(pictures, tmp_path):
    def stop(row):
        raise StoppedHere

    with pytest.raises(StoppedHere):
        run(pictures, tmp_path / "out", analyse=analyse, jobs=2, progress=stop)
    run(pictures, tmp_path / "out", analyse=analyse)
    run(pictures, tmp_path / "whole", analyse=analyse)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
