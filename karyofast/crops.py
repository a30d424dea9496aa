"""Pictures of single chromosomes, cut out by somebody else: find the chromosome in each, straighten it.

Data sets of single chromosomes are a folder or a zip file with ``manifest.csv`` (file, label, cell[, case]) and the
pictures it names.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.errors import DataError, ImageError
from karyofast.files import sha256_of
from karyofast.masks import largest
from karyofast.straighten import principal_axis, straighten_patch
from karyofast.types import CLASSES, Box, Region, Straightened

MANIFEST = "manifest.csv"

TRACE = 8
"""Grey levels above the background at which a pixel is held for chromosome: JPEG and resampling ringing stay below."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
"""Suffixes of the pictures in a folder without a manifest."""

_UNREADABLE = (KeyError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a file of a folder or zip raises: it is not there, barred, encrypted or broken."""


@dataclass(frozen=True)
class CropRow:
    """One line of a manifest; `label` is an index into `CLASSES` or None, `case` falls back on the cell."""

    file: str
    label: int | None
    cell: str
    case: str


class CropSource:
    """A folder or zip file of single chromosomes with its manifest.

    Parameters
    ----------
    path : Path or str
        Folder or zip file.
    manifest : str or None
        Name of the manifest in it; None: every picture directly in the folder, with neither label nor cell.

    Raises
    ------
    DataError
        No such file, no manifest, or a manifest without the columns; the message names the file and the row.
    """

    def __init__(self, path: Path | str, manifest: str | None = MANIFEST) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise DataError(f"{self.path}: no such file or folder.")
        try:
            self._zip = None if self.path.is_dir() else zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(f"{self.path}: must be a folder or a zip file. Got: {error}.") from error
        self._manifest = manifest
        self.rows = self._pictures() if manifest is None else self._read_manifest(manifest)

    def __reduce__(self) -> tuple[type[CropSource], tuple[Path, str | None]]:
        # an open zip file cannot be sent to another process
        return CropSource, (self.path, self._manifest)

    def _pictures(self) -> list[CropRow]:
        names = sorted(file.name for file in self.path.iterdir() if file.suffix.lower() in SUFFIXES)
        return [CropRow(name, None, "", "") for name in names]

    def _read_manifest(self, manifest: str) -> list[CropRow]:
        try:
            text = self.read(manifest).decode("utf-8-sig")
            lines = list(csv.DictReader(io.StringIO(text)))
        except (*_UNREADABLE, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{self.path}: has no readable {manifest} (file,label,cell[,case]).") from error
        rows = []
        for number, row in enumerate(lines, start=2):
            if not row.get("file"):
                raise DataError(f"{self.path}: {manifest}, line {number}: no value in column file.")
            label = row.get("label") or ""
            if label and label not in CLASSES:
                raise DataError(f"{self.path}: {manifest}, line {number}: label must be 1..22, X or Y. Got: {label}.")
            cell = row.get("cell") or ""
            rows.append(CropRow(row["file"], CLASSES.index(label) if label else None, cell, row.get("case") or cell))
        return rows

    def read(self, file: str) -> bytes:
        """The bytes of one file of the set."""
        return self._zip.read(file) if self._zip else (self.path / file).read_bytes()

    def grey(self, row: CropRow) -> NDArray[np.uint8]:
        """The picture of one row, one channel, 8 bit."""
        try:
            data = self.read(row.file)
        except _UNREADABLE as error:
            raise DataError(f"{self.path}: {row.file} is in the manifest and cannot be read: {error}") from error
        try:
            grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
        except cv2.error:  # a header that tells of more pixels than OpenCV takes
            grey = None
        if grey is None:
            raise ImageError(f"{self.path}: {row.file}: not a picture that can be decoded.")
        return np.asarray(grey, dtype=np.uint8)

    def cells(self) -> Iterator[tuple[str, list[CropRow]]]:
        """The rows cell by cell, in the order of the manifest."""
        groups: dict[str, list[CropRow]] = {}
        for row in self.rows:
            groups.setdefault(row.cell, []).append(row)
        yield from groups.items()


def split_of(group: str, validation: float = 0.05, test: float = 0.15) -> str:
    """The part, "train", "validation" or "test", that a case, cell or slide belongs to.

    It depends on the name alone, so that every command and every machine splits alike.
    """
    share = int(hashlib.sha1(group.encode(), usedforsecurity=False).hexdigest()[:8], 16) / 16**8
    if share < test:
        return "test"
    return "validation" if share < test + validation else "train"


def trained_slide(slide: str) -> bool:
    """Whether the separator may train on a slide: half of them, by the first hexadecimal digit of the name's SHA-1."""
    return hashlib.sha1(slide.encode(), usedforsecurity=False).hexdigest()[0] in "01234567"


def digest_of(data: Path) -> str:
    """SHA-256 of a data set's zip file, or of a folder's manifest, in hexadecimal."""
    return sha256_of(data / MANIFEST if data.is_dir() else data)


def isolate(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Region]:
    """Density and mask of the chromosome in a picture of a single one, on a plain white or black background.

    Parameters
    ----------
    grey : uint8 (height, width)

    Returns
    -------
    density : uint8 (height, width)
    region : Region
        All that differs from the background; its box is the whole picture.

    Raises
    ------
    ImageError
        Nothing in the picture differs from its background.
    """
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).astype(np.int16)
    # a tight crop shows little background: it is the extreme of the picture that more of the rim lies at
    high, low = int(grey.max()), int(grey.min())
    white, black = rim[rim >= high - TRACE], rim[rim <= low + TRACE]
    dark = len(white) >= len(black)
    background = int(np.median(white if dark else black)) if max(len(white), len(black)) else high
    signed = background - grey.astype(np.int16) if dark else grey.astype(np.int16) - background
    density = np.clip(signed, 0, 255).astype(np.uint8)
    mask = density > TRACE
    if not mask.any():
        raise ImageError("the picture must show a chromosome on a plain background. Got: nothing but background.")
    mask = largest(mask)
    return np.where(mask, density, 0).astype(np.uint8), Region(Box(0, 0, *grey.shape), mask)


def turn(
    density: NDArray[np.uint8], region: Region, degrees: float
) -> tuple[NDArray[np.uint8], Region, NDArray[np.float64]]:
    """Turn a chromosome, on a canvas that holds it whole; the third value is the matrix (2, 3), x before y."""
    height, width = density.shape
    side = int(np.hypot(height, width)) + 8
    matrix = cv2.getRotationMatrix2D((0.5 * (width - 1), 0.5 * (height - 1)), degrees, 1.0)
    matrix[:, 2] += [0.5 * (side - width), 0.5 * (side - height)]
    turned = cv2.warpAffine(density, matrix, (side, side), flags=cv2.INTER_CUBIC)
    mask = cv2.warpAffine(region.mask.astype(np.uint8) * 255, matrix, (side, side)) > 127
    if not mask.any():
        mask[side // 2, side // 2] = True
    kept = np.asarray(np.where(mask, turned, 0), dtype=np.uint8)
    return kept, Region(Box(0, 0, side, side), mask), np.asarray(matrix, dtype=np.float64)


def straighten_single(grey: NDArray[np.uint8], degrees: float = 0.0) -> tuple[Straightened, bool]:
    """Straighten a picture of a single chromosome, turned by `degrees` first.

    Returns
    -------
    straightened : Straightened
    upright : bool
        Whether the end that was higher in the picture is at the top of the crop.
    """
    density, region = isolate(grey)
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    if degrees:
        density, region, matrix = turn(density, region, degrees)
    straightened = straighten_patch(density, region)
    ends = straightened.axis[[0, -1]][:, ::-1].astype(np.float64)
    back = cv2.invertAffineTransform(matrix)
    first, last = ends @ back[:, :2].T + back[:, 2]
    return straightened, bool(first[1] <= last[1])


def stood_up(grey: NDArray[np.uint8], degrees: float = 0.0) -> tuple[Straightened, bool]:
    """A picture of a single chromosome as `straighten_single` gives it, but bent as it is; its longest way is upright.

    Returns
    -------
    straightened : Straightened
        Its axis is a vertical line.
    upright : bool
        Whether the end that was higher in the picture is at the top of the crop: where `degrees` is under a quarter
        turn to either side.
    """
    density, region = isolate(grey)
    axis, _, _ = principal_axis(np.argwhere(region.mask))
    along = axis[-1] - axis[0]
    tilt = float(np.degrees(np.arctan2(along[1], along[0])))  # at most a quarter turn
    upright = bool(np.cos(np.radians(degrees)) >= 0.0)
    density, region, _ = turn(density, region, -tilt if upright else 180.0 - tilt)
    rows, columns = (np.flatnonzero(region.mask.any(axis=axis)) for axis in (1, 0))
    crop = density[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    line = np.array([(row, columns.mean()) for row in range(rows[0], rows[-1] + 1)], dtype=np.float32)
    widths = np.maximum(np.count_nonzero(crop, axis=1), 1).astype(np.float32)
    return Straightened(crop, line, widths, profile=crop.sum(axis=1, dtype=np.float32) / widths), upright
