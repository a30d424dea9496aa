"""A separator in int8: calibrated and compared on scenes composed of single chromosomes, which know their truth.

What must stay is what is on: foreground, overlaps and cores, since separation reads nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from karyofast import __version__
from karyofast.crops import CropSource, split_of
from karyofast.errors import DataError, ModelError
from karyofast.export import parity
from karyofast.export.deliver import made_from, told
from karyofast.export.parity import Cost
from karyofast.export.plain import plain
from karyofast.export.quantize import QuantizeOptions, quantize
from karyofast.files import new_folder
from karyofast.models.store import CARD, INT8, ModelInfo, read, write_manifest
from karyofast.runtimes.onnx import OnnxSeparator
from karyofast.segment_lift import ON
from karyofast.train.axes import composed
from karyofast.train.compose import ComposeOptions, PieceStore

AGREEMENT = 0.97
"""Dice coefficient of what is on in both that each of foreground, overlaps and cores must keep."""

FLOAT = (1, -2, -1)
"""Layers that stay fp32 unless others are named: the one that reads the picture, which is no slower so, and the last
two, without which twice as many pixels of cores come out otherwise."""

CHROMOSOMES = 16
"""In a scene, on average (`ComposeOptions`)."""

KEPT = ("stride", "directions", "width", "training")
"""What an export's manifest takes over from its source's."""

PARTS = {"foreground": slice(0, 1), "overlap": slice(1, 2), "core": slice(2, None)}
"""Channels of a separator's answer."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Scenes:
    """Scenes composed of the chromosomes of one split of a data set.

    Attributes
    ----------
    data, split : str
    density : float32 (n, 1, rows, columns)
        As a separator is shown it.
    targets : uint8 (n, 2 + directions, rows, columns)
    """

    data: str
    split: str
    density: NDArray[np.float32]
    targets: NDArray[np.uint8]


@dataclass(frozen=True)
class MapLikeness:
    """Answers of an export beside its source's.

    Attributes
    ----------
    data, split : str
    scenes : int
    max_difference, mean_difference : float
        Of the probabilities.
    agreement : dict
        Dice coefficient of what is on in both, for each of `PARTS`.
    dice_source, dice_exported : dict
        The same of each against the truth.
    """

    data: str
    split: str
    scenes: int
    max_difference: float
    mean_difference: float
    agreement: dict[str, float]
    dice_source: dict[str, float]
    dice_exported: dict[str, float]

    def check(self, what: str, least: float = AGREEMENT) -> None:
        """Raise `ModelError` where less than `least` agrees; answers that are no numbers are so, too."""
        worst = min(self.agreement, key=lambda part: self.agreement[part])
        if not self.agreement[worst] >= least:
            raise ModelError(
                f"{what} is not the model that it was made from, on {self.scenes} scenes of {self.data} "
                f"({self.split}): {worst} agrees to {self.agreement[worst]:.4f}, at least {least} must. "
                "Nothing was written."
            )


def draw(
    path: Path, split: Literal["train", "test"], count: int, seed: int = 0, progress: Progress | None = None
) -> Scenes:
    """Compose `count` scenes of the cells of a split; the parameters are those of `karyofast.export.samples.draw`."""
    source = CropSource(path)
    store = PieceStore(source, [row for row in source.rows if split_of(row.case) == split])
    if not store.cells:
        raise DataError(f"{path}: must hold chromosomes of the split {split!r}. Got: none.")
    made = []
    for number in range(count):
        # another network may have other directions; the comparison with the truth is of 12
        made.append(composed(store, np.random.default_rng([seed, number]), ComposeOptions(), 12))
        if progress:
            progress(number + 1, count)
    density = np.stack([one.density for one in made])[:, None].astype(np.float32)
    return Scenes(path.name, split, density, np.stack([one.targets for one in made]))


def deliver_separator(
    info: ModelInfo,
    out: Path,
    calibration: Scenes,
    scenes: Scenes,
    options: QuantizeOptions = QuantizeOptions(exclude=FLOAT),  # noqa: B008 (frozen)
    threads: int = 0,
    progress: Progress | None = None,
) -> tuple[MapLikeness, Cost]:
    """Write a separator in int8 (`karyofast.export.quantize`), a model folder, as `karyofast.export.deliver` does.

    Parameters
    ----------
    info : ModelInfo
        A separator.
    out : Path
        Folder to make; nothing is left of it after an error.
    calibration : Scenes
        Of training cases.
    scenes : Scenes
        To compare on.
    options : QuantizeOptions
    threads : int
        CPU threads of both, 0: one a core.
    progress : callable, optional
        Called with (scenes compared, scenes in all).

    Raises
    ------
    ModelError
        The model cannot be used, or the export is past its bounds.
    OutputError
        `out` holds something already, or cannot be written to.
    """
    network = quantize(plain(info.weights), calibration.density, options)
    quantisation = {**asdict(options), "exclude": list(options.exclude), "crops": len(calibration.density)}
    quantisation |= {"data": calibration.data, "split": calibration.split}
    name = info.name + INT8
    with new_folder(out) as folder:
        weights = folder / "model.onnx"
        onnx.save(network, str(weights))
        values: dict[str, Any] = {
            "made_by": f"karyofast {__version__}",
            "precision": "int8",
            "quantisation": quantisation,
            **{key: info.values[key] for key in KEPT if key in info.values},
            "made_from": made_from(info),
        }
        write_manifest(folder, name, info.kind, weights, values)
        made = read(folder)
        likeness = compare(OnnxSeparator(info, threads), OnnxSeparator(made, threads), scenes, progress)
        likeness.check(name)
        sides = [(one.weights, partial(_Each, one, threads)) for one in (info, made)]
        cost = parity.cost(sides[0], sides[1], scenes.density, threads)
        parity.write(folder, likeness, cost, {"agreement": AGREEMENT}, told(info, made))
        (folder / CARD).write_text(_card(info, name, likeness), encoding="utf-8")
    return likeness, cost


def compare(
    source: OnnxSeparator, exported: OnnxSeparator, scenes: Scenes, progress: Progress | None = None
) -> MapLikeness:
    """Show the scenes to both and compare the answers."""
    # of each part: on in both, in the source, in the export, in the truth, in source and truth, in export and truth
    counts = np.zeros((6, len(PARTS)))
    largest, mean = 0.0, 0.0
    for number, (density, targets) in enumerate(zip(scenes.density, scenes.targets, strict=True)):
        old, new = source.lifted(density[0]), exported.lifted(density[0])
        apart = np.abs(new - old)
        largest, mean = max(largest, float(apart.max())), mean + float(apart.mean()) / len(scenes.density)
        for place, part in enumerate(PARTS.values()):
            one, other, true = old[part] > ON, new[part] > ON, targets[part] > 0
            pairs = (one & other, one, other, true, one & true, other & true)
            counts[:, place] += [np.count_nonzero(on) for on in pairs]
        if progress:
            progress(number + 1, len(scenes.density))
    return MapLikeness(
        scenes.data,
        scenes.split,
        len(scenes.density),
        largest,
        mean,
        _dice(counts[0], counts[1], counts[2]),
        _dice(counts[4], counts[1], counts[3]),
        _dice(counts[5], counts[2], counts[3]),
    )


def _dice(both: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, float]:
    shares = 2.0 * both / np.maximum(one + other, 1.0)
    return dict(zip(PARTS, (round(float(share), 5) for share in shares), strict=True))


class _Each:
    """A separator that is timed as a classifier is: scene by scene."""

    def __init__(self, info: ModelInfo, threads: int) -> None:
        self._separator = OnnxSeparator(info, threads)

    def predict(self, scenes: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The answer to each of float32 (n, 1, rows, columns)."""
        return [self._separator.lifted(one[0]) for one in scenes]


def _card(info: ModelInfo, name: str, likeness: MapLikeness) -> str:
    rows = "\n".join(
        f"| {part} | {likeness.agreement[part]:.4f} | {likeness.dice_source[part]:.4f} | "
        f"{likeness.dice_exported[part]:.4f} |"
        for part in PARTS
    )
    return f"""# {name}

{info.name} ({info.sha256[:12]}), exported as int8 by karyofast {__version__}: the same network.

Dice coefficient of what is on, on {likeness.scenes} scenes composed of {likeness.data}, {likeness.split} cases:

| | both | {info.name} and truth | int8 and truth |
|---|---|---|---|
{rows}

Time and memory stand in `{parity.FILE}`. **Data, limits, licence of the weights.** As the card of {info.name} says.
"""
