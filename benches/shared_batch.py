"""What it would bring to read the crops of several images in one batch: time a crop by the size of the batch.

    python benches/shared_batch.py --threads 1

The crops are real ones of pki3's unseen cases, the classifier that of Giemsa on a CPU. All sizes are run in turn in
each round, in the seconds of the processor, so that other work on the machine counts little; the median and the
quartiles of the ratio to a batch of one cell are printed. An image is read in one batch of its 46 crops, one of their
half turns, and a few smaller ones of what the second look tries, each of which waits for what the one before it said.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from karyofast.export.samples import draw
from karyofast.models.store import find
from karyofast.runtimes.onnx import OnnxClassifier

ROOT = Path(__file__).resolve().parents[1]
CELL = 46
SIZES = (1, 4, 12, 23, CELL, 2 * CELL, 4 * CELL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="g-band-fast-int8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KARYOFAST_DATA", ROOT / "../shared/data")))
    given = parser.parse_args()
    network = OnnxClassifier(find(given.model, "classifier"), given.threads)
    crops = np.ascontiguousarray(draw(given.data / "pki3.zip", "test", max(SIZES), network.frame).crops)
    spent = {size: [] for size in SIZES}
    for number in range(given.rounds + 1):
        for size in SIZES:
            began = time.process_time()
            network.predict(crops[:size])
            if number:  # the first round reserves memory
                spent[size].append(1e3 * (time.process_time() - began) / size)
    for size, each in spent.items():
        low, middle, high = np.percentile(np.array(each) / spent[CELL], (25, 50, 75))
        ratio = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        print(json.dumps({"batch": size, "ms_a_crop": round(float(np.median(each)), 3), f"of_batch_{CELL}": ratio}))


if __name__ == "__main__":
    main()
