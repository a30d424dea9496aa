"""Made metaphases, and a separator that knows their truth."""

import cv2
import numpy as np

from karyofast import segment_lift
from karyofast.train.axes import targets
from karyofast.train.compose import Laid
from karyofast.types import Box, Candidate, Metaphase

BINS = 12


def bar(start, end, width=12.0, shape=(200, 200)) -> Laid:
    """A straight chromosome between two points (row, column)."""
    start, end = np.array(start, float), np.array(end, float)
    canvas = np.zeros(shape, np.uint8)
    cv2.line(canvas, tuple(int(v) for v in start[::-1]), tuple(int(v) for v in end[::-1]), 1, int(width))
    length = int(np.hypot(*(end - start)))
    steps = np.linspace(0.5 * width, length - 0.5 * width, length)[:, None] / length
    return Laid(canvas.astype(bool), start + steps * (end - start), width)


def arc(radius=45.0, width=12.0, shape=(200, 200)) -> Laid:
    canvas = np.zeros(shape, np.uint8)
    cv2.ellipse(canvas, (100, 100), (int(radius), int(radius)), 0, 0, 270, 1, int(width))
    angle = np.deg2rad(np.linspace(8, 262, 220))
    return Laid(canvas.astype(bool), 100 + radius * np.stack([np.sin(angle), np.cos(angle)], axis=1), width)


def let_all_be_shown(monkeypatch):
    """An oracle draws on the picture's own grid, all of it: let the picture be of the network's scale, and small."""
    monkeypatch.setattr(segment_lift, "typical_width", lambda candidates: segment_lift.WIDTH)
    monkeypatch.setattr(segment_lift, "REACH", 200)


class Oracle:
    """A separator that answers with the truth, as a perfectly trained network would."""

    stride = 16

    def __init__(self, laid):
        self.laid = laid

    def lifted(self, density):
        drawn = targets(self.laid, self.laid[0].mask.shape, BINS).astype(np.float32)
        return np.pad(drawn, ((0, 0), (0, density.shape[0] - drawn.shape[1]), (0, density.shape[1] - drawn.shape[2])))


def cell(laid):
    """A metaphase and its candidates: the components of the union of what was laid."""
    union = np.any([one.mask for one in laid], axis=0)
    density = np.where(union, 150, 0).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(union.astype(np.uint8), connectivity=8)
    candidates = []
    for number in range(1, count):
        left, top, width, height, _ = (int(v) for v in stats[number])
        inner = labels[top : top + height, left : left + width] == number
        candidates.append(Candidate(Box(top, left, height, width), inner))
    return Metaphase(255 - density, density, "dark"), candidates


def iou(chromosome, laid) -> float:
    mask = chromosome.full_mask(laid.mask.shape)
    return np.count_nonzero(mask & laid.mask) / np.count_nonzero(mask | laid.mask)


def best(found, laid):
    return max(iou(one, laid) for one in found)
