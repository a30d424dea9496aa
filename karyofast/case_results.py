"""The results of a run that belong to one case, and a karyotype made again of what such a result holds.

A result holds masks and classes, not the chromosomes: those are straightened again from the picture, which must still
lie where it lay. No network is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from karyofast import run_folder, run_parts
from karyofast.batch_image import read_picture
from karyofast.coco import ImageRecord, region_of
from karyofast.config import ArrangeOptions, Options, from_dict
from karyofast.errors import DataError, ImageError, OptionError
from karyofast.report import KARYOTYPE
from karyofast.run_folder import PART, RUN, Task
from karyofast.straighten import straighten
from karyofast.summary import SummaryRow, case_of, case_pattern
from karyofast.types import CLASSES, Arrangement, Chromosome, Karyotype, Label


@dataclass(frozen=True)
class Found:
    """The results of a case, and the pictures of its runs that have none.

    Attributes
    ----------
    tasks : tuple of Task
        One a result, in the order of the call, each once.
    without : tuple of str
        Pictures of whole run folders that failed or are not done.
    case : str
        The case that all belong to, "" where the runs tell of none.
    arrange : ArrangeOptions
        The settings of the runs that a karyogram is laid out by.
    """

    tasks: tuple[Task, ...]
    without: tuple[str, ...] = ()
    case: str = ""
    arrange: ArrangeOptions = field(default_factory=ArrangeOptions)


def find(places: Sequence[Path], case: str | None = None) -> Found:
    """The finished results that result folders and run folders hold.

    Parameters
    ----------
    places : sequence of Path
        RUN/NAME for one result, RUN for all of a run.
    case : str, optional
        Take those of this case of the run's ``--case-regex`` alone.

    Raises
    ------
    OptionError
        A folder that is neither; a result that is not finished; runs of other settings, models or versions than the
        first; a run of several cases without `case`; a case that no result belongs to; no result at all.
    """
    runs: dict[Path, dict[str, Any]] = {}
    cases: dict[Task, str] = {}
    without: list[str] = []
    for place in places:
        out, names = _names(place, runs)
        own = {task: of for task, of in _tasks(out, runs[out], names) if case in (None, of)}
        done = {task: of for task, of in own.items() if _is_done(task.folder, runs[out])}
        left = [task for task in own if task not in done]
        if names and left:
            raise OptionError(f"{place}: holds no finished result. Run {left[0].image} again, or leave it out.")
        without += [task.image for task in left]
        several = sorted(set(done.values()))
        if not names and len(several) > 1:
            raise OptionError(f"{place}: holds several cases: {', '.join(map(repr, several))}. Name one with --case.")
        cases.update(done)
    if not cases:
        among = "" if case is None else f" of case {case!r} (the runs must have come to their end with --case-regex)"
        raise OptionError(f"{', '.join(map(str, places))}: no finished result{among}. Got: none. Run pictures first.")
    of_all = set(cases.values())
    options = from_dict(Options, next(iter(runs.values())).get("options", {}), f"{RUN}: options.")
    name = of_all.pop() if len(of_all) == 1 else ""
    return Found(tuple(cases), tuple(dict.fromkeys(without)), name, options.arrange)


def _names(place: Path, runs: dict[Path, dict[str, Any]]) -> tuple[Path, list[str]]:
    """The run folder of a place, read into `runs`, and the result that it names: none for a whole run."""
    place = place.resolve()
    out, names = (place, []) if (place / RUN).is_file() else (place.parent, [place.name])
    if out in runs:
        return out, names
    run = run_folder.read_run(out)
    if run is None:
        raise OptionError(f"{place}: must be the folder of a run or of a result in it (RUN/NAME). Got: no {RUN}.")
    for first, earlier in runs.items():
        if other := run_folder.differences(earlier, run):
            raise OptionError(
                f"{out}: was made otherwise than {first}: {other}. What differs between cells must be the cells: run "
                "all pictures of a case with the same settings."
            )
    runs[out] = run
    return out, names


def _tasks(out: Path, run: Mapping[str, Any], names: Sequence[str]) -> list[tuple[Task, str]]:
    """The images of a run with their cases: those of the folders `names`, or all of its last call."""
    sources = {name: source for source, name in run["folders"].items()}
    images = dict(zip(run.get("results", []), run.get("inputs", []), strict=False))
    if unknown := [name for name in names if name not in sources]:
        raise OptionError(f"{out}: has no result {unknown[0]!r}. Got: {', '.join(sources)}.")
    pattern = case_pattern(run["case_regex"]) if run.get("case_regex") else None
    found = []
    for name in names or [name for name in images if name in sources]:
        path, source = run_folder.picture_of(out, sources[name]), sources[name]
        image = images.get(name, str(path))
        found.append((Task(path, out / name, source, image), case_of(image, pattern) if pattern else ""))
    return found


def _is_done(folder: Path, run: Mapping[str, Any]) -> bool:
    """Whether a result is whole, and of the settings that its run.json tells."""
    try:
        made_from = run_parts.read_part(folder)["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return (folder / KARYOTYPE).is_file() and made_from["settings"] == run_folder.fingerprint(run)


def read(task: Task) -> tuple[Karyotype, SummaryRow]:
    """The karyotype that a result tells of, its chromosomes straightened again, and its row.

    Labels have the probabilities that karyotype.json keeps: of the three likeliest classes and of the one given.

    Raises
    ------
    ImageError
        A picture that is gone, or is not the one that was karyotyped.
    DataError
        A result that is not whole.
    """
    try:
        part = run_parts.read_part(task.folder)
        told = json.loads((task.folder / KARYOTYPE).read_text(encoding="utf-8"))
        row, facts, entries = SummaryRow(**part["row"]), part["image"], part["annotations"]
        record = ImageRecord(1, facts["file_name"], int(facts["height"]), int(facts["width"]), {})
        regions = [region_of(entry, record, task.folder / PART) for entry in entries]
        labels = tuple(_label(one) for one in told["chromosomes"])
        arrangement = _arrangement(told)
        if [one["area"] for one in told["chromosomes"]] != [region.area for region in regions]:
            raise ValueError(f"{KARYOTYPE} tells of other chromosomes than {PART}")
        polarity = told["polarity"]
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{task.folder}: holds no whole result: {error!r}. Run {task.image} again.") from error
    metaphase = read_picture(task, polarity)
    if metaphase.shape != record.shape:
        raise ImageError(
            f"{task.image}: must be the picture that was karyotyped, of {record.shape} px. Got: {metaphase.shape}. "
            "Run it again."
        )
    chromosomes = tuple(Chromosome(region.box, region.mask) for region in regions)
    straightened = tuple(straighten(metaphase, one) for one in chromosomes)
    flags = tuple(told["flags"])
    return Karyotype(metaphase, (), chromosomes, straightened, labels, arrangement, flags), row


def _label(one: Mapping[str, Any]) -> Label:
    row = np.zeros(len(CLASSES), np.float32)
    for name, probability in dict(one["top"]).items():
        row[CLASSES.index(name)] = probability
    if one["class"] is not None:
        row[CLASSES.index(one["class"])] = one["probability"]
    return Label(row, float(one["p_up"]))


def _arrangement(told: Mapping[str, Any]) -> Arrangement:
    chromosomes = told["chromosomes"]
    return Arrangement(
        tuple(-1 if one["class"] is None else CLASSES.index(one["class"]) for one in chromosomes),
        str(told["iscn"]),
        tuple(number for number, one in enumerate(chromosomes) if one["low_confidence"]),
        tuple(told["flags"]),
    )
