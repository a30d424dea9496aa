"""The results of a run in the formats of other programs: LabelMe, YOLO segmentation, GeoJSON (QuPath), napari,
Parquet.

Outlines run a quarter of a pixel inside the pixels' outer edges, so that a program which fills the pixels whose
middles lie within gives the mask back exactly. Points are (x, y) from the picture's upper left corner, px.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import coco, remote, run_folder, run_parts
from karyofast.errors import DataError, NotBuiltError, OptionError
from karyofast.files import replacing, write_whole
from karyofast.report import SUMMARY
from karyofast.run_folder import RUN
from karyofast.summary import WHOLE_NUMBERS, SummaryRow, read_summary
from karyofast.types import CLASSES
from karyofast.view import class_colour

Format = Literal["labelme", "yolo", "geojson", "napari", "parquet"]

NAMES = (*CLASSES, "unplaced")
"""Names of the classes; chromosomes without one have the last, in YOLO the number 24."""

PARQUET = "summary.parquet"


@dataclass(frozen=True, eq=False)
class Marked:
    """One chromosome of a picture.

    Attributes
    ----------
    label : int
        Index into `karyofast.types.CLASSES`, -1 where it has no class.
    mask : bool (height, width)
    score, class_score : float
        How sure the separation is, and the class.
    """

    label: int
    mask: NDArray[np.bool_]
    score: float
    class_score: float

    @property
    def name(self) -> str:
        """Its class as a word."""
        return NAMES[self.label]


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a run: its file or its URL, the name of its folder, its size in px and its chromosomes."""

    path: Path
    url: str
    name: str
    height: int
    width: int
    marked: tuple[Marked, ...]


def convert(run: Path, kind: Format, out: Path) -> int:
    """Write the results in the folder `run` to the folder `out` in another format.

    ``labelme`` writes NAME.json for each picture, ``geojson`` NAME.geojson, ``yolo`` labels/NAME.txt, images/ with
    links to the pictures and data.yaml, ``napari`` the layers NAME/*, ``parquet`` summary.parquet. The memory is that
    of one picture.

    Returns
    -------
    int
        Number of pictures written, of rows for ``parquet``.

    Raises
    ------
    DataError
        `run` is no folder of a run, or one that was not finished; ``yolo`` of pictures at URLs.
    ImageError
        ``napari`` of a picture that is not there any more.
    OptionError
        Another format.
    NotBuiltError
        ``parquet`` without pyarrow.
    OSError
        `out` cannot be written to.
    """
    if kind not in get_args(Format):
        raise OptionError(f"`kind` must be one of {', '.join(get_args(Format))}. Got: {kind!r}.")
    if kind == "parquet":
        return write_parquet(read_summary(run / SUMMARY), out / PARQUET)
    out.mkdir(parents=True, exist_ok=True)
    write: Callable[[Picture, Path], None] = {
        "labelme": _labelme,
        "yolo": _yolo,
        "geojson": _geojson,
        "napari": _napari,
    }[kind]
    count = 0
    for picture in pictures(run):
        write(picture, out)
        count += 1
    if kind == "yolo":
        names = "".join(f"  {number}: {name!r}\n" for number, name in enumerate(NAMES))
        write_whole(out / "data.yaml", f"path: .\ntrain: images\nval: images\nnames:\n{names}")
    return count


def pictures(run: Path) -> Iterator[Picture]:
    """The pictures of a run that are done, one by one.

    Raises
    ------
    DataError
        `run` is no folder of a run.
    """
    try:
        content = run_folder.read_run(run)
    except OptionError as error:
        raise DataError(str(error)) from error
    if content is None:
        raise DataError(f"{run}: must be a folder that `karyofast run` has written. Got: one without {RUN}.")
    for source, name in content["folders"].items():
        if (run / name / run_folder.PART).is_file():
            yield _picture(run, source, name)


def _picture(run: Path, source: str, name: str) -> Picture:
    try:
        part = run_parts.read_part(run / name)
        image = part["image"]
        marked = tuple(_marked(entry) for entry in part["annotations"])
        url = source if remote.is_url(source) else ""
        return Picture(run_folder.picture_of(run, source), url, name, int(image["height"]), int(image["width"]), marked)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{run / name / run_folder.PART}: is none of karyofast's: {error!r}.") from error


def _marked(entry: dict[str, Any]) -> Marked:
    mask = coco.decode(entry["segmentation"])
    return Marked(entry["category_id"] - 1, mask, float(entry["score"]), float(entry["class_score"]))


def polygons(mask: NDArray[np.bool_]) -> list[list[NDArray[np.float64]]]:
    """Outlines of a mask bool (height, width).

    Returns
    -------
    list of list of float64 (n, 2)
        For each piece its outer ring, then its holes; x before y, px.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8)
    rings, tree = cv2.findContours(
        np.repeat(np.repeat(box, 2, axis=0), 2, axis=1), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    # the middle of a pixel of the doubled mask lies a quarter of a pixel from the edges of the mask's own pixel
    points = [ring[:, 0] / 2 + 0.25 + (columns[0], rows[0]) for ring in rings]
    parents = [int(link[3]) for link in tree[0]]
    return [
        [points[outer], *(points[inner] for inner, parent in enumerate(parents) if parent == outer)]
        for outer in range(len(points))
        if parents[outer] < 0
    ]


def outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """One ring (n, 2), x before y, around a mask: holes and further pieces hang on it by lines without width."""
    rings = [ring for piece in polygons(mask) for ring in piece]
    if not rings:
        return np.zeros((0, 2))
    start = rings[0][:1]
    parts = [rings[0]]
    for ring in rings[1:]:
        parts += [start, ring, ring[:1]]
    return np.concatenate([*parts, start] if len(rings) > 1 else parts)


def _labelme(picture: Picture, out: Path) -> None:
    shapes = [
        {
            "label": one.name,
            "points": outline(one.mask).tolist(),
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
        }
        for one in picture.marked
    ]
    content: dict[str, Any] = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": picture.url or os.path.relpath(picture.path, out),
        "imageData": None,
        "imageHeight": picture.height,
        "imageWidth": picture.width,
    }
    write_whole(out / f"{picture.name}.json", json.dumps(content))


def _yolo(picture: Picture, out: Path) -> None:
    if picture.url:
        raise DataError(f"{picture.url}: YOLO wants its pictures here. Fetch them, and run and convert those.")
    labels, images = out / "labels", out / "images"
    for folder in (labels, images):
        folder.mkdir(exist_ok=True)
    lines = []
    for one in picture.marked:
        places = outline(one.mask) / (picture.width, picture.height)
        lines.append(" ".join([str(one.label % len(NAMES)), *(f"{value:.6f}" for value in places.ravel())]) + "\n")
    # YOLO finds the labels of a picture by its name
    link = images / f"{picture.name}{picture.path.suffix}"
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(picture.path, images))
    write_whole(labels / f"{picture.name}.txt", "".join(lines))


def _geojson(picture: Picture, out: Path) -> None:
    features = []
    for one in picture.marked:
        rings = [[[*ring.tolist(), ring[0].tolist()] for ring in piece] for piece in polygons(one.mask)]
        single = len(rings) == 1
        features.append(
            {
                "type": "Feature",
                "geometry": {
                    "type": "Polygon" if single else "MultiPolygon",
                    "coordinates": rings[0] if single else rings,
                },
                "properties": {
                    "objectType": "annotation",
                    "classification": {"name": one.name, "color": list(class_colour(one.label))},
                    "measurements": {"separation": one.score, "class probability": one.class_score},
                },
            }
        )
    write_whole(out / f"{picture.name}.geojson", json.dumps({"type": "FeatureCollection", "features": features}))


def _napari(picture: Picture, out: Path) -> None:
    from karyofast import convert_napari

    with remote.fetched(picture.url) if picture.url else nullcontext(picture.path) as path:
        convert_napari.write(picture, path, out / picture.name)


def write_parquet(rows: list[SummaryRow], path: Path) -> int:
    """Write the rows of a summary as Parquet; returns their number.

    Raises
    ------
    NotBuiltError
        pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise NotBuiltError("Parquet needs pyarrow. Install it: pip install 'karyofast[parquet]'.") from error
    kinds = {**dict.fromkeys(WHOLE_NUMBERS, "int64"), "seconds": "float64", "quality": "float64"}
    schema = pyarrow.schema([(one.name, kinds.get(one.name, "string")) for one in fields(SummaryRow)])
    table = pyarrow.Table.from_pylist([vars(row) for row in rows], schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
    return len(rows)
