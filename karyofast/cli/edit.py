"""karyofast edit: corrections by hand, from a script."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import print_json, progress


def edit(
    result: Annotated[
        Path,
        typer.Argument(
            help="Result folder of a picture (RUN/NAME); or RUN, where the script names pictures.", show_default=False
        ),
    ],
    script: Annotated[Path, typer.Option("--script", "-s", help="JSON file of operations.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Run folder for the corrected results alone, instead of replacing them."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Correct results by hand: cut, join, add, drop, relabel or flip chromosomes, by a script.

    Every file of the result and of its run is written again; karyotype.json keeps the operations as `edits`. Nothing is
    written when an operation cannot be done. `karyofast run --edits` applies scripts again.

    Chromosomes have the numbers of karyotype.json (`index`); what an operation makes is numbered on from there. Points
    are pairs x, y in px of the picture. With `"masks"` of karyotype.json the script fits these masks alone.

    \b
    The script:
      {"operations": [
        {"op": "cut", "chromosome": 12, "line": [[310, 118], [331, 140]]},
        {"op": "join", "chromosomes": [3, 17]},
        {"op": "add", "polygon": [[402, 88], [415, 90], [412, 131], [399, 129]]},
        {"op": "drop", "chromosome": 40},
        {"op": "relabel", "chromosome": 46, "to": "21"},
        {"op": "flip", "chromosome": 5}
      ]}
    or, for several pictures: {"pictures": {"NAME": {"operations": [...]}}}

    \b
    Examples:
      karyofast edit results/cell-07 --script edits.json
      karyofast edit results --script slide-3.json -o corrected
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import batch_edit
    from karyofast.edit_script import Script, read_script

    read = read_script(script)
    if isinstance(read, Script):
        # the folder's own name also where RESULT is "." or ends with ".."
        result = result.resolve()
        folder, scripts = result.parent, {result.name: read}
    else:
        folder, scripts = result, read
    with progress("edit", quiet) as advance:
        advance(0, len(scripts), "")
        known: list[str] = []

        def tell(row: object) -> None:
            known.append(getattr(row, "image", ""))
            advance(len(known), len(scripts), Path(known[-1]).name)

        rows = batch_edit.edit(folder, scripts, out, progress=tell)
    if as_json:
        print_json({"folder": str(out or folder), "images": [asdict(row) for row in rows]})
        return
    for row in rows:
        typer.echo(f"{row.image}  {row.iscn or '-'}  ({row.count} chromosomes, {row.edits} corrections by hand)")
    if not quiet:
        typer.echo(f"open {(out or folder) / 'report.html'}")
