"""What may go wrong around a run: the next start makes of the folder what an unbroken run would have made."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from karyotypes import bars, karyotype, label, picture
from run_tree import tree

from karyofast import batch, batch_image, files, report, run_parts
from karyofast.batch import run
from karyofast.batch_workers import Bounds
from karyofast.errors import OptionError, OutputError

HERE = Path(__file__).parent
FULL, DEADLY, SLOW, HUNGRY = 90, 91, 92, 93
"""First pixels of pictures that bring a fault with them, as long as there is the file that FAULT names."""

FAULT = "KARYOFAST_TEST_FAULT"
"""Variable of the environment: workers see it too."""


def analyse(metaphase):
    """A few chromosomes by the first pixel, or one of the faults."""
    number = int(metaphase.grey[0, 0])
    if os.path.exists(os.environ.get(FAULT, "")):
        if number == FULL:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        if number == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == SLOW:
            time.sleep(3600)
        if number == HUNGRY:
            np.ones(2**31, np.uint8)
    crops, names = bars("46,XX")
    return karyotype(crops[: number % 7], [label(name) for name in names[: number % 7]], seconds={"detect": 0.5})


@pytest.fixture
def fault(tmp_path, monkeypatch):
    """A file that switches the faults on, in worker processes too."""
    path = tmp_path / "fault"
    path.touch()
    monkeypatch.setenv(FAULT, str(path))
    return path


@pytest.fixture
def pictures(tmp_path):
    return [picture(tmp_path / "in" / f"{name}.png", number) for name, number in (("a", 3), ("b", 4), ("c", 5))]


@pytest.fixture
def small(monkeypatch):
    """Sheets of a few pixels, where the run is in this process."""
    monkeypatch.setattr(report.view, "karyogram", lambda made, options: np.full((3, 9, 3), made.count, np.uint8))
    monkeypatch.setattr(report.view, "overlay", lambda made: np.full((4, 8, 3), made.count, np.uint8))


def completed(pictures, out) -> bool:
    """Whether the next start makes of `out` what an unbroken run would have made."""
    run(pictures, out, analyse=analyse)
    run(pictures, out.with_name("whole"), analyse=analyse)
    return tree(out) == tree(out.with_name("whole"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("name", ["overlay.png", "karyotype.json", "instances.json"])
def test_a_disk_that_is_full_stops_the_run_at_once(code, name, pictures, tmp_path, monkeypatch, small):
    real = os.replace

    def full(source, target):
        if Path(target).parent.name == "b" and Path(target).name == name:
            raise OSError(code, os.strerror(code))
        real(source, target)

    told = []
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", full)
        with pytest.raises(OutputError, match=r"out: cannot be written to: .*the same command goes on"):
            run(pictures, tmp_path / "out", analyse=analyse, progress=told.append)
    assert [Path(row.image).name for row in told] == ["a.png"]
    assert completed(pictures, tmp_path / "out")


def test_a_disk_that_is_full_for_the_tables_is_told_too(pictures, tmp_path, monkeypatch, small):
    def full(path, rows):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(batch.report, "write_summary", full)
        with pytest.raises(OutputError, match="No space left"):
            run(pictures, tmp_path / "out", analyse=analyse)
    assert completed(pictures, tmp_path / "out")


def test_a_folder_that_may_not_be_written_to_any_more_stops_the_run(pictures, tmp_path, monkeypatch, small):
    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(run_parts, "write_result", refused)
        patch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(OutputError, match="Permission denied"):
            run(pictures, tmp_path / "out", analyse=analyse)
    assert completed(pictures, tmp_path / "out")


def test_trouble_with_the_files_of_one_image_is_its_row_alone(pictures, tmp_path, monkeypatch, small):
    real = run_parts.write_result

    def odd(task, *given):
        if task.folder.name == "b":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(task, *given)

    with monkeypatch.context() as patch:
        patch.setattr(run_parts, "write_result", odd)
        rows = run(pictures, tmp_path / "out", analyse=analyse)
    assert [row.status for row in rows] == ["done", "failed", "done"]
    assert "Permission denied" in rows[1].error
    assert completed(pictures, tmp_path / "out")


def test_a_picture_that_vanishes_before_its_turn_is_a_row_and_is_done_when_it_is_back(pictures, tmp_path, small):
    away = tmp_path / "away.png"

    def analyse_and_move(metaphase):
        if metaphase.name == "a":
            pictures[1].rename(away)
        return analyse(metaphase)

    rows = run(pictures, tmp_path / "out", analyse=analyse_and_move)
    assert [(row.status, row.stage) for row in rows] == [("done", ""), ("failed", "read"), ("done", "")]
    assert "b.png: cannot be read: No such file" in rows[1].error
    away.rename(pictures[1])
    assert completed(pictures, tmp_path / "out")


def test_a_picture_that_vanishes_after_its_turn_keeps_its_result(pictures, tmp_path, small):
    run(pictures, tmp_path / "out", analyse=analyse)
    before = tree(tmp_path / "out", times=True)
    pictures[1].rename(tmp_path / "away.png")
    assert run(pictures, tmp_path / "out", analyse=analyse)[1].status == "failed"
    assert (tmp_path / "out" / "b" / "karyotype.json").exists()
    (tmp_path / "away.png").rename(pictures[1])
    run(pictures, tmp_path / "out", analyse=analyse)
    assert tree(tmp_path / "out", times=True) == before


def test_an_error_is_told_with_its_stage(pictures, tmp_path, monkeypatch, small):
    def odd(metaphase, options, models, clock):
        clock.begin("segment")
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(batch_image.pipeline, "load_models", lambda options, threads: None)
    monkeypatch.setattr(batch_image.pipeline, "karyotype", odd)
    (row,) = run(pictures[:1], tmp_path / "out")
    assert (row.stage, row.error) == ("segment", "unexpected ZeroDivisionError: odd")


def test_faults_of_one_image_in_a_process_cost_that_image_alone(tmp_path, fault):
    bad = [picture(tmp_path / "in" / f"{number}.png", number) for number in (DEADLY, SLOW, HUNGRY)]
    good = picture(tmp_path / "in" / "good.png", 3)
    rows = run([*bad, good], tmp_path / "out", analyse=analyse, bounds=Bounds(seconds=15, memory=1024))
    assert [(row.status, row.stage) for row in rows] == [*[("failed", "analyse")] * 3, ("done", "")]
    assert "a worker process ended with code -9" in rows[0].error
    assert "took longer than the 15 s" in rows[1].error
    assert "asked for more memory than it may have" in rows[2].error
    fault.unlink()
    assert completed([*bad, good], tmp_path / "out")


def test_a_disk_that_is_full_for_a_worker_stops_the_run(pictures, tmp_path, fault):
    full = picture(tmp_path / "in" / "full.png", FULL)
    with pytest.raises(OutputError, match="File too large"):
        run([full, *pictures], tmp_path / "out", analyse=analyse, bounds=Bounds(seconds=600))
    fault.unlink()
    assert completed([full, *pictures], tmp_path / "out")


@pytest.mark.parametrize("settings", [{"seconds": 0}, {"seconds": -1}, {"memory": 0}])
def test_bounds_that_cannot_be_are_refused(settings):
    with pytest.raises(OptionError, match=r"timeout|memory"):
        Bounds(**settings)


def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(pictures, tmp_path, fault):
    slow = picture(tmp_path / "in" / "slow.png", SLOW)
    script = (
        "import sys, karyofast.batch as batch, karyofast.cli.main as cli\n"
        "from functools import partial\n"
        "from test_batch_faults import analyse\n"
        "if __name__ == '__main__':\n"
        "    batch.run = partial(batch.run, analyse=analyse)\n"
        "    cli.main()\n"
    )
    (tmp_path / "script.py").write_text(script)
    arguments = ["run", str(pictures[0]), str(slow), "-o", str(tmp_path / "out"), "--jobs", "2"]
    started = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])},
        start_new_session=True,
        # a shell starts what runs in the background with SIGINT ignored, and that is inherited
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (tmp_path / "out" / "a" / "instances.json").exists():
        assert started.poll() is None
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: every process of the group
    said = started.communicate(timeout=60)[1]  # comes back when no process holds stderr any more
    assert started.returncode == 130
    assert "images; the same command goes on from there" in said
    assert "Traceback" not in said
    fault.unlink()
    assert completed([pictures[0], slow], tmp_path / "out")


def test_a_run_killed_at_random_moments_is_completed_to_the_same_bytes():
    command = [sys.executable, str(HERE / "kill_rounds.py"), "--rounds", "6"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(HERE.parent)}
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["identical"] == 6
    assert sum(found["images_done_at_the_kill"]) == 6
