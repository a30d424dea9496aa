"""The result of one image in the folder of a run: written in one go, known again, removed; all of them merged.

What lies where is told in `karyofast.run_folder`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karyofast import coco, remote, report
from karyofast.config import ArrangeOptions
from karyofast.edit_script import Script
from karyofast.errors import ImageError
from karyofast.files import replacing, write_together
from karyofast.report import SummaryRow
from karyofast.run_folder import DRAWN, PART, Task, sweep
from karyofast.types import Karyotype

if TYPE_CHECKING:
    from karyofast.clock import Clock


def source_of(task: Task, settings: str) -> dict[str, Any]:
    """What a result is made from, taken before the picture is read: one that changes meanwhile is done again."""
    if task.remote:
        return {"source": task.source, **remote.facts(task.source), "settings": settings}
    try:
        stat = task.path.stat()
    except OSError as error:
        raise ImageError(f"{task.path}: cannot be read: {error.strerror or error}.") from error
    return {"source": task.source, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "settings": settings}


def finished(task: Task, settings: str) -> SummaryRow | None:
    """The row of an image whose result is whole and made from the same picture and settings, else None.

    One that was corrected by hand stays as it is, unless the task brings other scripts.
    """
    try:
        part = read_part(task.folder)
        made_from = dict(part["made_from"])
        edits = made_from.pop("edits", [])
        if made_from != source_of(task, settings) or (task.scripts and edits != hashes(task.scripts)):
            return None
        row = SummaryRow(**part["row"])
        dict(part["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or not whole: it is made again
    whole = all((task.folder / name).is_file() for name in DRAWN)
    return replace(row, image=task.image) if whole else None


def hashes(scripts: Sequence[Script]) -> list[str]:
    """What a part and run.json tell of the scripts that were applied."""
    return [script.sha256 for script in scripts]


def clear(task: Task) -> None:
    """Remove the earlier results of an image, the part first, and what a killed run left half written."""
    if not task.folder.is_dir():
        return
    for name in (PART, *DRAWN):
        (task.folder / name).unlink(missing_ok=True)
        sweep(task.folder, name)
    if not any(task.folder.iterdir()):
        task.folder.rmdir()


def write_result(
    task: Task, karyotype: Karyotype, made_from: Mapping[str, Any], options: ArrangeOptions, clock: Clock
) -> SummaryRow:
    """Write the folder of an image in one go, its part last; returns its row."""
    clock.begin("draw")
    files = report.files(karyotype, options)
    clock.begin("write")
    row = report.summary_row(karyotype, task.image)
    height, width = karyotype.metaphase.shape
    edits = [one["script"] for one in karyotype.edits]
    part = {
        "made_from": {**made_from, **({"edits": edits} if edits else {})},
        "row": asdict(row),
        "seconds": clock.seconds,
        "image": {"file_name": task.path.name, "folder": task.folder.name, "height": height, "width": width},
        "annotations": report.annotations(karyotype, 0, 0),
    }

    def contents() -> Iterator[tuple[str, bytes | str]]:
        yield from files.items()
        clock.end()  # the part tells how long it took to write the others
        yield PART, json.dumps(part)

    task.folder.mkdir(parents=True, exist_ok=True)
    write_together(task.folder, contents())
    return row


def write_instances(path: Path, done: Sequence[Task], info: Mapping[str, Any]) -> dict[str, float]:
    """Merge the parts of `done` into one COCO file, in their order, with the memory of one part.

    Returns the seconds that each stage took in all of them.
    """
    empty = coco.document([], [], info)
    seconds: dict[str, float] = {}
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"info": {json.dumps(empty["info"])}, "images": [')
        _write_list(file.write, _images(done, seconds))
        file.write('], "annotations": [')
        _write_list(file.write, _annotations(done))
        file.write(f'], "categories": {json.dumps(empty["categories"])}}}')
    return {stage: round(spent, 3) for stage, spent in seconds.items()}


def _write_list(write: Any, items: Iterable[Mapping[str, Any]]) -> None:
    for number, item in enumerate(items):
        write((", " if number else "") + json.dumps(item))


def read_part(folder: Path) -> dict[str, Any]:
    """The part in an image's folder."""
    content: dict[str, Any] = json.loads((folder / PART).read_text(encoding="utf-8"))
    return content


def _images(done: Sequence[Task], seconds: dict[str, float]) -> Iterator[dict[str, Any]]:
    for number, task in enumerate(done, 1):
        part = read_part(task.folder)
        for stage, spent in part["seconds"].items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
        yield {"id": number, **part["image"]}


def _annotations(done: Sequence[Task]) -> Iterator[dict[str, Any]]:
    count = 0
    for number, task in enumerate(done, 1):
        for entry in read_part(task.folder)["annotations"]:
            count += 1
            yield {**entry, "id": count, "image_id": number}
