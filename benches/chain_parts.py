"""Where the classical chain's time goes: milliseconds of its parts, for a profile before and after a change.

    PYTHONPATH=. python benches/chain_parts.py          of this tree
    PYTHONPATH=../other python benches/chain_parts.py   of another one; a part that it lacks is left out

The median of some rounds, one thread; the picture in memory. What a part calls is in it, so parts may lie in one
another: they stand indented below it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from benches.conftest import drawn_metaphase
from karyofast import detect as detecting
from karyofast import detect_regions, ellipse, ridge, segment_rrt
from karyofast.config import SegmentOptions
from karyofast.io import metaphase_from_array
from karyofast.segment import segment

PARTS = (
    (detecting, "detect", "detect"),
    (detect_regions, "flatten", "- background off"),
    (detect_regions, "measure", "- component tree and heights"),
    (detect_regions, "visible_fraction", "- visible edge"),
    (detecting, "shape_faults", "- filter of shape"),
    (detecting, "_candidates", "- candidates"),
    (segment_rrt, "separate_all", "separate"),
    (segment_rrt, "singles", "- which are single"),
    (segment_rrt, "_bodies", "- which are single, medial axes"),
    (segment_rrt, "medial", "-- ridge"),
    (ridge, "cut", "-- its pieces"),
    (segment_rrt, "_cut_up", "- clusters"),
    (segment_rrt, "_from_density", "-- edges"),
    (segment_rrt, "_contours", "-- edges"),
    (ellipse, "parts", "-- seeds, relevance, ellipses"),
    (ellipse, "divide", "-- whose each pixel is"),
)
"""Module, name and title."""


def timed(function: Callable[..., Any], title: str, spent: dict[str, float]) -> Callable[..., Any]:
    """The same function, whose time adds to `spent`."""

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            spent[title] += time.perf_counter() - began

    return call


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KARYOFAST_DATA", "../shared/data")))
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    folder = arguments.data
    pictures = {
        "gband": 255 - cv2.imread(str(folder / "gband" / "annotated" / "1071262.jpg"), cv2.IMREAD_GRAYSCALE),
        "gband, clusters": 255 - cv2.imread(str(folder / "gband" / "annotated" / "1050224.jpg"), cv2.IMREAD_GRAYSCALE),
        "mfish": cv2.imread(str(folder / "mfish" / "A0502XY_dapi.png"), cv2.IMREAD_GRAYSCALE),
        "drawn 1280x1024": drawn_metaphase(),
    }
    spent: dict[str, float] = defaultdict(float)
    for module, name, title in PARTS:
        if hasattr(module, name):
            setattr(module, name, timed(getattr(module, name), title, spent))
    rows: dict[str, list[str]] = {title: [] for _, _, title in PARTS}
    for density in pictures.values():
        metaphase = metaphase_from_array(density, polarity="bright")
        rounds: dict[str, list[float]] = defaultdict(list)
        for _ in range(1 + arguments.rounds):
            spent.clear()
            segment(metaphase, detecting.detect(metaphase), SegmentOptions("rrt"))
            for title in rows:
                rounds[title].append(1000 * spent[title])
        for title, row in rows.items():
            row.append(f"{median(rounds[title][1:]):.1f}")
    print("| ms of | " + " | ".join(pictures) + " |")
    print("|---|" + "---|" * len(pictures))
    for title, row in rows.items():
        if any(value != "0.0" for value in row):
            print(f"| {title} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
