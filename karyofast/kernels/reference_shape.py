"""References of the kernels of `shape` and `opening`, by OpenCV and NumPy: see `karyofast.kernels.reference`.

OpenCV is imported where it is used: it takes a tenth of a second to load.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from karyofast.kernels.regions import RegionTree


@contextmanager
def _own() -> Iterator[None]:
    """OpenCV without Intel's library in it, which rounds distances and settles Otsu's ties otherwise."""
    import cv2

    with_ipp = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(with_ipp)


def _chamfer(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Chamfer distance as OpenCV has it everywhere, in 65536ths of a pixel."""
    import cv2

    with _own():
        return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 5), dtype=np.float32)


def ridge_depths(height: NDArray[np.float32]) -> NDArray[np.float32]:
    """Otsu's mask, its chamfer distance, and where that is as great as all around it."""
    import cv2

    top = float(height.max())
    grey = (np.maximum(height, 0) * np.float32(255 / top if top > 0 else 0)).astype(np.uint8)
    with _own():
        mask = np.asarray(cv2.threshold(grey, 0, 1, cv2.THRESH_OTSU)[1], dtype=np.uint8)
    if mask.all():
        return np.empty(0, dtype=np.float32)
    depth = _chamfer(mask)
    ridge = (depth >= cv2.dilate(depth, np.ones((3, 3), dtype=np.uint8))) & (depth > 1.5)
    return np.asarray(depth[ridge], dtype=np.float32)


def outlines(tree: RegionTree, regions: NDArray[np.int64], bin_width: float) -> NDArray[np.float64]:
    """Disk, aspect and votes (3, n), region by region."""
    return np.array([_outline(tree, region, bin_width) for region in regions.tolist()]).T


def _outline(tree: RegionTree, region: int, bin_width: float) -> tuple[float, float, float]:
    import cv2

    box, mask = tree.mask(region)
    on: NDArray[np.uint8] = np.pad(mask, 1).view(np.uint8)
    disk = 2.0 * float(_chamfer(on).max())
    rim = np.argwhere((on != 0) & (cv2.erode(on, np.ones((3, 3), dtype=np.uint8)) == 0))
    rows, cols = (np.argwhere(mask) + np.array([box.top, box.left])).T
    row, col = rows.mean(), cols.mean()
    # 1/12: a pixel's own extent
    down, across = (rows * rows).mean() - row**2 + 1 / 12, (cols * cols).mean() - col**2 + 1 / 12
    mixed = (rows * cols).mean() - row * col
    half, apart = (down + across) / 2, np.hypot((down - across) / 2, mixed)
    y, x = (rim + np.array([box.top - 1 - row, box.left - 1 - col])).T
    scale = np.sqrt((across * y * y + down * x * x - 2 * mixed * y * x) / (down * across - mixed * mixed)) / 2
    votes = np.count_nonzero(np.abs(scale - 1) <= bin_width) / len(rim)  # a solid ellipse ends at 2 sigma
    return disk, float(np.sqrt((half + apart) / (half - apart))), votes


def region_masks(tree: RegionTree, regions: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Region by region."""
    return [tree.mask(region)[1] for region in regions.tolist()]


def rim_steps(image: NDArray[np.uint16], tree: RegionTree, regions: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of OpenCV's Laplacian over each region."""
    import cv2

    steps = cv2.Laplacian(image, cv2.CV_64F, ksize=1, borderType=cv2.BORDER_REPLICATE).ravel()
    return np.array([steps[tree.pixels(region)].sum() for region in regions.tolist()])


def solidities(mask: NDArray[np.bool_], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """By OpenCV's convex hull of each box's pixels."""
    return np.array([_solidity(mask[top : top + rows, left : left + cols]) for top, left, rows, cols in boxes.tolist()])


def _solidity(mask: NDArray[np.bool_]) -> float:
    import cv2

    if not mask.any():
        return 0.0
    hull = cv2.convexHull(np.argwhere(mask).astype(np.int32))
    # the hull joins pixel centres: half its rim is missing from its area
    return float(np.count_nonzero(mask) / (cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1.0))


def fill_holes(mask: NDArray[np.bool_], most: float) -> NDArray[np.bool_]:
    """By OpenCV's components of the mask's surroundings, with a rim that joins those at its rim."""
    import cv2

    _, labels = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).view(np.uint8), connectivity=4)
    small = np.bincount(labels.ravel()) <= most
    small[[0, labels[0, 0]]] = False  # the mask, and what lies around it
    filled = small[labels[1:-1, 1:-1]]
    return np.asarray(mask | filled) if filled.any() else mask


def disk_opening(image: NDArray[np.float32], disk: NDArray[np.uint8]) -> NDArray[np.float32]:
    """OpenCV's."""
    import cv2

    return np.asarray(cv2.morphologyEx(image, cv2.MORPH_OPEN, disk), dtype=np.float32)
