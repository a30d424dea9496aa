"""Chromosome candidates (paper section 3): extremal regions, then the filters of shape and of intensity."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from karyofast import detect_baselines, detect_regions
from karyofast.config import DetectOptions
from karyofast.detect_regions import Flattened, Measured
from karyofast.detect_shape import AREA_LIMITS, SPECK, shape_faults
from karyofast.kernels import region_masks, two_class_variance, zone_gaps
from karyofast.types import Box, Candidate, Dropped, Metaphase

# Limits in units of the picture's own chromosome width W, so that they hold at every magnification. They stand
# outside the range that the true candidates of the mfish slides (tune half) and of the gband pictures span.
GRAIN = 0.25
"""W^2: smaller regions are not looked at even without filters."""
OWN_STAIN = 0.45
"""Height over density above the picture's background: what sits on a nucleus or a bright smear has less."""
FAINTEST = 0.3
"""Mean height over the cell's typical one: fainter is debris or out of focus."""
GROUND = 0.03
"""Height against the stain's mean one below which no rim is looked for: a chromosome's lies at `VISIBLE_LIMITS` of
`FAINTEST` at least, 0.075. What is fainter is glow and grain; without it the mfish
slides (tune half) gain a little precision, and the G-band pictures' candidates stay as they are."""
LARGEST_VARIANCE = 0.6
"""sqrt(V_i / pixels of the box) over mean height: true candidates stay below 0.52."""
LINK = (3.0, 1.6)
"""One cell: a gap of at most 3 W and heights within this factor link two candidates."""
FEWEST = 2
"""Whole candidates of a group that the picture's rim cuts, from which they are another cell's."""


_T = TypeVar("_T", bound="_Found")


@dataclass(frozen=True, eq=False)
class _Found:
    """Regions on their way through the filters; the arrays run in parallel."""

    flat: Flattened
    measured: Measured
    regions: NDArray[np.int64]

    @property
    def height(self) -> NDArray[np.float64]:
        return np.asarray(self.measured.height[self.regions])

    @property
    def box(self) -> NDArray[np.int32]:
        return np.asarray(self.measured.tree.box[self.regions])

    def only(self: _T, keep: NDArray[np.bool_]) -> _T:
        """Those regions alone."""
        columns = [column.name for column in fields(self)[2:]]
        return replace(self, **{name: getattr(self, name)[keep] for name in columns})

    def pixels(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Flat indices of the pixels of all, one region after the other, and how many each has."""
        area = self.measured.tree.area[self.regions].astype(np.int64)
        runs = [self.measured.tree.pixels(region) for region in self.regions.tolist()]
        return np.concatenate([self.measured.tree.order[:0], *runs]), area

    def zones(self) -> NDArray[np.int32]:
        """The picture with the number of each region, from 1, where it lies."""
        pixels, area = self.pixels()
        zones = np.zeros(self.measured.tree.shape, dtype=np.int32)
        zones.ravel()[pixels] = np.repeat(np.arange(1, len(area) + 1, dtype=np.int32), area)
        return zones


@dataclass(frozen=True, eq=False)
class _Weighed(_Found):
    """With what the filter of intensity looks at.

    `ground`: mean background under each region, grey levels. `variance`: two-class variance (eq. 4) of its box.
    """

    ground: NDArray[np.float64]
    variance: NDArray[np.float64]


def detect(metaphase: Metaphase, options: DetectOptions | None = None) -> list[Candidate]:
    """Candidates of a metaphase: single chromosomes and clusters of touching or crossing ones.

    Parameters
    ----------
    metaphase : Metaphase
        Its `grey` is read, inverted where chromosomes are dark.
    options : DetectOptions, optional
        ``method="er"`` enumerates extremal regions (eq. 1 and 2), keeps the one of each nested chain that ends at the
        visible edge, and filters: `filter_geometry` by area, width, Euler number and a Hough vote for ellipses,
        `filter_variance` by contrast and two-class variance (eq. 4), `one_cell` by belonging to the main cell.
        ``"otsu"``, ``"adaptive"`` and ``"mser"`` are baselines without filters (`karyofast.detect_baselines`).

    Returns
    -------
    list of Candidate
        From top to bottom, disjoint; empty for a blank picture.

    References
    ----------
    "Karyotype analysis based on MD-GAN", Complexity 2020, section 3; Matas et al., "Robust wide-baseline stereo from
    maximally stable extremal regions", BMVC 2002.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((80, 80), 240, dtype=np.uint8)
    >>> grey[20:50, 30:38] = 60
    >>> [candidate.box for candidate in detect(Metaphase(grey, 255 - grey, "dark"))]
    [Box(top=20, left=30, height=30, width=8)]
    """
    return examine(metaphase, options)[0]


def examine(metaphase: Metaphase, options: DetectOptions | None = None) -> tuple[list[Candidate], list[Dropped]]:
    """Candidates as `detect` gives them, and what the filters left out although it is as large as a chromosome.

    Parameters
    ----------
    metaphase : Metaphase
    options : DetectOptions, optional

    Returns
    -------
    candidates : list of Candidate
    dropped : list of Dropped
        With the reason, from top to bottom; specks smaller than any chromosome and the background's grain, far fainter
        than the cell, are not listed: there are hundreds.
    """
    options = options or DetectOptions()
    # not `metaphase.density`: that is cut off at the background, and faint rims lie below it where the field is uneven
    grey = metaphase.grey if metaphase.polarity == "bright" else 255 - metaphase.grey
    density = np.ascontiguousarray(grey, dtype=np.uint8)
    if density.size == 0 or metaphase.density.max() == 0 or density.min() == density.max():
        return [], []
    dropped: list[Dropped] = []
    if options.method == "er":
        found, dropped = _extremal(density, options)
    elif options.method == "mser":
        found = detect_baselines.stable(density, options.connectivity, int(AREA_LIMITS[1] * density.size))
    elif options.method == "otsu":
        found = detect_baselines.otsu(density, options.connectivity)
    else:
        found = detect_baselines.adaptive(density, options.connectivity)
    if options.method != "er":
        found = _with_variance(density, found)
    return sorted(found, key=lambda candidate: candidate.box), sorted(dropped, key=lambda one: one.box)


def _extremal(density: NDArray[np.uint8], options: DetectOptions) -> tuple[list[Candidate], list[Dropped]]:
    """Regions at the visible edge that pass the filters, and those that do not."""
    flat = detect_regions.flatten(density)
    measured, sized, typical = _looked_at(flat, options)
    cut = bool(2 * np.count_nonzero(density <= detect_regions.CUT_TO_BLACK) >= density.size)
    fraction = detect_regions.visible_fraction(measured, sized & (measured.height >= FAINTEST * typical), cut)
    found = _Found(flat, measured, measured.outermost(fraction))
    dropped: list[Dropped] = []
    told = FAINTEST * typical
    if options.filter_geometry:
        found = _sift(found, shape_faults(found.measured.tree, found.regions, found.flat.width), told, dropped)
    weighed = _weighed(found, density)
    if options.filter_variance:
        weighed = _sift(weighed, _intensity_faults(weighed), told, dropped)
    if options.one_cell:
        weighed = _sift(weighed, np.where(_strangers(weighed), "another cell", ""), told, dropped)
    return _candidates(weighed), dropped


def _looked_at(flat: Flattened, options: DetectOptions) -> tuple[Measured, NDArray[np.bool_], float]:
    """The regions that the filters may choose among, which of them are large enough, and their typical height.

    What the filters drop as a speck or as ground does not have to be enumerated: it is most of a picture.
    """
    least = AREA_LIMITS[0] * flat.width**2
    ground = GROUND * detect_regions.stain_height(flat) if options.filter_variance else 0.0
    smallest = least if options.filter_geometry else GRAIN * flat.width**2
    measured = detect_regions.measure(flat, options.connectivity, smallest, ground)
    sized = np.asarray(measured.tree.area >= least)
    coarse = measured.outermost(0.5)
    coarse = coarse[sized[coarse]]
    return measured, sized, detect_regions.typical_height(measured.tree.area[coarse], measured.height[coarse])


def _sift(found: _T, faults: NDArray[np.str_], least: float, dropped: list[Dropped]) -> _T:
    """The regions without a fault; the others that are no specks and `least` high are put down in `dropped`."""
    tree = found.measured.tree
    for place in np.flatnonzero((faults != "") & (faults != SPECK) & (found.height >= least)):
        box, mask = tree.mask(int(found.regions[place]))
        dropped.append(Dropped(box, mask, "detect", str(faults[place])))
    return found.only(faults == "")


def _weighed(found: _Found, density: NDArray[np.uint8]) -> _Weighed:
    if len(found.regions) == 0:
        return _Weighed(found.flat, found.measured, found.regions, np.zeros(0), np.zeros(0))
    pixels, area = found.pixels()
    under = found.flat.background.ravel()[pixels]
    ground = np.add.reduceat(under, np.cumsum(area) - area, dtype=np.float64) / area
    variance = two_class_variance(density, found.box)
    return _Weighed(found.flat, found.measured, found.regions, np.asarray(ground), variance)


def _candidates(found: _Weighed) -> list[Candidate]:
    tree = found.measured.tree
    level, euler = found.measured.level[found.regions] + found.ground, tree.euler[found.regions]
    columns = (column.tolist() for column in (found.box, level, euler, found.variance))
    return [
        Candidate(Box(*box), mask, round(rim), holes, variance)
        for mask, box, rim, holes, variance in zip(region_masks(tree, found.regions), *columns, strict=True)
    ]


def _intensity_faults(found: _Weighed) -> NDArray[np.str_]:
    """Filter 2: what contrast with the cell, stain of its own and the two-class variance (eq. 4) have against each."""
    box, height = found.box, found.height
    if len(box) == 0:
        return np.zeros(0, dtype=np.str_)
    typical = detect_regions.typical_height(found.measured.tree.area[found.regions], height)
    spread = np.sqrt(found.variance / (box[:, 2] * box[:, 3].astype(np.float64)))
    around = np.median(found.flat.background[::4, ::4])  # an opening is smooth
    own = height / np.maximum(height + np.maximum(found.ground - around, 0), 1e-9)
    return np.select(
        [~(height >= FAINTEST * typical), ~(own >= OWN_STAIN), ~(spread <= LARGEST_VARIANCE * height)],
        ["faint", "little stain of its own", "uneven within"],
        "",
    )


def _strangers(found: _Found) -> NDArray[np.bool_]:
    """Candidates of another cell: in a group that is not linked to the main one and is cut by the picture's rim.

    One chromosome that lies apart beside a cut scrap is no cell: it stays.
    """
    tree, regions, height = found.measured.tree, found.regions, found.height
    count = len(regions)
    box = found.box
    cut = np.any(box[:, :2] == 0, axis=1) | np.any(box[:, :2] + box[:, 2:] == tree.shape, axis=1)
    if count < 2 or not cut.any():
        return np.zeros(count, dtype=bool)
    reach, ratio = LINK
    first, second = np.nonzero(zone_gaps(found.zones(), count) <= reach * found.flat.width)
    alike = np.abs(np.log(height[first] / height[second])) <= np.log(ratio)
    group = _groups(count, first[alike], second[alike])
    main = np.argmax(np.bincount(group, tree.area[regions]))
    rimmed = np.bincount(group[cut], minlength=count) > 0
    rimmed[main] = False
    whole = np.bincount(group[~cut], minlength=count)
    return np.asarray(rimmed[group] & (cut | (whole[group] >= FEWEST)))


def _groups(count: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each of `count` things the lowest that pairs of linked ones lead to."""
    group = np.arange(count)
    while np.any(group[first] != group[second]):
        lower = np.minimum(group[first], group[second])
        np.minimum.at(group, first, lower)
        np.minimum.at(group, second, lower)
    return group


def _with_variance(density: NDArray[np.uint8], found: list[Candidate]) -> list[Candidate]:
    variances = two_class_variance(density, [candidate.box for candidate in found])
    return [
        Candidate(candidate.box, candidate.mask, candidate.level, candidate.euler, float(variance))
        for candidate, variance in zip(found, variances, strict=True)
    ]
