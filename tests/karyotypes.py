"""Karyotypes to draw and to write: cells of pki3 on a canvas, or plain bars where no data is needed."""

import csv
import io
import zipfile
from pathlib import Path

import cv2
import numpy as np

from karyofast.arrange import arrange
from karyofast.iscn import parse
from karyofast.types import CLASSES, Box, Chromosome, Karyotype, Label, Metaphase, Straightened

CANVAS = (620, 760)
"""Height and width of the made-up metaphase, px."""

STEP = 76
"""Distance of chromosomes on it, px."""


def pki3_cell(archive: Path, cell: str):
    """Density crops and classes of one cell."""
    with zipfile.ZipFile(archive) as files:
        rows = csv.DictReader(io.TextIOWrapper(files.open("manifest.csv"), encoding="utf-8"))
        members = [(row["file"], row["label"]) for row in rows if row["cell"] == cell]
        raw = [np.frombuffer(files.read(file), np.uint8) for file, _ in members]
    crops = [255 - cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) for data in raw]
    return crops, [name for _, name in members]


def bars(text: str):
    """Plain crops and classes of a karyotype: bars with a waist, 60 px down to 20."""
    names = list(parse(text))
    crops = []
    for name in names:
        height = 62 - 2 * min(CLASSES.index(name), 20)
        crop = np.full((height, 12), 150, np.uint8)
        crop[::5] = 60
        crop[height // 3, [0, 1, -2, -1]] = 0
        crops.append(crop)
    return crops, names


def label(name: str, confidence: float = 0.97, p_up: float = 0.99) -> Label:
    row = np.full(24, (1.0 - confidence) / 23, np.float32)
    row[CLASSES.index(name)] = confidence
    return Label(row, p_up)


def karyotype(crops, labels, name: str = "metaphase 07", **extra) -> Karyotype:
    """A karyotype of crops as a straightener and a classifier would have given them."""
    density = np.zeros(CANVAS, np.uint8)
    chromosomes = []
    for index, crop in enumerate(crops):
        row, column = divmod(index, CANVAS[1] // STEP)
        box = Box(6 + row * STEP * 5 // 4, 20 + column * STEP, *crop.shape)
        window = density[box.slices]
        mask = crop[: window.shape[0], : window.shape[1]] > 8
        density[box.slices] = np.maximum(window, crop[: window.shape[0], : window.shape[1]])
        box = Box(box.top, box.left, *mask.shape)
        chromosomes.append(Chromosome(box, mask, score=0.9, candidate=index))
    metaphase = Metaphase(np.uint8(235) - np.minimum(density, 215), density, "dark", name)
    arrangement = arrange(labels)
    straightened = [straight(crop, one.box) for crop, one in zip(crops, chromosomes, strict=True)]
    return Karyotype(
        metaphase, (), tuple(chromosomes), tuple(straightened),
        tuple(labels), arrangement, arrangement.flags, **extra,
    )  # fmt: skip


def straight(crop, box: Box) -> Straightened:
    inside = crop > 8
    rows = np.arange(len(crop), dtype=np.float32)
    axis = np.stack([box.top + rows, np.full(len(crop), box.left + crop.shape[1] / 2, np.float32)], axis=1)
    widths = inside.sum(axis=1).astype(np.float32)
    profile = crop.sum(axis=1) / np.maximum(widths, 1)
    return Straightened(np.where(inside, crop, 0).astype(np.uint8), axis, widths, profile.astype(np.float32))


def picture(path: Path, number: int) -> Path:
    """Write a small picture of one bar whose first pixel is `number`, by which a stand-in knows it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.full((40, 50), 200, np.uint8)
    grey[10:30, 20:25] = 60
    grey[0, 0] = number
    cv2.imwrite(str(path), grey)
    return path
