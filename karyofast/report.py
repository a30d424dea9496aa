"""Report: a karyotype as JSON, pictures and COCO annotations; a run as a page.

Every file is written under a temporary name in its own folder and renamed, so that a killed run leaves no
half result. Of one image's files `karyotype.json` comes last: where it stands, the others are whole.
"""

# no `from __future__ import annotations` here: mypy takes it for the function of that name
import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast import coco, view
from karyofast.config import ArrangeOptions
from karyofast.edit import fingerprint
from karyofast.errors import ImageError
from karyofast.files import write_together, write_whole
from karyofast.png import encoded
from karyofast.summary import (
    Reached,
    SummaryRow,
    case_row,
    case_rows,
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
PREVIEW = "preview.jpg"
SUMMARY, CASES, PAGE = "summary.csv", "cases.csv", "report.html"

TOP = 3
"""Classes of a crop that are written with their probabilities."""

NORMAL_COUNT = 46

EMBEDDED = 200
"""Images whose previews are in the page itself, those that need a look first: 40 kB each, 8 MB in all. The browser
fetches the others from the images' folders as they are scrolled to."""

PREVIEW_HEIGHT = 300
"""Height of a preview, px: overlay and karyogram side by side."""

JPEG_QUALITY = 72
"""Previews of some 40 kB on which bands are still to be seen."""


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
    """Write the pictures of a karyotype and, last, `karyotype.json` into `folder`, which is made.

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
    write_together(folder, files(karyotype, options).items())


def files(
    karyotype: Karyotype,
    options: ArrangeOptions = ArrangeOptions(),  # noqa: B008 (frozen)
) -> dict[str, bytes | str]:
    """What `write` writes, by the name of the file."""
    karyogram, overlay = view.karyogram(karyotype, options), view.overlay(karyotype)
    return {
        KARYOGRAM: encoded(karyogram),
        OVERLAY: encoded(overlay),
        PREVIEW: _jpeg(_preview(overlay, karyogram)),
        KARYOTYPE: json.dumps(to_dict(karyotype), indent=1, ensure_ascii=False, allow_nan=False),
    }


def annotations(karyotype: Karyotype, image_id: int, first_id: int) -> list[dict[str, Any]]:
    """COCO annotations of the chromosomes, with ids from `first_id` on.

    ``score`` is how sure the separation is, ``class_score`` the crop's own probability of the class given;
    an unplaced chromosome has category 0 and the class score 0. Chromosomes that were only separated so far
    have neither class nor orientation. What wants a look is ``uncertain``: a training on the pictures leaves it out.
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
                uncertain=index in karyotype.arrangement.low_confidence or "cluster" in one.flags,
            )
        )
    return entries


def html(
    rows: Sequence[SummaryRow],
    folder: Path,
    folders: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write `report.html` of a run: a page that needs no server, what needs a look first.

    The page can be filtered by case, doubt and text. The previews of the first `EMBEDDED` images are in the page
    itself; the others are taken from the images' folders when they come into sight.

    Parameters
    ----------
    rows : sequence of SummaryRow
        All images of the run.
    folder : Path
        The run's folder, in which the images' own folders lie.
    folders : mapping, optional
        Name of the folder of each image; its stem where not given.
    facts : mapping, optional
        What is said of the run as a whole, by name.

    Returns
    -------
    Path
        The page.
    """
    from jinja2 import Environment, PackageLoader

    names = folders or {}
    entries = [_entry(row, folder, names.get(row.image, Path(row.image).stem)) for row in rows]
    entries.sort(key=lambda entry: entry["urgency"])
    for entry in entries[:EMBEDDED]:
        if PREVIEW in entry["links"]:
            data = base64.b64encode((folder / entry["folder"] / PREVIEW).read_bytes()).decode("ascii")
            entry["preview"] = f"data:image/jpeg;base64,{data}"
    environment = Environment(loader=PackageLoader("karyofast"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("report.html.j2").render(
        entries=entries,
        total=case_row("", rows),
        cases=case_rows(rows) if any(row.case for row in rows) else [],
        normal=sum(row.count == NORMAL_COUNT for row in rows),
        look=sum(bool(entry["reasons"]) for entry in entries),
        facts=facts or {},
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


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    """An RGB picture as the bytes of a JPEG file."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    if not done:
        raise ImageError(f"a picture of {picture.shape} px cannot be written as JPEG.")
    return bytes(data)


def _entry(row: SummaryRow, folder: Path, name: str) -> dict[str, Any]:
    """What the page says of one image."""
    flags = _flags(folder / name / KARYOTYPE) if row.status == "done" else []
    reasons = _reasons(row, flags)
    links = {file: quote(f"{name}/{file}") for file in (KARYOGRAM, OVERLAY, KARYOTYPE, PREVIEW)}
    present = {file: link for file, link in links.items() if (folder / name / file).is_file()}
    return {
        "row": row,
        "folder": name,
        "flags": [flag for flag in flags if flag not in reasons],
        "reasons": reasons,
        "kinds": _kinds(row, reasons),
        "links": present,
        "preview": present.get(PREVIEW, ""),
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


def _kinds(row: SummaryRow, reasons: Sequence[str]) -> list[str]:
    """What the page's filter finds an image by."""
    known = {"failed": "failed", "count": "count", "unplaced": "unplaced", "low confidence": "doubt"}
    doubts = [kind for start, kind in known.items() if any(one.startswith(start) for one in reasons)]
    steps = get_args(Reached)
    return [*(["look"] if reasons else []), *doubts, *steps[1 : 1 + steps.index(row.reached)]]


def _urgency(row: SummaryRow, reasons: Sequence[str]) -> tuple[int, int, str]:
    """Sort key: failed, wrong count, unplaced, other doubts by their number, the rest by name."""
    grades = ("failed", "count", "unplaced")
    grade = next((k for k, kind in enumerate(grades) if any(one.startswith(kind) for one in reasons)), len(grades))
    return grade + (not reasons), -(row.low_confidence or 0), row.image


def _preview(*pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB pictures side by side, brought to one height."""
    small = []
    for picture in pictures:
        width = max(1, round(picture.shape[1] * PREVIEW_HEIGHT / picture.shape[0]))
        small.append(cv2.resize(picture, (width, PREVIEW_HEIGHT), interpolation=cv2.INTER_AREA))
    return np.hstack(small).astype(np.uint8, copy=False)
