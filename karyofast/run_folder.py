"""The folder of a run: what lies where in it, which images are done, what is merged at the end.

``OUT/run.json`` is written first: settings, models, versions, inputs; at the end the times and the corrections by hand
are added. An image's own folder holds ``karyotype.json``, ``karyogram.png``, ``overlay.png``, ``preview.jpg`` and,
written last, its *part* ``instances.json``: the row and the masks that it adds to ``summary.csv`` and
``instances.coco.json``, and what they were made from. The parts are the journal of a run: an image is done when its
part is there and names the same source (path seen from OUT, size, time of change) and the same settings. So a killed
run leaves nothing that a rerun takes for whole, and what it completes differs from an unbroken run in the measured
times alone.

Several processes or machines may fill one folder, each with its *shard* of the images; the run without a shard that
follows takes over what they did and writes what tells of all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karyofast import remote
from karyofast.edit_script import Script
from karyofast.errors import OptionError
from karyofast.files import write_whole
from karyofast.report import CASES, KARYOGRAM, KARYOTYPE, OVERLAY, PAGE, PREVIEW, SUMMARY, SummaryRow, read_summary

RUN, PART, INSTANCES = "run.json", "instances.json", "instances.coco.json"

DRAWN = (KARYOTYPE, KARYOGRAM, OVERLAY, PREVIEW)
"""Files of an image beside its part."""

CANDIDATES = "candidates.coco.json"
"""COCO file of `karyofast detect`."""

RESERVED = frozenset({RUN, SUMMARY, "summary.parquet", CASES, INSTANCES, CANDIDATES, PAGE, ".", ".."})
"""Names in OUT that no image's folder may take."""

COMPARED = ("karyofast", "options", "models")
"""Parts of run.json that decide what comes out; the others tell where it was made."""

NAMED = 3
"""Differing settings that a message names."""


@dataclass(frozen=True)
class Shard:
    """One of `count` lots that images fall into by their file names; `number` counts from 1.

    Examples
    --------
    >>> str(Shard.parse("2/4"))
    '2-of-4'
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}-of-{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "2/4".

        Raises
        ------
        OptionError
            No two numbers, or the first not within 1 and the second.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise OptionError(f"`shard` must be i/n with i from 1 to n, such as 2/4. Got: {text!r}.")
        return cls(int(number), int(count))

    def holds(self, path: Path) -> bool:
        """Whether a picture is in this lot; its folder and the other pictures do not matter."""
        digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


@dataclass(frozen=True)
class Task:
    """One image of a run.

    Attributes
    ----------
    path : Path
        As given; the name alone where it lies at a URL.
    folder : Path
        Its own folder in OUT.
    source : str
        Its path seen from OUT: stays the same when the run is called from elsewhere, or moved with its images. The
        whole path where OUT lies at a URL, the URL where the image does.
    called : str
        Its name in `summary.csv` where that is not the path.
    scripts : tuple of Script
        Corrections by hand, to be applied in their order.
    """

    path: Path
    folder: Path
    source: str
    called: str = ""
    scripts: tuple[Script, ...] = ()

    @property
    def image(self) -> str:
        """Its name in `summary.csv`."""
        return self.called or str(self.path)

    @property
    def remote(self) -> bool:
        """Whether it lies at a URL."""
        return remote.is_url(self.source)


def tasks(inputs: Sequence[Path | str], out: Path, earlier: Mapping[str, str], store: str = "") -> list[Task]:
    """One task an image, inputs named twice and OUT's own drawings left out.

    The folder is the one that an earlier run gave to the image, else the image's stem; where that is taken
    (capital letters apart) the stem with -2, -3, ...

    Parameters
    ----------
    inputs : sequence of Path or str
        Files, or URLs.
    out : Path
        Folder of the run.
    store : str
        The URL that `out` mirrors, if any.
    earlier : mapping
        Folder names by source, from the ``folders`` of an earlier run.json.

    Examples
    --------
    >>> [task.folder.name for task in tasks([Path("a/one.png"), Path("b/one.png")], Path("out"), {})]
    ['one', 'one-2']
    """
    paths = {_source(path, out, store): path for path in inputs if not _drawn(path, out, store)}
    taken = {name.casefold() for name in earlier.values()}
    made = []
    for source, given in paths.items():
        path = Path(given) if isinstance(given, Path) else Path(remote.name_of(given))
        name = earlier.get(source)
        if name is None:
            name = next(name for name in _names(path.stem) if _free(name, out, taken))
            taken.add(name.casefold())
        made.append(Task(path, out / name, source, given if isinstance(given, str) else ""))
    return made


def written(out: Path, run: Mapping[str, Any]) -> list[tuple[Task, SummaryRow]]:
    """The images of a run that came to its end, as its run.json and summary.csv have them.

    The pictures are looked for where they lay, seen from `out`.

    Raises
    ------
    OptionError
        A run that did not come to its end, as one of a shard alone; or a summary.csv of another run.
    DataError
        A summary.csv that cannot be read.
    """
    sources = {name: source for source, name in run["folders"].items()}
    names = run.get("results")
    if "total" not in run or not isinstance(names, list) or not set(names) <= set(sources):
        raise OptionError(
            f"{out / RUN}: is not of a run that came to its end. Run the pictures again, without --shard."
        )
    rows = read_summary(out / SUMMARY)
    if len(rows) != len(names):
        raise OptionError(f"{out / SUMMARY}: has {len(rows)} rows, {RUN} {len(names)} images. Run the pictures again.")
    return [
        (Task(picture_of(out, sources[name]), out / name, sources[name], row.image), row)
        for name, row in zip(names, rows, strict=True)
    ]


def picture_of(out: Path, source: str) -> Path:
    """Where the picture of a result lies, or the name alone of one at a URL."""
    return Path(remote.name_of(source)) if remote.is_url(source) else Path(os.path.normpath(out / source))


def _source(path: Path | str, out: Path, store: str) -> str:
    if isinstance(path, str):
        return path
    return os.path.abspath(path) if store else os.path.relpath(path, out)


def _drawn(path: Path | str, out: Path, store: str) -> bool:
    """Whether a picture is one that an earlier run drew: a pattern with ``**`` finds those too."""
    if isinstance(path, str):
        return remote.name_of(path) in (KARYOGRAM, OVERLAY) and bool(store) and path.startswith(f"{store}/")
    parent = Path(os.path.abspath(path)).parent
    if path.name not in (KARYOGRAM, OVERLAY) or not (parent / PART).exists():
        return False
    return parent.parent == Path(os.path.abspath(out))


def _names(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _free(name: str, out: Path, taken: set[str]) -> bool:
    place = out / name
    return name.casefold() not in taken | RESERVED and (place.is_dir() or not place.exists())


def read_run(out: Path) -> dict[str, Any] | None:
    """The run.json of `out`, None where there is none.

    Raises
    ------
    OptionError
        A file that is none of karyofast's.
    """
    path = out / RUN
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise OptionError(f"{path}: cannot be read: {error}. Name another folder with -o, or pass --force.") from error
    folders = content.get("folders") if isinstance(content, dict) else None
    if not isinstance(folders, dict) or not all(_plain(name) for name in folders.values()):
        raise OptionError(f"{path}: is no run.json of karyofast. Name another folder with -o, or pass --force.")
    return content


def _plain(name: Any) -> bool:
    """Whether a name read from a file stays within OUT."""
    return isinstance(name, str) and name not in RESERVED and name == os.path.basename(name) != ""


def check_same(out: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `OptionError` where `out` holds results that other settings, models or versions made."""
    if other := differences(earlier, now):
        raise OptionError(
            f"{out}: holds a run with other settings: {other}. "
            "Name another folder with -o, or pass --force to do all images again."
        )


def differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which settings, models or versions of a run.json differ, in words; "" where none does."""
    there, here = (_flat({key: run.get(key) for key in COMPARED}) for run in (earlier, now))
    other = [key for key in sorted(there.keys() | here.keys()) if there.get(key) != here.get(key)]
    named = "; ".join(f"{key} was {there.get(key)!r}, is {here.get(key)!r}" for key in other[:NAMED])
    return named + (f"; and {len(other) - NAMED} more" if len(other) > NAMED else "")


def _flat(values: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {name: values}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found.update(_flat(value, f"{name}.{key}" if name else str(key)))
    return found


def fingerprint(run: Mapping[str, Any]) -> str:
    """SHA-256 of what decides the results of a run."""
    text = json.dumps({key: run.get(key) for key in COMPARED}, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sweep(folder: Path, name: str) -> None:
    """Remove temporary files of `name` that a killed run left."""
    for left in folder.glob(f".{name}.*.tmp"):
        left.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON to be read by people too."""
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
