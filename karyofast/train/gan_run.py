"""Whole runs of generators: data in, trained networks, sheets and their score on cells that were not trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from karyofast.config import to_dict
from karyofast.crops import CropSource
from karyofast.errors import DataError
from karyofast.files import write_whole
from karyofast.io import write_png
from karyofast.train.crops import of_cells, prepare
from karyofast.train.gan import COLUMNS, train_gan
from karyofast.train.gan_model import GanOptions, GanSampler
from karyofast.train.generated import GeneratedScore, Judge, pictures, score_generated
from karyofast.train.sheet import sheet
from karyofast.types import CLASSES

SCORE = "score.json"

Progress = Callable[[str, int, int, dict[str, float]], None]
"""Called with (what is done, steps done, steps in all, figures)."""


def train_generators(
    data: Path,
    out: Path,
    options: GanOptions = GanOptions(),  # noqa: B008 (frozen)
    classes: tuple[str, ...] = (),
    cells: int = 0,
    judge: str = "q-band",
    oriented: bool = True,
    resume: bool = True,
    threads: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> GeneratedScore:
    """Train generators on the training cells of a data set and score what they make.

    Parameters
    ----------
    data : Path
        Folder or zip file with ``manifest.csv`` (file, label, cell, case); split by case.
    out : Path
        Run folder: of a conditional network itself, else with one run folder a class (Algorithm 1 of the paper). Also
        generated.png and real.png (a row a class) and score.json.
    options : GanOptions
    classes : tuple of str
        Classes to train on; none: all.
    cells : int
        Training cells to use, the first ones in a random order that the seed decides; 0: all.
    judge : str
        Classifier, of the store or a folder, that scores; it must not have seen what was generated.
    oriented : bool
        Whether the p arm is up in the pictures of the data set.
    resume : bool
    threads : int
        CPU threads, 0: one a core.
    device : str
    progress : callable, optional

    Returns
    -------
    GeneratedScore
        On the chromosomes of the test cases, of the classes that were trained on.

    Raises
    ------
    DataError
        No chromosome of the classes in the training or the test split.
    OptionError
        More cells than there are.
    TrainingError
        A training has diverged or collapsed.
    """
    if threads:
        torch.set_num_threads(threads)
    tell = progress or (lambda *_: None)
    looking = Judge(judge, device)
    total = sum(1 for _ in CropSource(data).cells())
    crops = prepare(
        data, options.seed, 1, torch.get_num_threads(), oriented, lambda done: tell("straighten", done, total, {})
    )
    wanted = np.isin(crops.label, [CLASSES.index(one) for one in classes or CLASSES])
    crops = of_cells(crops, cells, options.seed) if cells else crops
    train, test = (crops.part(part)[wanted[crops.part(part)]] for part in ("train", "test"))
    if len(train) == 0 or len(test) == 0:
        raise DataError(f"{data}: must hold the classes in training and test cells. Got: {len(train)}, {len(test)}.")
    real = pictures(crops, train, options.size, looking.frame)
    unseen = pictures(crops, test, options.size, looking.frame)
    made = generators(real, crops.label[train], out, options, resume, device, tell)
    labels = crops.label[test][np.isin(crops.label[test], list(made))]
    unseen = unseen[np.isin(crops.label[test], list(made))]
    rng = np.random.default_rng([options.seed, 3])
    generated = draw(made, labels, rng)
    score = score_generated(generated, unseen, real, labels, crops.label[train], looking)
    _show(out, "generated.png", generated, labels)
    _show(out, "real.png", unseen, labels)
    told = {"data": data.name, "cells": cells, "judge": judge, **asdict(score), "options": to_dict(options)}
    write_whole(out / SCORE, json.dumps(told, indent=2) + "\n")
    return score


def generators(
    crops: NDArray[np.float32],
    labels: NDArray[np.int64],
    folder: Path,
    options: GanOptions,
    resume: bool = True,
    device: str = "cpu",
    tell: Progress = lambda *_: None,
) -> dict[int, GanSampler]:
    """The generator of each class: one conditional network for all, or one network a class in a folder of its name.

    Parameters and errors as of `karyofast.train.gan.train_gan`.
    """
    present = [int(one) for one in np.unique(labels)]
    if options.conditional:
        one = train_gan(crops, labels, folder, options, resume, device, lambda *told: tell("train", *told))
        return dict.fromkeys(present, one)
    made = {}
    for label in present:
        name = CLASSES[label]

        def told(step: int, steps: int, figures: dict[str, float], name: str = name) -> None:
            tell(f"train {name}", step, steps, figures)

        made[label] = train_gan(crops[labels == label], None, folder / name, options, resume, device, told)
    return made


def draw(made: dict[int, GanSampler], labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
    """One generated crop of each of `labels` int64 (n,), float32 (n, rows, columns)."""
    size = next(iter(made.values())).options.size
    drawn = np.empty((len(labels), *size), np.float32)
    for label in np.unique(labels):
        sampler = made[int(label)]
        mine = np.flatnonzero(labels == label)
        drawn[mine] = sampler.sample(len(mine), rng, int(label) if sampler.options.conditional else None)
    return drawn


def _show(out: Path, name: str, crops: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    present = [int(one) for one in np.unique(labels)]
    write_png(out / name, sheet([crops[labels == one][:COLUMNS] for one in present], [CLASSES[k] for k in present]))
