"""Score candidates (the paper's detection figure) against the blobs that the true chromosomes form.

A blob is an 8-connected component of the union of all true masks. A blob that holds an ignored instance is
ignored whole: nobody can say where its other chromosomes end for a detector that does not separate. Ignored
blobs are not asked for, and a candidate that hits no other blob and lies mostly on ignored ones is neither
right nor wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyofast.coco import Truth
from karyofast.evaluate_match import Counts, check_inside, iou_matrix, lies_mostly_on, match, union
from karyofast.evaluate_table import percent
from karyofast.types import Box, Region


@dataclass(frozen=True)
class ImageCandidates:
    """Candidates of one picture against its blobs."""

    name: str
    counts: Counts


@dataclass(frozen=True)
class DetectionScore:
    """Candidates of several pictures, one by one and pooled."""

    images: tuple[ImageCandidates, ...]

    @property
    def pooled(self) -> Counts:
        """Counts over all pictures."""
        return sum((one.counts for one in self.images), Counts())

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "candidates": self.pooled.to_dict(),
            "images": [{"name": one.name, **one.counts.to_dict()} for one in self.images],
        }

    def rows(self, name: str = "") -> list[dict[str, str]]:
        """One row for a table of methods."""
        return [{"method": name, "images": str(len(self.images)), **_cells(self.pooled)}]

    def image_rows(self) -> list[dict[str, str]]:
        """One row a picture."""
        return [{"image": one.name, **_cells(one.counts)} for one in self.images]


def _cells(counts: Counts) -> dict[str, str]:
    return {
        "blobs": str(counts.true),
        "candidates": str(counts.predicted),
        "precision": percent(counts.precision),
        "recall": percent(counts.recall),
        "F1": percent(counts.f1),
    }


def blobs(truth: Truth) -> tuple[list[Region], NDArray[np.bool_]]:
    """The blobs of one picture.

    Returns
    -------
    asked : list of Region
        Blobs without an ignored instance.
    ignored : bool (height, width)
        Pixels of the others.
    """
    merged = union([one.region for one in truth.instances], truth.image.shape)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(merged.astype(np.uint8), connectivity=8)
    left_out = union([one.region for one in truth.instances if one.ignore], truth.image.shape)
    spoilt = set(np.unique(labels[left_out]).tolist())
    asked = []
    for label in range(1, count):
        if label in spoilt:
            continue
        left, top, width, height = (int(v) for v in stats[label, :4])
        box = Box(top, left, height, width)
        asked.append(Region(box, labels[box.slices] == label))
    return asked, np.isin(labels, sorted(spoilt)) if spoilt else left_out


def score_candidates(predicted: Sequence[Region], truth: Truth) -> ImageCandidates:
    """Score the candidates of one picture.

    Parameters
    ----------
    predicted : sequence of Region
    truth : Truth

    Returns
    -------
    ImageCandidates

    Raises
    ------
    ValueError
        A candidate that does not lie in the picture.
    """
    check_inside(predicted, truth.image.shape)
    asked, ignored = blobs(truth)
    pairs = match(iou_matrix(predicted, asked))
    matched = {i for i, _ in pairs}
    wrong = sum(i not in matched and not lies_mostly_on(one, ignored) for i, one in enumerate(predicted))
    return ImageCandidates(truth.image.file_name, Counts(len(pairs), len(pairs) + wrong, len(asked)))
