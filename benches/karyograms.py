"""The karyograms of a run, reduced, on one page to look at: ``python benches/karyograms.py RUN PAGE.png``."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from karyofast.io import write_png
from karyofast.report import KARYOGRAM

WIDTH, COLUMNS = 800, 5
"""Width of a karyogram on the page, px, at which bands still show; karyograms in a row."""


def main() -> None:
    """Lay the karyograms of a run on a page, in the order of their names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("page", type=Path)
    given = parser.parse_args()
    paths = sorted(given.run.glob(f"*/{KARYOGRAM}"))
    if not paths:
        parser.error(f"{given.run}: must be the folder of a run. Got: no */{KARYOGRAM} in it.")
    small = []
    for path in paths:
        drawn = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        size = (WIDTH, round(drawn.shape[0] * WIDTH / drawn.shape[1]))
        small.append(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA))
    lines = []
    for start in range(0, len(small), COLUMNS):
        beside = small[start : start + COLUMNS]
        lines.append(np.full((max(map(len, beside)), COLUMNS * WIDTH, 3), 255, np.uint8))
        for column, one in enumerate(beside):
            lines[-1][: len(one), column * WIDTH : (column + 1) * WIDTH] = one
    write_png(given.page, np.vstack(lines))
    print(f"{len(small)} karyograms on {given.page}")


if __name__ == "__main__":
    main()
