"""Measure the tables of `karyofast.sizes`: the relative area of each class, and how far chromosomes stray from it.

python benches/sizes.py --data pki3.zip --pictures mfish/instances.json
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np

from karyofast.coco import load
from karyofast.crops import CropSource, isolate, split_of, trained_slide
from karyofast.sizes import POWER, RELATIVE_AREA, SPREAD, typical_of
from karyofast.types import CLASSES

CELLS = 150
"""Cells of training cases that are measured."""

WHOLE, MOST = 40, 50
"""Chromosomes of known class that a picture must have: the median of a part of a cell is another one."""


def relative_areas(data: Path) -> np.ndarray:
    """Median over the cells of each class's area over the cell's median area, float64 (24,)."""
    source = CropSource(data)
    cells = (rows for _, rows in source.cells() if split_of(rows[0].case) == "train")
    measured: list[list[float]] = [[] for _ in CLASSES]
    for rows in islice(cells, CELLS):
        areas = np.array([isolate(source.grey(row))[1].area for row in rows], dtype=np.float64)
        for row, area in zip(rows, areas / np.median(areas), strict=True):
            if row.label is not None:
                measured[row.label].append(float(area))
    return np.array([np.median(values) for values in measured])


def spread(pictures: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deviation of the logarithm of relative areas from its median, float64 (24,).

    Then the same where the power of each picture is known, and these powers.
    """
    strayed: list[list[float]] = [[] for _ in CLASSES]
    left: list[list[float]] = [[] for _ in CLASSES]
    powers = []
    for truth in load(pictures):
        if not trained_slide(str(truth.image.extra.get("slide", truth.image.file_name))):
            continue
        known = [(one.label, one.region.area) for one in truth.instances
                 if one.label is not None and not (one.uncertain or one.ignore)]  # fmt: skip
        if not WHOLE <= len(known) <= MOST:
            continue
        median = np.median([area for _, area in known])
        for label, area in known:
            strayed[label].append(float(np.log(area / median)))
        typical = typical_of([area for _, area in known], [np.eye(len(CLASSES))[label] for label, _ in known])
        if typical:
            powers.append(typical.power)
            for label, area in known:
                usual = typical.area * RELATIVE_AREA[label] ** typical.power
                left[label].append(float(np.log(area / usual)))
    return _deviation(strayed), _deviation(left), np.array(powers)


def _deviation(strayed: list[list[float]]) -> np.ndarray:
    # the tails are for Student's t: the median deviation is that of the middle
    return np.array([1.4826 * np.median(np.abs(values - np.median(values))) for values in map(np.array, strayed)])


def main() -> None:
    """Print what was measured beside what the package has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="single chromosomes, folder or zip file")
    parser.add_argument("--pictures", type=Path, required=True, help="COCO file of metaphases, pictures beside it")
    given = parser.parse_args()
    areas, (strays, left, powers) = relative_areas(given.data), spread(given.pictures)
    print("class  relative area (in the package)  spread (in the package)  with the power known")
    for name, area, own, stray, old, rest in zip(CLASSES, areas, RELATIVE_AREA, strays, SPREAD, left, strict=True):
        print(f"{name:>5}  {area:.3f} ({own:.3f})  {stray:.3f} ({old:.3f})  {rest:.3f}")
    print(f"power of a picture: {powers.mean():.3f}, deviation {powers.std():.3f} (before it is known: {POWER})")


if __name__ == "__main__":
    main()
