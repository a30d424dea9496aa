"""karyofast export: a network for another runtime or device, compared with the one that it was made from."""

from __future__ import annotations

from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import Advance, complain, print_json, progress
from karyofast.errors import ModelError, NotBuiltError

if TYPE_CHECKING:
    from karyofast.export.parity import Cost, Likeness
    from karyofast.export.separator import MapLikeness

app = typer.Typer(
    no_args_is_help=True,
    help="Export a classifier; needs pip install 'karyofast\\[export]'.",
    rich_markup_mode="rich",
)

ModelToExport = Annotated[
    str, typer.Argument(help="Classifier: the name of a shipped model, or a model folder.", show_default=False)
]
NewFolder = Annotated[Path, typer.Option("--out", "-o", help="Model folder to make, new or empty.", show_default=False)]
Data = Annotated[
    Path,
    typer.Option("--data", help="Folder or zip file of single chromosomes with manifest.csv.", show_default=False),
]
Crops = Annotated[int, typer.Option(min=1, help="Crops of the test split that both models are compared on.")]
Seed = Annotated[int, typer.Option(min=0, help="Of which cells are drawn.")]
ExportThreads = Annotated[int, typer.Option("--threads", min=0, help="CPU threads of both models, 0: one a core.")]
Method = Annotated[
    Literal["minmax", "percentile", "entropy"], typer.Option(help="How the range of an activation is found.")
]
Percentile = Annotated[float, typer.Option(min=90, max=100, help="Of the method percentile.")]
Calibration = Annotated[int, typer.Option(min=1, help="Crops of the training split to calibrate on.")]
Exclude = Annotated[
    list[int] | None,
    typer.Option(
        "--exclude", metavar="LAYER", help="Keep a layer fp32: 1 is the first, -1 the last; may be given several times."
    ),
]


@app.command()
def onnx(
    model: ModelToExport,
    out: NewFolder,
    data: Data,
    crops: Crops = 1000,
    seed: Seed = 0,
    threads: ExportThreads = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Plain ONNX: fp32 weights without casts, checked, the shape of every tensor known, the batch free.

    Both models read crops of the test split; where one probability differs by more than 1e-4, or one crop changes its
    class, the export fails and leaves nothing behind. DIR/parity.json tells differences, accuracy, time and memory.

    \b
    Examples:
      karyofast export onnx g-band --data pki3.zip -o exported/g-band-onnx
      karyofast export onnx runs/g-band/g-band --data crops/ -o exported/mine --json
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    deliver, samples = _modules("deliver", "samples")
    info, frame = _model(model)
    with progress("export", quiet) as advance:
        drawn = samples.draw(data, "test", crops, frame, seed, _telling(advance, "test crops"))
        result = deliver.deliver_onnx(info, out, drawn, threads, _telling(advance, "compared"))
    _print(out, result, as_json)


@app.command()
def int8(
    model: ModelToExport,
    out: NewFolder,
    data: Data,
    method: Method = "minmax",
    percentile: Percentile = 99.99,
    calibration: Calibration = 128,
    exclude: Exclude = None,
    crops: Crops = 1000,
    seed: Seed = 0,
    threads: ExportThreads = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Static int8 (QDQ), calibrated on crops of the training split: a model folder for --model at once.

    Both models read crops of the test split; where less than 99.5 % of them keep their class the export fails and
    leaves nothing behind: try another --method, or --exclude 1 or -1. DIR/parity.json tells the rest.
    A separator is calibrated on as many scenes, composed of the training split, and compared on scenes of as many
    chromosomes of the test split; its first and its last two layers stay fp32 unless others are named.

    \b
    Examples:
      karyofast export int8 axis --data pki3.zip -o exported/axis-int8
      karyofast export int8 g-band --data pki3.zip -o exported/g-band-int8
      karyofast run slides/ -o results --model exported/g-band-int8
      karyofast export int8 g-band --data pki3.zip -o exported/careful --method entropy --exclude 1 --exclude -1
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    deliver, quantize, samples, separator = _modules("deliver", "quantize", "samples", "separator")
    options = quantize.QuantizeOptions(method, percentile, calibration, tuple(exclude or ()))
    if found := _separator(model):
        options = replace(options, exclude=options.exclude or separator.FLOAT)
        with progress("export", quiet) as advance:
            train = separator.draw(data, "train", calibration, seed, _telling(advance, "calibration scenes"))
            count = -(-crops // separator.CHROMOSOMES)
            test = separator.draw(data, "test", count, seed, _telling(advance, "test scenes"))
            tell = _telling(advance, "compared")
            likeness, cost = separator.deliver_separator(found, out, train, test, options, threads, tell)
        _print_maps(out, likeness, cost, as_json)
        return
    info, frame = _model(model)
    with progress("export", quiet) as advance:
        train = samples.draw(data, "train", calibration, frame, seed, _telling(advance, "calibration crops"))
        test = samples.draw(data, "test", crops, frame, seed, _telling(advance, "test crops"))
        result = deliver.deliver_int8(
            info, out, train, test, options, threads=threads, progress=_telling(advance, "compared")
        )
    _print(out, result, as_json)


@app.command()
def tensorrt(
    model: ModelToExport,
    out: NewFolder,
    data: Data,
    flavour: Annotated[
        Literal["tensorrt", "tensorrt-rtx", "trtexec"],
        typer.Option(
            help="tensorrt: on the device itself; tensorrt-rtx: for GPUs that are not here; trtexec: ONNX only."
        ),
    ] = "tensorrt",
    precision: Annotated[Literal["fp32", "fp16", "int8"], typer.Option(help="What the engine computes in.")] = "fp16",
    capability: Annotated[
        list[str] | None,
        typer.Option(
            "--compute-capability", metavar="M.N", help="GPU to build for (tensorrt-rtx); may be given several times."
        ),
    ] = None,
    batches: Annotated[tuple[int, int, int], typer.Option(help="Smallest, usual and largest batch.")] = (1, 46, 92),
    timing_cache: Annotated[
        Path | None, typer.Option(help="File of what earlier builds measured (tensorrt); made where it is missing.")
    ] = None,
    method: Method = "minmax",
    percentile: Percentile = 99.99,
    calibration: Calibration = 128,
    exclude: Exclude = None,
    crops: Crops = 1000,
    seed: Seed = 0,
    threads: ExportThreads = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """TensorRT engine, with the manifest by which another version or GPU refuses it.

    The network that the engine is built from is compared with its source by ONNX Runtime, the engine too where this
    machine has a GPU that it was built for; past the bounds nothing is left behind. The trtexec command that builds the
    same engine, on a Jetson for instance, is printed.

    \b
    Examples:
      karyofast export tensorrt g-band --data pki3.zip -o exported/engine --precision int8
      karyofast export tensorrt g-band --data pki3.zip -o exported/rtx --flavour tensorrt-rtx --compute-capability 8.6
      karyofast export tensorrt g-band --data pki3.zip -o exported/jetson --flavour trtexec
      karyofast run slides/ -o results --model exported/engine
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    deliver, build, quantize, samples = _modules("deliver_tensorrt", "tensorrt", "quantize", "samples")
    info, frame = _model(model)
    options = build.EngineOptions(flavour, precision, tuple(capability or ()), batches)
    ranges = quantize.QuantizeOptions(method, percentile, calibration, tuple(exclude or ()), "tensorrt")
    if flavour != "trtexec":
        build.flavour_module(flavour)
    with progress("export", quiet) as advance:
        train = None
        if precision == "int8":
            train = samples.draw(data, "train", calibration, frame, seed, _telling(advance, "calibration crops"))
        test = samples.draw(data, "test", crops, frame, seed, _telling(advance, "test crops"))
        result = deliver.deliver_engine(
            info, out, test, options, train, ranges, timing_cache, threads, _telling(advance, "compared")
        )
    _print(out, result, as_json)
    if result[1] is None:
        complain(
            "karyofast: the engine itself was not run: there is no GPU here that it is for. Its network was compared."
        )
    if not quiet:
        complain(f"on a Jetson: {build.trtexec(out / deliver.NETWORK, frame, options)}")


@app.command()
def triton(
    model: ModelToExport,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Model repository; other models in it stay.", show_default=False)
    ],
    device: Annotated[Literal["cpu", "gpu"], typer.Option(help="Where Triton runs it; an engine: on the GPU.")] = "cpu",
    largest: Annotated[int, typer.Option(min=1, help="Largest batch; an engine has its own.")] = 92,
    delay: Annotated[int, typer.Option(min=0, help="Microseconds that crops may wait for a batch.")] = 2000,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0: one a core.")] = 0,
) -> None:
    """Triton model repository, for a server: DIR/NAME with config.pbtxt and the weights, byte for byte.

    The configuration is made of the inputs and outputs that the network has; one that is no classifier's is refused.
    An exported engine of TensorRT becomes a tensorrt_plan.

    \b
    Examples:
      karyofast export triton g-band-int8 -o repository
      karyofast export triton exported/engine -o repository
      tritonserver --model-repository repository
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast.export.triton import TritonOptions, deliver_triton

    info, _ = _model(model)
    folder = deliver_triton(info, out, TritonOptions(device, largest, delay, threads))
    typer.echo(f"{folder}: tritonserver --model-repository {out}")


def _modules(*names: str) -> list[Any]:
    """Modules of `karyofast.export`.

    Raises
    ------
    NotBuiltError
        The package onnx is not installed.
    """
    try:
        return [import_module(f"karyofast.export.{name}") for name in names]
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("karyofast"):
            raise
        raise NotBuiltError(
            f"export needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'karyofast[export]'"
        ) from error


def _model(name: str) -> tuple[Any, Any]:
    """The classifier to export and its frame."""
    from karyofast.models.store import find
    from karyofast.runtimes.onnx import frame_of

    info = find(name, "classifier")
    return info, frame_of(info)


def _separator(name: str) -> Any:
    """The separator of a name, None where it is none."""
    from karyofast.models.store import find

    try:
        return find(name, "separator")
    except ModelError:
        return None  # a classifier, or what `_model` says is missing


def _telling(advance: Advance, what: str) -> Any:
    return lambda done, total: advance(done, total, what)


def _print(out: Path, result: tuple[Likeness, Cost | None], as_json: bool) -> None:
    likeness, cost = result
    if as_json:
        print_json({"model": str(out), "outputs": asdict(likeness), "cost": asdict(cost) if cost else None})
        return
    typer.echo(f"{out}: on {likeness.crops} crops of {likeness.data}, {likeness.split} cases:")
    typer.echo(f"  same class               {likeness.top1_agreement:.2%}")
    typer.echo(f"  same direction           {likeness.p_arm_agreement:.2%}")
    typer.echo(f"  difference, max and mean {likeness.max_difference:.2g}, {likeness.mean_difference:.2g}")
    if likeness.accuracy_source is not None and likeness.accuracy_exported is not None:
        typer.echo(f"  class right              {likeness.accuracy_exported:.2%} (was {likeness.accuracy_source:.2%})")
    if cost is not None:
        _print_cost(cost, "a crop")


def _print_maps(out: Path, likeness: MapLikeness, cost: Cost, as_json: bool) -> None:
    if as_json:
        print_json({"model": str(out), "outputs": asdict(likeness), "cost": asdict(cost)})
        return
    typer.echo(f"{out}: on {likeness.scenes} scenes of {likeness.data}, {likeness.split} cases, Dice of what is on:")
    for part, agreement in likeness.agreement.items():
        source, exported = likeness.dice_source[part], likeness.dice_exported[part]
        typer.echo(f"  {part:<24} {agreement:.4f}; with the truth {exported:.4f} (was {source:.4f})")
    typer.echo(f"  difference, max and mean {likeness.max_difference:.2g}, {likeness.mean_difference:.2g}")
    _print_cost(cost, "a scene")


def _print_cost(cost: Cost, each: str) -> None:
    speed = f"{cost.speed_up:.2f} ({cost.speed_up_low:.2f}..{cost.speed_up_high:.2f})"
    typer.echo(f"  {'ms ' + each:<24} {cost.exported_ms:.1f} (was {cost.source_ms:.1f}; {speed} times as fast)")
    typer.echo(f"  memory, MiB              {cost.exported_mib:.0f} (was {cost.source_mib:.0f})")
    typer.echo(f"  weights, MB              {cost.exported_bytes / 1e6:.1f} (were {cost.source_bytes / 1e6:.1f})")
