"""Generators on the plane (the paper's Figure 8), and generated chromosomes shown and scored (Figures 9 and 10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
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
from karyofast.train.generated import GeneratedScore, Judge, score_generated
from karyofast.train.plane import PlaneOptions
from karyofast.train.plane_study import TARGETS, PlaneRow, study_plane
from karyofast.train.sheet import sheet
from karyofast.types import CLASSES

PLANE, FIGURE9 = "plane", "figure9"

KINDS: tuple[Literal["mdgan", "conditional"], ...] = ("mdgan", "conditional")

SHOWN = ("1", "6", "16", "X")
"""Classes of Figure 9; the paper's 23 is a sex chromosome."""

COLUMNS = 16

PERSONS = 50
"""np of what is scored."""

JUDGE = "q-band"
"""Classifier that scores: it was trained on the same training cells, and on none of the unseen or generated ones."""


def figure8(
    out: Path, seeds: int, options: PaperOptions, tell: Callable[[str, int, int], None], jobs: int = 1
) -> list[PlaneRow]:
    """Train every kind of generator on every mixture of the plane; what is done in the run folder is read."""
    return study_plane(out / PLANE, TARGETS, seeds, PlaneOptions(steps=options.plane_steps), tell, jobs)


def figure9(bench: Bench, tell: Callable[[str, int, int], None]) -> dict[str, GeneratedScore]:
    """Draw real and generated chromosomes in one sheet, and score the generated ones; kept in files of the run folder.

    The generators are those of seed 0 on all training cells, which Table 1 uses too. A kind of which no class was
    generated is left out.
    """
    path = bench.folder / f"{FIGURE9}.json"
    if path.exists():
        return read_figure9(bench.folder)
    real, unseen = training_cells(bench.inputs, ALL_CELLS, 0), bench.inputs.part("test")
    judge = Judge(JUDGE, bench.device)
    scores: dict[str, Any] = {}
    made: dict[str, Inputs] = {}
    for kind in KINDS:
        made[kind], _ = generated_for(kind, real, PERSONS, ALL_CELLS, 0, bench, tell)
        tell(f"score {kind}", 0, 1)
        drawn, held = _paired(made[kind], unseen)
        if len(drawn):
            score = score_generated(drawn, held.values, real.values, held.label, real.label, judge)
            scores[kind] = asdict(score)
    write_png(bench.folder / f"{FIGURE9}.png", _sheet(unseen, made))
    write_whole(path, json.dumps(scores, indent=1) + "\n")
    return read_figure9(bench.folder)


def read_figure9(folder: Path) -> dict[str, GeneratedScore]:
    """The scores of generated chromosomes by kind; none before they are there."""
    path = folder / f"{FIGURE9}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {kind: from_dict(GeneratedScore, score) for kind, score in kept.items()}


def _paired(made: Inputs, unseen: Inputs) -> tuple[NDArray[np.float32], Inputs]:
    """A generated chromosome of its class for each unseen one, where there are enough, and these."""
    drawn, kept = [], np.zeros(len(unseen), bool)
    for label in np.unique(unseen.label):
        mine = np.flatnonzero(unseen.label == label)
        of_class = made.values[made.label == label][: len(mine)]
        kept[mine[: len(of_class)]] = True
    held = unseen.only(kept)
    used = dict.fromkeys(range(len(CLASSES)), 0)
    for one in held.label.tolist():
        drawn.append(made.values[made.label == one][used[one]])
        used[one] += 1
    return np.stack(drawn) if drawn else np.zeros((0, *made.values.shape[1:]), np.float32), held


def _sheet(unseen: Inputs, made: dict[str, Inputs]) -> NDArray[np.uint8]:
    """A row of real ones, then a row of each kind, class by class."""
    rows, names = [], []
    for name in SHOWN:
        for mark, source in (("", unseen), (" m", made["mdgan"]), (" c", made["conditional"])):
            rows.append(source.values[source.label == CLASSES.index(name)][:COLUMNS])
            names.append(name + mark)
    return sheet(rows, names)
