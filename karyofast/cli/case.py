"""karyofast case: several cells of one case together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import make_folder, print_json, progress

if TYPE_CHECKING:
    from karyofast.case import Case


def case(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT...", help="Result folders (RUN/NAME), or folders of whole runs.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the case.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option("--case", help="Take the results of this case of the run's --case-regex.", show_default=False),
    ] = None,
    trusted: Annotated[
        Literal["karyotyped", "analysed"],
        typer.Option(
            "--of",
            help="Cells that clones come from. karyotyped: no chromosome is in doubt; analysed: each has a class.",
        ),
    ] = "karyotyped",
    best: Annotated[int, typer.Option(help="Figures of a class on the karyogram, those whose class is surest.")] = 6,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Combine the cells of one case: copies cell by cell, clones, and a composite karyogram.

    Writes OUT/karyogram.png (at each class the homologues of all cells, with the cell's letter), case.csv (copies of
    each class cell by cell) and case.json (clones, which changes are clonal and which a single cell's). The pictures
    must still lie where they lay. Results of other settings, models or versions than the first are refused.

    \b
    Examples:
      karyofast case results/cell-07 results/cell-09 -o case-17
      karyofast case results --case C17 -o case-17
      karyofast case results --case C17 --of analysed --best 12 -o case-17
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import case as cases
    from karyofast.case_results import find

    found = find(results, name)
    with progress("case", quiet) as advance:
        made = cases.combine(
            found,
            name or found.case or out.resolve().name,
            trusted=trusted,
            best=best,
            progress=lambda done, cell: advance(done, len(found.tasks), cell),
        )
    make_folder(out)
    cases.write(made, out, found.arrange.sex_with_groups)
    if as_json:
        print_json({"folder": str(out), **cases.to_dict(made, out)})
    else:
        _print(made, out, quiet)


def _print(made: Case, out: Path, quiet: bool) -> None:
    from karyofast.case import cells_of
    from karyofast.report import KARYOGRAM

    for cell in made.cells:
        step = cell.row.reached or "empty"
        typer.echo(f"{cell.letter}  {cell.name}  {cell.row.iscn or '-'}  ({cell.row.count} chromosomes, {step})")
    typer.echo(f"{made.name}  {made.iscn or '-'}  ({cells_of(made)})")
    for one in made.changes:
        kind = "clonal" if one.clonal else f"not clonal, {one.needed} cells needed"
        typer.echo(f"  {one.text}  in {made.letters(one)}: {kind}")
    for flag in made.flags:
        if not flag.startswith("not clonal"):
            typer.echo(f"  {flag}")
    if quiet:
        return
    if not made.clones and made.trusted == "karyotyped" and made.count("analysed"):
        typer.echo("no cell is free of doubt: --of analysed takes those in which each chromosome has a class")
    if made.without:
        typer.echo(f"pictures without a result: {len(made.without)}")
    typer.echo(f"open {out / KARYOGRAM}")
