"""Score separated chromosomes against true masks: precision, recall, F1, average precision, counts.

Every instance that is not ignored is asked for. A prediction without a pair that lies mostly on ignored
instances is neither right nor wrong.

*Crowded* are the chromosomes that touch or overlap another one. Their recall is plain; for their precision
a prediction belongs to them when it is paired with one of them, or has no pair and lies mostly on them. A
blob of two chromosomes left whole thus counts as one wrong prediction, or as one right one when the larger
of the two is half of it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from karyofast.coco import Truth, TruthInstance
from karyofast.evaluate_data import asked
from karyofast.evaluate_failures import what_holds
from karyofast.evaluate_match import Counts, check_inside, iou_matrix, lies_mostly_on, match, share, union
from karyofast.evaluate_table import percent
from karyofast.types import Region

AP_LEVELS = (0.5, 0.75)
"""IoU of AP50 and AP75; above 0.8 the rim of hand-made masks is measured, not the separation."""


def crowded(one: TruthInstance) -> bool:
    """Whether a true chromosome touches or overlaps another one."""
    return one.touching or one.overlapping


@dataclass(frozen=True)
class ImageInstances:
    """Chromosomes of one picture against its true ones.

    Attributes
    ----------
    counts : Counts
        All chromosomes.
    crowded : Counts
        Those that touch or overlap.
    touching, overlapping : Counts
        `hits` and `true` alone, `predicted` is 0: no prediction can be given to one of the two kinds.
    count_error : int or None
        Predicted minus true number; None where the truth has ignored instances.
    joined, split : int
        True chromosomes that are, see `karyofast.evaluate_failures`.
    """

    name: str
    counts: Counts
    crowded: Counts
    touching: Counts
    overlapping: Counts
    count_error: int | None
    joined: int = 0
    split: int = 0


@dataclass(frozen=True)
class InstanceScore:
    """Chromosomes of several pictures, one by one and pooled.

    Attributes
    ----------
    images : tuple of ImageInstances
    ap, crowded_ap : tuple of float or None
        In the order of `AP_LEVELS`.
    halfmax_ap : tuple of float or None
        `ap` against the same chromosomes drawn at their half-maximum; empty where there are none.
    """

    images: tuple[ImageInstances, ...]
    ap: tuple[float | None, ...]
    crowded_ap: tuple[float | None, ...]
    halfmax_ap: tuple[float | None, ...] = ()

    @property
    def pooled(self) -> Counts:
        """Counts over all pictures."""
        return self._sum("counts")

    @property
    def crowded(self) -> Counts:
        """Counts over all pictures, chromosomes that touch or overlap."""
        return self._sum("crowded")

    @property
    def touching(self) -> Counts:
        """Hits and truth over all pictures, chromosomes that touch."""
        return self._sum("touching")

    @property
    def overlapping(self) -> Counts:
        """Hits and truth over all pictures, chromosomes that overlap."""
        return self._sum("overlapping")

    @property
    def count_errors(self) -> tuple[int, ...]:
        """Predicted minus true number of every picture without ignored instances."""
        return tuple(one.count_error for one in self.images if one.count_error is not None)

    @property
    def count_right(self) -> float | None:
        """Share of those pictures with the right number."""
        return share(self.count_errors.count(0), len(self.count_errors))

    @property
    def mean_count_error(self) -> float | None:
        """Mean absolute difference of the numbers."""
        return fmean(map(abs, self.count_errors)) if self.count_errors else None

    @property
    def count_bias(self) -> float | None:
        """Mean difference of the numbers, below 0 where chromosomes are missing."""
        return fmean(self.count_errors) if self.count_errors else None

    @property
    def joined(self) -> float | None:
        """Share of the true chromosomes that are joined to another one."""
        return share(sum(one.joined for one in self.images), self.pooled.true)

    @property
    def split(self) -> float | None:
        """Share of the true chromosomes that are split."""
        return share(sum(one.split for one in self.images), self.pooled.true)

    def _sum(self, field: str) -> Counts:
        return sum((getattr(one, field) for one in self.images), Counts())

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "instances": {**self.pooled.to_dict(), **_ap_dict(self.ap), **_ap_dict(self.halfmax_ap, "_halfmax")},
            "crowded": {**self.crowded.to_dict(), **_ap_dict(self.crowded_ap)},
            "touching": _recall_dict(self.touching),
            "overlapping": _recall_dict(self.overlapping),
            "joined": self.joined,
            "split": self.split,
            "count": {
                "images": len(self.count_errors),
                "right": self.count_right,
                "mean_absolute_error": self.mean_count_error,
                "mean_error": self.count_bias,
            },
            "images": [
                {
                    "name": one.name,
                    **one.counts.to_dict(),
                    "crowded": one.crowded.to_dict(),
                    "touching": _recall_dict(one.touching),
                    "overlapping": _recall_dict(one.overlapping),
                    "joined": one.joined,
                    "split": one.split,
                    "count_error": one.count_error,
                }
                for one in self.images
            ],
        }

    def rows(self, name: str = "") -> list[dict[str, str]]:
        """One row for a table of methods."""
        error, bias = self.mean_count_error, self.count_bias
        return [
            {
                "method": name,
                "images": str(len(self.images)),
                "true": str(self.pooled.true),
                "precision": percent(self.pooled.precision),
                "recall": percent(self.pooled.recall),
                "F1": percent(self.pooled.f1),
                **_ap_cells(self.ap),
                **_ap_cells(self.halfmax_ap, " half-max"),
                "crowded F1": percent(self.crowded.f1),
                "touching": percent(self.touching.recall),
                "overlapping": percent(self.overlapping.recall),
                "joined": percent(self.joined),
                "split": percent(self.split),
                "count error": "-" if error is None else f"{error:.1f}",
                "bias": "-" if bias is None else f"{bias:+.1f}",
                "count right": percent(self.count_right),
            }
        ]

    def image_rows(self) -> list[dict[str, str]]:
        """One row a picture."""
        return [
            {
                "image": one.name,
                "true": str(one.counts.true),
                "precision": percent(one.counts.precision),
                "recall": percent(one.counts.recall),
                "F1": percent(one.counts.f1),
                "touching": percent(one.touching.recall),
                "overlapping": percent(one.overlapping.recall),
                "joined": str(one.joined),
                "split": str(one.split),
                "count error": "-" if one.count_error is None else f"{one.count_error:+d}",
            }
            for one in self.images
        ]


def score_instances(pictures: Sequence[tuple[Sequence[Region], Truth]], halfmax: Sequence[Truth] = ()) -> InstanceScore:
    """Score the chromosomes of several pictures.

    Parameters
    ----------
    pictures : sequence of (sequence of Region, Truth)
        Predictions and truth of each picture. A prediction's ``score`` (`karyofast.types.Chromosome`)
        orders it for average precision; a region without one counts as 1.
    halfmax : sequence of Truth
        Of the same pictures in the same order, masks drawn at the half-maximum; empty where there is none.

    Returns
    -------
    InstanceScore

    Raises
    ------
    ValueError
        A prediction that does not lie in its picture.
    """
    narrow = [(predicted, truth) for (predicted, _), truth in zip(pictures, halfmax, strict=True)] if halfmax else []
    return InstanceScore(
        images=tuple(score_image_instances(predicted, truth) for predicted, truth in pictures),
        ap=average_precision(pictures),
        crowded_ap=average_precision(pictures, only=crowded),
        halfmax_ap=average_precision(narrow) if narrow else (),
    )


def score_image_instances(predicted: Sequence[Region], truth: Truth) -> ImageInstances:
    """Score the chromosomes of one picture; raises ValueError for a prediction that does not lie in it."""
    shape = truth.image.shape
    check_inside(predicted, shape)
    # of several ways to pair as well, one is taken whatever the order of the masks
    predicted, wanted = sorted(predicted, key=_rank), sorted(asked(truth), key=_place)
    pairs = match(iou_matrix(predicted, [one.region for one in wanted]))
    loose = sorted(set(range(len(predicted))) - {i for i, _ in pairs})
    ignored = union([one.region for one in truth.instances if one.ignore], shape)
    wrong = [i for i in loose if not lies_mostly_on(predicted[i], ignored)]
    crowd = union([one.region for one in wanted if crowded(one)], shape)
    crowd_hits = sum(crowded(wanted[j]) for _, j in pairs)
    crowd_wrong = sum(lies_mostly_on(predicted[i], crowd) for i in wrong)
    any_ignored = len(wanted) < len(truth.instances)
    wrongs = [kinds for kinds, _ in what_holds(predicted, truth)]
    return ImageInstances(
        name=truth.image.file_name,
        counts=Counts(len(pairs), len(pairs) + len(wrong), len(wanted)),
        crowded=Counts(crowd_hits, crowd_hits + crowd_wrong, sum(map(crowded, wanted))),
        touching=Counts(sum(wanted[j].touching for _, j in pairs), 0, sum(one.touching for one in wanted)),
        overlapping=Counts(sum(wanted[j].overlapping for _, j in pairs), 0, sum(one.overlapping for one in wanted)),
        count_error=None if any_ignored else len(predicted) - len(wanted),
        joined=sum("joined" in kinds for kinds in wrongs),
        split=sum("split" in kinds for kinds in wrongs),
    )


def average_precision(
    pictures: Sequence[tuple[Sequence[Region], Truth]],
    levels: Sequence[float] = AP_LEVELS,
    only: Callable[[TruthInstance], bool] | None = None,
) -> tuple[float | None, ...]:
    """Average precision over all pictures, by pycocotools (101 recall levels, one category).

    Parameters
    ----------
    pictures : sequence of (sequence of Region, Truth)
    levels : sequence of float
        IoU from which a prediction hits.
    only : callable, optional
        Which true instances are asked for; the others, as the ignored ones, are COCO ``iscrowd``: a
        prediction that lies on one of them with the share `levels` of its pixels is neither right nor
        wrong.

    Returns
    -------
    tuple of float or None
        One a level; None where nothing is asked for.

    Notes
    -----
    Predictions of one score are taken by area, large ones first, in the order of the pictures: a method without scores
    has no ranking of its own, and its figure shifts a little with the order of the pictures. Of true instances that
    meet a prediction equally well the smaller one is taken, whatever the order of the file.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    true: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    most = 1
    for number, (predicted, truth) in enumerate(pictures, start=1):
        check_inside(predicted, truth.image.shape)
        shape = truth.image.shape
        for one in sorted(truth.instances, key=_place):
            left_out = one.ignore or (only is not None and not only(one))
            true.append(_entry(len(true) + 1, number, one.region, shape, iscrowd=int(left_out)))
        for region in sorted(predicted, key=_rank):
            score = float(getattr(region, "score", 1.0))
            found.append(_entry(len(found) + 1, number, region, shape, iscrowd=0, score=score))
        most = max(most, len(predicted))
    if all(one["iscrowd"] for one in true):
        return (None,) * len(levels)
    images = [
        {"id": number, "height": truth.image.height, "width": truth.image.width}
        for number, (_, truth) in enumerate(pictures, start=1)
    ]
    # pycocotools reports on stdout, where results of a command belong
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_coco(COCO(), images, true), _coco(COCO(), images, found), "segm")
        evaluation.params.iouThrs = np.asarray(levels, dtype=np.float64)
        evaluation.params.maxDets = [most]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, 0, 0, 0]
    return tuple(float(row.mean()) for row in precision)


def _place(one: TruthInstance) -> tuple[int, ...]:
    return (one.region.area, *one.region.box)


def _rank(region: Region) -> tuple[float, ...]:
    return (-float(getattr(region, "score", 1.0)), -region.area, *region.box)


def _entry(id_: int, image_id: int, region: Region, shape: tuple[int, int], **extra: float) -> dict[str, Any]:
    from pycocotools import mask as coco_mask

    top, left, height, width = region.box
    return {
        "id": id_,
        "image_id": image_id,
        "category_id": 1,
        "segmentation": coco_mask.frPyObjects({"size": list(shape), "counts": _runs(region, shape)}, *shape),
        "bbox": [left, top, width, height],
        "area": region.area,
        **extra,
    }


def _runs(region: Region, shape: tuple[int, int]) -> list[int]:
    """Lengths of the runs down the columns of the whole picture, background first."""
    columns, rows = np.nonzero(region.mask.T)
    at = (columns + region.box.left) * shape[0] + rows + region.box.top
    breaks = np.flatnonzero(np.diff(at) != 1)
    starts = at[np.concatenate([[0], breaks + 1])] if len(at) else at
    stops = at[np.concatenate([breaks, [len(at) - 1]])] + 1 if len(at) else at
    edges = np.concatenate([[0], np.stack([starts, stops], axis=1).ravel(), [shape[0] * shape[1]]])
    return [int(run) for run in np.diff(edges)]


def _coco(data: Any, images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> Any:
    data.dataset = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "chromosome"}],
    }
    data.createIndex()
    return data


def _ap_dict(ap: Sequence[float | None], rim: str = "") -> dict[str, float | None]:
    return {f"ap{100 * level:.0f}{rim}": value for level, value in zip(AP_LEVELS, ap, strict=False)}


def _ap_cells(ap: Sequence[float | None], rim: str = "") -> dict[str, str]:
    return {f"AP{100 * level:.0f}{rim}": percent(value) for level, value in zip(AP_LEVELS, ap, strict=False)}


def _recall_dict(counts: Counts) -> dict[str, Any]:
    return {"hits": counts.hits, "true": counts.true, "recall": counts.recall}
