"""Drawn chromosomes as the second look is given them: straightened and labelled."""

import cv2
import numpy as np

from karyofast.second_look_moves import Piece
from karyofast.straighten import straighten_patch
from karyofast.types import CLASSES, Box, Chromosome, Label


def label(name: str, sure: float = 0.97) -> Label:
    row = np.full(24, (1 - sure) / 23, np.float32)
    row[CLASSES.index(name)] = sure
    return Label(row)


def piece(mask, name="1"):
    """A whole piece on a canvas, labelled."""
    box = Box(0, 0, *mask.shape)
    straightened = straighten_patch(np.where(mask, 150, 0).astype(np.uint8), Chromosome(box, mask))
    return Piece(Chromosome(box, mask), straightened, label(name))


def line(start, end, width=12, shape=(120, 160)):
    canvas = np.zeros(shape, np.uint8)
    cv2.line(canvas, start[::-1], end[::-1], 1, width)
    return canvas.astype(bool)


def doubtful(mask):
    whole = piece(mask)
    return Piece(whole.chromosome, whole.straightened, label("1", sure=0.4))
