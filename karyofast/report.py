"""Report: a karyotype as JSON, pictures and COCO annotations; a run as a page.

Every file is written under a temporary name in its own folder and renamed, so that a killed run leaves no
half result. Of one image's files `karyotype.json` comes last: where it stands, the others are whole.
"""

# no `from __future__ import annotations` here: mypy takes it for the function of that name
import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import coco, view
from karyofast.config import ArrangeOptions
from karyofast.edit import fingerprint
from karyofast.errors import ImageError
from karyofast.files import write_together, write_whole
from karyofast.summary import (
    SummaryRow,
    clusters,
    failed_row,
    read_summary,
    summary_csv,
    summary_row,
    write_summary,
)
from karyofast.types import CLASSES, Karyotype, Label, Region

__all__ = [
    "SummaryRow",
    "annotations",
    "failed_row",
    "files",
    "html",
    "read_summary",
    "summary_csv",
    "summary_row",
    "to_dict",
    "write",
    "write_summary",
]

KARYOTYPE, KARYOGRAM, OVERLAY = "karyotype.json", "karyogram.png", "overlay.png"
SUMMARY, PAGE = "summary.csv", "report.html"

TOP = 3
"""Classes of a crop that are written with their probabilities."""

NORMAL_COUNT = 46

THUMBNAILS = 200
"""Images of which the page holds thumbnails, those that need a look first: 40 kB each, 8 MB in all."""

THUMBNAIL_WIDTH = 420
"""Width of a thumbnail, px."""

JPEG_QUALITY = 72
"""Thumbnails of 20 kB on which bands are still to be seen."""


def to_dict(karyotype: Karyotype) -> dict[str, Any]:
    """All that is known of a karyotype but its masks (those go to COCO), as plain values for JSON.

    Lengths are in px of the picture, boxes in row-column order.
    """
    arrangement = karyotype.arrangement
    height, width = karyotype.metaphase.shape
    return {
        "image": karyotype.metaphase.name,
        "draft": True,
        "iscn": karyotype.iscn,
        "count": karyotype.count,
        "unplaced": sum(index < 0 for index in arrangement.assigned),
        "flags": list(dict.fromkeys([*karyotype.flags, *arrangement.flags])),
        "quality": {
            name: _rounded(getattr(karyotype.quality, name))
            for name in ("total", "spread", "free", "sharpness", "count")
        },
        "polarity": karyotype.metaphase.polarity,
        "size": {"height": height, "width": width},
        "candidates": len(karyotype.candidates),
        "clusters": clusters(karyotype),
        "seconds": {stage: round(float(value), 4) for stage, value in karyotype.seconds.items()},
        "chromosomes": [_chromosome(karyotype, index) for index in range(karyotype.count)],
        "dropped": [
            {"stage": one.stage, "reason": one.reason, "box": _box(one), "area": one.area} for one in karyotype.dropped
        ],
        "masks": fingerprint(karyotype.chromosomes),
        "edits": list(karyotype.edits),
    }


def write(
    karyotype: Karyotype,
    folder: Path,
    options: ArrangeOptions = ArrangeOptions(),  # noqa: B008 (frozen)
) -> None:
    """Write `karyogram.png`, `overlay.png` and, last, `karyotype.json` into `folder`, which is made.

    Parameters
    ----------
    karyotype : Karyotype
        What to write.
    folder : Path
        The image's own folder.
    options : ArrangeOptions
        How the karyogram is laid out.

    Raises
    ------
    OSError
        The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_together(folder, files(karyotype, options))


def files(
    karyotype: Karyotype,
    options: ArrangeOptions = ArrangeOptions(),  # noqa: B008 (frozen)
) -> dict[str, bytes | str]:
    """What `write` writes, by the name of the file."""
    return {
        KARYOGRAM: _encoded(view.karyogram(karyotype, options), ".png"),
        OVERLAY: _encoded(view.overlay(karyotype), ".png"),
        KARYOTYPE: json.dumps(to_dict(karyotype), indent=1, ensure_ascii=False, allow_nan=False),
    }


def annotations(karyotype: Karyotype, image_id: int, first_id: int) -> list[dict[str, Any]]:
    """COCO annotations of the chromosomes, with ids from `first_id` on.

    ``score`` is how sure the separation is, ``class_score`` the crop's own probability of the class given;
    an unplaced chromosome has category 0 and the class score 0. Chromosomes that were only separated so far
    have neither class nor orientation.
    """
    entries = []
    given = karyotype.arrangement.assigned or (-1,) * karyotype.count
    labels = karyotype.labels or (None,) * karyotype.count
    for index, (one, assigned, label) in enumerate(zip(karyotype.chromosomes, given, labels, strict=True)):
        entries.append(
            coco.annotation(
                first_id + index,
                image_id,
                assigned,
                one,
                karyotype.metaphase.shape,
                score=round(float(one.score), 4),
                class_score=round(float(label.probabilities[assigned]), 4) if label and assigned >= 0 else 0.0,
                p_arm=label.orientation if label else None,
                overlapping="overlap" in one.flags,
            )
        )
    return entries


def html(rows: Sequence[SummaryRow], folder: Path, folders: Mapping[str, str] | None = None) -> Path:
    """Write `report.html` of a run: a page that needs no other file, what needs a look first.

    Parameters
    ----------
    rows : sequence of SummaryRow
        All images of the run.
    folder : Path
        The run's folder, in which the images' own folders lie.
    folders : mapping, optional
        Name of the folder of each image; its stem where not given.

    Returns
    -------
    Path
        The page.
    """
    from jinja2 import Environment, PackageLoader

    names = folders or {}
    entries = [_entry(row, folder, names.get(row.image, Path(row.image).stem)) for row in rows]
    entries.sort(key=lambda entry: entry["urgency"])
    for entry in entries[:THUMBNAILS]:
        entry["thumbnails"] = _thumbnails(folder / entry["folder"])
    environment = Environment(loader=PackageLoader("karyofast"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("report.html.j2").render(
        entries=entries,
        failed=sum(row.status == "failed" for row in rows),
        normal=sum(row.count == NORMAL_COUNT for row in rows),
        look=sum(bool(entry["reasons"]) for entry in entries),
        kept=THUMBNAILS,
    )
    write_whole(folder / PAGE, page)
    return folder / PAGE


def _chromosome(karyotype: Karyotype, index: int) -> dict[str, Any]:
    one, label = karyotype.chromosomes[index], karyotype.labels[index]
    assigned = karyotype.arrangement.assigned[index]
    return {
        "index": index,
        "class": CLASSES[assigned] if assigned >= 0 else None,
        "probability": _rounded(label.probabilities[assigned]) if assigned >= 0 else None,
        "low_confidence": index in karyotype.arrangement.low_confidence,
        "label": label.name,
        "confidence": _rounded(label.confidence),
        "top": _top(label),
        "orientation": label.orientation,
        "p_up": _rounded(label.p_up),
        "box": _box(one),
        "area": one.area,
        "axis_length": _rounded(karyotype.straightened[index].length),
        "separation": _rounded(one.score),
        "candidate": int(one.candidate),
        "flags": list(one.flags),
    }


def _box(one: Region) -> dict[str, int]:
    return {name: int(value) for name, value in one.box._asdict().items()}


def _top(label: Label) -> dict[str, float]:
    best = np.argsort(-label.probabilities, kind="stable")[:TOP]
    return {CLASSES[index]: _rounded(label.probabilities[index]) for index in best}


def _rounded(value: Any) -> float:
    return round(float(value), 4)


def _encoded(picture: NDArray[np.uint8], suffix: str, *settings: int) -> bytes:
    """An RGB picture as the bytes of a file."""
    done, data = cv2.imencode(suffix, picture[:, :, ::-1], list(settings))
    if not done:
        raise ImageError(f"a picture of {picture.shape} px cannot be written as {suffix}.")
    return bytes(data)


def _entry(row: SummaryRow, folder: Path, name: str) -> dict[str, Any]:
    """What the page says of one image."""
    flags = _flags(folder / name / KARYOTYPE) if row.status == "done" else []
    reasons = _reasons(row, flags)
    links = {file: quote(f"{name}/{file}") for file in (KARYOGRAM, OVERLAY, KARYOTYPE)}
    present = {file: link for file, link in links.items() if (folder / name / file).is_file()}
    return {
        "row": row,
        "folder": name,
        "flags": [flag for flag in flags if flag not in reasons],
        "reasons": reasons,
        "links": present,
        "thumbnails": [],
        "urgency": _urgency(row, reasons),
    }


def _flags(path: Path) -> list[str]:
    """Flags of a karyotype.json; a file that cannot be read is itself one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [str(flag) for flag in content["flags"]]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{KARYOTYPE} missing or broken"]


def _reasons(row: SummaryRow, flags: Sequence[str]) -> list[str]:
    """Why an image needs a look, the gravest first."""
    if row.status == "failed":
        return ["failed"]
    reasons = [f"count {row.count}"] if row.count != NORMAL_COUNT else []
    grave = ("unplaced", "ploidy", "sex", "gain", "loss", "low confidence", KARYOTYPE)
    return reasons + [flag for kind in grave for flag in flags if flag.startswith(kind)]


def _urgency(row: SummaryRow, reasons: Sequence[str]) -> tuple[int, int, str]:
    """Sort key: failed, wrong count, unplaced, other doubts by their number, the rest by name."""
    grades = ("failed", "count", "unplaced")
    grade = next((k for k, kind in enumerate(grades) if any(one.startswith(kind) for one in reasons)), len(grades))
    return grade + (not reasons), -(row.low_confidence or 0), row.image


def _thumbnails(folder: Path) -> list[tuple[str, str]]:
    """(file name, data URI) of small pictures of what was drawn."""
    found = []
    for name in (OVERLAY, KARYOGRAM):
        picture = cv2.imread(str(folder / name), cv2.IMREAD_COLOR) if (folder / name).is_file() else None
        if picture is None:
            continue
        height = max(1, round(picture.shape[0] * THUMBNAIL_WIDTH / picture.shape[1]))
        small = cv2.resize(picture, (THUMBNAIL_WIDTH, height), interpolation=cv2.INTER_AREA)
        data = _encoded(np.asarray(small[:, :, ::-1], np.uint8), ".jpg", cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
        found.append((name, "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")))
    return found
