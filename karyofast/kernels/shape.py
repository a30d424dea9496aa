"""How broad things are: wrappers that validate and allocate for csrc/shape_core.c."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import reference_shape
from karyofast.kernels.dispatch import Impl, cpu_path, use_fast
from karyofast.kernels.regions import RegionTree
from karyofast.kernels.rim import float_picture

try:
    from karyofast.kernels import _shape
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

_OUTSIDE = "A region's pixels must lie in its box. Got one whose do not. Build the tree anew."


@dataclass(frozen=True, eq=False)
class Outlines:
    """What the outlines of some regions tell, one row a region.

    Attributes
    ----------
    disk : float64 (n,)
        Diameter of the largest disk inside, px.
    aspect : float64 (n,)
        Ratio of the axes of the ellipse with the region's moments, at least 1.
    votes : float64 (n,)
        Share of the rim's votes for that ellipse, 0..1.
    """

    disk: NDArray[np.float64]
    aspect: NDArray[np.float64]
    votes: NDArray[np.float64]


def ridge_depths(height: NDArray[np.float32], impl: Impl = "auto") -> NDArray[np.float32]:
    """Depths along the ridges of what stands out of a picture: half the widths of its lines.

    The picture is split by Otsu's threshold on 256 levels; the depth of a pixel is its chamfer distance (5 x 5, the
    weights of OpenCV's ``DIST_L2``) to the nearest pixel below. A ridge pixel is as deep as any of its neighbours, and
    more than 1.5 px.

    Parameters
    ----------
    height : float32 (rows, columns)
        Finite; what is below 0 counts as 0.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float32 (n,)
        Px, in row-major order of the pixels; empty where nothing lies below the threshold.

    Raises
    ------
    TypeError
        `height` is not float32.
    ValueError
        `height` has not two axes, or its greatest value is no finite number.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    References
    ----------
    Otsu, "A threshold selection method from gray-level histograms", 1979; Borgefors, "Distance transformations in
    digital images", 1986.

    Examples
    --------
    >>> import numpy as np
    >>> height = np.zeros((9, 12), dtype=np.float32)
    >>> height[2:7, 3:9] = 50
    >>> ridge_depths(height).tolist()
    [3.0, 3.0]
    """
    given = float_picture(height, "height")
    fast = use_fast(impl, "ridge_depths", _missing)
    if given.size == 0:
        return np.empty(0, dtype=np.float32)
    top = float(given.max())
    if not np.isfinite(top):
        raise ValueError(f"`height` must be finite. Got: {top}. Put 0 where nothing is known.")
    if not fast:
        return reference_shape.ridge_depths(given)
    out = np.empty(given.size, dtype=np.float32)
    return out[: _shape.ridge_depths(np.ascontiguousarray(given), top, out, cpu_path(impl, "ridge_depths"))].copy()


def outlines(tree: RegionTree, regions: NDArray[np.int64], bin_width: float = 0.12, impl: Impl = "auto") -> Outlines:
    """Largest disk inside and Hough vote of the rim for one ellipse, of many regions together.

    Centre, axes and direction of the ellipse come from the region's moments, which leaves one parameter to vote on:
    the scale. Each rim pixel votes for the scale at which the ellipse meets it; the share in the bin around 1 says how
    much of an ellipse the region is. Nuclei and round debris reach 0.6 to 1, chromosomes about 0.5, clusters less.

    Parameters
    ----------
    tree : RegionTree
    regions : int (n,)
        Disjoint regions of it.
    bin_width : float
        Half the width of the bin: a rim pixel votes for the ellipse within this share of its radius.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Raises
    ------
    ValueError
        A region is not of the tree, or lies outside of its box.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> from karyofast.kernels import component_tree
    >>> rows, columns = np.mgrid[-20:21, -20:21]
    >>> disk = component_tree((rows**2 + columns**2 > 400).astype(np.uint8), max_level=0)
    >>> seen = outlines(disk, np.array([0]))
    >>> round(float(seen.aspect[0]), 2), bool(seen.votes[0] > 0.9)
    (1.0, True)
    """
    chosen = _regions(tree, regions)
    fast = use_fast(impl, "outlines", _missing)
    if len(chosen) == 0:
        return Outlines(*np.zeros((3, 0)))
    if not fast:
        return Outlines(*reference_shape.outlines(tree, chosen, bin_width))
    bodies, out = _bodies(tree, chosen), np.empty((3, len(chosen)))
    if not _shape.outlines(*bodies, bin_width, out, cpu_path(impl, "outlines")):
        raise ValueError(_OUTSIDE)
    return Outlines(*out)


def region_masks(tree: RegionTree, regions: NDArray[np.int64], impl: Impl = "auto") -> list[NDArray[np.bool_]]:
    """Masks of many regions together, each inside its box: as `RegionTree.mask` gives them one by one.

    Parameters
    ----------
    tree : RegionTree
    regions : int (n,)
        Of it.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    list of bool (height, width)
        Views of one array.

    Raises
    ------
    ValueError
        A region is not of the tree, or lies outside of its box.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> from karyofast.kernels import component_tree
    >>> tree = component_tree(np.array([[0, 9, 0], [0, 9, 9]], dtype=np.uint8))
    >>> [mask.tolist() for mask in region_masks(tree, np.array([0, 1]))]
    [[[True], [True]], [[True]]]
    """
    chosen = _regions(tree, regions)
    fast = use_fast(impl, "region_masks", _missing)
    if len(chosen) == 0:
        return []
    if not fast:
        return reference_shape.region_masks(tree, chosen)
    bodies = _bodies(tree, chosen)
    sides = tree.box[chosen, 2:]
    limits = [0, *np.cumsum(sides.prod(axis=1, dtype=np.int64)).tolist()]
    out = np.zeros(limits[-1], dtype=bool)
    if not _shape.masks(*bodies, out.view(np.uint8)):
        raise ValueError(_OUTSIDE)
    return [out[first:last].reshape(side) for (first, last), side in zip(pairwise(limits), sides.tolist(), strict=True)]


def rim_steps(
    image: NDArray[np.uint16], tree: RegionTree, regions: NDArray[np.int64], impl: Impl = "auto"
) -> NDArray[np.float64]:
    """By how much an image rises across the rims of regions, together over all pixel sides of each rim.

    By the divergence theorem that is the sum over the region of the image's Laplacian (4 neighbours; beyond the picture
    the image goes on as it is at the edge).

    Parameters
    ----------
    image : uint16 (rows, columns)
        Of which `tree` may be, or not.
    tree : RegionTree
        Of a picture of this shape.
    regions : int (n,)
        Of its regions; they may lie in one another.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`.

    Returns
    -------
    float64 (n,)
        Grey levels times pixel sides.

    Raises
    ------
    TypeError
        `image` is not uint16.
    ValueError
        `image` has not the shape of the tree, or a region is not of the tree.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> from karyofast.kernels import component_tree
    >>> image = np.array([[9, 9, 9], [9, 4, 9], [9, 9, 9]], dtype=np.uint16)
    >>> rim_steps(image, component_tree(image), np.array([0])).tolist()
    [20.0]
    """
    given: NDArray[Any] = np.asarray(image)
    if given.dtype != np.uint16:
        raise TypeError(f"`image` must be uint16. Got: {given.dtype}. Scale and convert it first.")
    if given.shape != tree.shape:
        raise ValueError(f"`image` must have the shape of the tree, {tree.shape}. Got: {given.shape}.")
    chosen = _regions(tree, regions)
    fast = use_fast(impl, "rim_steps", _missing)
    if len(chosen) == 0:
        return np.zeros(0)
    if not fast:
        return reference_shape.rim_steps(given, tree, chosen)
    out = np.empty(len(chosen))
    _shape.rim_steps(np.ascontiguousarray(given), tree.order, tree.start[chosen], tree.area[chosen], out)
    return out


def _bodies(
    tree: RegionTree, chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], int]:
    """Pixels of the tree, range and box of each region, the picture's width; ValueError where a box has no pixel."""
    box = np.ascontiguousarray(tree.box[chosen])
    if box[:, 2:].min() < 1:
        raise ValueError(_OUTSIDE)
    return tree.order, tree.start[chosen], tree.area[chosen], box, tree.shape[1]


def _regions(tree: RegionTree, regions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of regions whose ranges lie in `tree.order`, and whose pixels lie in the picture; else ValueError."""
    chosen = np.asarray(regions, dtype=np.int64).reshape(-1)
    if len(chosen) == 0:
        return chosen
    if not 0 <= chosen.min() <= chosen.max() < len(tree):
        raise ValueError(f"`regions` must be regions of the tree, 0 .. {len(tree) - 1}. Got: {chosen.tolist()[:5]}.")
    start, area = tree.start[chosen], tree.area[chosen]
    ends = start + area.astype(np.int64)
    size = tree.shape[0] * tree.shape[1]
    if not (start.min() >= 0 and area.min() >= 1 and ends.max() <= len(tree.order) <= size):
        raise ValueError("`tree` must have the pixels of its regions in `order`. Got one that has not. Build it anew.")
    if not 0 <= tree.order.min() <= tree.order.max() < size:
        raise ValueError("`tree.order` must be places in the picture. Got one beyond it. Build the tree anew.")
    return chosen
