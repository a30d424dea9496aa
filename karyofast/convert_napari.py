"""Results as files that napari opens as layers: image, labels, outlines and names.

napari takes a TIFF of uint32 for labels, and knows shapes and points by the columns of a CSV. Its coordinates are
(row, column) and whole numbers are the pixels' middles, half a pixel from the corners that `karyofast.convert` counts
from.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from karyofast.errors import DataError
from karyofast.files import replacing, write_whole
from karyofast.io import read_metaphase

if TYPE_CHECKING:
    from karyofast.convert import Marked, Picture

IMAGE, LABELS, SHAPES, POINTS = "image.tif", "labels.tif", "shapes.csv", "points.csv"

MIDDLE = 0.5
"""What is taken off a place counted from a pixel's corner to count it from its middle, px."""


def write(picture: Picture, path: Path, folder: Path) -> None:
    """Write the layers of a picture, which is read from `path`, to `folder`.

    The labels are the chromosomes' numbers in karyotype.json, counted from 1. Where no chromosome has a mask there are
    no outlines and names: napari refuses empty ones.

    Raises
    ------
    ImageError
        The picture cannot be read any more.
    DataError
        It has another size than its result.
    """
    grey = read_metaphase(path, "dark").grey
    if grey.shape != (picture.height, picture.width):
        raise DataError(
            f"{path}: must have the {picture.height} x {picture.width} px that its result tells. Got: {grey.shape}. "
            "Run the picture again."
        )
    folder.mkdir(parents=True, exist_ok=True)
    _tiff(folder / IMAGE, grey)
    _tiff(folder / LABELS, planes([one.mask for one in picture.marked], grey.shape))
    marked = [(number, one) for number, one in enumerate(picture.marked, 1) if one.mask.any()]
    for name, table in ((SHAPES, _shapes(marked)), (POINTS, _points(marked))):
        if marked:
            write_whole(folder / name, table)
        else:
            (folder / name).unlink(missing_ok=True)


def planes(masks: Sequence[NDArray[np.bool_]], shape: tuple[int, int]) -> NDArray[np.uint32]:
    """Masks as labels, on as few planes as let every mask be whole where others cross it, each put on the first free.

    Parameters
    ----------
    masks : sequence of bool (height, width)
    shape : (int, int)

    Returns
    -------
    uint32 (planes, height, width)
        At least one plane; the number of the mask, counted from 1, and 0 beside them.
    """
    made: list[NDArray[np.uint32]] = [np.zeros(shape, np.uint32)]
    for number, mask in enumerate(masks, 1):
        plane = next((one for one in made if not one[mask].any()), None)
        if plane is None:
            plane = np.zeros(shape, np.uint32)
            made.append(plane)
        plane[mask] = number
    return np.stack(made)


def _shapes(marked: Sequence[tuple[int, Marked]]) -> str:
    from karyofast.convert import outline

    rows: list[list[Any]] = [["index", "shape-type", "vertex-index", "axis-0", "axis-1"]]
    for index, (_, one) in enumerate(marked):
        for vertex, (x, y) in enumerate((outline(one.mask) - MIDDLE).tolist()):
            rows.append([index, "polygon", vertex, y, x])
    return _csv(rows)


def _points(marked: Sequence[tuple[int, Marked]]) -> str:
    rows: list[list[Any]] = [["index", "axis-0", "axis-1", "label", "class", "separation", "class-probability"]]
    for index, (number, one) in enumerate(marked):
        row, column = (float(place.mean()) for place in np.nonzero(one.mask))
        rows.append([index, round(row, 2), round(column, 2), number, one.name, one.score, one.class_score])
    return _csv(rows)


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _tiff(path: Path, array: NDArray[Any]) -> None:
    import tifffile

    with replacing(path) as temporary:
        tifffile.imwrite(temporary, array, compression="zlib", photometric="minisblack")
