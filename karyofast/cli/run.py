"""karyofast run: metaphase images to karyotypes, in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karyofast.cli.options import (
    ConfigFile,
    Detector,
    Inputs,
    Json,
    Method,
    ModelOrFile,
    Out,
    Polarity,
    Quiet,
    resolve,
)
from karyofast.cli.output import SOME_FAILED, STOPPED, complain, print_json, progress

if TYPE_CHECKING:
    from karyofast.summary import SummaryRow

USUAL = 46
"""Chromosomes of a usual human cell; only told, nothing is steered by it."""


def run(
    inputs: Inputs,
    out: Out,
    polarity: Polarity = None,
    detector: Detector = None,
    method: Method = None,
    model: ModelOrFile = None,
    config: ConfigFile = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Images worked on side by side.")] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Do all images again, also over results of other settings.")
    ] = False,
    edits: Annotated[
        Path | None,
        typer.Option(help="Folder of correction scripts NAME.json, or of an earlier run whose corrections are kept."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Karyotype metaphase images: chromosomes found, separated, named and laid out.

    Writes OUT/NAME/karyogram.png, overlay.png and karyotype.json for each image, and OUT/summary.csv, report.html (what
    needs a look first), instances.coco.json and run.json for all. Called again it does only what is missing or changed;
    what `karyofast edit` corrected stays corrected, except with --force.

    An image that cannot be used is named with its reason and does not stop the others; the exit code is 3 then.

    \b
    Examples:
      karyofast run metaphase.tif -o results
      karyofast run slides/ "more/*.png" -o results --jobs 4
      karyofast run dapi/ -o results --polarity bright --method rrt
      karyofast run slides/ -o results --config settings.toml --json
      karyofast run slides/ -o again --edits results
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import batch
    from karyofast.io import expand_inputs

    options = resolve(config, polarity=polarity, detector=detector, method=method, model=model)
    paths = expand_inputs(inputs)
    known = 0
    with progress("karyotype", quiet) as advance:
        advance(0, len(paths), "")

        def tell(row: SummaryRow) -> None:
            nonlocal known
            known += 1
            advance(known, len(paths), Path(row.image).name)

        try:
            rows = batch.run(paths, out, options, jobs=jobs, force=force, edits=edits, progress=tell)
        except KeyboardInterrupt:
            complain(f"karyofast: stopped after {known} of {len(paths)} images; the same command goes on from there.")
            raise typer.Exit(STOPPED) from None
    _print(rows, out, as_json, quiet)
    if any(row.status == "failed" for row in rows):
        raise typer.Exit(SOME_FAILED)


def _print(rows: Sequence[SummaryRow], out: Path, as_json: bool, quiet: bool) -> None:
    failed = [row for row in rows if row.status == "failed"]
    for row in failed:
        complain(f"karyofast: {row.error if row.image in row.error else f'{row.image}: {row.error}'}")
    if as_json:
        done = len(rows) - len(failed)
        usual = sum(row.status == "done" and row.count == USUAL for row in rows)
        images = [asdict(row) for row in rows]
        print_json({"folder": str(out), "done": done, "with_46": usual, "images": images})
        return
    for row in rows:
        if row.status == "done":
            doubts = f", {row.low_confidence} to look at" if row.low_confidence else ""
            quality = "" if row.quality is None else f", quality {row.quality:.2f}"
            typer.echo(f"{row.image}  {row.iscn or '-'}  ({row.count} chromosomes{doubts}{quality})")
    if not quiet:
        usual = sum(row.status == "done" and row.count == USUAL for row in rows)
        typer.echo(f"{len(rows) - len(failed)} of {len(rows)} images done, {usual} with {USUAL} chromosomes")
        ranked = sorted((row.quality, row.image) for row in rows if row.quality is not None)
        if len(ranked) > 1:
            (least, worst), (most, best) = ranked[0], ranked[-1]
            typer.echo(f"best spread {best} ({most:.2f}), worst {worst} ({least:.2f})")
        typer.echo(f"open {out / 'report.html'}")
