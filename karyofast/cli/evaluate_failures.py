"""karyofast evaluate failures: what separation joins, splits, loses, misshapes and invents, with pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from karyofast.cli.evaluate import (
    ByImage,
    Methods,
    Pictures,
    QuietOption,
    Score,
    SlidesOption,
    Threads,
    chosen_methods,
    scores_of,
    truth_pictures,
)
from karyofast.cli.options import Out

if TYPE_CHECKING:
    from pathlib import Path

    from karyofast.evaluate import FailureScore, ImageFailures
    from karyofast.types import Metaphase
    from karyofast.view_failures import Tile

FIGURES = "failures.json"


def failures(
    data: Pictures,
    out: Out,
    method: Methods = None,
    slides: SlidesOption = "all",
    by_image: ByImage = False,
    threads: Threads = 0,
    quiet: QuietOption = False,
) -> None:
    """What is joined, split, lost, misshapen or invented, by size and contact, with a picture of each.

    Of a true chromosome the pixels that no other covers are its own. It is joined when one prediction covers half of
    its own pixels and half of another's; split when two predictions lie on it; lost when less than half of its own
    pixels are covered; misshapen when none of these holds and yet none has an IoU of 0.5 with it. A prediction is
    invented when less than half of it lies on true chromosomes. Shares in percent of the true ones, invented of the
    predictions.

    The folder, a new or an empty one, gets failures.json and, a folder a method, sheets of pictures: the true outlines
    on the left, the predicted ones on the right.

    \b
    Examples:
      karyofast evaluate failures --data data/gband -o failures
      karyofast evaluate failures --data data/mfish --slides held-out --method second-look --method rrt -o failures
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import __version__, evaluate
    from karyofast.files import new_folder, write_whole
    from karyofast.view_failures import tiles

    methods = chosen_methods(method, evaluate.SEPARATIONS, "second-look")
    pictures = truth_pictures(data, slides)
    drawn: dict[str, list[Tile]] = {name: [] for name in methods}
    found: dict[str, FailureScore] = {}

    def score(name: str, tell: Callable[[int, int], None]) -> Score:
        def seen(metaphase: Metaphase, image: ImageFailures) -> None:
            drawn[name] += tiles(metaphase, image)

        found[name] = evaluate.evaluate_failures(pictures, name, progress=tell, threads=threads, seen=seen)
        return found[name]

    with new_folder(out) as folder:
        scores = scores_of(methods, score, quiet)
        content = {"karyofast": __version__, "data": str(data), "slides": slides}
        figures = {name: one.to_dict() for name, one in scores.items()}
        write_whole(folder / FIGURES, json.dumps({**content, "scores": figures}, indent=2))
        for name in methods:
            _write_sheets(folder / name, drawn[name])
    _print(found, by_image)


def _write_sheets(folder: Path, drawn: list[Tile]) -> None:
    """Sheets of each kind of failure, KIND-1.png and so on."""
    from karyofast.io import write_png
    from karyofast.view_failures import sheets

    folder.mkdir()
    for kind in dict.fromkeys(one.kind for one in drawn):
        for number, sheet in enumerate(sheets([one for one in drawn if one.kind == kind]), start=1):
            write_png(folder / f"{kind}-{number}.png", sheet)


def _print(found: dict[str, FailureScore], by_image: bool) -> None:
    from karyofast.evaluate import format_table

    typer.echo(format_table([row for name, one in found.items() for row in one.rows(name)]))
    typer.echo(
        "\n" + format_table([{"method": name, **row} for name, one in found.items() for row in one.group_rows()])
    )
    if by_image:
        rows = [{"method": name, **row} for name, one in found.items() for row in one.image_rows()]
        typer.echo("\n" + format_table(rows))
