"""karyofast train gan and train plane: generators of chromosomes, and the study of where generators collapse."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import make_folder, print_json, progress
from karyofast.cli.train import (
    Data,
    Resume,
    Seed,
    TrainThreads,
    check_cuda,
    check_data,
    telling,
    torch_modules,
)
from karyofast.errors import OptionError


def gan(
    data: Data,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Run folder; with --each-class one in it a class.", show_default=False),
    ],
    kind: Annotated[Literal["mdgan", "gan", "mgan"], typer.Option(help="MD-GAN, typical GAN, or MGAN.")] = "mdgan",
    latent: Annotated[Literal["density", "mixture"], typer.Option(help="Reading of eq. 8, of MD-GAN.")] = "mixture",
    each_class: Annotated[
        bool, typer.Option("--each-class", help="One network a class, as in the paper, not one for all.")
    ] = False,
    classes: Annotated[str, typer.Option(help="Classes to train on, as 1,X; none: all.")] = "",
    cells: Annotated[int, typer.Option(min=0, help="Training cells to use, 0: all.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each network.")] = 4000,
    batch: Annotated[int, typer.Option(min=2, help="Crops a step.")] = 64,
    rows: Annotated[int, typer.Option(min=16, help="Of a crop, a multiple of 16.")] = 64,
    columns: Annotated[int, typer.Option(min=16, help="Of a crop, a multiple of 16.")] = 32,
    width: Annotated[int, typer.Option(min=1, help="Least channels of a layer.")] = 16,
    rate: Annotated[float, typer.Option(min=1e-7, max=0.1, help="Learning rate of both networks.")] = 2e-4,
    diffaugment: Annotated[bool, typer.Option(help="Change what the discriminator sees.")] = True,
    judge: Annotated[str, typer.Option(help="Classifier that scores.")] = "q-band",
    oriented: Annotated[bool, typer.Option(help="The p arm is up in the pictures of DATA.")] = True,
    seed: Seed = 0,
    threads: TrainThreads = 0,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where to train.")] = "cpu",
    resume: Resume = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a generator of chromosomes on the training cases; what it makes is scored against the test cases.

    \b
    Examples:
      karyofast train gan --data bioimlab.zip --no-oriented -o runs/gan
      karyofast train gan --data bioimlab.zip --no-oriented -o runs/pairs --each-class --classes 1,6,16 --cells 50
      karyofast train gan --data pki3.zip --judge g-band -o runs/typical --kind gan --device cuda
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    run, options = torch_modules("gan_model", "gan_run")
    if device == "cuda":
        check_cuda()
    chosen = options.GanOptions(
        kind=kind,
        latent=latent,
        conditional=not each_class,
        steps=steps,
        batch=batch,
        size=_size(rows, columns),
        width=width,
        diffaugment=diffaugment,
        seed=seed,
        how=options.StepOptions(rate=rate),
    )
    names = _classes(classes)
    check_data(data)
    make_folder(out)
    with telling(quiet) as tell:
        score = run.train_generators(data, out, chosen, names, cells, judge, oriented, resume, threads, device, tell)
    if as_json:
        print_json({"out": str(out), "measured": asdict(score)})
    else:
        _tell(out, score)


def plane(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Gets a JSON file a run and a picture a mixture.", show_default=False)
    ],
    targets: Annotated[str, typer.Option(help="Mixtures: of denver, ring, grid, with commas.")] = "denver,ring,grid",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each kind.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each run.")] = 4000,
    threads: Annotated[int, typer.Option(min=0, help="Runs side by side, 0: one a core.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn mixtures on the plane with GAN, MGAN and MD-GAN in both readings: which modes are found (Figure 8).

    \b
    Examples:
      karyofast train plane -o runs/plane
      karyofast train plane -o runs/plane --targets grid --seeds 2
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    study, module = torch_modules("plane", "plane_study")
    names = tuple(one.strip() for one in targets.split(",") if one.strip())
    if not names or (unknown := [one for one in names if one not in study.TARGETS]):
        got = repr(unknown[0]) if names else "none"
        raise OptionError(f"--targets must be of {', '.join(study.TARGETS)}. Got: {got}.")
    make_folder(out)
    with progress("train", quiet) as advance:
        told = lambda what, done, total: advance(done, total, what)  # noqa: E731
        rows = study.study_plane(out, names, seeds, module.PlaneOptions(steps=steps), told, threads)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    typer.echo(f"mixture kind           modes found, {seeds} seeds     high quality (worst)   reverse KL")
    for row in rows:
        found = f"{' '.join(str(one) for one in row.modes)} of {row.of}"
        quality = f"{row.high_quality:8.1%} ({row.worst:.1%})"
        typer.echo(f"{row.target:<7} {row.kind:<14} {found:<24} {quality} {row.reverse_kl:11.3f}")


def _tell(out: Path, score: Any) -> None:
    typer.echo(f"{out}: {score.crops} generated, and as many real ones, against the {score.crops} of the test cases:")
    typer.echo("                               generated   real")
    for name in ("kid", "precision", "recall", "density", "coverage"):
        typer.echo(f"  {name:<28} {getattr(score.generated, name):9.3f} {getattr(score.real, name):9.3f}")
    typer.echo(f"  {'recognised as their class':<28} {score.recognised:9.3f} {score.recognised_real:9.3f}")
    typer.echo(f"  {'distance to a training crop':<28} {score.distance:9.3f} {score.distance_real:9.3f}")
    typer.echo(f"  {'held for copies':<28} {score.copies:9.3f}")


def _size(rows: int, columns: int) -> tuple[int, int]:
    if rows % 16 or columns % 16:
        raise OptionError(f"--rows and --columns must be multiples of 16. Got: {rows} and {columns}.")
    return rows, columns


def _classes(text: str) -> tuple[str, ...]:
    names = tuple(one.strip() for one in text.split(",") if one.strip())
    from karyofast.types import CLASSES

    if unknown := [one for one in names if one not in CLASSES]:
        raise OptionError(f"--classes must be of 1..22, X, Y. Got: {unknown[0]!r}.")
    return names
