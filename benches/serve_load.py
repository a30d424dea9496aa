"""`karyofast serve` under load: what 50 clients are answered in a minute, and the memory of all its processes.

    python benches/serve_load.py --clients 50 --seconds 60

Each client sends one real G-band picture after another and comes back a second after a 429; before that each picture
was sent once, to warm up. Memory (sampled, what the processes share counted once) is the mean of the first and of the
last quarter of the time. Fails where an answer is neither 200 nor 429, or memory has grown by more than a tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx2
import numpy as np
from throughput import ROOT, memory

GROWTH = 1.1
"""Memory of the last quarter over that of the first that is still flat."""
STEP = 1.0
"""Seconds between two looks at the memory, and until a client that was refused comes back."""
WAIT = 300.0
"""Seconds until the service must be ready, and in which each answer must come."""


def ask(address: str, pictures: list[bytes], first: int, until: float, statuses: Counter, seconds: list) -> None:
    """A client's life."""
    with httpx2.Client(base_url=address, timeout=WAIT) as client:
        number = first
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                answer = client.post("/v1/karyotypes", files={"image": ("cell.jpg", pictures[number % len(pictures)])})
                status = str(answer.status_code)
            except httpx2.HTTPError as error:
                status = type(error).__name__
            statuses[status] += 1
            if status == "200":
                seconds.append(time.monotonic() - began)
                number += 1
            else:
                time.sleep(STEP)


def load(service: subprocess.Popen, pictures: list[bytes], clients: int, seconds: float) -> dict:
    address = service.stderr.readline().rpartition(" ")[2].strip()
    until = time.monotonic() + WAIT
    while httpx2.get(f"{address}/ready").status_code != 200 and time.monotonic() < until:
        time.sleep(STEP)
    with httpx2.Client(base_url=address, timeout=WAIT) as client:
        for data in pictures:
            client.post("/v1/karyotypes", files={"image": ("cell.jpg", data)}).raise_for_status()
    statuses, spent, used = Counter(), [], []
    until = time.monotonic() + seconds
    crew = [
        threading.Thread(target=ask, args=(address, pictures, number, until, statuses, spent))
        for number in range(clients)
    ]
    for thread in crew:
        thread.start()
    while time.monotonic() < until:
        used.append(memory(service.pid))
        time.sleep(STEP)
    for thread in crew:
        thread.join()
    quarter = max(len(used) // 4, 1)
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": dict(sorted(statuses.items())),
        "median_s": round(float(np.median(spent)), 2) if spent else None,
        "memory_mib_early": round(float(np.mean(used[:quarter]))),
        "memory_mib_late": round(float(np.mean(used[-quarter:]))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KARYOFAST_DATA", ROOT / "../shared/data")))
    given = parser.parse_args()
    pictures = [path.read_bytes() for path in sorted((given.data / "gband" / "annotated").glob("*.jpg"))]
    command = [sys.executable, "-m", "karyofast", "serve", "--port", "0"]
    service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        found = load(service, pictures, given.clients, given.seconds)
    finally:
        service.terminate()
        service.wait()
    print(json.dumps(found))
    if set(found["answers"]) - {"200", "429"} or "200" not in found["answers"]:
        raise SystemExit("answers other than 200 and 429, or no 200")
    if found["memory_mib_late"] > GROWTH * found["memory_mib_early"]:
        raise SystemExit("memory grew by more than a tenth")


if __name__ == "__main__":
    main()
