"""Build the C library with its example program by CMake, and compare its candidates with those of `karyofast.detect`.

    make library
    python tests/check_embed.py --data ../shared/data --build build/library

Prints a line a picture: candidates of `detect`, of the program, and how many of the first one of the second hits at an
IoU of the boxes of 0.5.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from karyofast import Metaphase, read_metaphase
from karyofast.detect import detect

ROOT = Path(__file__).resolve().parents[1]
IOU = 0.5


@dataclass(frozen=True)
class Found:
    """A line of the program."""

    box: tuple[int, int, int, int]
    area: int
    euler: int
    level: int
    height: float
    variance: float


def build(folder: Path) -> Path:
    """The example program, built in `folder`; the build's own words where it fails."""
    cmake = shutil.which("cmake", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if cmake is None:
        raise SystemExit("CMake must be there. Got: none. Install the extra `dev`.")
    for step in (["-S", str(ROOT), "-B", str(folder)], ["--build", str(folder)]):
        done = subprocess.run([cmake, *step], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"cmake {' '.join(step)} failed:\n{done.stdout}\n{done.stderr}")
    return folder / "candidates"


def run(program: Path, metaphase: Metaphase, folder: Path) -> list[Found]:
    """Candidates that the program prints for a metaphase of 8 bit, by way of a PGM file in `folder`."""
    picture = folder / "picture.pgm"
    picture.write_bytes(b"P5 %d %d 255\n" % metaphase.grey.shape[::-1] + metaphase.grey.tobytes())
    words = [str(program), str(picture), *(["dark"] if metaphase.polarity == "bright" else [])]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    found = []
    for line in lines:
        whole, height, variance = line.split()[:7], *line.split()[7:]
        top, left, rows, columns, area, euler, level = map(int, whole)
        found.append(Found((top, left, rows, columns), area, euler, level, float(height), float(variance)))
    return found


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """IoU of two boxes: top, left, height, width."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    both = float(np.prod(np.maximum(high - low, 0)))
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def hits(metaphase: Metaphase, found: list[Found]) -> tuple[int, int]:
    """Candidates of `detect`, and how many of them one of `found` hits."""
    expected = detect(metaphase)
    hit = [any(overlap(tuple(one.box), two.box) >= IOU for two in found) for one in expected]
    return len(expected), sum(hit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    chosen = parser.parse_args()
    program = build(chosen.build)
    cv2.setNumThreads(1)
    total = np.zeros(3, dtype=int)
    for path in [
        *sorted((chosen.data / "gband" / "annotated").glob("*.jpg")),
        chosen.data / "mfish" / "A0502XY_dapi.png",
    ]:
        metaphase = read_metaphase(path)
        found = run(program, metaphase, chosen.build)
        row = np.array([*hits(metaphase, found), len(found)])
        print(f"{path.name}: detect {row[0]}, program {row[2]}, hit {row[1]}")
        total += row
    print(f"all: detect {total[0]}, program {total[2]}, hit {total[1]} ({100 * total[1] / total[0]:.1f} %)")


if __name__ == "__main__":
    main()
