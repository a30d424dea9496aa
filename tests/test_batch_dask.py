import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import dask
import pytest
from karyotypes import bars, karyotype, label, picture
from run_tree import tree

from karyofast import batch, batch_dask, run_folder
from karyofast.batch import run
from karyofast.batch_image import Setup
from karyofast.batch_workers import Bounds
from karyofast.config import Options
from karyofast.errors import KaryofastError, ModelError, NotBuiltError, OptionError, OutputError

HERE = Path(__file__).parent
ONCE, ALWAYS, FULL = 92, 93, 99
"""First pixels of pictures that end their worker once or each time, or whose results cannot be written."""

FAULT = "KARYOFAST_TEST_FAULT"
"""Variable of the environment that names a file: the faults happen as long as it is there."""


def analyse(metaphase):
    """A few chromosomes by the first pixel, or one of the faults."""
    number = int(metaphase.grey[0, 0])
    fault = Path(os.environ[FAULT])
    if number in (ONCE, ALWAYS) and fault.exists():
        if number == ONCE:
            fault.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == FULL and fault.exists():
        raise OutputError("no room on this worker")
    crops, names = bars("46,XX")
    return karyotype(crops[: number % 7], [label(name) for name in names[: number % 7]], seconds={"detect": 0.5})


@pytest.fixture(scope="module")
def fault(tmp_path_factory):
    path = tmp_path_factory.mktemp("fault") / "fault"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FAULT, str(path))
        yield path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, fault):
    """The file of a real scheduler with two workers, which have another working folder."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(file)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-nanny"]
    commands = [
        [*scheduler, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        *[[*worker, "--nthreads", "1", "--no-dashboard"]] * 2,
    ]
    with started(commands, folder):
        with batch_dask.connected(str(file)) as client:
            client.wait_for_workers(2, timeout=60)
        yield str(file)


@contextmanager
def started(commands, folder):
    paths = {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    made = []
    try:
        for command in commands:
            made.append(subprocess.Popen(command, cwd=folder, env={**os.environ, **paths}, stderr=subprocess.DEVNULL))
            file = Path(command[command.index("--scheduler-file") + 1])
            while not file.exists():
                assert made[0].poll() is None
                time.sleep(0.05)
        yield made
    finally:
        for one in made:
            one.kill()
            one.wait()


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Pictures named from the working folder, as they are on a command line; one is broken."""
    monkeypatch.chdir(tmp_path)
    for name, number in (("a", 1), ("b", 2), ("c", ONCE)):
        picture(Path("in") / f"{name}.png", number)
    Path("in/broken.png").write_bytes(b"no picture")
    return [Path("in") / f"{name}.png" for name in ("a", "broken", "c", "b")]


def test_a_cluster_that_loses_a_worker_writes_what_one_process_does(pictures, cluster, fault):
    one = run(pictures, Path("one"), analyse=analyse, case_regex="[a-c]")
    fault.touch()
    told = []
    two = run(pictures, Path("two"), analyse=analyse, case_regex="[a-c]", dask=cluster, progress=told.append)
    assert not fault.exists(), "no worker was killed"
    assert two == one
    assert sorted(row.image for row in told) == sorted(row.image for row in one)
    assert tree(Path("two")) == tree(Path("one"))
    assert run(pictures, Path("two"), analyse=analyse, case_regex="[a-c]", dask=cluster) == two
    assert tree(Path("two")) == tree(Path("one"))


def test_errors_of_workers_end_the_run_and_the_same_call_goes_on(pictures, cluster, fault):
    pictures.append(picture(Path("in") / "full.png", FULL))
    fault.touch()
    with pytest.raises(OutputError, match="no room on this worker"):
        run([pictures[0], pictures[-1]], Path("out"), analyse=analyse, dask=cluster)
    other = Setup(Options(), "made elsewhere", analyse)
    with pytest.raises(ModelError, match="another karyofast or other models"):
        batch_dask.spread_dask(other, run_folder.tasks(pictures, Path("out"), {}), cluster, 1, lambda task, row: None)
    fault.unlink()
    rows = run([pictures[0], pictures[-1]], Path("out"), analyse=analyse, dask=cluster)
    assert [row.status for row in rows] == ["done", "done"]
    run([pictures[0], pictures[-1]], Path("whole"), analyse=analyse)
    assert tree(Path("out")) == tree(Path("whole"))


def test_an_image_that_ends_every_worker_fails_alone_on_a_cluster_of_the_run_itself(pictures, fault):
    fault.touch()
    deadly = picture(Path("in") / "deadly.png", ALWAYS)
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        rows = run([pictures[0], deadly, pictures[-1]], Path("out"), analyse=analyse, dask="local", jobs=2)
    assert [row.status for row in rows] == ["done", "failed", "done"]
    assert rows[1].error == "2 workers ended while they had it."
    fault.unlink()
    assert [row.status for row in run([deadly], Path("out"), analyse=analyse)] == ["done"]


def test_a_cluster_that_cannot_be_is_refused_before_anything_is_written(pictures, monkeypatch):
    for given, message in (
        ({"dask": "no-such-file"}, "an address as tcp"),
        ({"dask": "tcp://127.0.0.1:1", "jobs": 2}, "which has its own"),
        ({"dask": "local", "bounds": Bounds(seconds=9)}, "`timeout` and `memory`"),
        ({"dask": "local", "models": object()}, "cannot be handed to other processes"),
    ):
        with pytest.raises(OptionError, match=message):
            run(pictures, Path("out"), analyse=analyse, **given)
    monkeypatch.setattr(batch, "find_spec", lambda name: None)
    with pytest.raises(NotBuiltError, match="pip install"):
        run(pictures, Path("out"), analyse=analyse, dask="local")
    assert not Path("out").exists()


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(batch_dask, "PATIENCE", 0.5)
    with pytest.raises(KaryofastError, match="no Dask scheduler answers"), batch_dask.connected("tcp://127.0.0.1:1"):
        pass
