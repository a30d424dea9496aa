"""The detection figures of the paper (6.3), and pictures of separated clusters (its Figure 6)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.evaluate import evaluate_detection, iou_matrix, load_truth, match
from karyofast.evaluate_detection import blobs
from karyofast.evaluate_methods import separator_of
from karyofast.files import write_whole
from karyofast.io import read_metaphase, write_png
from karyofast.types import Box, Metaphase, Region
from karyofast.view_regions import outlines

METHODS = ("otsu", "er-unfiltered", "er-no-variance", "er-no-geometry", "er")
"""Otsu; extremal regions without filter, with filter 1 alone, with filter 2 alone, with both."""

SETS = ("gband", "mfish")
"""Folders of the data sets; of mfish the slides for reporting are scored, of gband all pictures."""

DETECTION = "detection"

SEPARATORS = ("rrt", "second-look")
"""The paper's chain, and what karyofast takes by default."""

SHOWN = 3
"""Clusters of each outcome in the picture."""

TILE = 220
"""Side of a cluster in the picture, px."""

MARGIN = 8
"""Picture around a cluster, px."""


def detection_figures(data: Path, out: Path, tell: Callable[[str, int, int], None]) -> dict[str, dict[str, Any]]:
    """Precision and recall of candidates by "set method", each kept in a file of `out` once it is done.

    Parameters
    ----------
    data : Path
        Folder with the folders `SETS`.
    out : Path
        Run folder.
    tell : callable
        Called with (what is done, pictures done, pictures in all).

    Raises
    ------
    DataError
        A set that is not there or cannot be read.
    """
    folder = out / DETECTION
    folder.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        for method in METHODS:
            path = folder / f"{name}_{method}.json"
            if path.exists():
                continue
            pictures = load_truth(data / name / "instances.json", "score" if name == "mfish" else "all")
            score = evaluate_detection(pictures, method, progress=partial(tell, f"{name} {method}"))
            content = {"set": name, "method": method, "pictures": len(pictures), **score.pooled.to_dict()}
            write_whole(path, json.dumps(content, indent=1) + "\n")
    return read_detection(out)


def read_detection(out: Path) -> dict[str, dict[str, Any]]:
    """The figures that are done, by "set method"."""
    found = {}
    for name in SETS:
        for method in METHODS:
            path = out / DETECTION / f"{name}_{method}.json"
            if path.exists():
                found[f"{name} {method}"] = json.loads(path.read_text(encoding="utf-8"))
    return found


def figure6(data: Path, path: Path, threads: int, tell: Callable[[str, int, int], None]) -> Path:
    """Draw clusters of the annotated G-band pictures: as they are, by hand, by the paper's chain and by karyofast.

    A row a cluster; first those that the paper's chain separates (every chromosome found at IoU 0.5), then those that
    it does not.
    """
    separators = [separator_of(name, threads) for name in SEPARATORS]
    pictures = load_truth(data / "gband" / "instances.json")
    rows: dict[bool, list[NDArray[np.uint8]]] = {True: [], False: []}
    for number, one in enumerate(pictures):
        if all(len(found) >= SHOWN for found in rows.values()):
            break
        metaphase = read_metaphase(one.path)
        true = [instance.region for instance in one.truth.instances if not instance.ignore]
        separated: list[Sequence[Region]] = [separator(metaphase) for separator in separators]
        drawn = [outlines(metaphase, regions) for regions in ([], true, *separated)]
        zoom = drawn[0].shape[0] / metaphase.shape[0]
        found = {index for _, index in match(iou_matrix(separated[0], true))}
        for blob in blobs(one.truth)[0]:
            mine = [index for index, region in enumerate(true) if _inside(region, blob, metaphase)]
            success = set(mine) <= found
            if len(mine) > 1 and len(rows[success]) < SHOWN:
                rows[success].append(np.hstack([_tile(picture, blob.box, zoom) for picture in drawn]))
        tell("figure6", number + 1, len(pictures))
    write_png(path, np.vstack([*rows[True], *rows[False]]))
    return path


def _inside(region: Region, blob: Region, metaphase: Metaphase) -> bool:
    """Whether a chromosome is a part of a blob."""
    whole = blob.full_mask(metaphase.shape)[region.box.slices]
    return bool((whole & region.mask).any())


def _tile(picture: NDArray[np.uint8], box: Box, zoom: float) -> NDArray[np.uint8]:
    """The part of a drawn picture around a box, on a white square."""
    top, left = (max(0, round((start - MARGIN) * zoom)) for start in (box.top, box.left))
    bottom, right = round((box.top + box.height + MARGIN) * zoom), round((box.left + box.width + MARGIN) * zoom)
    part = picture[top:bottom, left:right]
    scale = (TILE - 4) / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    tile = np.full((TILE, TILE, 3), 255, np.uint8)
    tile[2 : 2 + size[1], 2 : 2 + size[0]] = small
    return tile
