"""`karyofast run` on many images: images a second of one job on one core, of one and of two on two; the memory.

    python benches/throughput.py --images 2000
    python benches/throughput.py --images 40 --memory-at 20
    python benches/throughput.py --images 2000 --two-alone      only the run of two jobs

The images are the real G-band metaphases, turned, mirrored and made a little brighter or darker, and 1 % broken files.
All runs do the same images in one call of this script and share their cores out: the networks of one job run on both
cores, those of two on one each. So two jobs against one on two cores gain only on what is not network; against one
core they tell how well the work is spread.
Memory is that of all processes of the run together (sampled, what they share counted once), at image `--memory-at` and
at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
AROUND = ("read", "draw", "write")
"""Stages that are not the pipeline's."""
BROKEN = 100
"""One image of so many is broken."""
WAIT = 0.5
"""Seconds between two looks at the memory."""


def draw_images(count: int, data: Path, folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    real = sorted(path for place in ("annotated", "unlabelled") for path in (data / "gband" / place).glob("*.jpg"))
    for number in range(count):
        path = folder / f"{number:05}.png"
        if number % BROKEN == BROKEN // 2 or (count < BROKEN and number == count // 2):
            path.write_bytes(b"\x89PNG\r\n\x1a\nbroken")
            continue
        grey = cv2.imread(str(real[number % len(real)]), cv2.IMREAD_GRAYSCALE)
        grey = np.rot90(grey, rng.integers(4))
        grey = grey[:, ::-1] if rng.integers(2) else grey
        changed = np.clip(grey.astype(np.float64) * rng.uniform(0.92, 1.08), 0, 255).astype(np.uint8)
        cv2.imwrite(str(path), np.ascontiguousarray(changed))


def memory(pid: int) -> float:
    """MiB of a process and all that it started; what they share is counted once."""
    children = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    family, kibibytes = [pid], 0
    for number in family:  # grows as it goes
        family += children.get(number, [])
        with suppress(OSError):
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
            kibibytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / 2**10


def known(log: Path) -> int:
    """Images that a run has told of so far."""
    return log.read_text().count('"event": "image"') if log.exists() else 0


def measure(images: Path, out: Path, jobs: int, cores: int, memory_at: int) -> dict:
    log = out.with_suffix(".log")
    command = [sys.executable, "-m", "karyofast", "run", str(images), "-o", str(out), "--quiet", "--log", str(log)]
    bounds = ["--jobs", str(jobs), "--timeout", "3600"]
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(everywhere)[:cores])  # what is started has them too
    began = time.monotonic()
    started = subprocess.Popen([*command, *bounds], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    os.sched_setaffinity(0, everywhere)
    early = peak = 0.0
    while started.poll() is None:
        peak = max(peak, memory(started.pid))
        early = peak if known(log) <= memory_at else early
        time.sleep(WAIT)
    wall = time.monotonic() - began
    if started.returncode not in (0, 3):
        raise SystemExit(f"the run with {jobs} jobs ended with {started.returncode}")
    said = json.loads((out / "run.json").read_text())
    total, seconds = said["total"], said["seconds"]
    stages = sum(spent for stage, spent in seconds.items() if stage not in AROUND)
    return {
        "jobs": jobs,
        "cores": cores,
        "images": total["images"],
        "failed": total["failed"],
        "wall_s": round(wall, 1),
        "images_per_s": round(total["images"] / wall, 3),
        "stages_share": round(stages / (wall * jobs), 3),
        "around_share": round(sum(seconds.get(one, 0.0) for one in AROUND) / (wall * jobs), 3),
        "seconds": seconds,
        f"memory_mib_at_{memory_at}": round(early),
        "memory_mib_at_end": round(peak),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--memory-at", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--two-alone", action="store_true", help="only the run of two jobs on two cores")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KARYOFAST_DATA", ROOT / "../shared/data")))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        images = Path(temporary) / "images"
        images.mkdir()
        draw_images(given.images, given.data, images, given.seed)
        found = [
            measure(images, Path(temporary) / f"jobs{jobs}-cores{cores}", jobs, cores, given.memory_at)
            for jobs, cores in (((2, 2),) if given.two_alone else ((1, 1), (1, 2), (2, 2)))
        ]
    for one in found:
        print(json.dumps(one))
    if given.two_alone:
        return
    alone, one, two = (side["images_per_s"] for side in found)
    print(f"two jobs do {two / one:.2f} times the images of one on both cores")
    print(f"two jobs do {two / alone:.2f} times the images of one on one core")


if __name__ == "__main__":
    main()
