import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from karyotypes import picture
from run_tree import tree
from serving import wait_for

IMAGES = 12


@pytest.fixture
def started():
    """Starts a service as a user does; gives the process and a client of it."""
    running = []

    def start(state):
        command = [sys.executable, "-m", "karyofast", "serve", "--port", "0", "--state", str(state)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        root = Path(__file__).resolve().parents[1]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=root, env=environment)
        running.append(process)
        address = process.stderr.readline().rpartition(" ")[2].strip()
        client = httpx2.Client(base_url=address, timeout=60)
        wait_for(lambda: client.get("/ready").status_code == 200)
        return process, client

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stderr.close()


def workers(pid):
    """Workers are children of threads too."""
    return [int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]


def test_a_service_that_is_killed_during_a_job_loses_no_finished_picture(started, tmp_path):
    process, client = started(tmp_path / "state")
    data = [picture(tmp_path / f"{number}.png", number).read_bytes() for number in range(IMAGES)]
    files = [("images", (f"{number}.png", one)) for number, one in enumerate(data)]
    job = client.post("/v1/jobs", files=files).json()["id"]
    wait_for(lambda: client.get(f"/v1/jobs/{job}").json()["done"])
    ended = workers(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    client.close()
    wait_for(lambda: not any(Path(f"/proc/{one}").exists() for one in ended))
    folder = tmp_path / "state" / "jobs" / job
    whole = [one.parent for one in folder.glob("*/instances.json")]
    before = {one.name: tree(one, times=True) for one in whole}
    assert 0 < len(before) < IMAGES

    process, client = started(tmp_path / "state")
    wait_for(lambda: client.get(f"/v1/jobs/{job}").json()["status"] == "done")
    told = client.get(f"/v1/jobs/{job}").json()
    assert (told["done"], told["failed"]) == (IMAGES, 0)
    assert {name: tree(folder / name, times=True) for name in before} == before
    assert not list(folder.glob("*.image"))
    assert json.loads(client.get(f"/v1/jobs/{job}/images/3").content)["name"] == "3.png"
    client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) in (0, -signal.SIGTERM)
