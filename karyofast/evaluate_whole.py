"""Score whole karyotypes: is each true chromosome separated and named, is the cell right, is its ISCN.

Asked for are the instances that are not ignored and whose class is known. A chromosome is *placed* when a
prediction is its pair at IoU 0.5 and was assigned its class, *read* when that prediction's crop alone has
it. A cell is wholly right when every chromosome asked for is placed and no prediction is left over, those
on ignored instances aside.

The count is compared where nothing is ignored; the ISCN, besides, where every class is known and no
instance is marked ``uncertain`` (homologues that touch are then one piece, and the truth's own count is in
doubt).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from karyofast import iscn
from karyofast.coco import Truth, TruthInstance
from karyofast.errors import OptionError
from karyofast.evaluate_classes import ClassScore, score_classes
from karyofast.evaluate_data import asked
from karyofast.evaluate_match import check_inside, iou_matrix, lies_mostly_on, match, share, union
from karyofast.evaluate_table import percent
from karyofast.types import CLASSES, Karyotype


@dataclass(frozen=True)
class ImageWhole:
    """The karyotype of one picture against its truth.

    Attributes
    ----------
    true, separated, placed, read : int
        Chromosomes asked for; of these, paired; with their class after assignment; with their class from
        the crop.
    sure, sure_placed : int
        The same over instances whose class the truth does not doubt.
    false : int
        Predictions without a pair, not on ignored instances.
    count, true_count : int, int or None
        Chromosomes found, and true ones (None where some are ignored).
    iscn, true_iscn : str, str or None
        Draft ISCN, and the true one (None where the truth cannot tell).
    """

    name: str
    true: int
    separated: int
    placed: int
    read: int
    sure: int
    sure_placed: int
    false: int
    count: int
    true_count: int | None
    iscn: str
    true_iscn: str | None

    @property
    def wholly_right(self) -> bool:
        """Every chromosome asked for is placed, and nothing is left over."""
        return self.placed == self.true and self.false == 0

    @property
    def count_right(self) -> bool | None:
        """Whether the number is right; None where the truth has ignored instances."""
        return None if self.true_count is None else self.count == self.true_count

    @property
    def iscn_right(self) -> bool | None:
        """Whether the numerical ISCN says the same chromosomes; None where the truth cannot tell."""
        return None if self.true_iscn is None else same_iscn(self.iscn, self.true_iscn)


@dataclass(frozen=True)
class WholeScore:
    """Karyotypes of several pictures; `paired` scores the labels of the chromosomes that were separated."""

    images: tuple[ImageWhole, ...]
    paired: ClassScore

    def total(self, field: str) -> int:
        """Sum of a count of `ImageWhole` over all pictures: "true", "separated", "placed", "read", "false", ..."""
        return sum(int(getattr(one, field)) for one in self.images)

    @property
    def placed(self) -> float | None:
        """Share of the true chromosomes that are separated and have their class after assignment."""
        return share(self.total("placed"), self.total("true"))

    @property
    def read(self) -> float | None:
        """Share of the true chromosomes that are separated and have their class from the crop alone."""
        return share(self.total("read"), self.total("true"))

    @property
    def separated(self) -> float | None:
        """Share of the true chromosomes that are separated."""
        return share(self.total("separated"), self.total("true"))

    @property
    def sure_placed(self) -> float | None:
        """`placed` over the chromosomes whose class the truth does not doubt."""
        return share(self.total("sure_placed"), self.total("sure"))

    @property
    def wholly_right(self) -> float | None:
        """Share of cells wholly right."""
        return share(self.total("wholly_right"), len(self.images))

    @property
    def count_right(self) -> float | None:
        """Share of pictures with the right number of chromosomes, among those without ignored ones."""
        return _share_true([one.count_right for one in self.images])

    @property
    def iscn_right(self) -> float | None:
        """Share of pictures with the right numerical ISCN, among those whose truth can tell."""
        return _share_true([one.iscn_right for one in self.images])

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "whole_way": {
                **{key: self.total(key) for key in ("true", "sure", "false")},
                "separated": self.separated,
                "placed": self.placed,
                "placed_sure": self.sure_placed,
                "read": self.read,
                "cells": len(self.images),
                "cells_right": self.wholly_right,
            },
            "karyotype": {
                "count_images": sum(one.count_right is not None for one in self.images),
                "count_right": self.count_right,
                "iscn_images": sum(one.iscn_right is not None for one in self.images),
                "iscn_right": self.iscn_right,
            },
            "paired": self.paired.to_dict(),
            "images": [_image_dict(one) for one in self.images],
        }

    def rows(self, name: str = "") -> list[dict[str, str]]:
        """One row for a table of methods."""
        return [
            {
                "method": name,
                "images": str(len(self.images)),
                "true": str(self.total("true")),
                "separated": percent(self.separated),
                "placed": percent(self.placed),
                "placed (sure)": percent(self.sure_placed),
                "read from crop": percent(self.read),
                "X": percent(self._share_of("X")),
                "Y": percent(self._share_of("Y")),
                "left over": str(self.total("false")),
                "cells right": percent(self.wholly_right),
                "count right": percent(self.count_right),
                "ISCN right": percent(self.iscn_right),
            }
        ]

    def image_rows(self) -> list[dict[str, str]]:
        """One row a picture."""
        return [
            {
                "image": one.name,
                "true": str(one.true),
                "separated": percent(share(one.separated, one.true)),
                "placed": percent(share(one.placed, one.true)),
                "read from crop": percent(share(one.read, one.true)),
                "left over": str(one.false),
                "count": f"{one.count}/{'?' if one.true_count is None else one.true_count}",
                "ISCN": one.iscn or "-",
                "true ISCN": one.true_iscn or "?",
            }
            for one in self.images
        ]

    def _share_of(self, name: str) -> float | None:
        """Share of the separated chromosomes of one class that have it after assignment."""
        reading = self.paired.assigned
        return None if reading is None else reading.of(name).recall


@dataclass(frozen=True, eq=False)
class _Pair:
    """One separated chromosome: what it is and what was said of it."""

    true: int
    probabilities: np.ndarray[Any, np.dtype[np.float32]]
    assigned: int
    p_up: float
    upright: bool | None
    cell: str


def score_karyotypes(pictures: Sequence[tuple[Karyotype, Truth]]) -> WholeScore:
    """Score the karyotypes of several pictures.

    Parameters
    ----------
    pictures : sequence of (Karyotype, Truth)

    Returns
    -------
    WholeScore

    Raises
    ------
    ValueError
        A chromosome that does not lie in its picture, or a karyotype whose parts differ in number.
    """
    images: list[ImageWhole] = []
    pairs: list[_Pair] = []
    spoilt: list[str] = []
    for number, (karyotype, truth) in enumerate(pictures):
        # two pictures may have one name
        image, found = _score_one(karyotype, truth, f"{number} {truth.image.file_name}")
        images.append(image)
        pairs += found
        if image.separated < image.true or image.false:
            spoilt.append(f"{number} {truth.image.file_name}")
    return WholeScore(
        tuple(images),
        score_classes(
            true=[one.true for one in pairs],
            probabilities=[one.probabilities for one in pairs],
            assigned=[one.assigned for one in pairs],
            cells=[one.cell for one in pairs],
            p_up=[one.p_up for one in pairs],
            upright=[one.upright for one in pairs],
            spoilt=spoilt,
        ),
    )


def _score_one(karyotype: Karyotype, truth: Truth, cell: str) -> tuple[ImageWhole, list[_Pair]]:
    shape = truth.image.shape
    found, labels, assigned = karyotype.chromosomes, karyotype.labels, karyotype.arrangement.assigned
    if not len(found) == len(labels) == len(assigned):
        raise ValueError(
            f"`karyotype` of {truth.image.file_name} must have as many labels and assigned classes as chromosomes, "
            f"{len(found)}. Got: {len(labels)} and {len(assigned)}."
        )
    check_inside(found, shape)
    wanted = asked(truth)
    matched = match(iou_matrix(found, [one.region for one in wanted]))
    ignored = union([one.region for one in truth.instances if one.ignore], shape)
    loose = set(range(len(found))) - {i for i, _ in matched}
    pairs, sure_placed = [], 0
    for i, j in matched:
        true = wanted[j].label
        if true is None:
            continue
        upright = _upright(karyotype, i, wanted[j])
        pairs.append(_Pair(true, labels[i].probabilities, assigned[i], labels[i].p_up, upright, cell))
        sure_placed += assigned[i] == true and not wanted[j].uncertain
    named = [one for one in wanted if one.label is not None]
    return (
        ImageWhole(
            name=truth.image.file_name,
            true=len(named),
            separated=len(pairs),
            placed=sum(one.assigned == one.true for one in pairs),
            read=sum(int(np.argmax(one.probabilities)) == one.true for one in pairs),
            sure=sum(not one.uncertain for one in named),
            sure_placed=sure_placed,
            false=sum(not lies_mostly_on(found[i], ignored) for i in loose),
            count=len(found),
            true_count=len(wanted) if len(wanted) == len(truth.instances) else None,
            iscn=karyotype.iscn,
            true_iscn=true_iscn(truth),
        ),
        pairs,
    )


def true_iscn(truth: Truth) -> str | None:
    """Numerical ISCN of a picture's truth, None where it cannot tell: see the head of this module."""
    labels = [None if one.ignore or one.extra.get("uncertain") else one.label for one in truth.instances]
    if not labels or None in labels:
        return None
    return iscn.format([CLASSES[label] for label in labels if label is not None])


def same_iscn(text: str, other: str) -> bool:
    """Whether two numerical ISCN texts say the same chromosomes; one that cannot be read says none.

    Examples
    --------
    >>> same_iscn("47,XX,+21", "47, XX, +21"), same_iscn("", "46,XX")
    (True, False)
    """
    try:
        return iscn.parse(text) == iscn.parse(other)
    except OptionError:
        return False


def _upright(karyotype: Karyotype, index: int, one: TruthInstance) -> bool | None:
    """Whether the true p arm is at the top of a straightened crop; None where nobody knows."""
    if one.orientation is None or index >= len(karyotype.straightened):
        return None
    axis = karyotype.straightened[index].axis
    down, right = (axis[0] - axis[-1]).astype(np.float64)
    angle = np.deg2rad(one.orientation)
    along = float(right * np.cos(angle) - down * np.sin(angle))
    return None if along == 0.0 else along > 0.0


def _share_true(values: Sequence[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return share(sum(known), len(known))


def _image_dict(one: ImageWhole) -> dict[str, Any]:
    return {
        "name": one.name,
        **{key: getattr(one, key) for key in ("true", "separated", "placed", "read", "sure", "sure_placed", "false")},
        "wholly_right": one.wholly_right,
        "count": one.count,
        "true_count": one.true_count,
        "iscn": one.iscn,
        "true_iscn": one.true_iscn,
    }
