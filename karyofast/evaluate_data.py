"""Truth to score against: COCO files with their pictures, slides and karyotype codes."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from karyofast import coco
from karyofast.coco import ImageRecord, Truth, TruthInstance
from karyofast.crops import trained_slide
from karyofast.errors import DataError
from karyofast.masks import shared_pixels
from karyofast.types import Region

PICTURE_FOLDERS = (".", "annotated", "images")
"""Where the pictures of a COCO file are looked for, seen from its folder."""

Slides = Literal["all", "tune", "score"] | Collection[str]
"""All slides, the half for setting parameters, the half for reporting, or slides by name."""


@dataclass(frozen=True, eq=False)
class TruthPicture:
    """One picture with its truth.

    Attributes
    ----------
    truth : Truth
    path : Path
        The picture's file.
    slide : str
        Slide it was taken from; the file's stem where nothing says so.
    code : str
        Karyotype code of ``manifest.csv``, "" where there is none.
    """

    truth: Truth
    path: Path
    slide: str
    code: str = ""

    @property
    def name(self) -> str:
        """File name of the picture."""
        return self.truth.image.file_name


def load_truth(path: Path | str, slides: Slides = "all") -> tuple[TruthPicture, ...]:
    """Read a COCO file and find its pictures.

    Parameters
    ----------
    path : Path or str
        ``instances.json`` of a data set. Pictures lie beside it or in ``annotated`` or ``images``; a
        ``manifest.csv`` beside it gives slides (column ``slide``) and karyotype codes (``karyotype_code``)
        by file name (``image``).
    slides : {"all", "tune", "score"} or collection of str
        Which slides' pictures are wanted, see `slide_half`.

    Returns
    -------
    tuple of TruthPicture
        In the file's order.

    Raises
    ------
    DataError
        A file that cannot be read as COCO, a picture that is not there, or no picture left.
    """
    path = Path(path)
    manifest = _manifest(path.parent / "manifest.csv")
    pictures = []
    for truth in coco.load(path):
        name = truth.image.file_name
        line = manifest.get(name, {})
        slide = str(line.get("slide") or truth.image.extra.get("slide") or Path(name).stem)
        if wanted(slide, slides):
            pictures.append(TruthPicture(truth, _find(path, name), slide, line.get("karyotype_code") or ""))
    if not pictures:
        raise DataError(f"{path}: must hold pictures of the slides asked for ({slides!r}). Got: none.")
    return tuple(pictures)


def slide_half(slide: str) -> Literal["tune", "score"]:
    """The half that a slide belongs to, by its name alone: parameters may be set on "tune", figures come from "score".

    Examples
    --------
    >>> slide_half("A01"), slide_half("V13")
    ('score', 'score')
    """
    return "tune" if trained_slide(slide) else "score"


def truth_of(
    regions: Sequence[Region],
    shape: tuple[int, int],
    labels: Sequence[int | None] | None = None,
    ignore: Collection[int] = (),
    name: str = "image",
) -> Truth:
    """Truth made of masks in memory; touching and overlapping are found from the masks.

    Parameters
    ----------
    regions : sequence of Region
    shape : (int, int)
        Height and width of the picture.
    labels : sequence of int or None, optional
        Indices into `karyofast.types.CLASSES`.
    ignore : collection of int
        Indices of instances that are neither asked for nor wrong.
    name : str
        Stands for the picture's file name.
    """
    known = labels if labels is not None else [None] * len(regions)
    if len(known) != len(regions):
        raise ValueError(f"`labels` must be one a region, {len(regions)}. Got: {len(known)}.")
    near = coco.touching(regions)
    instances = tuple(
        TruthInstance(
            id=number + 1,
            region=one,
            label=known[number],
            ignore=number in ignore,
            touching=near[number],
            overlapping=any(shared_pixels(one, other) for k, other in enumerate(regions) if k != number),
            uncertain=False,
            orientation=None,
            extra={},
        )
        for number, one in enumerate(regions)
    )
    return Truth(ImageRecord(1, name, *shape, extra={}), instances)


def asked(truth: Truth) -> list[TruthInstance]:
    """The instances of a picture that are not ignored."""
    return [one for one in truth.instances if not one.ignore]


def wanted(slide: str, slides: Slides) -> bool:
    """Whether a slide is among those asked for; raises `DataError` for a word that is none of the three."""
    if isinstance(slides, str):
        if slides not in ("all", "tune", "score"):
            raise DataError(f"`slides` must be 'all', 'tune', 'score' or names. Got: {slides!r}.")
        return slides == "all" or slide_half(slide) == slides
    return slide in slides


def _find(path: Path, name: str) -> Path:
    places = [path.parent / folder / name for folder in PICTURE_FOLDERS]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"{path}: picture {name} must lie beside it or in {' or '.join(PICTURE_FOLDERS[1:])}. Got: no such file."
    )


def _manifest(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            # some lines carry the zero bytes of the source's header fields
            lines = [line.replace("\0", "") for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}.") from error
    return {row["image"]: row for row in csv.DictReader(lines) if row.get("image")}
