"""karyofast simulate: metaphases drawn from the ideogram, with their whole truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import each, print_json
from karyofast.config import Staining

if TYPE_CHECKING:
    from karyofast.simulate import SimulatedMetaphase


def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures and instances.coco.json.")],
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many metaphases.")] = 1,
    karyotype: Annotated[str, typer.Option(help="Numerical ISCN: 46,XY, 47,XX,+21, 45,X, 69,XXY ...")] = "46,XY",
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same pictures.")] = 0,
    stain: Annotated[
        Staining,
        typer.Option(help="giemsa: dark on bright; the others: bright on dark."),
    ] = "giemsa",
    varied: Annotated[
        bool, typer.Option("--varied", help="Draw crowding, scale, blur and noise anew for each picture.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw metaphases from the ideogram, with masks, classes and orientations.

    \b
    Examples:
      karyofast simulate -o drawn
      karyofast simulate -n 5 --karyotype 47,XX,+21 -o drawn
      karyofast simulate -n 50 --varied --stain dapi --seed 7 -o drawn
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    import numpy as np

    from karyofast.config import SimulateOptions
    from karyofast.simulate import check_options, parse_karyotype, simulate_metaphase, write_dataset
    from karyofast.simulate import varied as vary

    options = check_options(SimulateOptions(stain=stain))
    parse_karyotype(karyotype)

    def drawn() -> Iterator[SimulatedMetaphase]:
        for picture in range(number):
            # a stream of its own for each picture: the first ones stay the same when more are asked for
            rng = np.random.default_rng([seed, picture])
            yield simulate_metaphase(rng, karyotype, vary(rng, options) if varied else options)

    truth = write_dataset(out, each(drawn(), number, "simulate", quiet))
    if as_json:
        print_json({"folder": str(out), "truth": str(truth), "images": number, "karyotype": karyotype, "seed": seed})
    else:
        typer.echo(f"{number} metaphases of {karyotype} in {out}, their truth in {truth}")
