"""The filter of shape: disks, ellipses and what is said against a region."""

import numpy as np
import pytest

from karyofast.detect_shape import shape_faults
from karyofast.kernels import component_tree, outlines


def regions_of(*masks):
    """Masks one below the other in one picture, as regions of a tree in that order."""
    width = max(mask.shape[1] for mask in masks)
    rows = [np.pad(mask, ((2, 2), (0, width - mask.shape[1]))) for mask in masks]
    tree = component_tree((~np.concatenate(rows)).astype(np.uint8), max_level=0)
    return tree, np.argsort(tree.box[:, 0])


def shapes():
    rows, columns = np.mgrid[-40:41, -40:41]
    nucleus = (rows / 38) ** 2 + (columns / 28) ** 2 <= 1
    rod = (abs(rows) <= 30) & (abs(columns) <= 5)
    return nucleus, rod, rod | rod.T


def test_the_ellipse_vote_tells_a_nucleus_from_a_rod_and_a_cross():
    seen = outlines(*regions_of(*shapes()))
    assert seen.votes[0] > 0.95
    assert seen.aspect[0] == pytest.approx(38 / 28, rel=0.03)
    assert seen.votes[1] < 0.7
    assert seen.votes[2] < 0.5
    assert seen.disk == pytest.approx([57, 12, 16], abs=1.5)


def test_a_region_is_judged_alike_alone_and_beside_others():
    together = outlines(*regions_of(*shapes()))
    for number, mask in enumerate(shapes()):
        alone = outlines(*regions_of(mask))
        assert alone.votes[0] == together.votes[number]
        assert alone.aspect[0] == pytest.approx(together.aspect[number])
        assert alone.disk[0] == together.disk[number]


def test_the_frame_of_the_picture_is_a_rim_too():
    tree = component_tree(np.zeros((9, 5), dtype=np.uint8), max_level=0)
    assert outlines(tree, np.array([0])).disk[0] == pytest.approx(6, abs=0.1)


def test_a_nucleus_is_named_and_a_rod_passes():
    nucleus, rod, cross = shapes()
    tree, regions = regions_of(nucleus, rod, cross, rod[:, 38:42])
    assert shape_faults(tree, regions, 11.0).tolist() == ["nucleus", "", "", "thin"]
    assert shape_faults(tree, regions[:0], 11.0).tolist() == []
