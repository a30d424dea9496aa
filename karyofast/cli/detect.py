"""karyofast detect: the candidates of each picture."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from karyofast.cli.options import Inputs, Json, Out, Quiet


def detect(
    inputs: Inputs,
    out: Out,
    method: Annotated[
        Literal["er", "otsu", "adaptive", "mser"],
        typer.Option(help="er: extremal regions, as in the paper; the others are baselines."),
    ] = "er",
    polarity: Annotated[
        Literal["auto", "dark", "bright"], typer.Option(help="dark: chromosomes dark on bright (Giemsa).")
    ] = "auto",
    filter_geometry: Annotated[bool, typer.Option(help="Reject nuclei and debris by their shape.")] = True,
    filter_variance: Annotated[
        bool, typer.Option(help="Choose within nested regions by the two-class variance V_i.")
    ] = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find what may be a chromosome or a cluster of them.

    Writes OUT/NAME/candidates.png for each picture and OUT/candidates.coco.json for all.

    \b
    Examples:
      karyofast detect metaphase.tif -o found
      karyofast detect slides/ 'more/*.png' -o found --json
      karyofast detect slides/ -o found-otsu --method otsu
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast.cli.marking import Job, mark
    from karyofast.config import DetectOptions
    from karyofast.detect import detect as find
    from karyofast.run_folder import CANDIDATES
    from karyofast.types import Candidate, Metaphase

    options = DetectOptions(method, filter_geometry=filter_geometry, filter_variance=filter_variance)

    def candidates(metaphase: Metaphase) -> list[Candidate]:
        return [] if "blank" in metaphase.flags else find(metaphase, options)

    mark(
        Job(inputs, out, polarity, "candidates.png", CANDIDATES, "candidates", as_json, quiet),
        candidates,
        lambda one: {"level": int(one.level), "euler": int(one.euler), "variance": round(float(one.variance), 3)},
    )
