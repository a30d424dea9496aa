"""karyofast paper: the experiments of the paper in one run folder, and a report with its numbers beside ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import make_folder, print_json, progress
from karyofast.errors import NotBuiltError, OptionError

Parts = Annotated[
    list[str],
    typer.Argument(
        metavar="PART...",
        help="table1, table2, few, figure6, figure8, figure9, figure11, detection, or all.",
        show_default=False,
    ),
]


def paper(
    parts: Parts,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            help="Folder of bioimlab.zip, gband and mfish; or single chromosomes with manifest.csv, bright on dark.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Run folder; what is done in it is not done again.", show_default=False)
    ],
    preset: Annotated[
        Literal["quick", "medium", "full"],
        typer.Option(
            help="quick: a slim CNN and short trainings, for a CPU; medium: a residual CNN that also goes on from "
            "g-band-fast, for a GPU; full: VGG-16, for hours of one; the report tells its cost."
        ),
    ] = "quick",
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds of each arm.", show_default="3; full: 5")] = None,
    cells: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="few: cells to train on; may be given several times.",
            show_default="10; medium: 10 25; full: 5-100",
        ),
    ] = None,
    persons: Annotated[
        list[int] | None,
        typer.Option(
            "--np", min=1, help="table1: np; may be given several times.", show_default="50 250; else 50 100 ... 250"
        ),
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: cuda where there is one.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0: one a core.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the paper's experiments and write report.html and report.md.

    A run that was stopped goes on when it is started again; more seeds, cells or parts are added to what is there.

    \b
    Examples:
      karyofast paper all --data data -o runs/paper
      karyofast paper table1 table2 --data data/bioimlab.zip -o runs/paper --seeds 5
      karyofast paper few --data data -o runs/paper --cells 10
      karyofast paper detection --data data -o runs/paper
      karyofast paper all --data data -o runs/full --preset full --device cuda
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    run, plan = _modules()
    chosen = _parts(parts, plan.PARTS)
    options, scope = plan.PRESETS[preset]
    given: dict[str, Any] = {"seeds": seeds, "plane_seeds": seeds, "cells": cells, "persons": persons}
    given = {name: tuple(sorted(set(one))) if isinstance(one, list) else one for name, one in given.items() if one}
    where = _device(device)
    make_folder(out)
    with progress("paper", quiet) as advance:
        page = run.run_paper(
            chosen,
            data,
            out,
            options,
            replace(scope, **given),
            where,
            threads,
            lambda what, done, total: advance(done, total, what),
        )
    if as_json:
        print_json({"report": str(page), "markdown": str(page.with_suffix(".md"))})
    else:
        typer.echo(page.with_suffix(".md").read_text(encoding="utf-8"))
        typer.echo(f"{page}")


def _parts(given: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """The parts asked for, each once, checked before any work is done."""
    for name in given:
        if name != "all" and name not in known:
            raise OptionError(f"PART must be one of {', '.join(known)} or all. Got: {name}.")
    return known if "all" in given else tuple(dict.fromkeys(given))


def _modules() -> tuple[Any, Any]:
    """`karyofast.experiments.run` and `karyofast.experiments.plan`.

    Raises
    ------
    NotBuiltError
        PyTorch, or what the networks are kept with, is not installed.
    """
    from importlib import import_module

    try:
        return import_module("karyofast.experiments.run"), import_module("karyofast.experiments.plan")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("karyofast"):
            raise
        raise NotBuiltError(
            f"the experiments need the package {error.name}, which is not installed. "
            "Install it with: pip install 'karyofast[train]'"
        ) from error


def _device(device: str) -> str:
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise OptionError("--device must be cpu or auto where PyTorch sees no CUDA device. Got: cuda.")
    return "cuda" if there and device != "cpu" else "cpu"
