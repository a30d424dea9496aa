"""`karyofast run` on one picture in a new process: seconds to its first karyotype, and its largest resident memory.

    python benches/cold_start.py --rounds 7

The picture is a real G-band metaphase, the models those of `--model auto` (int8). Each round starts one process as it
is and one with `--low-memory`, in turn. Seconds are of the clock until the picture's last file is there, and of the
processor until the process ends, which other work on the machine disturbs less; medians with the least and the most.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from throughput import ROOT

from karyofast.run_folder import PART

MODES = {"as it is": [], "--low-memory": ["--low-memory"]}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""What is installed is compiled once, not at every start."""

STEP = 0.002
"""Seconds between two looks for the result."""


def start(picture: Path, more: list[str]) -> tuple[float, float, float]:
    """Seconds to the first karyotype, seconds of the processor, MiB."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "karyofast", "run", str(picture), "-o", out, "--quiet", *more]
        part = Path(out) / picture.stem / PART
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=ENVIRONMENT)
        while not part.exists() and not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            time.sleep(STEP)
        seconds = time.monotonic() - began
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"karyofast run ended with {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KARYOFAST_DATA", ROOT / "../shared/data")))
    given = parser.parse_args()
    picture = min((given.data / "gband" / "annotated").glob("*.jpg")).resolve()
    start(picture, [])  # what Python compiles and the system reads once
    found = {mode: [] for mode in MODES}
    for _ in range(given.rounds):
        for mode, more in MODES.items():
            found[mode].append(start(picture, more))
    for mode, rounds in found.items():
        rows = zip(("seconds", "processor_s", "memory_mib"), np.array(rounds).T, strict=True)
        told = {name: [round(float(one), 2) for one in (np.median(row), row.min(), row.max())] for name, row in rows}
        print(json.dumps({"mode": mode, "picture": picture.name, "rounds": given.rounds, **told}))


if __name__ == "__main__":
    main()
