"""This tree's kernels against another commit's: both are built, run in turn, and a loss of a tenth fails.

python benches/compare.py --base main
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
LOSS = 1.10
"""Time against the base's from which a kernel has lost."""
ROUNDS = 5
"""Turns of both sides: the least time of each counts, since other work only adds."""

TIMING = """
import json, sys, time
sys.path.insert(0, {scene!r})
from conftest import drawn_metaphase
from karyofast.kernels.ops import OPERATIONS
picture, found = drawn_metaphase(), {{}}
for one in OPERATIONS:
    arguments = one.scene(picture)
    one.function(**arguments, impl="fast")
    times = []
    for _ in range(5):
        start = time.process_time()
        one.function(**arguments, impl="fast")
        times.append(time.process_time() - start)
    found[one.name] = min(times)
print(json.dumps(found))
"""


def build(folder: Path) -> None:
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, check=True)


def times(folder: Path) -> dict[str, float]:
    """Least seconds of each kernel of the tree in `folder`; the picture is drawn by this tree's code in both."""
    ran = subprocess.run(
        [sys.executable, "-c", TIMING.format(scene=str(ROOT / "benches"))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(ran.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="main")
    base = parser.parse_args().base
    with tempfile.TemporaryDirectory() as temporary:
        other = Path(temporary) / "base"
        subprocess.run(["git", "worktree", "add", "--detach", str(other), base], cwd=ROOT, check=True)
        try:
            build(other)
            build(ROOT)
            turns = [(times(other), times(ROOT)) for _ in range(ROUNDS)]
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(other)], cwd=ROOT, check=True)
    lost = []
    for name in sorted(turns[0][0].keys() & turns[0][1].keys()):
        before, after = (np.array([turn[side][name] for turn in turns]) for side in (0, 1))
        ratio = float(after.min() / before.min())
        spread = np.quantile(after / before, (0.25, 0.75))
        lost += [name] if ratio > LOSS else []
        print(
            f"{name}: {before.min() * 1e3:.2f} ms at {base}, {after.min() * 1e3:.2f} ms here, ratio {ratio:.2f} "
            f"({spread[0]:.2f}..{spread[1]:.2f}){'  LOSS' if ratio > LOSS else ''}"
        )
    if lost:
        raise SystemExit(f"slower by more than a tenth than {base}: {', '.join(lost)}")


if __name__ == "__main__":
    main()
