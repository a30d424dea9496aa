"""karyofast convert: the results of a run for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from karyofast.cli.options import Out, Quiet


def convert(
    run: Annotated[Path, typer.Argument(help="Folder that karyofast run has written.", show_default=False)],
    out: Out,
    to: Annotated[
        Literal["labelme", "yolo", "geojson", "napari", "parquet"],
        typer.Option(help="geojson is what QuPath reads; parquet is summary.csv with types.", show_default=False),
    ],
    quiet: Quiet = False,
) -> None:
    """Write the results of a run in the format of another program.

    labelme: OUT/NAME.json for each picture; geojson: OUT/NAME.geojson; yolo: outlines in OUT/labels, links to the
    pictures in OUT/images, and data.yaml; napari: layers in OUT/NAME, image, labels (chromosomes that cross lie on
    planes of their own), outlines and names; parquet: OUT/summary.parquet, which needs pyarrow. COCO is in every run.

    \b
    Examples:
      karyofast convert results --to labelme -o labelme
      karyofast convert results --to geojson -o qupath
      karyofast convert results --to napari -o layers    then: napari layers/cell-07/*
      karyofast convert results --to parquet -o results
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import convert as conversion

    number = conversion.convert(run, to, out)
    if not quiet:
        typer.echo(f"{'rows' if to == 'parquet' else 'pictures'} written to {out}: {number}")
