"""karyofast train: the classifier and the separator, from data to a model directory; `train_gan` has the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from karyofast.cli.options import Json, LeftOut, Quiet
from karyofast.cli.output import make_folder, print_json, progress
from karyofast.config import Staining
from karyofast.errors import NotBuiltError, OptionError

app = typer.Typer(
    no_args_is_help=True, help="Train networks; needs pip install 'karyofast\\[train]'.", rich_markup_mode="rich"
)

Data = Annotated[
    Path,
    typer.Option("--data", help="Folder or zip file of single chromosomes with manifest.csv.", show_default=False),
]
RunFolder = Annotated[
    Path,
    typer.Option(
        "--out", "-o", help="Run folder: options, log, checkpoint, and the model in DIR/NAME.", show_default=False
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of weights, batches and augmentation.")]
TrainThreads = Annotated[int, typer.Option(min=0, help="CPU threads, 0: one a core.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that draw the coming batches, for a GPU; 0: none.")]
Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where to train.")]
Resume = Annotated[bool, typer.Option(help="Go on from the run folder's checkpoint.")]
Teachers = Annotated[
    list[str] | None,
    typer.Option("--teacher", help="A model, name or folder, whose answers are learned too; may be repeated."),
]
Name = Annotated[str, typer.Option(help="Name of the model.")]

Told = Callable[[str, int, int, dict[str, float]], None]


@app.command()
def classifier(
    data: Data,
    out: RunFolder,
    network: Annotated[Literal["vgg16", "slim"], typer.Option(help="slim: a seventeenth of the arithmetic.")] = "vgg16",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the first cycle of the rate.")] = 8,
    more: Annotated[int, typer.Option(min=0, help="Epochs of the second, lower cycle.")] = 3,
    rate: Annotated[float, typer.Option(min=1e-6, max=0.1, help="Peak of the first cycle.")] = 1.5e-3,
    start: Annotated[
        str,
        typer.Option("--from", help="Weights to start from: a model's name or folder, or a vgg16_bn state dict."),
    ] = "",
    frozen: Annotated[int, typer.Option(min=0, max=13, help="Convolutions from the input on to leave alone.")] = 0,
    teachers: Teachers = None,
    simulated: Annotated[int, typer.Option(min=0, help="Simulated cells to train on beside the real ones.")] = 60,
    composed: Annotated[
        int, typer.Option(min=0, help="Metaphases composed of the training cells, read as the pipeline cuts them.")
    ] = 0,
    stain: Annotated[Staining, typer.Option(help="Of the simulated and composed cells.")] = "giemsa",
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="COCO file of real metaphases with masks and classes, cut by these and anew; training slides alone."
        ),
    ] = None,
    oriented: Annotated[bool, typer.Option(help="The p arm is up in the pictures of DATA.")] = True,
    leave_out: LeftOut = None,
    batch: Annotated[int, typer.Option(min=2, help="Crops a step.")] = 64,
    seed: Seed = 0,
    everything: Annotated[
        bool, typer.Option("--everything", help="Train on the test cases too: the score is then no test.")
    ] = False,
    threads: TrainThreads = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    resume: Resume = True,
    name: Name = "g-band",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train the network that reads class and orientation; cases are split by their name, the test cases score it.

    \b
    Examples:
      karyofast train classifier --data pki3.zip -o runs/g-band
      karyofast train classifier --data pki3.zip -o runs/long --epochs 20 --seed 1 --device cuda
      karyofast train classifier --data pki3.zip -o runs/on --from g-band --epochs 6 --more 0 --rate 5e-4 --frozen 4
      karyofast train classifier --data bioimlab.zip --no-oriented --pictures mfish/instances.json --stain quinacrine \\
          -o runs/q-band --name q-band --from g-band --epochs 12 --more 0
      karyofast train classifier --data pki3.zip -o runs/fast --network slim --name g-band-fast --teacher g-band
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    run, options = torch_modules("classifier")
    if device == "cuda":
        check_cuda()
    chosen = options.TrainOptions(
        network=network,
        frame=options.FRAMES[network],
        epochs=epochs,
        more=more,
        rate=rate,
        batch=batch,
        seed=seed,
        everything=everything,
        start=start,
        frozen=frozen,
        teachers=tuple(teachers or ()),
        simulated=simulated,
        composed=composed,
        stain=stain,
        oriented=oriented,
        left_out=tuple(leave_out or ()),
    )
    check_data(data)
    make_folder(out)
    with telling(quiet) as tell:
        score = run.train_classifier(
            data, out, chosen, _model_name(name), pictures, resume, threads, device, tell, workers
        )
    from dataclasses import asdict

    if as_json:
        print_json({"model": str(out / name), "measured": asdict(score)})
        return
    typer.echo(f"{out / name}: {score.crops} chromosomes of {score.cells} test cells, share right:")
    typer.echo(f"  class from the crop alone    {score.crop:.2%}")
    typer.echo(f"  class after the assignment   {score.assigned:.2%}")
    typer.echo(f"  direction of the p arm       {score.orientation:.2%}")
    typer.echo(f"  cells wholly right           {score.cells_right:.2%}")


@app.command()
def separator(
    data: Data,
    out: RunFolder,
    pictures: Annotated[
        Path | None,
        typer.Option(help="COCO file of real pictures with masks, images beside it; training slides alone are used."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the first cycle of the rate.")] = 1800,
    more: Annotated[int, typer.Option(min=0, help="Steps of a second cycle, of half the rate.")] = 1000,
    rate: Annotated[float, typer.Option(min=1e-6, max=1.0, help="Peak of the learning rate.")] = 3e-3,
    start: Annotated[str, typer.Option("--from", help="Separator to go on from; none: random weights.")] = "",
    batch: Annotated[int, typer.Option(min=1, help="Scenes a step.")] = 8,
    seed: Seed = 0,
    threads: TrainThreads = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    resume: Resume = True,
    name: Name = "axis",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train the network that draws medial axes, on scenes composed of single chromosomes and on real pictures.

    \b
    Examples:
      karyofast train separator --data pki3.zip -o runs/axis
      karyofast train separator --data pki3.zip --pictures mfish/instances.json -o runs/axis --steps 3000
      karyofast train separator --data pki3.zip -o runs/on --from runs/axis/axis --steps 2000 --more 0 --rate 1e-3
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    run, options = torch_modules("separator")
    if device == "cuda":
        check_cuda()
    chosen = options.SeparatorOptions(steps=steps, more=more, rate=rate, batch=batch, seed=seed, start=start)
    check_data(data)
    make_folder(out)
    with telling(quiet) as tell:
        folder = run.train_separator(
            data, out, pictures, None, chosen, _model_name(name), resume, threads, device, tell, workers
        )
    if as_json:
        print_json({"model": str(folder)})
    else:
        typer.echo(f"{folder}: score it with karyofast evaluate instances --data DATA")


def torch_modules(kind: Literal["classifier", "separator", "gan_model", "plane"], run: str = "run") -> tuple[Any, Any]:
    """The module `run` of whole runs in `karyofast.train`, and the module of the options of `kind`.

    Raises
    ------
    NotBuiltError
        PyTorch, or what exports its networks, is not installed.
    """
    from importlib import import_module

    try:
        return import_module(f"karyofast.train.{run}"), import_module(f"karyofast.train.{kind}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("karyofast"):
            raise
        raise NotBuiltError(
            f"training needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'karyofast[train]'"
        ) from error


def check_cuda() -> None:
    """Raise `OptionError` where PyTorch sees no CUDA device."""
    import torch

    if not torch.cuda.is_available():
        raise OptionError("--device must be cpu where PyTorch sees no CUDA device. Got: cuda.")


def check_data(data: Path) -> None:
    """Read the manifest before a run folder is made for data that cannot be used."""
    from karyofast.crops import CropSource

    CropSource(data)


def _model_name(name: str) -> str:
    if not name or Path(name).name != name:
        raise OptionError(f"--name must be a plain name, without folders. Got: {name!r}.")
    return name


@contextmanager
def telling(quiet: bool) -> Iterator[Told]:
    """A progress bar with the figures of the last step beside it."""
    with progress("train", quiet) as advance:

        def tell(what: str, done: int, total: int, figures: dict[str, float]) -> None:
            advance(done, total, " ".join([what, *(f"{key} {value:.4g}" for key, value in figures.items())]))

        yield tell
