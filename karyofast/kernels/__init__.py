"""Kernels: the operations whose speed matters, each defined by a NumPy reference (`reference`).

Every function takes ``impl="auto" | "reference" | "fast"`` and `ops` lists them all for tests and benches.
"""

from __future__ import annotations

from karyofast.kernels.assign import assign
from karyofast.kernels.axis import CurveFit, inner_path, own_run, principal_curve, prolonged
from karyofast.kernels.field import above_field, cell_means, count_down
from karyofast.kernels.lifted import lifted_cores
from karyofast.kernels.line import beside, evenly, nearest
from karyofast.kernels.measure import two_class_variance
from karyofast.kernels.opening import disk_opening
from karyofast.kernels.regions import RegionTree
from karyofast.kernels.ring import edge_distance, relevance, ridge, ridge_paths
from karyofast.kernels.shape import Outlines, outlines, region_masks, ridge_depths, rim_steps
from karyofast.kernels.solid import fill_holes, solidities
from karyofast.kernels.tree import component_tree, largest_above
from karyofast.kernels.zones import zone_gaps

__all__ = [
    "CurveFit",
    "Outlines",
    "RegionTree",
    "above_field",
    "assign",
    "beside",
    "cell_means",
    "component_tree",
    "count_down",
    "disk_opening",
    "edge_distance",
    "evenly",
    "fill_holes",
    "inner_path",
    "largest_above",
    "lifted_cores",
    "nearest",
    "outlines",
    "own_run",
    "principal_curve",
    "prolonged",
    "region_masks",
    "relevance",
    "ridge",
    "ridge_depths",
    "ridge_paths",
    "rim_steps",
    "solidities",
    "two_class_variance",
    "zone_gaps",
]
