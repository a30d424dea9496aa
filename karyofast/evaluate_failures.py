"""What goes wrong in separation: which true chromosomes are joined, split, lost or misshapen, and what is invented.

Of a true chromosome the pixels that no other one covers are its own; a crossing belongs to both and tells nothing.

- *joined*: one prediction covers at least half of its own pixels and of those of another one that is asked for.
- *split*: two or more predictions lie on it. A prediction lies on the true chromosome that it agrees with best (IoU)
  among those that hold at least half of its pixels.
- *lost*: all predictions together cover less than half of its own pixels.
- *misshapen*: none of these, and yet no prediction has an IoU of 0.5 with it.

A chromosome may be joined and split at once, and one that is joined or split may still have its pair. A prediction is
*invented* when less than half of its pixels lie on true chromosomes, ignored ones included. Shares are of the true
chromosomes asked for, those of the invented of the predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.coco import Truth
from karyofast.evaluate_contacts import CONTACTS, contacts
from karyofast.evaluate_match import check_inside, iou_matrix, match, share, union
from karyofast.evaluate_table import percent
from karyofast.masks import shared_pixels
from karyofast.types import Region

KINDS = ("joined", "split", "lost", "misshapen")
"""What may be wrong with a true chromosome."""

HALF = 0.5
"""Share of pixels from which a prediction covers, or lies on, a true chromosome."""

SIZES = ((0.6, "area under 0.6"), (0.9, "area 0.6 to 0.9"), (1.25, "area 0.9 to 1.25"), (np.inf, "area over 1.25"))
"""Upper bound and name of the sizes, relative to the median of the cell: about groups F and G; D and E; C; A and B."""


@dataclass(frozen=True)
class Fate:
    """What became of one true chromosome.

    Attributes
    ----------
    index : int
        Into ``truth.instances``.
    kinds : tuple of str
        Those of `KINDS` that hold; empty where it is right.
    predicted : tuple of int
        The predictions concerned: those that join it, and those that lie on it.
    area : float
        Relative to the median of the picture's true chromosomes.
    contact : str
        One of `karyofast.evaluate_contacts.CONTACTS`.
    angle : float or None
        Of its sharpest crossing, degrees; None where it crosses nothing.
    """

    index: int
    kinds: tuple[str, ...]
    predicted: tuple[int, ...]
    area: float
    contact: str
    angle: float | None

    @property
    def size(self) -> str:
        """Name of its size, see `SIZES`."""
        return next(name for bound, name in SIZES if self.area < bound)


@dataclass(frozen=True, eq=False)
class ImageFailures:
    """The failures of one picture, with its truth and its predictions; `invented` are indices of predictions."""

    truth: Truth
    predicted: tuple[Region, ...]
    fates: tuple[Fate, ...]
    invented: tuple[int, ...]

    def count(self, kind: str) -> int:
        """Number of true chromosomes of one of `KINDS`."""
        return sum(kind in one.kinds for one in self.fates)


@dataclass(frozen=True, eq=False)
class FailureScore:
    """The failures of several pictures."""

    images: tuple[ImageFailures, ...]

    @property
    def fates(self) -> list[Fate]:
        """Of the true chromosomes of all pictures."""
        return [one for image in self.images for one in image.fates]

    @property
    def predicted(self) -> int:
        """Number of predictions."""
        return sum(len(one.predicted) for one in self.images)

    @property
    def invented(self) -> int:
        """Number of predictions that lie on nothing true."""
        return sum(len(one.invented) for one in self.images)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        fates = self.fates
        return {
            **_figures(fates),
            "predicted": self.predicted,
            "invented": self.invented,
            "invented_share": share(self.invented, self.predicted),
            "by_size": {name: _figures(members) for name, members in _grouped(fates, _SIZE_NAMES, _size)},
            "by_contact": {name: _figures(members) for name, members in _grouped(fates, CONTACTS, _contact)},
            "images": [_image_dict(one) for one in self.images],
        }

    def rows(self, name: str = "") -> list[dict[str, str]]:
        """One row for a table of methods."""
        return [
            {
                "method": name,
                "images": str(len(self.images)),
                **_cells(self.fates),
                "predicted": str(self.predicted),
                "invented": percent(share(self.invented, self.predicted)),
            }
        ]

    def group_rows(self) -> list[dict[str, str]]:
        """One row a size, then one a kind of contact."""
        groups = [*_grouped(self.fates, _SIZE_NAMES, _size), *_grouped(self.fates, CONTACTS, _contact)]
        return [{"chromosomes": name, **_cells(members)} for name, members in groups]

    def image_rows(self) -> list[dict[str, str]]:
        """One row a picture, in numbers of chromosomes."""
        return [
            {
                "image": one.truth.image.file_name,
                "true": str(len(one.fates)),
                **{kind: str(one.count(kind)) for kind in KINDS},
                "invented": str(len(one.invented)),
            }
            for one in self.images
        ]


_SIZE_NAMES = tuple(name for _, name in SIZES)


def find_failures(predicted: Sequence[Region], truth: Truth) -> ImageFailures:
    """The failures of one picture.

    Parameters
    ----------
    predicted : sequence of Region
    truth : Truth

    Returns
    -------
    ImageFailures

    Raises
    ------
    ValueError
        A prediction that does not lie in the picture.
    """
    shape = truth.image.shape
    areas = [one.region.area for one in truth.instances]
    wanted = [number for number, one in enumerate(truth.instances) if not one.ignore]
    typical = float(np.median([areas[number] for number in wanted])) if wanted else 1.0
    fates = []
    for number, (kinds, concerned) in zip(wanted, what_holds(predicted, truth), strict=True):
        contact, angle = contacts(truth, number)
        fates.append(Fate(number, kinds, concerned, areas[number] / typical, contact, angle))
    real = union([one.region for one in truth.instances], shape)
    invented = [
        number
        for number, one in enumerate(predicted)
        if np.count_nonzero(real[one.box.slices] & one.mask) < HALF * one.area
    ]
    return ImageFailures(truth, tuple(predicted), tuple(fates), tuple(invented))


def what_holds(predicted: Sequence[Region], truth: Truth) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Of each true chromosome that is asked for, in their order: those of `KINDS` that hold, the predictions concerned.

    Raises ValueError for a prediction that does not lie in the picture.
    """
    shape = truth.image.shape
    check_inside(predicted, shape)
    true = [one.region for one in truth.instances]
    wanted = [number for number, one in enumerate(truth.instances) if not one.ignore]
    iou = iou_matrix(predicted, true)
    paired = {wanted[column] for _, column in match(iou[:, wanted])}
    own = _own(true, shape)
    covering = _covered(predicted, own) >= HALF
    joining = covering[:, wanted].sum(axis=1) > 1
    lying = _lying(predicted, true, iou)
    seen = union(predicted, shape)
    found = []
    for number in wanted:
        joined, on = np.flatnonzero(covering[:, number] & joining), np.flatnonzero(lying == number)
        holds = {
            "joined": len(joined) > 0,
            "split": len(on) > 1,
            "lost": np.count_nonzero(seen[own[number].box.slices] & own[number].mask) < HALF * own[number].area,
        }
        holds["misshapen"] = number not in paired and not any(holds.values())
        concerned = tuple(sorted({*joined.tolist(), *on.tolist()}))
        found.append((tuple(kind for kind in KINDS if holds[kind]), concerned))
    return found


def _own(true: Sequence[Region], shape: tuple[int, int]) -> list[Region]:
    """The own pixels of each true chromosome; all of them where it has none."""
    owners = np.zeros(shape, dtype=np.int32)
    for one in true:
        owners[one.box.slices] += one.mask
    alone = [one.mask & (owners[one.box.slices] == 1) for one in true]
    return [Region(one.box, mask if mask.any() else one.mask) for one, mask in zip(true, alone, strict=True)]


def _covered(predicted: Sequence[Region], own: Sequence[Region]) -> NDArray[np.float64]:
    """Share of each region (columns) that each prediction (rows) covers."""
    common = np.array([[shared_pixels(one, other) for other in own] for one in predicted], dtype=np.float64)
    areas = np.array([max(one.area, 1) for one in own], dtype=np.float64)
    return np.asarray(common.reshape(len(predicted), len(own)) / areas)


def _lying(predicted: Sequence[Region], true: Sequence[Region], iou: NDArray[np.float64]) -> NDArray[np.int64]:
    """The true chromosome that each prediction lies on, -1 for none."""
    found = np.full(len(predicted), -1, dtype=np.int64)
    for number, one in enumerate(predicted):
        held = [k for k in np.flatnonzero(iou[number]).tolist() if shared_pixels(one, true[k]) >= HALF * one.area]
        if held:
            found[number] = max(held, key=lambda k: iou[number, k])
    return found


def _size(one: Fate) -> str:
    return one.size


def _contact(one: Fate) -> str:
    return one.contact


def _grouped(fates: Sequence[Fate], names: Sequence[str], key: Callable[[Fate], str]) -> list[tuple[str, list[Fate]]]:
    return [(name, [one for one in fates if key(one) == name]) for name in names]


def _figures(fates: Sequence[Fate]) -> dict[str, Any]:
    numbers = {kind: sum(kind in one.kinds for one in fates) for kind in KINDS}
    shares = {f"{kind}_share": share(number, len(fates)) for kind, number in numbers.items()}
    return {"true": len(fates), **numbers, **shares}


def _cells(fates: Sequence[Fate]) -> dict[str, str]:
    figures = _figures(fates)
    return {"true": str(len(fates)), **{kind: percent(figures[f"{kind}_share"]) for kind in KINDS}}


def _image_dict(image: ImageFailures) -> dict[str, Any]:
    return {
        "name": image.truth.image.file_name,
        "true": len(image.fates),
        "failures": [
            {
                "id": image.truth.instances[one.index].id,
                "kinds": list(one.kinds),
                "predicted": list(one.predicted),
                "relative_area": round(one.area, 3),
                "contact": one.contact,
                "angle": None if one.angle is None else round(one.angle, 1),
            }
            for one in image.fates
            if one.kinds
        ],
        "invented": [list(image.predicted[number].box) for number in image.invented],
    }
