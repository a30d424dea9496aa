"""Kill a run with SIGKILL at a random moment, start it again, and compare its folder with that of an unbroken run.

    python tests/kill_rounds.py --rounds 100
    python tests/kill_rounds.py --rounds 10 --jobs 2

Every file must have the same bytes but for the times measured (`run_tree.tree`), and no other file may be there. The
pictures and the drawings are of a few pixels and a stand-in takes the place of the pipeline, so that most kills fall
between the files; reading and writing are the real ones.
Prints one JSON object and ends with 1 where any round differed.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from karyotypes import bars, karyotype, label
from run_tree import tree

from karyofast import report
from karyofast.batch import run
from karyofast.run_folder import PART

IMAGES = 4
CASES = r"[^/.]+"

# here, where worker processes come by, too
report.view.karyogram = lambda made, options: np.full((3, 9, 3), made.count, np.uint8)
report.view.overlay = lambda made: np.full((4, 8, 3), made.count, np.uint8)


def analyse(metaphase):
    """As many chromosomes as the first pixel says."""
    number = int(metaphase.grey[0, 0])
    crops, names = bars("46,XX")
    return karyotype(crops[:number], [label(name) for name in names[:number]], seconds={"detect": 0.5})


def picture(path: Path, number: int) -> Path:
    grey = np.full((40, 50), 200, np.uint8)
    grey[10:30, 20:25] = 60
    grey[0, 0] = number
    cv2.imwrite(str(path), grey)
    return path


def start(pictures, out, jobs):
    """A process that does the run."""
    made = get_context("fork").Process(
        target=run, args=(pictures, out), kwargs={"analyse": analyse, "jobs": jobs, "case_regex": CASES}
    )
    made.start()
    return made


def whole(pictures, out, jobs) -> float:
    """Do the run to its end; the seconds it took."""
    began = time.monotonic()
    made = start(pictures, out, jobs)
    made.join()
    if made.exitcode != 0:
        raise SystemExit(f"the run that was let alone ended with {made.exitcode}")
    return time.monotonic() - began


def rounds(number: int, jobs: int, seed: int, folder: Path) -> dict:
    began = time.monotonic()
    rng = np.random.default_rng(seed)
    pictures = [picture(folder / f"{name}.png", 3 + name) for name in range(IMAGES)]
    # what is imported late is in every fork from here on, and no kill falls into its import
    run(pictures, folder / "here", analyse=analyse, case_regex=CASES)
    lasts = whole(pictures, folder / "whole", jobs)
    expected = tree(folder / "whole")
    out = folder / "out"
    done_at_kill, same, after_its_end = [], 0, 0
    for _ in range(number):
        shutil.rmtree(out, ignore_errors=True)
        made = start(pictures, out, jobs)
        made.join(rng.uniform(0.0, lasts))
        after_its_end += made.exitcode is not None
        made.kill()
        made.join()
        done_at_kill.append(len(list(out.glob(f"*/{PART}"))))
        whole(pictures, out, jobs)
        same += tree(out) == expected
    return {
        "rounds": number,
        "jobs": jobs,
        "identical": same,
        "images_done_at_the_kill": [done_at_kill.count(count) for count in range(IMAGES + 1)],
        "ended_before_the_kill": after_its_end,
        "seconds": round(time.monotonic() - began),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    cv2.setNumThreads(1)  # a fork copies no threads
    with tempfile.TemporaryDirectory() as temporary:
        found = rounds(given.rounds, given.jobs, given.seed, Path(temporary))
    print(json.dumps(found))
    sys.exit(found["identical"] != given.rounds)


if __name__ == "__main__":
    main()
