"""The study on the plane: every mixture, kind of generator and seed, resumable run by run, with tables and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from karyofast.config import to_dict
from karyofast.files import write_whole
from karyofast.io import write_png
from karyofast.models.mdgan import Kind, Reading
from karyofast.train.plane import Mixture, PlaneOptions, PlaneScore, Target, mixture, run_plane
from karyofast.train.workers import Task, side_by_side

KINDS: dict[str, tuple[Kind, Reading]] = {
    "gan": ("gan", "mixture"),
    "mgan": ("mgan", "mixture"),
    "mdgan-density": ("mdgan", "density"),
    "mdgan-mixture": ("mdgan", "mixture"),
}
"""What is compared, by the name that tables and files have."""

TARGETS: tuple[Target, ...] = ("denver", "ring", "grid")

PANEL = 190
"""Side of a picture's panel, px."""

MOMENTS = 4
"""Panels of a run: points at even steps of it, the last at its end."""

_HEAD, _FONT = 30, cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class PlaneRow:
    """One mixture and kind over all seeds, at the end of the runs.

    Attributes
    ----------
    target, kind : str
    modes : tuple of int
        Modes found, one number a seed.
    of : int
        Modes of the mixture.
    high_quality, reverse_kl : float
        Means over the seeds.
    worst : float
        Least share of high quality of a seed.
    """

    target: str
    kind: str
    modes: tuple[int, ...]
    of: int
    high_quality: float
    worst: float
    reverse_kl: float


def study_plane(
    folder: Path,
    targets: Sequence[Target] = TARGETS,
    seeds: int = 5,
    options: PlaneOptions = PlaneOptions(),  # noqa: B008 (frozen)
    progress: Callable[[str, int, int], None] | None = None,
    jobs: int = 1,
) -> list[PlaneRow]:
    """Run every kind of generator on some mixtures, with seeds 0, 1, ...; runs that are done already are read.

    Parameters
    ----------
    folder : Path
        Gets TARGET-KIND-SEED.json (options and scores over the steps), and TARGET.png of the first seed.
    targets : sequence of {"denver", "ring", "grid"}
    seeds : int
    options : PlaneOptions
        All but target, kind, latent and seed.
    progress : callable, optional
        Called with (run, runs done, runs in all) before each; with several jobs after each.
    jobs : int
        Runs side by side, in processes of one thread each; 0: one a core.

    Returns
    -------
    list of PlaneRow
    """
    folder.mkdir(parents=True, exist_ok=True)
    last: dict[tuple[Target, str], list[PlaneScore]] = {}
    planned = _runs(folder, targets, seeds, options)
    tell = progress or (lambda *_: None)
    jobs = jobs or torch.get_num_threads()
    if jobs > 1:
        tasks = [Task(path.stem, _scores, (path, chosen)) for _, _, path, chosen in planned]
        side_by_side(tasks, jobs, tell)
    for done, (target, name, path, chosen) in enumerate(planned):
        if jobs == 1:
            tell(f"{target} {name} {chosen.seed}", done, len(planned))
        last.setdefault((target, name), []).append(_scores(path, chosen)[-1])
    for target in targets:
        write_png(folder / f"{target}.png", _picture(folder, target, mixture(target)))
    return [_row(target, name, len(mixture(target).modes), scores) for (target, name), scores in last.items()]


def _runs(
    folder: Path, targets: Sequence[Target], seeds: int, options: PlaneOptions
) -> list[tuple[Target, str, Path, PlaneOptions]]:
    """Mixture, kind, file and options of every run of a study."""
    return [
        (
            target,
            name,
            folder / f"{target}-{name}-{seed}.json",
            replace(options, target=target, kind=kind, latent=latent, seed=seed),
        )
        for target in targets
        for name, (kind, latent) in KINDS.items()
        for seed in range(seeds)
    ]


def _scores(path: Path, options: PlaneOptions) -> list[PlaneScore]:
    """The scores of one run, from its file where it was done with the same options."""
    told = json.loads(json.dumps(to_dict(options)))
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["options"] == told:
            return [PlaneScore(**one) for one in kept["scores"]]
    run = run_plane(options)
    # a picture needs some of the points alone
    chosen = np.linspace(0, len(run.points), MOMENTS + 1)[1:].round().astype(int) - 1
    points = {str(run.scores[at].step): np.round(run.points[at][::2], 3).tolist() for at in np.unique(chosen)}
    kept = {"options": told, "scores": [asdict(one) for one in run.scores], "points": points}
    write_whole(path, json.dumps(kept) + "\n")
    return list(run.scores)


def _row(target: str, kind: str, of: int, last: Sequence[PlaneScore]) -> PlaneRow:
    quality = [one.high_quality for one in last]
    return PlaneRow(
        target=target,
        kind=kind,
        modes=tuple(one.modes for one in last),
        of=of,
        high_quality=float(np.mean(quality)),
        worst=min(quality),
        reverse_kl=float(np.mean([one.reverse_kl for one in last])),
    )


def _picture(folder: Path, target: Target, true: Mixture) -> NDArray[np.uint8]:
    """A row of panels a kind, over the steps, beside the real mixture."""
    reach = 1.25 * float(np.abs(true.modes).max())
    real = true.draw(1250, np.random.default_rng(0))
    rows = []
    for name in KINDS:
        kept = json.loads((folder / f"{target}-{name}-0.json").read_text(encoding="utf-8"))
        told = {str(one["step"]): one for one in kept["scores"]}
        panels = [_panel(real, reach, ["real"])]
        for step, points in kept["points"].items():
            one = told[step]
            text = [f"{name}, step {step}", f"{one['modes']} modes, {one['high_quality']:.0%}"]
            panels.append(_panel(np.array(points, np.float32), reach, text))
        rows.append(np.hstack(panels))
    widest = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, widest - row.shape[1])), constant_values=255) for row in rows])


def _panel(points: NDArray[np.float32], reach: float, text: Sequence[str]) -> NDArray[np.uint8]:
    panel = np.full((_HEAD + PANEL, PANEL + 6), 255, np.uint8)
    for number, line in enumerate(text):
        cv2.putText(panel, line, (4, 12 + 14 * number), _FONT, 0.36, 0, 1, cv2.LINE_AA)
    cv2.rectangle(panel, (2, _HEAD), (PANEL, _HEAD + PANEL - 3), 190, 1)
    shown = points[np.isfinite(points).all(axis=1)]
    shown = shown[(np.abs(shown) < reach).all(axis=1)]
    at = np.rint((shown / reach * [1.0, -1.0] + 1.0) * 0.5 * (PANEL - 8)).astype(int) + 3
    for right, down in at:
        cv2.circle(panel, (int(right), _HEAD + int(down)), 1, 0, cv2.FILLED)
    return panel
