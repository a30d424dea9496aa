"""Whole training runs: data in, a model directory out, scored on cases that were not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from karyofast import __version__
from karyofast.coco import load as load_truth
from karyofast.crops import CropSource, digest_of, split_of, trained_slide
from karyofast.errors import DataError, OptionError
from karyofast.export.onnx import export_classifier, export_separator
from karyofast.files import sha256_of, write_whole
from karyofast.io import read_metaphase
from karyofast.models.axisnet import BINS, AxisNet
from karyofast.models.slim import Slim
from karyofast.models.store import CARD, SEPARATORS, find, read, write_manifest
from karyofast.models.vgg16 import Vgg16
from karyofast.runtimes.onnx import OnnxClassifier
from karyofast.train import classifier, separator
from karyofast.train.axes import Picture, picture
from karyofast.train.compose import WIDTH, PieceStore
from karyofast.train.composed import compose, cut_anew
from karyofast.train.crops import CropSet, cut_out, of_cells, prepare, simulate
from karyofast.train.kept import CROPS, kept
from karyofast.train.score import ClassifierScore, calibration, score_classifier
from karyofast.types import CLASSES

NETWORKS = {
    "vgg16": "VGG-16 with batch normalisation (one grey channel, head of 256)",
    "slim": "A residual network of 1.6 million weights, for small devices,",
}
"""What a model card calls them."""

Progress = Callable[[str, int, int, dict[str, float]], None]
"""Called with (what is done, steps done, steps in all, figures)."""


def train_classifier(
    data: Path,
    out: Path,
    options: classifier.TrainOptions = classifier.TrainOptions(),  # noqa: B008 (frozen)
    name: str = "g-band",
    pictures: Path | None = None,
    resume: bool = True,
    threads: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    workers: int = 0,
) -> ClassifierScore:
    """Train a classifier on single chromosomes and write it as the model directory ``out/name``.

    Parameters
    ----------
    data : Path
        Folder or zip file with ``manifest.csv`` (file, label, cell, case); split by case.
    out : Path
        Run directory (crops, options, log, checkpoint).
    options : TrainOptions
    name : str
        Name of the model.
    pictures : Path, optional
        COCO file of real metaphases with masks and classes to train on too, see `karyofast.train.crops.cut_out`.
    resume : bool
        Go on from the checkpoint in `out`.
    threads : int
        CPU threads, 0: one a core.
    device : str
        "cpu" or "cuda".
    progress : callable, optional
    workers : int
        Processes that draw the coming batches; 0: the training itself draws each.

    Returns
    -------
    ClassifierScore
        Of the exported model on the test cases.

    Raises
    ------
    DataError
        The data cannot be read, or no case falls into the training or the test split.
    """
    if threads:
        torch.set_num_threads(threads)
    tell = progress or (lambda *_: None)
    crops = read_data(data, options, out, pictures, tell)
    network = classifier.train(
        crops, out, options, resume, device, lambda step, steps, figures: tell("train", step, steps, figures), workers
    )
    return write_classifier(network, crops, out / name, name, data, options, pictures)


def read_data(
    data: Path,
    options: classifier.TrainOptions,
    folder: Path,
    pictures: Path | None = None,
    tell: Progress = lambda *_: None,
) -> CropSet:
    """What a classifier is trained and scored on, see `train_classifier`; kept in `folder` from the first time on.

    Raises
    ------
    DataError
        The data or the pictures' truth cannot be read, or no case falls into the test split.
    OptionError
        A cell to be left out that the data set does not have, or more cells than it has.
    """
    cells = [name for name, _ in CropSource(data).cells()]
    if unknown := sorted(set(options.left_out) - set(cells)):
        raise OptionError(f"--leave-out must name cells of {data}. Got: {unknown[0]}.")
    if pictures:
        load_truth(pictures)  # what is wrong with it is to be told before minutes of straightening
    deciding = ("seed", "variants", "straight", "oriented", "left_out", "cells", "simulated", "composed", "stain")
    anew = options.composed > 0 or pictures is not None
    made_of = {
        "karyofast": __version__,
        "data": digest_of(data),
        "pictures": sha256_of(pictures) if pictures else "",
        # what the pipeline cuts is its separators' work
        "separators": [find(one, "separator").sha256 for one in SEPARATORS.values()] if anew else [],
        **{name: getattr(options, name) for name in deciding},
    }
    return kept(folder / CROPS, made_of, lambda: _straightened(data, len(cells), options, pictures, tell))


def _straightened(
    data: Path, cells: int, options: classifier.TrainOptions, pictures: Path | None, tell: Progress
) -> CropSet:
    """The crops of `read_data`, of so many cells; one process a thread of torch."""
    seed, variants, jobs = options.seed, options.variants, torch.get_num_threads()

    def telling(what: str, of: int) -> Callable[[int], None]:
        return lambda done: tell(what, done, of, {})

    crops = prepare(data, seed, variants, jobs, options.oriented, telling("straighten", cells), options.straight)
    if len(crops.part("test")) == 0:
        raise DataError(f"{data}: no case falls into the test split: nothing to score on. Give more cases.")
    crops = crops.only(~np.isin(crops.cell, options.left_out))
    if options.cells:
        crops = of_cells(crops, options.cells, seed)
    labelled = set(crops.cell[crops.part("train")].tolist())
    if options.simulated:
        tell_one = telling("simulate", options.simulated)
        crops += simulate(options.simulated, options.stain, seed, variants, jobs, tell_one)
    if options.composed:
        tell_one = telling("compose", options.composed)
        oriented = options.oriented
        crops += compose(data, options.composed, options.stain, seed, variants, jobs, oriented, tell_one, labelled)
    if pictures:
        crops += cut_out(pictures, variants)
        crops += cut_anew(pictures, variants, jobs, lambda done, of: tell("cut out", done, of, {}))
    return crops


def write_classifier(
    network: Vgg16 | Slim,
    crops: CropSet,
    folder: Path,
    name: str,
    data: Path,
    options: classifier.TrainOptions,
    pictures: Path | None = None,
) -> ClassifierScore:
    """Export a trained network as a model directory and score what was exported on the test cases."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.onnx"
    export_classifier(network, network.input_size, weights)
    values: dict[str, Any] = {
        "classes": list(CLASSES),
        "input_size": list(network.input_size),
        "normalisation": {"median_rows": options.frame.median_rows, "widening": options.frame.widening},
        "made_by": f"karyofast {__version__}",
    }
    write_manifest(folder, name, "classifier", weights, values)
    runtime = OnnxClassifier(read(folder))
    values |= calibration(runtime, crops, crops.part("validation"))
    score = score_classifier(runtime, crops, crops.part("test"))
    values["training"] = {
        "data": data.name,
        "data_sha256": digest_of(data),
        "pictures": _named(pictures),
        "split": "by case, sha1 of its name: test below 0.15, validation below 0.20 (karyofast.crops.split_of)",
        "test_cases_trained_on": options.everything,
        "options": asdict(options),
    }
    values["measured"] = asdict(score)
    write_manifest(folder, name, "classifier", weights, values)
    write_whole(folder / CARD, _classifier_card(name, data, _named(pictures), options, score))
    return score


def train_separator(
    data: Path,
    out: Path,
    pictures: Path | None = None,
    slides: tuple[str, ...] | None = None,
    options: separator.SeparatorOptions = separator.SeparatorOptions(),  # noqa: B008 (frozen)
    name: str = "axis",
    resume: bool = True,
    threads: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    workers: int = 0,
) -> Path:
    """Train an AxisNet on composed scenes (and on real pictures) and write the model directory ``out/name``.

    Parameters
    ----------
    data : Path
        Single chromosomes to compose scenes of; only training cases are used.
    out : Path
        Run directory.
    pictures : Path, optional
        COCO file of real pictures with masks, images beside it; only pictures of training slides are used.
    slides : tuple of str, optional
        Slides to use instead of those that `karyofast.crops.split_of` gives to training.
    options : SeparatorOptions
    name : str
        Name of the model.
    resume : bool
        Go on from the checkpoint in `out`.
    threads : int
        CPU threads, 0: one a core.
    device : str
        "cpu" or "cuda".
    progress : callable, optional
    workers : int
        Processes that compose the coming scenes; 0: the training itself composes each.

    Returns
    -------
    Path
        The model directory.
    """
    if threads:
        torch.set_num_threads(threads)
    tell = progress or (lambda *_: None)
    source = CropSource(data)
    store = PieceStore(source, [row for row in source.rows if split_of(row.case) == "train"])
    real = real_pictures(pictures, slides) if pictures else []
    network = separator.train(
        store, real, out, options, resume, device,
        lambda step, steps, figures: tell("train", step, steps, figures), workers,
    )  # fmt: skip
    return write_separator(network, out / name, name, data, _named(pictures), options)


def real_pictures(truth: Path, slides: tuple[str, ...] | None = None) -> list[Picture]:
    """The pictures of training slides of a COCO file, with their masks; doubtful instances carry no weight."""
    found = []
    for one in load_truth(truth):
        slide = str(one.image.extra.get("slide", one.image.file_name))
        if slide not in slides if slides is not None else not trained_slide(slide):
            continue
        metaphase = read_metaphase(truth.parent / one.image.file_name)
        masks = [instance.region.full_mask(metaphase.shape) for instance in one.instances]
        doubtful = np.zeros(metaphase.shape, dtype=bool)
        for instance, mask in zip(one.instances, masks, strict=True):
            if instance.uncertain or instance.ignore:
                doubtful |= mask
        found.append(picture(metaphase.density, masks, doubtful))
    return found


def write_separator(
    network: AxisNet, folder: Path, name: str, data: Path, pictures: str, options: separator.SeparatorOptions
) -> Path:
    """Export a trained AxisNet as a model directory."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.onnx"
    export_separator(network, weights)
    training = {
        "data": data.name,
        "data_sha256": digest_of(data),
        "pictures": pictures,
        "options": asdict(options),
    }
    values = {
        "stride": network.stride,
        "directions": BINS,
        "width": WIDTH,
        "made_by": f"karyofast {__version__}",
    }
    write_manifest(folder, name, "separator", weights, {**values, "training": training})
    write_whole(folder / CARD, _separator_card(name, data, pictures, options))
    return folder


def _named(pictures: Path | None) -> str:
    return f"{pictures.parent.name}/{pictures.name}, training slides" if pictures else "none"


def _classifier_card(
    name: str, data: Path, pictures: str, options: classifier.TrainOptions, score: ClassifierScore
) -> str:
    seen = (
        "All cases were trained on: the figures below are no test."
        if options.everything
        else ("Cases are split by the hash of their name; the figures are of cases that training never saw.")
    )
    started = ""
    if options.start:
        frozen = f", the first {options.frozen} convolutions left as they were" if options.frozen else ""
        started = f"\nStarted from the weights of {Path(options.start).name}{frozen}."
    if options.teachers:
        names = ", ".join(Path(one).name for one in options.teachers)
        started += f"\nTaught by {names}: {options.taught:.0%} of the loss is their mean answer."
    direction = f"{score.orientation:.2%}" if options.oriented else "not known"
    stain = "G-banded" if options.stain == "giemsa" else "fluorescent"
    return f"""# {name}

{NETWORKS[options.network]} that reads the class (1..22, X, Y) and the direction
of the p arm from one straightened chromosome of {options.frame.rows} x {options.frame.columns} px, or that the crop
shows no whole single one (what the class probabilities fall short of 1). ONNX, weights stored as fp16.

**Data.** {data.name}, {options.epochs + options.more} epochs, seed {options.seed}, with {options.simulated} simulated
cells and {options.composed} composed metaphases ({options.stain}); real metaphases: {pictures}. {seen}{started}

| test cases: {score.cells} cells, {score.crops} chromosomes in random turns | share right |
|---|---|
| class from the crop alone | {score.crop:.2%} |
| class after whole-cell assignment | {score.assigned:.2%} |
| direction of the p arm | {direction} |
| X, Y from the crop alone | {score.x_crop:.2%}, {score.y_crop:.2%} |
| X, Y after assignment | {score.x_assigned:.2%}, {score.y_assigned:.2%} |
| cells wholly right | {score.cells_right:.2%} |

**Limits.** Trained on few laboratories' {stain} chromosomes. Other stains, structural aberrations and markers were not
in the data. Research use; every karyotype is a draft for a cytogeneticist to review.

**Licence of the weights.** Apache-2.0; the training pictures are not part of the package.
"""


def _separator_card(name: str, data: Path, pictures: str, options: separator.SeparatorOptions) -> str:
    started = f" Started from the weights of {Path(options.start).name}." if options.start else ""
    return f"""# {name}

AxisNet: a U-Net of 0.9 million weights that draws the medial axes of chromosomes lifted by direction, so that crossing
chromosomes come apart (`karyofast.segment_axis`). ONNX, weights stored as fp16; any picture size.

**Data.** Scenes composed of the training cases of {data.name} (touching {options.scene.touching:.0%}, crossing
{options.scene.crossing:.0%}); real pictures: {pictures}.
{options.steps + options.more} steps of {options.batch}, seed {options.seed}.{started}
No annotated G-band metaphase was used. `karyofast evaluate instances` scores it.

**Limits.** Chromosomes that cross at under about 30 degrees, and knots of several, stay joined or are cut wrongly.

**Licence of the weights.** Apache-2.0; the training pictures are not part of the package.
"""
