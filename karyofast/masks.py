"""Masks in boxes: what two share, and the least box around one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.types import Box, Region


def common(one: Region, other: Region) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where the boxes of two masks share pixels: rows and columns in the mask of each, empty where they share none."""
    top, left = max(one.box.top, other.box.top), max(one.box.left, other.box.left)
    bottom = max(top, min(one.box.top + one.box.height, other.box.top + other.box.height))
    right = max(left, min(one.box.left + one.box.width, other.box.left + other.box.width))
    mine, theirs = (
        (slice(top - box.top, bottom - box.top), slice(left - box.left, right - box.left))
        for box in (one.box, other.box)
    )
    return mine, theirs


def shared_pixels(one: Region, other: Region) -> int:
    """Number of pixels that two masks share."""
    mine, theirs = common(one, other)
    return int(np.count_nonzero(one.mask[mine] & other.mask[theirs]))


def overlap_share(one: Region, other: Region) -> float:
    """Intersection over union of two masks."""
    both = shared_pixels(one, other)
    return both / (one.area + other.area - both)


def largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest 8-connected component of a mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 2 else mask


def components(mask: NDArray[np.bool_], least: int) -> tuple[int, NDArray[np.int32]]:
    """Number of 8-connected components of `least` pixels or more, the background with them, and their labels."""
    count, found, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= least
    kept[0] = False
    renumbered = np.zeros(count, dtype=np.int32)
    renumbered[kept] = np.arange(1, 1 + int(kept.sum()))
    return 1 + int(kept.sum()), renumbered[found]


def tight(mask: NDArray[np.bool_], box: Box) -> tuple[Box, NDArray[np.bool_]]:
    """The least box around a mask, not empty, that fills `box`, and the mask in it."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    inner = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return Box(box.top + int(rows[0]), box.left + int(cols[0]), *inner.shape), inner
