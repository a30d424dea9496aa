"""COCO files with run-length masks: written for every result, read for every truth.

Categories are 0 (unplaced), 1 to 22, 23 = X, 24 = Y. Three kinds of files are read: karyofast's own, one with
a single category ``chromosome`` and the class of an instance in ``label``, one with ``1`` to ``Y``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.errors import DataError
from karyofast.files import write_whole
from karyofast.types import CLASSES, Box, Region

UNPLACED = 0
"""category of an instance whose class is not known"""
_KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class ImageRecord:
    """One picture of a COCO file: id, file name, height and width in px, and its other keys."""

    id: int
    file_name: str
    height: int
    width: int
    extra: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in px."""
        return self.height, self.width


@dataclass(frozen=True, eq=False)
class TruthInstance:
    """One true chromosome.

    Attributes
    ----------
    id : int
        The annotation's id in its file.
    region : Region
        Its mask; a crossing belongs to both.
    label : int or None
        Index into `karyofast.types.CLASSES`, None where the class is not known.
    ignore : bool
        Neither asked for nor counted as wrong (COCO ``iscrowd``).
    touching, overlapping, uncertain : bool
    orientation : float or None
        Direction of the p arm, degrees counter-clockwise from the right, where the file has it.
    extra : mapping
        The annotation's other keys.
    """

    id: int
    region: Region
    label: int | None
    ignore: bool
    touching: bool
    overlapping: bool
    uncertain: bool
    orientation: float | None
    extra: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        """Class name, None where it is not known."""
        return None if self.label is None else CLASSES[self.label]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of one picture."""

    image: ImageRecord
    instances: tuple[TruthInstance, ...]


def encode(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Run-length code of a mask (height, width): ``{"size": [height, width], "counts": str}``.

    Examples
    --------
    >>> encode(np.eye(3, dtype=bool))["size"]
    [3, 3]
    """
    from pycocotools import mask as coco_mask

    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def encode_region(region: Region, shape: tuple[int, int]) -> dict[str, Any]:
    """`encode` of a region's mask on a canvas of `shape` (height, width), without the canvas.

    Examples
    --------
    >>> one = Region(Box(1, 1, 2, 2), np.ones((2, 2), dtype=bool))
    >>> encode_region(one, (5, 4)) == encode(one.full_mask((5, 4)))
    True
    """
    from pycocotools import mask as coco_mask

    height, width = shape
    # runs go down the columns
    columns, rows = np.nonzero(region.mask.T)
    places = (columns + region.box.left) * height + rows + region.box.top
    breaks = np.flatnonzero(np.diff(places, prepend=-2, append=height * width + 1) != 1)
    starts, ends = places[breaks[:-1]], places[breaks[1:] - 1] + 1
    edges = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(edges, prepend=0, append=height * width).tolist()
    if not counts[-1] and len(counts) > 1:
        counts.pop()
    rle = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def decode(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Mask (height, width) of a run-length code, compressed (str) or not (list of runs).

    Raises
    ------
    DataError
        No such code, or runs that do not fill the size.
    """
    if not isinstance(rle, Mapping) or not {"size", "counts"} <= set(rle):
        raise DataError(f"a mask must be a run-length code with size and counts. Got: {str(rle)[:60]}.")
    size, counts = rle["size"], rle["counts"]
    if not (isinstance(size, list | tuple) and len(size) == 2 and min(map(_whole, size)) > 0):
        raise DataError(f"a mask's size must be [height, width]. Got: {size!r}.")
    runs = _runs(counts)
    if sum(runs) != size[0] * size[1] or min(runs) < 0:
        raise DataError(f"a mask's runs must fill its size {list(size)}. Got: runs of {sum(runs)} px in all.")
    # Runs go down the columns, background first.
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(values.reshape(size[1], size[0]).T)


def _runs(counts: Any) -> list[int]:
    """Run lengths of COCO counts, not yet checked; pycocotools would trust them and write past its mask."""
    if isinstance(counts, list) and counts and all(isinstance(v, int) for v in counts):
        return counts
    if not isinstance(counts, str) or not counts:
        raise DataError(f"a mask's counts must be a string or a list of runs. Got: {str(counts)[:60]!r}.")
    runs: list[int] = []
    value, shift = 0, 0
    for letter in counts:
        code = ord(letter) - 48
        if not 0 <= code < 64:
            raise DataError(f"a mask's counts must be COCO's letters. Got: {letter!r} in it.")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise DataError("a mask's counts must end with a whole run. Got: a truncated string.")
    return runs


def annotation(
    id_: int, image_id: int, label: int | None, region: Region, shape: tuple[int, int], **extra: Any
) -> dict[str, Any]:
    """One entry of ``annotations``.

    Parameters
    ----------
    id_ : int
        The annotation's own id.
    image_id : int
        Id of its picture.
    label : int or None
        Index into `karyofast.types.CLASSES`; None (or -1): unplaced.
    region : Region
        Its mask.
    shape : (int, int)
        Height and width of the picture.
    **extra
        Further keys: score, touching, overlapping, orientation, ...
    """
    return {
        "id": id_,
        "image_id": image_id,
        "category_id": UNPLACED if label is None or label < 0 else label + 1,
        "segmentation": encode_region(region, shape),
        "bbox": [int(v) for v in (region.box.left, region.box.top, region.box.width, region.box.height)],
        "area": region.area,
        "iscrowd": 0,
        **extra,
    }


def document(
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    info: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A whole COCO document with karyofast's 25 categories, ready for JSON."""
    categories = [{"id": UNPLACED, "name": "unplaced", "supercategory": "chromosome"}]
    categories += [{"id": k, "name": name, "supercategory": "chromosome"} for k, name in enumerate(CLASSES, 1)]
    return {
        "info": dict(info or {}),
        "images": [dict(image) for image in images],
        "annotations": [dict(entry) for entry in annotations],
        "categories": categories,
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    write_whole(path, json.dumps(content))


def load(path: Path | str) -> tuple[Truth, ...]:
    """Read a COCO file into one `Truth` a picture, in the file's order.

    Where the file has no ``touching``, it is derived from the masks (`touching`).

    Raises
    ------
    DataError
        A file that is missing, no JSON or no COCO; an entry without a needed key, with an id that nothing
        carries, or with a mask that does not fit its picture; names the file, the entry and the reason.
    """
    path = Path(path)
    content = _read(path)
    names = {_key(c, "id", path, "category"): str(_key(c, "name", path, "category")) for c in content["categories"]}
    images = {record.id: record for record in (_image(entry, path) for entry in content["images"])}
    entries: dict[int, list[Mapping[str, Any]]] = {id_: [] for id_ in images}
    for entry in content["annotations"]:
        image_id = _key(entry, "image_id", path, "annotation")
        if image_id not in images:
            raise DataError(f"{path}: annotation {entry.get('id')}: no image has the image_id {image_id!r}.")
        entries[image_id].append(entry)
    return tuple(_truth(image, entries[id_], names, path) for id_, image in images.items())


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: is no JSON: {error}.") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in _KEYS):
        raise DataError(f"{path}: must be a COCO document with the lists {', '.join(_KEYS)}.")
    return content


def _key(entry: Any, key: str, path: Path, kind: str) -> Any:
    if not isinstance(entry, dict) or key not in entry:
        what = entry.get("id", "without id") if isinstance(entry, dict) else repr(entry)[:40]
        raise DataError(f"{path}: {kind} {what}: has no {key!r}.")
    return entry[key]


def _whole(value: Any) -> int:
    """`value` if it is a whole number, else -1, which nothing allows."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _image(entry: Any, path: Path) -> ImageRecord:
    known = ("id", "file_name", "height", "width")
    id_, name, height, width = (_key(entry, key, path, "image") for key in known)
    if min(_whole(height), _whole(width)) <= 0:
        raise DataError(f"{path}: image {id_}: height and width must be positive. Got: {height!r}, {width!r}.")
    return ImageRecord(id_, str(name), height, width, {k: v for k, v in entry.items() if k not in known})


def _truth(image: ImageRecord, entries: Sequence[Mapping[str, Any]], names: Mapping[int, str], path: Path) -> Truth:
    regions = [region_of(entry, image, path) for entry in entries]
    derived: tuple[bool, ...] = ()
    if any("touching" not in entry for entry in entries):
        derived = touching(regions)
    known = ("id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd")
    instances = tuple(
        TruthInstance(
            id=_key(entry, "id", path, "annotation"),
            region=region,
            label=_label(entry, names, path),
            ignore=bool(entry.get("iscrowd", 0)),
            touching=bool(entry["touching"]) if "touching" in entry else derived[k],
            overlapping=bool(entry.get("overlapping", False)),
            uncertain=bool(entry.get("uncertain", False)) or entry.get("label_sure", True) is False,
            orientation=None if entry.get("orientation") is None else float(entry["orientation"]),
            extra={key: value for key, value in entry.items() if key not in known},
        )
        for k, (entry, region) in enumerate(zip(entries, regions, strict=True))
    )
    return Truth(image, instances)


def region_of(entry: Mapping[str, Any], image: ImageRecord, path: Path) -> Region:
    """The mask of an annotation; raises `DataError` where there is none, an empty one or one of another size."""
    try:
        mask = decode(_key(entry, "segmentation", path, "annotation"))
    except DataError as error:
        raise DataError(f"{path}: annotation {entry.get('id')}: {error}") from error
    if mask.shape != image.shape:
        raise DataError(
            f"{path}: annotation {entry.get('id')}: its mask must have the size of {image.file_name}, "
            f"{image.shape}. Got: {mask.shape}."
        )
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise DataError(f"{path}: annotation {entry.get('id')}: its mask must not be empty.")
    box = Box(int(rows[0]), int(columns[0]), int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)
    return Region(box, mask[box.slices].copy())


def _label(entry: Mapping[str, Any], names: Mapping[int, str], path: Path) -> int | None:
    category = _key(dict(entry), "category_id", path, "annotation")
    if category not in names:
        raise DataError(f"{path}: annotation {entry.get('id')}: no category has the id {category!r}.")
    name = names[category]
    if name == "chromosome":
        name = str(entry.get("label", "unplaced"))
    if name == "unplaced":
        return None
    if name not in CLASSES:
        raise DataError(f"{path}: annotation {entry.get('id')}: {name!r} is no chromosome class.")
    return CLASSES.index(name)


def touching(regions: Sequence[Region]) -> tuple[bool, ...]:
    """Whether each region, grown by one px in all eight directions, meets another; an overlap counts too."""
    flags = [False] * len(regions)
    for i, one in enumerate(regions):
        grown = _grown(one)
        for j in range(i + 1, len(regions)):
            if not (flags[i] and flags[j]) and _meet(grown, regions[j]):
                flags[i] = flags[j] = True
    return tuple(flags)


def _grown(region: Region) -> Region:
    padded = np.pad(region.mask, 2)
    grown = np.zeros((region.box.height + 2, region.box.width + 2), dtype=bool)
    for row in range(3):
        for column in range(3):
            grown |= padded[row : row + grown.shape[0], column : column + grown.shape[1]]
    box = region.box
    return Region(Box(box.top - 1, box.left - 1, box.height + 2, box.width + 2), grown)


def _meet(a: Region, b: Region) -> bool:
    top, left = max(a.box.top, b.box.top), max(a.box.left, b.box.left)
    bottom = min(a.box.top + a.box.height, b.box.top + b.box.height)
    right = min(a.box.left + a.box.width, b.box.left + b.box.width)
    if top >= bottom or left >= right:
        return False
    views = [r.mask[top - r.box.top : bottom - r.box.top, left - r.box.left : right - r.box.left] for r in (a, b)]
    return bool(np.any(views[0] & views[1]))
