"""Chromosomes that a generator adds: 24 MD-GANs, one a class (paper, Algorithm 1), or one conditional MD-GAN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from karyofast.errors import TrainingError
from karyofast.experiments.inputs import Inputs
from karyofast.experiments.plan import PaperOptions
from karyofast.files import write_whole
from karyofast.train.gan import train_gan
from karyofast.train.gan_model import MODEL, GanOptions, GanSampler, load_gan
from karyofast.train.gan_step import StepOptions
from karyofast.train.loop import CHECKPOINT
from karyofast.types import CLASSES

FAILED = "failed.txt"
"""In the folder of a generator whose training diverged or collapsed: why."""

FEWEST = 2
"""Real chromosomes of a class below which none is generated: a generator would repeat the one."""

X, Y = CLASSES.index("X"), CLASSES.index("Y")

Progress = Callable[[int, int, dict[str, float]], None]


def person_labels(persons: int) -> NDArray[np.int64]:
    """Classes of the 46 chromosomes of each person, women and men in turn: int64 (46 persons,)."""
    autosomes = [label for label in range(len(CLASSES)) if label not in (X, Y) for _ in range(2)]
    return np.array([one for person in range(persons) for one in (*autosomes, X, (X, Y)[person % 2])], dtype=np.int64)


def gan_options(kind: Literal["mdgan", "conditional"], options: PaperOptions, seed: int) -> GanOptions:
    """Settings of one generator; the paper's has no DiffAugment, the conditional one has."""
    conditional = kind == "conditional"
    steps = options.conditional_steps if conditional else options.gan_steps
    return GanOptions(
        conditional=conditional,
        diffaugment=conditional,
        steps=steps,
        batch=options.conditional_batch if conditional else options.gan_batch,
        size=options.frame.size,
        width=options.gan_width,
        every=max(1, steps // 4),
        grace=max(1, 3 * steps // 4),
        seed=seed,
        how=StepOptions(rate=options.conditional_rate if conditional else options.gan_rate, ema=options.gan_average),
    )


def generated(
    kind: Literal["mdgan", "conditional"],
    real: Inputs,
    persons: int,
    options: PaperOptions,
    folder: Path,
    seed: int,
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[Inputs, list[str]]:
    """Generate 46 chromosomes for each person, classes as in `person_labels`.

    Parameters
    ----------
    kind : {"mdgan", "conditional"}
    real : Inputs
        What the generators are trained on.
    persons : int
        np.
    options : PaperOptions
    folder : Path
        Run folders of the generators; those that are finished there are loaded, one that was killed goes on, one that
        failed is not tried again.
    seed : int
    device : str
    progress : callable, optional
        Called with (steps done, steps in all, figures).

    Returns
    -------
    Inputs
        Without the classes that are missing.
    missing : list of str
        Classes of which too few real chromosomes are there, or whose generator diverged or collapsed.
    """
    labels = person_labels(persons)
    how = gan_options(kind, options, seed)
    made: list[NDArray[np.float32]] = []
    of_made: list[NDArray[np.int64]] = []
    missing = []
    conditional = kind == "conditional"
    of_all = _sampler(real.values, real.label, folder / "all", how, device, progress) if conditional else None
    for label, name in enumerate(CLASSES):
        wanted = int(np.sum(labels == label))
        mine = real.values[real.label == label]
        sampler = None
        if len(mine) >= FEWEST:
            sampler = of_all if conditional else _sampler(mine, None, folder / name, how, device, progress)
        if sampler is None:
            missing.append(name)
            continue
        rng = np.random.default_rng([seed, 6, label])
        made.append(sampler.sample(wanted, rng, label if conditional else None))
        of_made.append(np.full(wanted, label, np.int64))
    values = np.concatenate(made) if made else np.zeros((0, *options.frame.size), np.float32)
    found = np.concatenate(of_made) if of_made else np.zeros(0, np.int64)
    named = np.full(len(found), kind, dtype="U16")
    return Inputs(values, found, named, np.full(len(found), "train", dtype="U16")), missing


def _sampler(
    values: NDArray[np.float32],
    labels: NDArray[np.int64] | None,
    folder: Path,
    options: GanOptions,
    device: str,
    progress: Progress | None,
) -> GanSampler | None:
    """A generator from its folder, trained there first where it is not; None where its training failed."""
    if (folder / FAILED).exists():
        return None
    if (folder / MODEL / "model.toml").is_file():
        return load_gan(folder, device)
    try:
        sampler = train_gan(values, labels, folder, options, True, device, progress)
    except TrainingError as error:
        # another try with the same seed would fail in the same way
        write_whole(folder / FAILED, f"{error}\n")
        return None
    # a finished generator needs it no more, and there are hundreds of them
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return sampler
