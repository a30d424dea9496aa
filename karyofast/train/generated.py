"""How good generated chromosomes are: how near to real ones, how diverse, how recognisable, and whether only copied.

Distances are measured between features: what a classifier's last hidden layer makes of a crop. The measures:

- KID: squared maximum mean discrepancy with the kernel (x y / d + 1)^3, unbiased (Binkowski et al., ICLR 2018);
- precision and recall: share of the generated ones that lie within the reach of a real one, and of the real ones within
  that of a generated one; the reach of a point is the distance to its k-th nearest of its kind (Kynkaanniemi et al.,
  NeurIPS 2019);
- density and coverage: how many real ones reach a generated one, in shares of k; share of the real ones that reach a
  generated one (Naeem et al., ICML 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from karyofast.classify import Frame, network_input
from karyofast.errors import DataError
from karyofast.models.store import find
from karyofast.models.vgg16 import CLASS_COUNT, NOTHING
from karyofast.runtimes.onnx import frame_of
from karyofast.runtimes.torch import network_of
from karyofast.train.crops import CropSet

NEAREST = 5
"""k of precision, recall, density and coverage, as Naeem et al. use it."""

BATCH = 64

COPY = 0.01
"""A generated crop nearer to a training crop than this share of unseen real ones is held for a copy."""


@dataclass(frozen=True)
class Likeness:
    """How like one set of crops is to a set of real ones; all but `kid` are shares, density may pass 1."""

    kid: float
    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True)
class GeneratedScore:
    """Generated crops, and training crops as their ceiling, against real crops of cells that were not trained on.

    Attributes
    ----------
    crops : int
        Of each of the sets.
    generated, real : Likeness
        Of generated and of training crops to the unseen ones; classes as in these, where there are enough.
    recognised, recognised_real : float
        Share of the generated and of the unseen crops that the classifier gives their class.
    copies : float
        Share of the generated ones that lie nearer to a training crop than `COPY` of the unseen ones do.
    distance, distance_real : float
        Median distance in feature space to the nearest training crop, of generated and of unseen crops.
    """

    crops: int
    generated: Likeness
    real: Likeness
    recognised: float
    recognised_real: float
    copies: float
    distance: float
    distance_real: float


class Looked(NamedTuple):
    """What a classifier makes of n crops.

    Attributes
    ----------
    features : float32 (n, hidden)
    classes : int64 (n,)
        -1: no chromosome.
    shares : float32 (n, 24)
        Probability of each class, either way up.
    """

    features: NDArray[np.float32]
    classes: NDArray[np.int64]
    shares: NDArray[np.float32]

    def only(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Looked:
        """Those that are wanted: bool (n,), or their places."""
        return Looked(self.features[wanted], self.classes[wanted], self.shares[wanted])


class Judge:
    """A classifier of the store that tells features and classes of crops; in floating point.

    Parameters
    ----------
    model : str
        Name or folder.
    device : str
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        info = find(model, "classifier")
        self.frame = frame_of(info)
        self._device = device
        self._network = network_of(info).to(device).eval()

    @torch.inference_mode()
    def look(self, crops: NDArray[np.float32]) -> Looked:
        """Look at crops float32 (n, rows, columns).

        Both ends are read and averaged, so nothing depends on which end is up.
        """
        features, classes, shares = [], [], []
        # none at all are looked at, too
        for first in range(0, max(1, len(crops)), BATCH):
            some = torch.from_numpy(self._enlarged(crops[first : first + BATCH])).to(self._device)
            hidden = [self._network.hidden(one) for one in (some, torch.flip(some, dims=(2, 3)))]
            straight, turned = (torch.softmax(self._network.layers[-1](one), dim=1) for one in hidden)
            said = straight + turned
            known = said[:, :CLASS_COUNT] + said[:, CLASS_COUNT:NOTHING]
            best = torch.where(known.amax(dim=1) > said[:, NOTHING], known.argmax(dim=1), -1)
            features.append((0.5 * (hidden[0] + hidden[1])).float().cpu().numpy())
            classes.append(best.cpu().numpy())
            shares.append((0.5 * known).float().cpu().numpy())
        return Looked(np.concatenate(features), np.concatenate(classes), np.concatenate(shares))

    def _enlarged(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, columns = self.frame.size
        enlarged = np.empty((len(crops), 1, rows, columns), np.float32)
        for place, one in zip(enlarged, crops, strict=True):
            place[0] = cv2.resize(one, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return enlarged


def frame_for(size: tuple[int, int], frame: Frame) -> Frame:
    """The layout of a classifier's crops at another size (rows, columns)."""
    along, across = size[0] / frame.rows, size[1] / frame.columns
    return Frame(size[0], size[1], frame.median_rows * along, frame.widening * across / along)


def pictures(crops: CropSet, indices: NDArray[np.int64], size: tuple[int, int], frame: Frame) -> NDArray[np.float32]:
    """Crops to train a generator on, all the same way up, float32 (n, rows, columns); -1 is background.

    Parameters
    ----------
    crops : CropSet
        The end that was at the top of the data set's picture is put there, be it the p arm or not.
    indices : int64 (n,)
    size : (rows, columns)
    frame : Frame
        Of the classifier whose crops these are, smaller.
    """
    smaller = frame_for(size, frame)
    upright = [
        crops.crops[i][0] if crops.upright[i, 0] else np.ascontiguousarray(crops.crops[i][0][::-1]) for i in indices
    ]
    made = [network_input(one, crops.scales[i], smaller) for one, i in zip(upright, indices, strict=True)]
    return np.stack(made) if made else np.zeros((0, *size), np.float32)


def score_generated(
    generated: NDArray[np.float32],
    unseen: NDArray[np.float32],
    train: NDArray[np.float32],
    labels: NDArray[np.int64],
    train_labels: NDArray[np.int64],
    judge: Judge,
) -> GeneratedScore:
    """Score generated crops against real ones of cells that were not trained on.

    Parameters
    ----------
    generated, unseen : float32 (n, rows, columns)
        Of the same classes, one by one.
    train : float32 (m, rows, columns)
    labels : int64 (n,)
        Classes of `generated` and `unseen`.
    train_labels : int64 (m,)
    judge : Judge
        A classifier that has not seen the generated ones.

    Raises
    ------
    DataError
        Too few crops for `NEAREST` neighbours.
    """
    if min(len(unseen), len(train)) <= NEAREST or len(generated) != len(unseen):
        got = f"{len(generated)} generated, {len(unseen)} unseen, {len(train)} for training"
        raise DataError(f"crops must be more than {NEAREST}, generated as many as unseen. Got: {got}.")
    return score_looked(judge.look(generated), judge.look(unseen), judge.look(train), labels, train_labels)


def score_looked(
    made: Looked, held: Looked, seen: Looked, labels: NDArray[np.int64], train_labels: NDArray[np.int64]
) -> GeneratedScore:
    """`score_generated` of generated, unseen and training crops that a classifier has looked at."""
    of_made, of_held = (_distances(one.features, seen.features).min(axis=1) for one in (made, held))
    return GeneratedScore(
        crops=len(made.classes),
        generated=likeness(made.features, held.features),
        real=likeness(seen.features[_like(labels, train_labels)], held.features),
        recognised=float(np.mean(made.classes == labels)),
        recognised_real=float(np.mean(held.classes == labels)),
        copies=float(np.mean(of_made < np.quantile(of_held, COPY))),
        distance=float(np.median(of_made)),
        distance_real=float(np.median(of_held)),
    )


def likeness(made: NDArray[np.float32], real: NDArray[np.float32], nearest: int = NEAREST) -> Likeness:
    """All measures of features `made` (n, d) against features `real` (m, d); n and m above `nearest`."""
    between = _distances(made, real)
    reach_real, reach_made = _reach(real, nearest), _reach(made, nearest)
    within = between <= reach_real
    return Likeness(
        kid=kid(made, real),
        precision=float(within.any(axis=1).mean()),
        recall=float((between <= reach_made[:, None]).any(axis=0).mean()),
        density=float(within.sum() / (nearest * len(made))),
        coverage=float(within.any(axis=0).mean()),
    )


def kid(made: NDArray[np.float32], real: NDArray[np.float32]) -> float:
    """Kernel distance of features (n, d) and (m, d); near 0, and on either side of it, for two draws of one kind."""

    def kernel(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float64]:
        product: NDArray[np.float64] = one.astype(np.float64) @ two.T.astype(np.float64)
        values: NDArray[np.float64] = (product / one.shape[1] + 1.0) ** 3
        return values

    def within(one: NDArray[np.float32]) -> float:
        values = kernel(one, one)
        return float((values.sum() - np.trace(values)) / (len(one) * (len(one) - 1)))

    return within(made) + within(real) - 2.0 * float(kernel(made, real).mean())


def _distances(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean distances, float64 (n, m)."""
    a, b = one.astype(np.float64), two.astype(np.float64)
    squared: NDArray[np.float64] = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * a @ b.T
    return np.sqrt(np.maximum(squared, 0.0))


def _reach(points: NDArray[np.float32], nearest: int) -> NDArray[np.float64]:
    """Distance of each point to its `nearest`-th neighbour, itself not counted."""
    ordered: NDArray[np.float64] = np.sort(_distances(points, points), axis=1)
    return np.ascontiguousarray(ordered[:, nearest])


def _like(labels: NDArray[np.int64], pool: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices into `pool` of the same classes as `labels`, each used as seldom as can be."""
    places = {label: np.flatnonzero(pool == label) for label in np.unique(labels)}
    used = dict.fromkeys(places, 0)
    chosen = []
    for label in labels:
        if len(places[label]):
            chosen.append(places[label][used[label] % len(places[label])])
            used[label] += 1
    return np.array(chosen, dtype=np.int64)
