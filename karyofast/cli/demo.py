"""karyofast demo: a simulated metaphase, karyotyped and scored against its truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from karyofast.cli.options import Json, Quiet
from karyofast.cli.output import make_folder, print_json, progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from karyofast.evaluate_whole import WholeScore

PICTURE = "demo.png"

GAP = 24
"""White between and around the two pictures, px."""


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path("karyofast-demo"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same metaphase.")] = 0,
    karyotype: Annotated[str, typer.Option(help="Numerical ISCN of the cell that is drawn.")] = "47,XX,+21",
    picture: Annotated[
        bool, typer.Option("--picture", help=f"Also write {PICTURE}: metaphase and karyogram side by side.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a Giemsa metaphase, karyotype it and say how much came out right.

    Needs no data. The metaphase is simulated, so its truth is known; real pictures are harder.

    \b
    Examples:
      karyofast demo
      karyofast demo -o demo --seed 5 --karyotype 45,X
    """  # noqa: D301 (\b keeps the lines of the examples apart)
    import numpy as np

    from karyofast import coco, pipeline, report
    from karyofast.evaluate_whole import score_karyotypes
    from karyofast.io import read_metaphase
    from karyofast.simulate import parse_karyotype, simulate_metaphase, write_dataset

    parse_karyotype(karyotype)
    make_folder(out)
    with progress("demo", quiet) as advance:
        advance(0, 3, "drawing the metaphase")
        truth_file = write_dataset(out, [simulate_metaphase(np.random.default_rng(seed), karyotype)])
        truth = coco.load(truth_file)[0]
        metaphase = read_metaphase(out / truth.image.file_name)
        advance(1, 3, "karyotyping it")
        found = pipeline.karyotype(metaphase)
        advance(2, 3, "drawing the karyogram")
        report.write(found, out)
        if picture:
            _write_picture(out, metaphase.grey)
        score = score_karyotypes([(found, truth)])
    places = {
        "metaphase": str(out / truth.image.file_name),
        "karyogram": str(out / report.KARYOGRAM),
        "overlay": str(out / report.OVERLAY),
        "karyotype": str(out / report.KARYOTYPE),
        "truth": str(truth_file),
        **({"picture": str(out / PICTURE)} if picture else {}),
    }
    if as_json:
        print_json({"seed": seed, **places, "scores": score.to_dict()})
    else:
        _tell(places, score, seed)


def _tell(places: dict[str, str], score: WholeScore, seed: int) -> None:
    """The result in plain words."""
    one = score.images[0]
    drawn = f"{one.true_iscn or 'a cell'}, {one.true} chromosomes"
    typer.echo(f"Drew a metaphase (seed {seed}): {drawn}\n  {places['metaphase']}")
    typer.echo(f"Karyogram and overlay:\n  {places['karyogram']}\n  {places['overlay']}")
    if "picture" in places:
        typer.echo(f"Side by side:\n  {places['picture']}")
    typer.echo("Against the truth of this one simulated cell:")
    for text, number in (
        ("separated (mask IoU 0.5 or more)", one.separated),
        ("separated and in the right place of the karyogram", one.placed),
        ("separated and right by the crop alone", one.read),
    ):
        typer.echo(f"  {number} of {one.true} {text}")
    typer.echo(f"  {one.false} found that are none, or none alone")
    verdict = "right" if one.iscn_right else "not right"
    typer.echo(f"  draft karyotype {one.iscn or '-'}: {verdict}")


def _write_picture(out: Path, grey: NDArray[np.uint8]) -> None:
    """Write the metaphase and its karyogram side by side."""
    import cv2

    from karyofast.errors import ImageError
    from karyofast.io import write_png
    from karyofast.report import KARYOGRAM

    right: Any = cv2.imread(str(out / KARYOGRAM), cv2.IMREAD_COLOR)
    if right is None:
        raise ImageError(f"{out / KARYOGRAM}: cannot be read back.")
    write_png(out / PICTURE, side_by_side(grey, right[:, :, ::-1]))


def side_by_side(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey picture (height, width), brought to the height of an RGB one (rows, columns, 3), and that one."""
    import cv2
    import numpy as np

    height, width = right.shape[:2]
    across = max(1, round(left.shape[1] * height / left.shape[0]))
    scaled = cv2.resize(left, (across, height), interpolation=cv2.INTER_AREA if height < len(left) else cv2.INTER_CUBIC)
    sheet = np.full((height + 2 * GAP, across + width + 3 * GAP, 3), 255, np.uint8)
    sheet[GAP : GAP + height, GAP : GAP + across] = scaled[:, :, None]
    sheet[GAP : GAP + height, 2 * GAP + across : 2 * GAP + across + width] = right
    return sheet
