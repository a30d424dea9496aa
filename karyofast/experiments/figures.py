"""Generators on the plane (the paper's Figure 8), and generated chromosomes shown and scored (Figures 9 and 10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from karyofast.config import from_dict
from karyofast.experiments.inputs import Inputs, training_cells
from karyofast.experiments.plan import ALL_CELLS, PaperOptions
from karyofast.experiments.trial import Bench, generated_for
from karyofast.files import write_whole
from karyofast.io import write_png
from karyofast.train.generated import GeneratedScore, Judge, Looked, score_looked
from karyofast.train.plane import PlaneOptions
from karyofast.train.plane_study import TARGETS, PlaneRow, study_plane
from karyofast.train.sheet import sheet
from karyofast.types import CLASSES

PLANE, FIGURE9, FIGURE10 = "plane", "figure9", "figure10"

KINDS: tuple[Literal["mdgan", "conditional"], ...] = ("mdgan", "conditional")

SHOWN = ("1", "6", "16", "X")
"""Classes of Figure 9; the paper's 23 is a sex chromosome."""

COLUMNS = 16

PERSONS = 50
"""np of what is scored."""

MANY_PERSONS = 250
"""np of Figure 10 beside `PERSONS`."""

LOOKED = 24
"""Chromosomes of each class and np that Figure 10 looks at."""

EACH = 8
"""Of these in a row of Figure 10."""

JUDGE = "q-band-fast"
"""Classifier that scores: it was trained on the same training cells, and on none of the unseen or generated ones."""


def figure8(
    out: Path, seeds: int, options: PaperOptions, tell: Callable[[str, int, int], None], jobs: int = 1
) -> list[PlaneRow]:
    """Train every kind of generator on every mixture of the plane; what is done in the run folder is read."""
    return study_plane(out / PLANE, TARGETS, seeds, PlaneOptions(steps=options.plane_steps), tell, jobs)


def figure9(bench: Bench, tell: Callable[[str, int, int], None]) -> dict[str, GeneratedScore]:
    """Draw real and generated chromosomes in one sheet, and score the generated ones; kept in files of the run folder.

    The generators are those of seed 0 on all training cells, which Table 1 uses too. A kind of which no class was
    generated is left out. Figure 10 is drawn by the way.
    """
    path = bench.folder / f"{FIGURE9}.json"
    if path.exists():
        return read_figure9(bench.folder)
    real, unseen = training_cells(bench.inputs, ALL_CELLS, 0), bench.inputs.part("test")
    made: dict[str, Inputs] = {kind: generated_for(kind, real, PERSONS, ALL_CELLS, 0, bench, tell)[0] for kind in KINDS}
    more, _ = generated_for("mdgan", real, MANY_PERSONS, ALL_CELLS, 0, bench, tell)
    judge = Judge(JUDGE, bench.device)
    tell("score", 0, 1)
    held, seen = judge.look(unseen.values), judge.look(real.values)
    most = max(LOOKED, int(np.bincount(unseen.label).max()))
    shown = {kind: _Shown.of(ones, most, judge) for kind, ones in made.items()}
    scores: dict[str, Any] = {}
    for kind, ones in shown.items():
        chosen, kept = _paired(ones.made.label, unseen.label)
        if len(chosen):
            labels = unseen.label[kept]
            scores[kind] = asdict(score_looked(ones.looked.only(chosen), held.only(kept), seen, labels, real.label))
    write_png(bench.folder / f"{FIGURE9}.png", _sheet(unseen, made))
    _figure10(bench.folder, {PERSONS: shown["mdgan"], MANY_PERSONS: _Shown.of(more, LOOKED, judge)})
    write_whole(path, json.dumps(scores, indent=1) + "\n")
    return read_figure9(bench.folder)


@dataclass(frozen=True, eq=False)
class _Shown:
    """Generated chromosomes, and what a classifier makes of them."""

    made: Inputs
    looked: Looked

    @classmethod
    def of(cls, made: Inputs, count: int, judge: Judge) -> _Shown:
        """The first `count` of each class."""
        some = made.only(_evenly(made.label, count))
        return cls(some, judge.look(some.values))

    def first(self, count: int) -> _Shown:
        """The first `count` of each class of these."""
        wanted = _evenly(self.made.label, count)
        return _Shown(self.made.only(wanted), self.looked.only(wanted))


def _figure10(folder: Path, shown: dict[int, _Shown]) -> None:
    """Draw each class of `PERSONS`, and the surest and least sure of `MANY_PERSONS`; say how many are recognised."""
    pages, found = [], {}
    for persons, ones in shown.items():
        first = ones.first(LOOKED)
        some, looked = first.made, first.looked
        if not len(some):
            return
        sure = looked.shares[np.arange(len(some)), some.label]
        found[str(persons)] = {"crops": len(some), "recognised": float(np.mean(looked.classes == some.label))}
        rows = [np.flatnonzero(some.label == label) for label in range(len(CLASSES))]
        if persons == MANY_PERSONS:
            rows = [row[np.argsort(-sure[row], kind="stable")] for row in rows]
            pages.append(sheet([some.values[row[-EACH:]] for row in rows], CLASSES))
        pages.insert(min(1, len(pages)), sheet([some.values[row[:EACH]] for row in rows], CLASSES))
    write_png(folder / f"{FIGURE10}.png", np.hstack(pages))
    write_whole(folder / f"{FIGURE10}.json", json.dumps(found, indent=1) + "\n")


def read_figure10(folder: Path) -> dict[str, dict[str, float]]:
    """How many generated chromosomes are recognised, by np; none before they are there."""
    path = folder / f"{FIGURE10}.json"
    kept: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return kept


def _evenly(labels: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Which are the first `count` of their class."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[:count]] = True
    return chosen


def read_figure9(folder: Path) -> dict[str, GeneratedScore]:
    """The scores of generated chromosomes by kind; none before they are there."""
    path = folder / f"{FIGURE9}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {kind: from_dict(GeneratedScore, score) for kind, score in kept.items()}


def _paired(made: NDArray[np.int64], unseen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of two lists of classes, places in `made` and in `unseen` that go together, each used once at most."""
    chosen, kept = [], []
    for label in np.unique(unseen):
        of_class, mine = np.flatnonzero(made == label), np.flatnonzero(unseen == label)
        count = min(len(of_class), len(mine))
        chosen.append(of_class[:count])
        kept.append(mine[:count])
    order = np.argsort(np.concatenate(kept))
    return np.concatenate(chosen)[order], np.concatenate(kept)[order]


def _sheet(unseen: Inputs, made: dict[str, Inputs]) -> NDArray[np.uint8]:
    """A row of real ones, then a row of each kind, class by class."""
    rows, names = [], []
    for name in SHOWN:
        for mark, source in (("", unseen), (" m", made["mdgan"]), (" c", made["conditional"])):
            rows.append(source.values[source.label == CLASSES.index(name)][:COLUMNS])
            names.append(name + mark)
    return sheet(rows, names)
