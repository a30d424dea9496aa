"""karyofast run: metaphase images to karyotypes, in a folder."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karyofast.cli.options import (
    ConfigFile,
    Detector,
    Device,
    Inputs,
    Json,
    LowMemory,
    Method,
    ModelOrFile,
    Polarity,
    Precision,
    Quiet,
    Runtime,
    resolve,
)
from karyofast.cli.output import SOME_FAILED, STOPPED, complain, print_json, progress

if TYPE_CHECKING:
    from karyofast.summary import SummaryRow

USUAL = 46
"""Chromosomes of a usual human cell; only told, nothing is steered by it."""


def run(
    inputs: Inputs,
    out: Annotated[
        str, typer.Option("--out", "-o", help="Folder for the results, here or at a URL.", show_default=False)
    ],
    polarity: Polarity = None,
    detector: Detector = None,
    method: Method = None,
    model: ModelOrFile = None,
    runtime: Runtime = None,
    device: Device = None,
    precision: Precision = None,
    low_memory: LowMemory = None,
    config: ConfigFile = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Images worked on side by side.")] = 1,
    force: Annotated[
        bool,
        typer.Option(
            "--force/--resume", help="Do all images again, also over results of other settings; or only what is left."
        ),
    ] = False,
    shard: Annotated[
        str | None, typer.Option(help="Do the I-th of N lots of the images, as I/N; call without it to merge the lots.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that one image may take; one that takes longer fails.")
    ] = None,
    memory: Annotated[
        int | None, typer.Option(help="MiB that one image may take beside the models; one that asks for more fails.")
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Dask cluster: local (of --jobs processes), tcp://HOST:PORT, or the file of a scheduler."),
    ] = None,
    case_regex: Annotated[
        str | None,
        typer.Option(help="Finds an image's case in its path: the pattern's first group, or all that it matches."),
    ] = None,
    log: Annotated[Path | None, typer.Option(help="File to append events to, one JSON object a line.")] = None,
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

    An image that cannot be used is named with its stage and reason and does not stop the others; the exit code is 3
    then. With several jobs, a timeout or a bound on memory, not even one that brings its process down does.

    INPUT and OUT may be URLs, as s3://BUCKET/FOLDER (pip install 'karyofast[s3]').

    Workers of a Dask cluster must have the same karyofast, and see the pictures and OUT by the same paths.

    \b
    Examples:
      karyofast run metaphase.tif -o results
      karyofast run slides/ "more/*.png" -o results --jobs 4 --timeout 600
      karyofast run dapi/ -o results --polarity bright --method rrt
      karyofast run slides/ -o results --config settings.toml --json
      karyofast run slides/ -o results --case-regex "([^/]+)_[0-9]+" --log run.log
      karyofast run slides/ -o results --shard 1/2    and --shard 2/2 on another machine, then once without
      karyofast run s3://lab/slides -o s3://lab/results --jobs 4
      karyofast run slides/ -o results --dask tcp://10.0.0.5:8786
      karyofast run slides/ -o results --model exported/g-band-int8
      karyofast run slides/ -o results --runtime torch --device cuda --precision fp16
      karyofast run slides/ -o again --edits results
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast import batch, batch_store, remote
    from karyofast.batch_workers import Bounds
    from karyofast.run_folder import Shard

    options = resolve(
        config,
        polarity=polarity,
        detector=detector,
        method=method,
        model=model,
        runtime=runtime,
        device=device,
        precision=precision,
        low_memory=low_memory,
    )
    lot = Shard.parse(shard) if shard else None
    paths = remote.expand(inputs)
    do = partial(batch_store.run, paths, out) if remote.is_url(out) else partial(batch.run, paths, Path(out))
    awaited = [path for path in paths if lot is None or lot.holds(Path(path))]
    known: Counter[str] = Counter()
    began = time.monotonic()
    with progress("karyotype", quiet) as advance:
        advance(0, len(awaited), "")

        def tell(row: SummaryRow) -> None:
            known[row.status] += 1
            rate = known.total() / max(time.monotonic() - began, 1e-3)
            text = f"{rate:.2f}/s, {known['failed']} failed, {Path(row.image).name}"
            advance(known.total(), len(awaited), text)

        try:
            rows = do(
                options,
                jobs=jobs,
                force=force,
                shard=lot,
                bounds=Bounds(timeout, memory),
                dask=dask,
                case_regex=case_regex,
                log=log,
                edits=edits,
                progress=tell,
            )
        except KeyboardInterrupt:
            done = f"{known.total()} of {len(awaited)}"
            complain(f"karyofast: stopped after {done} images; the same command goes on from there.")
            raise typer.Exit(STOPPED) from None
    _print(rows, out, as_json, quiet, lot is None)
    if any(row.status == "failed" for row in rows):
        raise typer.Exit(SOME_FAILED)


def _print(rows: Sequence[SummaryRow], out: str, as_json: bool, quiet: bool, whole: bool) -> None:
    from karyofast.summary import case_row, case_rows

    failed = [row for row in rows if row.status == "failed"]
    for row in failed:
        where = f"{row.stage}: " if row.stage else ""
        complain(f"karyofast: {where}{row.error if row.image in row.error else f'{row.image}: {row.error}'}")
    usual = sum(row.status == "done" and row.count == USUAL for row in rows)
    total = case_row("", rows)
    came = {"counted": total.counted, "analysed": total.analysed, "karyotyped": total.karyotyped}
    if as_json:
        done = len(rows) - len(failed)
        cases = [asdict(one) for one in case_rows(rows)] if any(row.case for row in rows) else []
        images = [asdict(row) for row in rows]
        print_json({"folder": str(out), "done": done, "with_46": usual, **came, "cases": cases, "images": images})
        return
    for row in rows:
        if row.status == "done":
            doubts = f", {row.low_confidence} to look at" if row.low_confidence else ""
            quality = "" if row.quality is None else f", quality {row.quality:.2f}"
            typer.echo(f"{row.image}  {row.iscn or '-'}  ({row.count} chromosomes{doubts}{quality})")
    if not quiet:
        typer.echo(f"{len(rows) - len(failed)} of {len(rows)} images done, {usual} with {USUAL} chromosomes")
        typer.echo(", ".join(f"{number} {step}" for step, number in came.items()))
        ranked = sorted((row.quality, row.image) for row in rows if row.quality is not None)
        if len(ranked) > 1:
            (least, worst), (most, best) = ranked[0], ranked[-1]
            typer.echo(f"best spread {best} ({most:.2f}), worst {worst} ({least:.2f})")
        typer.echo(f"open {out}/report.html" if whole else "call without --shard when all lots are done")
