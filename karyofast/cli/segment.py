"""karyofast segment: the separated chromosomes of each picture."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from karyofast.cli.options import Inputs, Json, Out, Quiet


def segment(
    inputs: Inputs,
    out: Out,
    method: Annotated[
        Literal["axis", "arms", "rrt", "watershed", "none"],
        typer.Option(
            help="axis: learned; arms: the same, read plainly; rrt: the paper's; watershed and none are baselines."
        ),
    ] = "axis",
    model: Annotated[
        str, typer.Option(help="Separator of the methods axis and arms: a shipped model's name, or a folder.")
    ] = "auto",
    polarity: Annotated[
        Literal["auto", "dark", "bright"], typer.Option(help="dark: chromosomes dark on bright (Giemsa).")
    ] = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Separate chromosomes that touch or cross; their classes are not asked for.

    Writes OUT/NAME/overlay.png for each picture and OUT/instances.coco.json (category 0) for all.

    \b
    Examples:
      karyofast segment metaphase.tif -o cut
      karyofast segment slides/ -o cut-rrt --method rrt
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    from karyofast.cli.marking import Job, mark
    from karyofast.config import SegmentOptions
    from karyofast.detect import detect
    from karyofast.runtimes.load import load_separators
    from karyofast.segment import segment as separate
    from karyofast.types import Chromosome, Metaphase

    options = SegmentOptions(method, model=model)
    separators = load_separators(options) if options.learned else None

    def chromosomes(metaphase: Metaphase) -> list[Chromosome]:
        if "blank" in metaphase.flags:
            return []
        return separate(metaphase, detect(metaphase), options, separators and separators(metaphase.polarity))

    mark(
        Job(inputs, out, polarity, "overlay.png", "instances.coco.json", "chromosomes", as_json, quiet),
        chromosomes,
        lambda one: {"score": round(float(one.score), 4), "flags": list(one.flags), "candidate": int(one.candidate)},
    )
