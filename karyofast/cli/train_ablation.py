"""karyofast train ablation: what each ingredient of the classifier's training is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from typing import Annotated, Any, Literal

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import make_folder, print_json
from karyofast.cli.train import (
    Data,
    Device,
    RunFolder,
    Teachers,
    TrainThreads,
    Workers,
    check_cuda,
    check_data,
    telling,
    torch_modules,
)
from karyofast.evaluate_table import format_table, percent


def ablation(
    data: Data,
    out: RunFolder,
    network: Annotated[Literal["vgg16", "slim"], typer.Option(help="What is trained.")] = "slim",
    epochs: Annotated[int, typer.Option(min=1, help="Of all crops; every arm has as many steps.")] = 6,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of every arm; from two on an ensemble is scored.")] = 1,
    arm: Annotated[list[str] | None, typer.Option(help="An arm by its name; none: all.")] = None,
    teachers: Teachers = None,
    simulated: Annotated[int, typer.Option(min=0, help="Simulated cells to train on beside the real ones.")] = 60,
    composed: Annotated[int, typer.Option(min=0, help="Composed metaphases to train on too.")] = 0,
    cells: Annotated[int, typer.Option(min=0, help="Training cells whose labels are used; 0: all.")] = 0,
    width: Annotated[float, typer.Option(min=0.1, max=4.0, help="Multiplies the channels of slim.")] = 1.0,
    batch: Annotated[int, typer.Option(min=2, help="Crops a step.")] = 64,
    rate: Annotated[float, typer.Option(min=1e-6, max=0.1, help="Peak of the learning rate.")] = 1.5e-3,
    threads: TrainThreads = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train the classifier without each of its ingredients, for as many steps, and score all on the test cases.

    What is finished in the run folder is not trained again.

    \b
    Examples:
      karyofast train ablation --data pki3.zip -o runs/ablation --seeds 3 --device cuda --workers 8
      karyofast train ablation --data pki3.zip -o runs/few --arm "all of it" --arm "no augmentation" --epochs 3
      karyofast train ablation --data pki3.zip -o runs/forty --cells 40 --epochs 20
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    run, options = torch_modules("classifier")
    ablate, _ = torch_modules("classifier", "ablation")
    if device == "cuda":
        check_cuda()
    if threads:
        import torch

        torch.set_num_threads(threads)
    how = options.TrainOptions(
        network=network,
        frame=options.FRAMES[network],
        epochs=epochs,
        more=0,
        batch=batch,
        rate=rate,
        simulated=simulated,
        composed=composed,
        cells=cells,
        width=width,
        teachers=tuple(teachers or ()),
    )
    check_data(data)
    make_folder(out)
    with telling(quiet) as tell:
        crops = run.read_data(data, how, out, None, tell)
        alone = replace(how, straight=False, simulated=0, composed=0)
        raw = cache(partial(run.read_data, data, alone, out / "raw", None, tell))
        scores = ablate.ablate(crops, out, how, seeds, tuple(arm or ()), device, workers, tell, raw)
    if as_json:
        print_json([{"arm": one.arm, "seed": one.seed, **asdict(one.score)} for one in scores])
        return
    typer.echo(f"{scores[0].score.crops} chromosomes of {scores[0].score.cells} test cells; share right, mean of seeds")
    arms = list(dict.fromkeys(one.arm for one in scores))
    typer.echo(format_table([_row(arm, [one.score for one in scores if one.arm == arm]) for arm in arms]))


def _row(arm: str, scores: Sequence[Any]) -> dict[str, str]:
    figures = {"crop": "crop", "assigned": "assigned", "p arm": "orientation", "cells": "cells_right"}
    means = {head: sum(getattr(one, name) for one in scores) / len(scores) for head, name in figures.items()}
    return {"training": arm, "seeds": str(len(scores)), **{head: percent(mean, 2) for head, mean in means.items()}}
