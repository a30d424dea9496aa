"""karyofast simulate: metaphases drawn from the ideogram or composed of real chromosomes, with their whole truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import each, print_json
from karyofast.config import Staining

if TYPE_CHECKING:
    import numpy as np

    from karyofast.config import SimulateOptions
    from karyofast.simulate import SimulatedMetaphase


def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures and instances.coco.json.")],
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many metaphases.")] = 1,
    karyotype: Annotated[
        str | None, typer.Option(help="Numerical ISCN: 46,XY (the default), 47,XX,+21, 45,X, 69,XXY ...")
    ] = None,
    crops: Annotated[
        Path | None,
        typer.Option(help="Compose of the real chromosomes of a folder or zip with manifest.csv, a cell a picture."),
    ] = None,
    split: Annotated[
        Literal["test", "validation", "train", "all"], typer.Option("--split", help="Of --crops: which cases' cells.")
    ] = "test",
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
    """Draw metaphases from the ideogram, or compose them of real chromosomes, with masks, classes and orientations.

    \b
    Examples:
      karyofast simulate -o drawn
      karyofast simulate -n 5 --karyotype 47,XX,+21 -o drawn
      karyofast simulate -n 50 --varied --stain dapi --seed 7 -o drawn
      karyofast simulate -n 50 --varied --crops pki3.zip --split validation -o composed
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    import numpy as np

    from karyofast.config import SimulateOptions
    from karyofast.errors import OptionError
    from karyofast.simulate import check_options, parse_karyotype, simulate_metaphase, write_dataset
    from karyofast.simulate import varied as vary

    options = check_options(SimulateOptions(stain=stain))
    if crops is not None and karyotype is not None:
        raise OptionError(f"--karyotype must be left out with --crops, whose cells have their own. Got: {karyotype}.")
    wanted = karyotype or "46,XY"
    parse_karyotype(wanted)
    compose = _composer(crops, split) if crops is not None else None

    def drawn() -> Iterator[SimulatedMetaphase]:
        for picture in range(number):
            # a stream of its own for each picture: the first ones stay the same when more are asked for
            rng = np.random.default_rng([seed, picture])
            how = vary(rng, options) if varied else options
            yield simulate_metaphase(rng, wanted, how) if compose is None else compose(rng, picture, how)

    truth = write_dataset(out, each(drawn(), number, "simulate", quiet))
    of = wanted if crops is None else f"{crops.name}, {split}"
    if as_json:
        made = {"karyotype": wanted} if crops is None else {"crops": str(crops), "split": split}
        print_json({"folder": str(out), "truth": str(truth), "images": number, **made, "seed": seed})
    else:
        typer.echo(f"{number} metaphases of {of} in {out}, their truth in {truth}")


def _composer(crops: Path, split: str) -> Callable[[np.random.Generator, int, SimulateOptions], SimulatedMetaphase]:
    """What composes a picture by its number, the cells in turn."""
    from karyofast.crops import CropSource
    from karyofast.simulate_composed import compose_metaphase, labelled_cells

    source = CropSource(crops)
    cells = labelled_cells(source, split)
    return lambda rng, picture, how: compose_metaphase(rng, source, cells[picture % len(cells)][1], how)
