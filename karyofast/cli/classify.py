"""karyofast classify: single chromosomes to a table of classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karyofast.cli.options import Device, Json, Model, Precision, Quiet, Runtime, resolve
from karyofast.cli.output import SOME_FAILED, complain, make_folder, print_json, progress

if TYPE_CHECKING:
    from karyofast.predict import Prediction


def classify(
    crops: Annotated[
        Path,
        typer.Argument(
            help="Folder of pictures, CSV file (file[,cell][,label]), or folder or zip file with manifest.csv.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Table of predictions (CSV).", dir_okay=False)] = Path(
        "predictions.csv"
    ),
    model: Model = "g-band-fast",
    runtime: Runtime = None,
    device: Device = None,
    precision: Precision = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads of the network, 0: one a core.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Name single chromosomes, on white or black background and in any orientation.

    label is read from the crop alone, assigned is chosen for the whole cell (empty where no cell is given),
    orientation says where the p arm lies in the picture. Crops of one cell are measured against one another;
    where no cell is given, all crops are.

    \b
    Examples:
      karyofast classify crops/ -o predictions.csv
      karyofast classify cells.csv -o predictions.csv --quiet
      karyofast classify pki3.zip -o predictions.csv --json
      karyofast classify crops/ -o predictions.csv --runtime torch --precision bf16
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast.predict import open_crops, predict, write_predictions
    from karyofast.runtimes.load import load_classifier

    options = resolve(None, model=model, runtime=runtime, device=device, precision=precision)
    source = open_crops(crops)
    network = load_classifier(options.classify, threads)
    make_folder(out.parent)
    with progress("classify", quiet) as advance:
        predictions = predict(source, network, progress=lambda done, total: advance(done, total, ""))
    write_predictions(out, predictions)
    failed = [one for one in predictions if one.error]
    for one in failed:
        complain(f"karyofast: {one.row.file}: {one.error}")
    _print(out, predictions, as_json, quiet)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _print(out: Path, predictions: Sequence[Prediction], as_json: bool, quiet: bool) -> None:
    from karyofast.evaluate_table import format_table
    from karyofast.predict import score_predictions

    score = score_predictions(predictions)
    failed = {one.row.file: one.error for one in predictions if one.error}
    if as_json:
        print_json(
            {
                "predictions": str(out),
                "crops": len(predictions),
                "failed": failed,
                "score": score.to_dict() if score else None,
            }
        )
        return
    if not quiet:
        typer.echo(f"{len(predictions) - len(failed)} of {len(predictions)} crops named in {out}")
    if score:
        typer.echo(format_table(score.rows("labelled crops")))
