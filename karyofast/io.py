"""Read metaphase pictures, and write pictures."""

from __future__ import annotations

import glob
import io
import logging
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.errors import ImageError, OptionError
from karyofast.files import write_whole
from karyofast.png import encoded
from karyofast.polarity import quantiles, seen_as
from karyofast.types import Metaphase, Polarity

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
"""Suffixes that are taken for pictures when a folder is given."""

MAX_PIXELS = 100_000_000
"""Largest picture read: far above any metaphase camera, far below what exhausts a small machine."""

LEAST_SIDE = 16
"""Side, px, below which a picture cannot show a metaphase."""

LEAST_CONTRAST = 8
"""Grey levels between the darkest and the brightest part below which a picture is blank."""

SOFTENING = 2.0
"""Sigma, px, over which neighbours are averaged to tell noise from a picture: half a narrow chromosome."""

LEAST_LEFT = 0.3
"""Share of the contrast that must be left then; white noise keeps 0.14 of its own, metaphases more than 0.7."""

MAX_BYTES = 2**31
"""Largest file read: `MAX_PIXELS` of four 16-bit channels need less than half of it."""

TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of a TIFF file: both orders of bytes, with 32 and with 64 bit offsets."""

NO_PICTURE = "is no picture that can be decoded (TIFF, PNG, JPEG, BMP), or a broken one."

_log = logging.getLogger(__name__)


def read_metaphase(path: Path | str, polarity: Literal["auto"] | Polarity = "auto") -> Metaphase:
    """Read a picture of a metaphase.

    Parameters
    ----------
    path : Path or str
        TIFF (8 or 16 bit or float; the first page of several), PNG, JPEG or BMP, grey or colour.
    polarity : {"auto", "dark", "bright"}
        Whether chromosomes are darker or brighter than the background; "auto" finds it.

    Returns
    -------
    Metaphase
        With the flag "multi-page" when pages were left out, "blank" when nothing is to be seen.

    Raises
    ------
    ImageError
        The file cannot be read as a picture; the message names it and the reason.
    """
    path = Path(path)
    try:
        array, flags = _read(path)
        return metaphase_from_array(array, path.stem, polarity, flags)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def metaphase_from_array(
    array: NDArray[np.generic],
    name: str = "metaphase",
    polarity: Literal["auto"] | Polarity = "auto",
    flags: Sequence[str] = (),
) -> Metaphase:
    """Make a metaphase of an array.

    Parameters
    ----------
    array : (height, width) or (height, width, 1..4)
        bool, integer or float. Colour (RGB or BGR alike) is averaged, an alpha channel is left out. 16 bit, wider
        integers and floats are scaled to 8 bit from their 0.1 to 99.9 percentile.
    name : str
    polarity : {"auto", "dark", "bright"}
    flags : sequence of str
        Taken over into the metaphase.

    Returns
    -------
    Metaphase
        Flagged "blank" when it is too small or too flat to show anything, or of nothing but noise.

    Raises
    ------
    ImageError
        Not an image: wrong number of dimensions, no pixels, too many, or NaN.
    OptionError
        Another polarity.
    """
    if polarity not in ("auto", "dark", "bright"):
        raise OptionError(f"`polarity` must be 'auto', 'dark' or 'bright'. Got: {polarity!r}.")
    grey = _eight_bit(_one_channel(np.asarray(array)))
    if _shows_nothing(grey):
        chosen: Polarity = "dark" if polarity == "auto" else polarity
        return Metaphase(grey, np.zeros_like(grey), chosen, name, (*flags, "blank"))
    chosen, density = seen_as(grey, polarity)
    return Metaphase(grey, density, chosen, name, tuple(flags))


def kind_of(head: bytes) -> Literal["tiff", "png", "jpeg", "bmp"] | None:
    """The kind of picture that a file's first 8 bytes tell of; None for no kind that is read."""
    if head[:4] in TIFF_HEADS:
        return "tiff"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if head[:2] == b"\xff\xd8":
        return "jpeg"
    return "bmp" if head[:2] == b"BM" else None


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) of a picture, px, from its header: no pixel is decoded.

    Raises
    ------
    ImageError
        The file cannot be read, or has no header that tells it; names the file and the reason.
    """
    try:
        data = _bytes(path)
        size = _tiff_size(data) if kind_of(data[:8]) == "tiff" else _header_size(data)
        if size is None:
            raise ImageError(NO_PICTURE)
        return size
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def expand_inputs(inputs: Sequence[Path | str]) -> list[Path]:
    """The picture files that files, folders and globs name.

    Folders give the pictures directly in them; globs may hold ``**``. Sorted within each input, doubles left out. A
    file is taken whatever its suffix. A plain name of nothing is kept beside others that are there: reading it fails
    with its reason, and one wrong name in a list of thousands stops nothing.

    Raises
    ------
    ImageError
        A folder or a pattern without pictures, or no input that names anything.
    """
    found = [_named_by(one) for one in inputs]
    if not any(path.exists() for files in found for path in files):
        named = ", ".join(str(one) for one in inputs)
        raise ImageError(f"{named}: no such file, and no pictures that it matches as a pattern.")
    return list(dict.fromkeys(path for files in found for path in files))


def _named_by(one: Path | str) -> list[Path]:
    """The files that one input names."""
    path = Path(one)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        if not files:
            raise ImageError(f"{path}: a folder without pictures ({', '.join(SUFFIXES)}).")
        return files
    if path.exists() or not glob.has_magic(str(one)):
        return [path]
    files = sorted(Path(name) for name in glob.glob(str(one), recursive=True))
    files = [file for file in files if file.is_file() and file.suffix.lower() in SUFFIXES]
    if not files:
        raise ImageError(f"{one}: no such file, and no pictures that it matches as a pattern.")
    return files


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an image, grey (height, width) or RGB (height, width, 3), as PNG, whole or not at all."""
    try:
        data = encoded(image)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    write_whole(path, data)


def _read(path: Path) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    data = _bytes(path)
    if kind_of(data[:8]) == "tiff":
        return _read_tiff(path, data)
    size = _header_size(data)
    _refuse_large(size)
    # other formats that OpenCV knows have no size that could be checked before decoding
    array = _decoded(data) if size is not None else None
    if array is None or _is_cut_jpeg(data):
        raise ImageError(NO_PICTURE)
    return array, ()


def _bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("is a folder. Give a file, or the folder to a command that takes folders.")
        if not stat.S_ISREG(status.st_mode):
            # opening a pipe waits for somebody to write into it
            raise ImageError("is no file but a pipe, a socket or a device.")
        if status.st_size > MAX_BYTES:
            raise ImageError(
                f"has {status.st_size} bytes, more than {MAX_BYTES}. Give the pages of a stack one by one."
            )
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}.") from error
    if not data:
        raise ImageError("is an empty file.")
    return data


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG has lost its end; some versions of OpenCV fill what is missing with grey."""
    if data[:2] != b"\xff\xd8":
        return False
    scan = next((at for marker, at in _jpeg_segments(data) if marker == 0xDA), len(data))
    return data.find(b"\xff\xd9", scan) < 0


def _decoded(data: bytes) -> NDArray[np.generic] | None:
    """What OpenCV makes of a file's bytes; None where it makes nothing."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # raised for headers that tell of more pixels than OpenCV takes
        return None


def _read_tiff(path: Path, data: bytes) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[0]
            _refuse_large((page.imagelength, page.imagewidth))
            array = _page(page, data)
            pages = len(file.pages)
    except ImageError:
        raise
    except Exception as error:  # tifffile lets out whatever a broken file leads it into, ZeroDivisionError too
        raise ImageError(f"is a broken TIFF file: {error}.") from error
    if pages > 1:
        _log.warning("%s: has %d pages; the first is read.", path, pages)
        return array, ("multi-page",)
    return array, ()


def _tiff_size(data: bytes) -> tuple[int, int]:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages[0]
            return int(page.imagelength), int(page.imagewidth)
    except Exception as error:  # as below: whatever a broken file leads it into
        raise ImageError(f"is a broken TIFF file: {error}.") from error


def _page(page: Any, data: bytes) -> NDArray[np.generic]:
    """The pixels of the first page of a TIFF file, given as tifffile has read its head, and the file's bytes."""
    import tifffile

    plain = (
        tifffile.COMPRESSION.NONE,
        tifffile.COMPRESSION.DEFLATE,
        tifffile.COMPRESSION.ADOBE_DEFLATE,
    )
    if page.compression not in plain or page.predictor == tifffile.PREDICTOR.FLOATINGPOINT:
        # tifffile decodes LZW, JPEG and the like only beside imagecodecs; OpenCV brings libtiff
        decoded = _decoded(data)
        if decoded is None:
            raise ImageError(
                f"is a broken TIFF file, or its compression ({tifffile.COMPRESSION(page.compression).name}) "
                "cannot be decoded. Save it without compression, or with LZW."
            )
        return decoded
    array: NDArray[np.generic] = page.asarray()
    # a stack of planes of one colour picture counts as colour
    if array.ndim == 3 and array.shape[0] in (3, 4) and array.shape[2] not in (1, 3, 4):
        array = np.moveaxis(array, 0, 2)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        return _turned(array)
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        # a TIFF's palette has 16 bit a colour
        return np.moveaxis((page.colormap >> 8).astype(np.uint8)[:, array], 0, 2)
    return array


def _turned(array: NDArray[Any]) -> NDArray[Any]:
    """White for black and the reverse."""
    return np.asarray(np.invert(array) if array.dtype.kind in "ub" else -array)


def _header_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) from the header of a PNG, BMP or JPEG; None where there is none of these."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return height, width
    if data[:2] == b"BM" and len(data) >= 26:
        width, height = struct.unpack("<ii", data[18:26])
        return abs(height), abs(width)
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    for marker, at in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 9 <= len(data):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return height, width
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of each segment, up to the first scan; thumbnails lie within segments and are passed over."""
    at, marker = 2, 0
    while at + 4 <= len(data) and data[at] == 0xFF and marker != 0xDA:
        marker = data[at + 1]
        if marker == 0xFF:  # a marker may be preceded by any number of them
            at += 1
            continue
        yield marker, at
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _refuse_large(size: tuple[int, int] | None) -> None:
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise ImageError(
            f"has {size[1]} x {size[0]} pixels, more than {MAX_PIXELS} in all. Cut the field of the metaphase out."
        )


def _one_channel(array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.ndim == 3 and array.shape[2] in (1, 2, 3, 4):
        colours = array[..., : 1 if array.shape[2] < 3 else 3]
        array = colours[..., 0] if colours.shape[2] == 1 else _average(colours)
    if array.ndim != 2:
        raise ImageError(f"must be an image of (height, width[, channels]). Got: an array of shape {array.shape}.")
    if array.size == 0:
        raise ImageError(f"must have pixels. Got: an image of {array.shape[1]} x {array.shape[0]}.")
    _refuse_large((array.shape[0], array.shape[1]))
    return array


def _average(colours: NDArray[np.generic]) -> NDArray[np.generic]:
    if colours.dtype.kind not in "buif":
        raise ImageError(f"must hold numbers. Got: {colours.dtype}.")
    red, green, blue = (colours[..., channel].astype(np.float32) for channel in range(3))
    mean = (red + green + blue) / np.float32(3)
    return np.asarray(np.rint(mean).astype(colours.dtype) if colours.dtype.kind == "u" else mean)


def _eight_bit(array: NDArray[np.generic]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.array(array, dtype=np.uint8)
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind not in "uif":
        raise ImageError(f"must hold numbers. Got: {array.dtype}.")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ImageError("must hold finite numbers. Got: NaN or infinity.")
    low, high = np.percentile(values, [0.1, 99.9])
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.full(array.shape, 128, dtype=np.uint8)
    scaled: NDArray[np.uint8] = np.clip(np.rint((values - low) * (255.0 / (high - low))), 0, 255).astype(np.uint8)
    return scaled


def _shows_nothing(grey: NDArray[np.uint8]) -> bool:
    """Whether a picture is too small or flat, or of nothing but noise, which goes when neighbours are averaged."""
    if min(grey.shape) < LEAST_SIDE:
        return True
    soft = _contrast(np.asarray(cv2.GaussianBlur(grey, (0, 0), SOFTENING), np.uint8))
    return soft < max(LEAST_CONTRAST, LEAST_LEFT * _contrast(grey))


def _contrast(grey: NDArray[np.uint8]) -> int:
    """Grey levels between the 1st and 99.9th or the 0.1st and 99th percentile, whichever span is larger."""
    lowest, low, high, highest = quantiles(grey, 0.001, 0.01, 0.99, 0.999)
    return max(highest - low, high - lowest)
