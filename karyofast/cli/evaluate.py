"""karyofast evaluate: the measures of the design document on data with truth, also over the baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import typer

from karyofast.cli.options import Device, LeftOut, Precision, Runtime, resolve
from karyofast.cli.output import Advance, progress
from karyofast.errors import DataError, OptionError, OutputError

if TYPE_CHECKING:
    from karyofast.evaluate import TruthPicture

app = typer.Typer(
    no_args_is_help=True,
    help="Score the stages on data with truth: a table on stdout, or JSON.",
    rich_markup_mode="rich",
)

Pictures = Annotated[
    Path,
    typer.Option(
        "--data", help="COCO file, or a folder with instances.json or instances.coco.json.", show_default=False
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option("--method", help="May be given several times; all: the method and every baseline in one table."),
]
SlidesOption = Annotated[
    Literal["train", "held-out", "all"],
    typer.Option(help="mfish: slides that the separator may have trained on, the others, or all."),
]
JsonFile = Annotated[str | None, typer.Option("--json", help="Write the figures as JSON to a file, - for stdout.")]
ByImage = Annotated[bool, typer.Option("--by-image", help="A row a picture below the table of methods.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads of the networks, 0: one a core.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]

SingleData = Annotated[
    Path, typer.Option("--data", help="Folder or zip file of single chromosomes with manifest.csv.", show_default=False)
]
Cases = Annotated[
    Literal["test", "validation", "train", "all"],
    typer.Option("--split", help="Cases; the shipped weights never saw test."),
]
Rotate = Annotated[bool, typer.Option(help="Turn every picture by an angle of its own first.")]
Classifier = Annotated[str, typer.Option("--model", help="Classifier: the name of a shipped model, or a model folder.")]

STDOUT = "-"

HALFMAX = "instances_halfmax.json"
"""Beside a truth: the same chromosomes with masks at the half-maximum."""


class Score(Protocol):
    """What the functions of `karyofast.evaluate` return."""

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        ...

    def rows(self, name: str = "") -> list[dict[str, str]]:
        """Rows of a table of methods."""
        ...


@app.command()
def detection(
    data: Pictures,
    method: Methods = None,
    filter_geometry: Annotated[bool, typer.Option(help="The first filter of the method er.")] = True,
    filter_variance: Annotated[bool, typer.Option(help="The second filter of the method er.")] = True,
    slides: SlidesOption = "all",
    by_image: ByImage = False,
    json_file: JsonFile = None,
    quiet: QuietOption = False,
) -> None:
    """Precision and recall of candidates against the blobs of the true masks, IoU 0.5.

    Methods: er, er-no-geometry, er-no-variance, er-unfiltered, otsu, adaptive, mser.

    \b
    Examples:
      karyofast evaluate detection --data data/gband
      karyofast evaluate detection --data data/mfish --slides held-out --method all
      karyofast evaluate detection --data data/gband --no-filter-variance --json -
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import evaluate

    names = {
        (True, True): "er",
        (False, True): "er-no-geometry",
        (True, False): "er-no-variance",
        (False, False): "er-unfiltered",
    }
    chosen = names[filter_geometry, filter_variance]
    methods = [chosen if one == "er" else one for one in chosen_methods(method, evaluate.DETECTIONS, "er")]
    pictures = truth_pictures(data, slides)

    def score(name: str, tell: Callable[[int, int], None]) -> Score:
        return evaluate.evaluate_detection(pictures, name, progress=tell)

    _print(scores_of(methods, score, quiet), data, slides, by_image, json_file)


@app.command()
def instances(
    data: Pictures,
    method: Methods = None,
    slides: SlidesOption = "all",
    by_image: ByImage = False,
    json_file: JsonFile = None,
    threads: Threads = 0,
    quiet: QuietOption = False,
) -> None:
    """Precision, recall, F1, AP50 and AP75 of separated chromosomes, also of those that touch or cross.

    Methods: second-look (axis and what the second look makes of it), first-look (the same pipeline without it), axis,
    arms, rrt, er, otsu, adaptive, mser, watershed. Joined and split are defined in evaluate failures. Count error is
    the mean of the absolute differences in number, bias that of the signed ones: the second look's effect on the count
    is what lies between first-look and second-look. Where instances_halfmax.json lies beside the truth, AP is told for
    its narrower rims, too.

    \b
    Examples:
      karyofast evaluate instances --data data/gband
      karyofast evaluate instances --data data/mfish --slides held-out --method axis --method rrt
      karyofast evaluate instances --data data/gband --method all --json scores.json
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import evaluate

    pictures = truth_pictures(data, slides)
    beside = _truth_file(data).with_name(HALFMAX)
    halfmax = evaluate.load_truth(beside) if data.is_dir() and beside.is_file() else None

    def score(name: str, tell: Callable[[int, int], None]) -> Score:
        return evaluate.evaluate_instances(pictures, name, progress=tell, threads=threads, halfmax=halfmax)

    methods = chosen_methods(method, evaluate.SEPARATIONS, "second-look")
    _print(scores_of(methods, score, quiet), data, slides, by_image, json_file)


@app.command()
def classification(
    data: SingleData,
    split: Cases = "test",
    rotate: Rotate = True,
    upright: Annotated[bool, typer.Option(help="The p arm is up in the pictures: score orientation.")] = True,
    model: Classifier = "g-band-fast",
    runtime: Runtime = None,
    device: Device = None,
    precision: Precision = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the angles.")] = 0,
    leave_out: LeftOut = None,
    by_class: Annotated[bool, typer.Option("--by-class", help="A row a class below the table.")] = False,
    by_cell: Annotated[
        bool, typer.Option("--by-cell", help="A row a cell below the table, what disagrees most with its labels first.")
    ] = False,
    json_file: JsonFile = None,
    threads: Threads = 0,
    quiet: QuietOption = False,
) -> None:
    """Top-1 and macro F1 from the crop alone and after whole-cell assignment; X, Y, orientation, calibration.

    \b
    Examples:
      karyofast evaluate classification --data data/pki3.zip
      karyofast evaluate classification --data data/pki3.zip --no-rotate --by-class
      karyofast evaluate classification --data data/pki3.zip --by-cell --leave-out CELL
      karyofast evaluate classification --data data/bioimlab.zip --split all --no-upright --json -
      karyofast evaluate classification --data data/pki3.zip --model exported/g-band-int8
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from dataclasses import asdict

    from karyofast import evaluate

    options = resolve(None, model=model, runtime=runtime, device=device, precision=precision)
    with progress("classification", quiet) as advance:
        score = evaluate.evaluate_classification(
            data,
            split,
            rotate,
            options=options,
            seed=seed,
            upright=upright,
            threads=threads,
            progress=lambda done, total: advance(done, total, "cells"),
            leave_out=leave_out or (),
        )
    settings = {"split": split, "rotate": rotate, "seed": seed, **asdict(options.classify)}
    details = [*([score.class_rows()] if by_class else []), *([score.cell_rows()] if by_cell else [])]
    _write({model: score}, {"data": str(data), **settings}, details, json_file)


@app.command()
def aneuploidy(
    data: SingleData,
    split: Cases = "test",
    rotate: Rotate = True,
    model: Classifier = "g-band-fast",
    seed: Annotated[int, typer.Option(min=0, help="Of the angles, and of what is taken out and put in.")] = 0,
    leave_out: LeftOut = None,
    json_file: JsonFile = None,
    threads: Threads = 0,
    quiet: QuietOption = False,
) -> None:
    """Whether a changed number of chromosomes is seen, in normal cells from which some are taken, or with some added.

    "seen" of normal cells is a false alarm. A chromosome that is put in comes from another cell of the same case.

    \b
    Examples:
      karyofast evaluate aneuploidy --data data/pki3.zip
      karyofast evaluate aneuploidy --data data/pki3.zip --leave-out CELL --json -
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import evaluate
    from karyofast.config import ClassifyOptions, Options

    with progress("aneuploidy", quiet) as advance:
        score = evaluate.evaluate_aneuploidy(
            data,
            split,
            rotate,
            options=Options(classify=ClassifyOptions(model=model)),
            seed=seed,
            threads=threads,
            progress=lambda done, total: advance(done, total, "cells"),
            leave_out=leave_out or (),
        )
    settings = {"split": split, "rotate": rotate, "seed": seed, "model": model}
    _write({model: score}, {"data": str(data), **settings}, [], json_file)


@app.command()
def pipeline(
    data: Pictures,
    masks: Annotated[
        Literal["found", "true"], typer.Option(help="found: detected and separated; true: the true masks handed in.")
    ] = "found",
    method: Methods = None,
    model: Annotated[
        str, typer.Option(help="Classifier: a shipped model, a model folder, or auto: by the picture's polarity.")
    ] = "auto",
    runtime: Runtime = None,
    device: Device = None,
    precision: Precision = None,
    slides: SlidesOption = "all",
    by_image: ByImage = False,
    json_file: JsonFile = None,
    threads: Threads = 0,
    quiet: QuietOption = False,
) -> None:
    """Share of true chromosomes that are separated and have their class; count and ISCN of the whole picture.

    Methods (of separation): axis, arms, rrt, er, otsu, adaptive, mser, watershed.

    \b
    Examples:
      karyofast evaluate pipeline --data data/gband
      karyofast evaluate pipeline --data data/gband --masks true --by-image
      karyofast evaluate pipeline --data data/mfish --slides held-out --json -
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from dataclasses import replace

    from karyofast import evaluate

    classify = resolve(None, model=model, runtime=runtime, device=device, precision=precision).classify
    pictures = truth_pictures(data, slides)

    def score(name: str, tell: Callable[[int, int], None]) -> Score:
        options = replace(evaluate.INSTANCES[name], classify=classify)
        return evaluate.evaluate_pipeline(pictures, masks, options, progress=tell, threads=threads)

    if masks == "true" and method:
        raise OptionError("--method must not be given with --masks true: nothing is separated. Leave it out.")
    scores = scores_of(chosen_methods(method, evaluate.INSTANCES, "axis"), score, quiet)
    named = {"true masks": scores["axis"]} if masks == "true" else scores
    _print(named, data, slides, by_image, json_file, masks=masks, model=model)


def chosen_methods(given: Sequence[str] | None, known: Sequence[str] | Any, default: str) -> list[str]:
    """The methods asked for, each once, checked before any work is done."""
    names = list(dict.fromkeys(given or [default]))
    if "all" in names:
        return list(known)
    for name in names:
        if name not in known:
            raise OptionError(f"--method must be one of {', '.join(known)} or all. Got: {name}.")
    return names


def truth_pictures(data: Path, slides: Literal["train", "held-out", "all"]) -> Sequence[TruthPicture]:
    """The pictures of the slides asked for, with their truth."""
    from karyofast.evaluate import load_truth

    halves: dict[str, Literal["tune", "score", "all"]] = {"train": "tune", "held-out": "score", "all": "all"}
    return load_truth(_truth_file(data), halves[slides])


def _truth_file(data: Path) -> Path:
    if not data.is_dir():
        return data
    names = ("instances.json", "instances.coco.json")
    for name in names:
        if (data / name).is_file():
            return data / name
    raise DataError(f"{data}: must hold {' or '.join(names)}. Got: neither. Give the COCO file itself.")


def scores_of(
    methods: Sequence[str], score: Callable[[str, Callable[[int, int], None]], Score], quiet: bool
) -> dict[str, Score]:
    """What each method scores, behind a progress bar of its own."""
    found = {}
    for name in methods:
        with progress(name, quiet) as advance:
            found[name] = score(name, partial(_advance, advance))
    return found


def _advance(advance: Advance, done: int, total: int) -> None:
    advance(done, total, "pictures")


def _print(
    scores: dict[str, Score], data: Path, slides: str, by_image: bool, json_file: str | None, **settings: str
) -> None:
    details = []
    for name, score in scores.items() if by_image else ():
        details += [{"method": name, **row} for row in score.image_rows()]  # type: ignore[attr-defined]
    _write(scores, {"data": str(data), "slides": slides, **settings}, [details], json_file)


def _write(
    scores: dict[str, Any], settings: dict[str, Any], details: Sequence[Sequence[dict[str, str]]], json_file: str | None
) -> None:
    """Print the table and the tables of details; with a JSON file on stdout nothing else may stand there."""
    from karyofast import __version__
    from karyofast.cli.output import print_json
    from karyofast.evaluate import format_table
    from karyofast.files import write_whole

    content = {
        "karyofast": __version__,
        **settings,
        "scores": {name: score.to_dict() for name, score in scores.items()},
    }
    if json_file == STDOUT:
        print_json(content)
        return
    typer.echo(format_table([row for name, score in scores.items() for row in score.rows(name)]))
    for rows in details:
        if rows:
            typer.echo("\n" + format_table(rows))
    if json_file:
        import json

        path = Path(json_file)
        try:
            write_whole(path, json.dumps(content, indent=2))
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error}. Name a file that may be.") from error
