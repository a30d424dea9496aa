"""What each ingredient of the classifier's training is worth: the same training without it, or with one more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.config import load as load_options
from karyofast.errors import OptionError
from karyofast.files import replacing
from karyofast.train.classifier import TrainOptions, predict, train
from karyofast.train.crops import CropSet
from karyofast.train.loop import OPTIONS
from karyofast.train.score import ClassifierScore, score_labels

ALL = "all of it"
"""The arm that the others are compared with."""

SIMULATED, COMPOSED = "simulated ", "composed "
"""What the names of such cells begin with in a `CropSet`."""

ANSWER = "answer.npz"
"""What a finished arm says of the test cases."""

PROFILE = "with the band profile beside the crop"
"""The arm of a network that sees both; `karyofast.models.slim.Slim` alone can."""

PLAIN = {"elastic": 0.0, "contrast": 0.0, "brightness": 0.0, "blur": 0.0, "noise": 0.0, "remnant": 0.0, "clipped": 0.0,
         "nothing": 0.0}  # fmt: skip
"""Augmentation that leaves affine changes alone."""

AFFINE = {"zoom": 0.0, "stretch": 0.0, "turn": 0.0, "shift": 0.0}

ARMS: Mapping[str, tuple[Mapping[str, float], Mapping[str, Any]]] = {
    ALL: ({}, {}),
    "without simulated chromosomes": ({}, {"simulated": 0}),
    "without composed metaphases": ({}, {"composed": 0}),
    "without affine changes": (AFFINE, {}),
    "without elastic changes": ({"elastic": 0.0}, {}),
    "without stain (contrast, brightness)": ({"contrast": 0.0, "brightness": 0.0}, {}),
    "without blur and noise": ({"blur": 0.0, "noise": 0.0}, {"late": 1.0, "late_defocus": 0.0}),
    "without remnants of neighbours and cut ends": ({"remnant": 0.0, "clipped": 0.0}, {}),
    "without crops of no chromosome": ({"nothing": 0.0}, {}),
    "without the average of weights": ({}, {"average": 0.0}),
    PROFILE: ({}, {"profile": True}),
    "affine changes alone": (PLAIN, {"simulated": 0, "composed": 0, "late": 1.0, "late_defocus": 0.0}),
    "no augmentation": ({**PLAIN, **AFFINE}, {"simulated": 0, "composed": 0, "late": 1.0, "late_defocus": 0.0}),
}
"""What an arm changes of `Augmentation`, and of `TrainOptions`. A half turn and mirrors are in every arm."""

TAUGHT = "taught"
"""The arm that learns from teachers too; it is there when there are any."""

ENSEMBLE = f"{ALL}, mean answer of all seeds"


@dataclass(frozen=True)
class ArmScore:
    """One arm with one seed, on the test cases."""

    arm: str
    seed: int
    score: ClassifierScore


def ablate(
    crops: CropSet,
    folder: Path,
    options: TrainOptions,
    seeds: int = 1,
    arms: Sequence[str] = (),
    device: str = "cpu",
    workers: int = 0,
    tell: Callable[[str, int, int, dict[str, float]], None] = lambda *_: None,
) -> list[ArmScore]:
    """Train every arm with every seed; an arm whose result is in the folder is not trained again.

    Parameters
    ----------
    crops : CropSet
        Of a data set, with simulated cells where `options.simulated` is not 0, composed ones where `options.composed`
        is not.
    folder : Path
        One run folder an arm and seed.
    options : TrainOptions
        Of the whole training, which each arm changes; its epochs are of all crops, and an arm without some of them has
        as many steps, to half an epoch.
    seeds : int
    arms : sequence of str
        Of `ARMS`, or `TAUGHT`; none: all that there are.
    device : str
    workers : int
        As of `karyofast.train.classifier.train`.
    tell : callable
        Called with (arm, step, steps, figures).

    Returns
    -------
    list of ArmScore
        Last, with more than one seed, the mean answer of the networks of the first arm.

    Raises
    ------
    OptionError
        No such arm, or the folder holds a run with other options.
    """
    alone = replace(options, teachers=())
    # what the whole training does without is no arm
    known = [arm for arm in ARMS if arm == ALL or _options(arm, options) != alone]
    known = [arm for arm in known if arm != PROFILE or options.network == "slim"]
    known += [TAUGHT] if options.teachers else []
    for arm in arms:
        if arm not in known:
            raise OptionError(f"--arm must be one of: {'; '.join(known)}. Got: {arm}.")
    test = crops.part("test")
    scores, whole = [], []
    for seed in range(seeds):
        for arm in arms or known:
            run = folder / f"{arm.replace(' ', '-').replace(',', '')}_seed{seed}"
            answer = _answer(arm, crops, run, _options(arm, replace(options, seed=seed)), device, workers, tell)
            scores.append(ArmScore(arm, seed, score_labels(*answer, crops, test)))
            if arm == ALL:
                whole.append(answer)
    if len(whole) > 1:
        classes, up = (np.mean(one, axis=0) for one in zip(*whole, strict=True))
        scores.append(ArmScore(ENSEMBLE, 0, score_labels(classes, up, crops, test)))
    return scores


def of_cells(crops: CropSet, cells: int, seed: int = 0) -> CropSet:
    """The set with `cells` of its training cells alone, drawn by `seed`; simulated cells and what is tested on stay.

    Raises
    ------
    OptionError
        There are fewer.
    """
    real = (crops.split == "train") & ~np.char.startswith(crops.cell, SIMULATED)
    names = np.unique(crops.cell[real])
    if not 1 <= cells <= len(names):
        raise OptionError(f"--cells must be 1 to {len(names)}, the training cells of the data set. Got: {cells}.")
    drawn = np.random.default_rng(seed).choice(names, cells, replace=False)
    return crops.only(~real | np.isin(crops.cell, drawn))


def _options(arm: str, options: TrainOptions) -> TrainOptions:
    if arm == TAUGHT:
        return options
    augmentation, others = ARMS[arm]
    return replace(options, augmentation=replace(options.augmentation, **augmentation), teachers=(), **others)


def _answer(
    arm: str,
    crops: CropSet,
    run: Path,
    how: TrainOptions,
    device: str,
    workers: int,
    tell: Callable[[str, int, int, dict[str, float]], None],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Class probabilities and that the p arm is up, of the test cases."""
    used = crops
    for kind, cells in ((SIMULATED, how.simulated), (COMPOSED, how.composed)):
        used = used if cells else used.only(~np.char.startswith(used.cell, kind))
    # an arm that is shown fewer crops is shown them more often
    more = len(crops.part("train")) / len(used.part("train"))
    how = replace(how, epochs=round(how.epochs * more))
    kept = run / ANSWER
    if kept.exists() and load_options(run / OPTIONS, TrainOptions) == how:
        with np.load(kept) as file:
            return file["classes"], file["up"]
    kept.unlink(missing_ok=True)
    network = train(used, run, how, True, device, lambda *told: tell(arm, *told), workers)
    classes, up = predict(network, how.frame, crops, crops.part("test"), device)
    with replacing(kept) as temporary, temporary.open("wb") as file:
        np.savez(file, classes=classes, up=up)
    return classes, up
