"""Drawn clusters, and what holds of their separation."""

import cv2
import numpy as np

from karyofast.types import Box, Candidate, Metaphase

WIDTH = 14.0
SHAPE = (160, 160)


def ellipse(row, col, half_length, half_width, degrees=0.0):
    """An upright ellipse, turned clockwise."""
    canvas = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(canvas, (col, row), (half_length, half_width), 90 + degrees, 0, 360, 1, cv2.FILLED)
    return canvas.astype(bool)


def line(*points, width=WIDTH):
    """A chromosome through points (row, column), with round ends."""
    canvas = np.zeros(SHAPE, np.uint8)
    xy = np.array(points)[:, ::-1].reshape(-1, 1, 2)
    cv2.polylines(canvas, [xy.astype(np.int32)], False, 1, round(width))
    return canvas.astype(bool)


def arc(radius, start, stop, centre=(80, 80)):
    angle = np.radians(np.linspace(start, stop, 60))
    return line(*np.stack([centre[0] + radius * np.sin(angle), centre[1] + radius * np.cos(angle)], axis=1))


def cell(*masks, gap=None):
    """A metaphase with one cluster, and the cluster as a candidate."""
    union = np.any(masks, axis=0)
    density = np.where(union, 150, 0).astype(np.uint8)
    if gap is not None:
        density[gap & union] = 40
    rows, cols = np.flatnonzero(union.any(axis=1)), np.flatnonzero(union.any(axis=0))
    box = Box(int(rows[0]), int(cols[0]), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
    return Metaphase(255 - density, density, "dark"), Candidate(box, union[box.slices])


def iou(one, mask):
    full = one.full_mask(mask.shape)
    return np.count_nonzero(full & mask) / np.count_nonzero(full | mask)


def assert_nothing_lost(found, candidate, shape=SHAPE):
    together = np.any([one.full_mask(shape) for one in found], axis=0)
    assert np.array_equal(together, candidate.full_mask(shape))


def assert_matched(found, masks, least):
    assert len(found) == len(masks)
    for mask in masks:
        assert max(iou(one, mask) for one in found) > least
