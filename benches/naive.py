"""Images a second from file to labels: karyofast against a chain put together from scikit-image, SciPy and PyTorch.

    python benches/naive.py --images 3

The naive chain takes the same steps in the plain way: extremal regions as the components of each grey level, with area,
Euler number and V_i of each; a watershed of the distance transform; each piece turned upright by its moments; the same
VGG-16 in fp32, one crop at a time; places by a linear assignment. `otsu` is that chain without the regions: one
threshold. Each picture is done by every side in turn in one process, on as many threads; what is loaded once is loaded
before. Nothing is drawn or written. Seconds are those of the processor, so that other work on the machine does not
count; on one thread and an idle machine they are those of the clock. What the sides find is told, not weighed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from skimage import feature, filters, io, measure, segmentation, transform

from karyofast import pipeline
from karyofast.config import Options, SegmentOptions
from karyofast.io import read_metaphase
from karyofast.kernels.reference import two_class_variance
from karyofast.runtimes.load import load_classifier

ROOT = Path(__file__).resolve().parents[1]
AREA = (60, 0.02)
"""Smallest region, px, and largest one, share of the picture."""
HOLES = 6
"""Holes that a region may have."""
APART, SMOOTH = 12, 2.0
"""Least distance of two seeds of the watershed, and sigma of what it floods, px: less cuts chromosomes to pieces."""
COPIES = 2
"""Places of a class."""


def extremal_regions(grey: np.ndarray) -> list[np.ndarray]:
    """Pixels of the regions: components of each level up to Otsu's, of each nest the one of the highest V_i."""
    found = []
    for level in range(int(grey.min()), int(filters.threshold_otsu(grey)) + 1):
        for region in measure.regionprops(measure.label(grey <= level, connectivity=2)):
            if AREA[0] <= region.area <= AREA[1] * grey.size and region.euler_number > -HOLES:
                top, left, bottom, right = region.bbox
                variance = two_class_variance(grey, np.array([[top, left, bottom - top, right - left]]))[0]
                found.append((variance, region.coords))
    taken = np.zeros(grey.shape, bool)
    kept = []
    for _, coords in sorted(found, key=lambda one: -one[0]):
        if not taken[tuple(coords.T)].any():
            taken[tuple(coords.T)] = True
            kept.append(coords)
    return kept


def one_threshold(grey: np.ndarray) -> list[np.ndarray]:
    regions = measure.regionprops(measure.label(grey <= filters.threshold_otsu(grey), connectivity=2))
    return [one.coords for one in regions if AREA[0] <= one.area <= AREA[1] * grey.size]


def naive(path: Path, regions, network) -> int:
    """Karyotype a picture the plain way; the number of chromosomes placed."""
    grey = io.imread(path)
    grey = grey if grey.ndim == 2 else grey[..., :3].mean(axis=2).astype(np.uint8)
    mask = np.zeros(grey.shape, bool)
    for coords in regions(grey):
        mask[tuple(coords.T)] = True
    distance = ndimage.distance_transform_edt(mask)
    seeds = np.zeros(grey.shape, np.int32)
    smooth = filters.gaussian(distance, SMOOTH)
    peaks = feature.peak_local_max(smooth, min_distance=APART, labels=measure.label(mask))
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    pieces = measure.regionprops(segmentation.watershed(-smooth, seeds, mask=mask), 255 - grey)
    probabilities = []
    for piece in pieces:
        if piece.area < AREA[0]:
            continue
        upright = transform.rotate(piece.image_intensity, -np.degrees(piece.orientation), resize=True)
        crop = transform.resize(upright, (network.frame.rows, network.frame.columns)).astype(np.float32)
        probabilities.append(network.predict(crop[None, None])[0][0])
    if not probabilities:
        return 0
    cost = -np.log(np.repeat(np.array(probabilities), COPIES, axis=1) + 1e-9)
    return len(linear_sum_assignment(cost)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KARYOFAST_DATA", ROOT / "../shared/data")))
    given = parser.parse_args()
    paths = sorted(
        path for place in ("annotated", "unlabelled") for path in (given.data / "gband" / place).glob("*.jpg")
    )
    cv2.setNumThreads(given.threads)
    options = Options()
    models = pipeline.load_models(options, given.threads)
    plain = replace(options.classify, model="g-band", runtime="torch", device="cpu", precision="fp32")
    network = load_classifier(plain, given.threads)
    rrt = Options(segment=SegmentOptions("rrt"))
    sides = {
        "karyofast": lambda path: pipeline.karyotype(read_metaphase(path), options, models).count,
        "karyofast rrt": lambda path: pipeline.karyotype(read_metaphase(path), rrt, models).count,
        "naive": lambda path: naive(path, extremal_regions, network),
        "naive otsu": lambda path: naive(path, one_threshold, network),
    }
    for side in ("karyofast", "karyofast rrt", "naive otsu"):  # compiles, and reserves memory
        sides[side](paths[-1])
    rows = []
    for path in paths[: given.images]:
        row = {"image": path.name}
        for side, do in sides.items():
            began = time.process_time()
            count = do(path)
            row[side] = {"cpu_s": round(time.process_time() - began, 3), "placed": count}
        rows.append(row)
        print(json.dumps(row), flush=True)
    for ours in ("karyofast", "karyofast rrt"):
        for other in ("naive", "naive otsu"):
            ratios = [row[other]["cpu_s"] / row[ours]["cpu_s"] for row in rows]
            print(
                f"{ours} does {median(ratios):.2f} times the images a second of {other} "
                f"({min(ratios):.2f} to {max(ratios):.2f}, {len(rows)} pictures, {given.threads} threads)"
            )


if __name__ == "__main__":
    main()
