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
from karyofast.models.slim import Slim
from karyofast.models.vgg16 import Vgg16
from karyofast.train.classifier import TrainOptions, predict, train
from karyofast.train.crops import UNLABELLED, CropSet
from karyofast.train.loop import OPTIONS
from karyofast.train.score import ClassifierScore, assign, score_labels

ALL = "all of it"
"""The arm that the others are compared with."""

SIMULATED, COMPOSED = "simulated ", "composed "
"""What the names of such cells begin with in a `CropSet`."""

RAW = "real cells alone, not straightened"
"""The arm whose crops, those it is scored on too, are stood up as they are."""

ANSWER = "answer.npz"
"""What a finished arm says of the test cases."""

PROFILE = "with the band profile beside the crop"
"""The arm of a network that sees both; `karyofast.models.slim.Slim` alone can."""

PLAIN = {"elastic": 0.0, "contrast": 0.0, "brightness": 0.0, "blur": 0.0, "noise": 0.0, "remnant": 0.0, "clipped": 0.0,
         "nothing": 0.0}  # fmt: skip
"""Augmentation that leaves affine changes alone."""

REAL = {"simulated": 0, "composed": 0}
"""Training on the cells of the data set alone."""

AFFINE = {"zoom": 0.0, "stretch": 0.0, "turn": 0.0, "shift": 0.0}

ARMS: Mapping[str, tuple[Mapping[str, float], Mapping[str, Any]]] = {
    ALL: ({}, {}),
    "without simulated chromosomes": ({}, {"simulated": 0}),
    "without composed metaphases": ({}, {"composed": 0}),
    "real cells alone": ({}, REAL),
    RAW: ({}, {**REAL, "straight": False}),
    "without affine changes": (AFFINE, {}),
    "without elastic changes": ({"elastic": 0.0}, {}),
    "without stain (contrast, brightness)": ({"contrast": 0.0, "brightness": 0.0}, {}),
    "without blur and noise": ({"blur": 0.0, "noise": 0.0}, {"late": 1.0, "late_defocus": 0.0}),
    "without remnants of neighbours and cut ends": ({"remnant": 0.0, "clipped": 0.0}, {}),
    "without crops of no chromosome": ({"nothing": 0.0}, {}),
    "without the average of weights": ({}, {"average": 0.0}),
    PROFILE: ({}, {"profile": True}),
    "affine changes alone": (PLAIN, {**REAL, "late": 1.0, "late_defocus": 0.0}),
    "no augmentation": ({**PLAIN, **AFFINE}, {**REAL, "late": 1.0, "late_defocus": 0.0}),
}
"""What an arm changes of `Augmentation`, and of `TrainOptions`. A half turn and mirrors are in every arm."""

TAUGHT = "taught"
"""The arm that learns from teachers too; it is there when there are any."""

SELF = "taught by its own answers on the other cells"
"""The arm that learns, beside the labelled cells, from what the network of the first arm makes of `UNLABELLED` ones."""

SURE = 0.5
"""Probability of the class that a whole-cell assignment gives from which `SELF` learns it."""

MIRRORS: tuple[Callable[[NDArray[np.uint8]], NDArray[np.uint8]], ...] = (np.asarray, np.fliplr, np.flipud)
"""As it is, left for right, upside down."""

MIRRORED = f"{ALL}, mean answer of a crop and its mirror images"

ENSEMBLE = f"{ALL}, mean answer of all seeds"


Answer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Class probabilities (n, 24) and that the p arm is up (n,)."""


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
    raw: Callable[[], CropSet] | None = None,
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
    raw : callable, optional
        Gives the crops of the same cells that `RAW` is about.

    Returns
    -------
    list of ArmScore
        Last, of the first arm, what comes of reading mirror images too, and of the mean answer of several seeds.

    Raises
    ------
    OptionError
        No such arm, or the folder holds a run with other options.
    """
    known = _known(crops, options, raw is not None)
    for arm in arms:
        if arm not in known:
            raise OptionError(f"--arm must be one of: {'; '.join(known)}. Got: {arm}.")
    test = crops.part("test")
    scores, whole = [], []
    for seed in range(seeds):
        training = _Training(folder, seed, replace(options, seed=seed), device, workers, tell)
        for arm in arms or known:
            shown = raw() if arm == RAW and raw else crops
            (classes, up), mirrored = training.answer(arm, shown, crops)
            scores.append(ArmScore(arm, seed, score_labels(classes, up, shown, shown.part("test"))))
            if arm == ALL:
                scores.append(ArmScore(MIRRORED, seed, score_labels(*mirrored, crops, test)))
                whole.append((classes, up))
    if len(whole) > 1:
        classes, up = (np.mean(one, axis=0) for one in zip(*whole, strict=True))
        scores.append(ArmScore(ENSEMBLE, 0, score_labels(classes, up, crops, test)))
    return sorted(scores, key=lambda one: one.arm in (MIRRORED, ENSEMBLE))


def _known(crops: CropSet, options: TrainOptions, raw: bool) -> list[str]:
    """The arms that there are: what the whole training does without, or an earlier arm is already, is none."""
    known: list[str] = []
    told: list[TrainOptions] = []
    for arm in ARMS:
        how = _options(arm, options)
        if how in told or (arm == PROFILE and options.network != "slim") or (arm == RAW and not raw):
            continue
        known.append(arm)
        told.append(how)
    known += [SELF] if len(crops.part(UNLABELLED)) else []
    return known + ([TAUGHT] if options.teachers else [])


def _options(arm: str, options: TrainOptions) -> TrainOptions:
    if arm == TAUGHT:
        return options
    augmentation, others = ARMS[ALL if arm == SELF else arm]
    return replace(options, augmentation=replace(options.augmentation, **augmentation), teachers=(), **others)


@dataclass(frozen=True)
class _Training:
    """The trainings of one seed."""

    folder: Path
    seed: int
    options: TrainOptions
    device: str
    workers: int
    tell: Callable[[str, int, int, dict[str, float]], None]

    def answer(self, arm: str, shown: CropSet, crops: CropSet) -> tuple[Answer, Answer]:
        """What the network of an arm says of the test cases, and with their mirror images.

        An arm is trained for as many steps as the first, which is shown the training crops of `crops`.
        """
        how = _options(arm, self.options)
        used = self._labelled(shown) if arm == SELF else _without(shown, how)
        more = len(crops.part("train")) / len(used.part("train"))
        how = replace(how, epochs=round(how.epochs * more))
        kept = self._run(arm) / ANSWER
        if kept.exists() and load_options(kept.parent / OPTIONS, TrainOptions) == how:
            with np.load(kept) as file:
                return (file["classes"], file["up"]), (file["mirrored_classes"], file["mirrored_up"])
        kept.unlink(missing_ok=True)
        network = self._trained(arm, used, how)
        test = shown.part("test")
        read = [predict(network, how.frame, shown, test, self.device, mirror) for mirror in MIRRORS]
        classes = np.mean([one for one, _ in read], axis=0)
        up = np.mean([one if at < 2 else 1.0 - one for at, (_, one) in enumerate(read)], axis=0)
        with replacing(kept) as temporary, temporary.open("wb") as out:
            np.savez(out, classes=read[0][0], up=read[0][1], mirrored_classes=classes, mirrored_up=up)
        return read[0], (classes, up)

    def _run(self, arm: str) -> Path:
        return self.folder / f"{arm.replace(' ', '-').replace(',', '')}_seed{self.seed}"

    def _trained(self, arm: str, used: CropSet, how: TrainOptions) -> Vgg16 | Slim:
        return train(used, self._run(arm), how, True, self.device, lambda *told: self.tell(arm, *told), self.workers)

    def _labelled(self, crops: CropSet) -> CropSet:
        """The crops with those of unlabelled cells that the first arm's network, and the whole cell, are sure of."""
        how = _options(ALL, self.options)
        others = crops.part(UNLABELLED)
        classes, up = predict(self._trained(ALL, crops, how), how.frame, crops, others, self.device)
        label = assign(classes, up, crops, others)
        sure = (label >= 0) & (classes[np.arange(len(others)), label] >= SURE)
        found = np.isin(np.arange(len(crops.label)), others[sure])
        labels, oriented = crops.label.copy(), crops.oriented & ~found
        labels[others] = label
        return replace(crops, label=labels, oriented=oriented, split=np.where(found, "train", crops.split))


def _without(crops: CropSet, how: TrainOptions) -> CropSet:
    """The crops without those of simulated or composed cells where the options have none."""
    for kind, cells in ((SIMULATED, how.simulated), (COMPOSED, how.composed)):
        crops = crops if cells else crops.only(~np.char.startswith(crops.cell, kind))
    return crops
