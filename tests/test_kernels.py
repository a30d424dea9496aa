import re
import sys
from dataclasses import fields, replace
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import euler_number, label, regionprops
from skimage.morphology import max_tree

from karyofast.errors import NotBuiltError, OptionError
from karyofast.kernels import (
    above_field,
    beside,
    cell_means,
    component_tree,
    count_down,
    disk_opening,
    edge_distance,
    fill_holes,
    largest_above,
    nearest,
    outlines,
    region_masks,
    relevance,
    ridge_depths,
    rim_steps,
    solidities,
    two_class_variance,
    zone_gaps,
)
from karyofast.kernels.dispatch import PATHS, cpu_path, cpu_paths, use_fast
from karyofast.kernels.ops import OPERATIONS, tree_columns
from karyofast.kernels.ring import ridge, ridge_paths

FLAT = np.zeros((2, 2), dtype=np.float32)


class Drawn:
    """Inputs from Hypothesis, so that a failure shrinks to its smallest case."""

    def __init__(self, draw):
        self.draw = draw

    def integer(self, low, high):
        return self.draw(st.integers(low, high))

    def choice(self, options):
        return self.draw(st.sampled_from(list(options)))

    def array(self, shape, dtype, low, high):
        dtype = np.dtype(dtype)
        if dtype.kind == "f":
            elements = st.floats(low, high, width=8 * dtype.itemsize, allow_nan=False)
        elif dtype.kind == "b":
            elements = st.booleans()
        else:
            elements = st.integers(int(low), int(high))
        return self.draw(hnp.arrays(dtype, shape, elements=elements))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_fast_agrees_with_its_reference(operation, data):
    arguments = operation.draw(Drawn(data.draw))
    expected = operation.columns(operation.function(**arguments, impl="reference"))
    with_numba = operation.numba and find_spec("numba")
    for impl in ("fast", *cpu_paths(), *(("numba",) if with_numba else ())):
        agree(operation.columns(operation.function(**arguments, impl=impl)), expected, operation.rtol)


def agree(got, expected, rtol):
    assert got.keys() == expected.keys()
    for name, column in expected.items():
        assert got[name].shape == column.shape, name
        assert got[name].dtype.kind == column.dtype.kind, name
        if column.dtype.kind == "f":
            np.testing.assert_allclose(got[name], column, rtol=rtol, atol=1e-9, err_msg=name)
        else:
            np.testing.assert_array_equal(got[name], column, err_msg=name)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_path_gives_the_same_bits(operation):
    rng = np.random.default_rng(16)
    smooth = ndimage.gaussian_filter(rng.normal(size=(97, 211)), 3)
    arguments = operation.scene(np.clip(smooth * 500 + 90, 0, 255).astype(np.uint8))
    expected = operation.columns(operation.function(**arguments, impl="portable"))
    for impl in cpu_paths():
        got = operation.columns(operation.function(**arguments, impl=impl))
        for name, column in expected.items():
            np.testing.assert_array_equal(got[name], column, err_msg=f"{impl}: {name}")


def test_a_kernel_in_numba_that_is_not_there_is_named(monkeypatch):
    with pytest.raises(OptionError, match="relevance has no kernel in Numba"):
        use_fast("numba", "relevance")
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "karyofast.kernels.jit", raising=False)
    with pytest.raises(NotBuiltError, match=r"karyofast\[numba\]"):
        ridge(np.ones((3, 7), bool), np.ones((3, 7)), 1.0, impl="numba")


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("polarity", ["dark", "bright"])
def test_regions_match_the_max_tree_of_scikit_image_node_by_node(connectivity, polarity):
    rng = np.random.default_rng(8)
    image = np.clip(ndimage.gaussian_filter(rng.normal(size=(131, 173)), 2) * 400 + 120, 0, 255).astype(np.uint8)
    image = image if polarity == "dark" else 255 - image
    parent, traverse = max_tree(255 - image, connectivity=1 if connectivity == 4 else 2)
    parent, level = parent.ravel(), image.ravel()
    row, column = np.divmod(np.arange(image.size), image.shape[1])
    area = np.ones(image.size, dtype=int)
    box = np.stack([row, column, row + 1, column + 1], axis=1)
    for pixel in traverse[:0:-1]:
        above = parent[pixel]
        area[above] += area[pixel]
        box[above, :2] = np.minimum(box[above, :2], box[pixel, :2])
        box[above, 2:] = np.maximum(box[above, 2:], box[pixel, 2:])
    own = np.where(level[parent] == level, parent, np.arange(image.size))  # the pixel that stands for each one's node
    own[traverse[0]] = traverse[0]
    tree = component_tree(image, connectivity)
    region = np.empty(image.size, dtype=int)
    for index in range(len(tree) - 1, -1, -1):  # from the largest, so that the smallest stays
        region[tree.pixels(index)] = index
    assert len(tree) == len(np.unique(own))
    np.testing.assert_array_equal(tree.area[region], area[own])
    np.testing.assert_array_equal(tree.level[region], level[own])
    found = tree.box[region]
    np.testing.assert_array_equal(np.hstack([found[:, :2], found[:, :2] + found[:, 2:]]), box[own])


@pytest.mark.parametrize("shape", [(1, 1), (1, 211), (211, 1), (97, 131), (64, 128)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_distances_are_those_of_scipy(shape, threads):
    edges = np.random.default_rng(4).random(shape) < 0.004
    edges[shape[0] // 2, shape[1] // 3] = True
    expected = ndimage.distance_transform_edt(~edges)
    for impl in cpu_paths():
        np.testing.assert_array_equal(edge_distance(edges, impl, threads), expected)


@pytest.mark.parametrize("count", [0, 1, 6, 61])
def test_threads_that_share_boxes_or_edge_pixels_change_nothing(count):
    rng = np.random.default_rng(12)
    image = rng.integers(0, 9, (40, 50)).astype(np.uint8)
    corner = np.stack([rng.integers(0, 30, count), rng.integers(0, 40, count)], axis=1)
    boxes = np.hstack([corner, rng.integers(1, 11, (count, 2))])
    points, gradients, seeds = rng.normal(size=(count, 2)), rng.normal(size=(count, 2)), rng.normal(size=(5, 2))
    alone, best_alone = two_class_variance(image, boxes), relevance(points, gradients, seeds)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(two_class_variance(image, boxes, threads=threads), alone)
        np.testing.assert_array_equal(relevance(points, gradients, seeds, threads=threads), best_alone)
    with pytest.raises(OptionError, match="`threads` must"):
        two_class_variance(image, boxes, threads=0)
    with pytest.raises(OptionError, match="`threads` must"):
        relevance(points, gradients, seeds, threads=0)


def test_a_single_far_edge_is_found_across_the_picture():
    edges = np.zeros((3, 1500), dtype=bool)
    edges[2, 1499] = True
    assert edge_distance(edges)[0, 0] == np.hypot(2, 1499)
    with pytest.raises(ValueError, match="`edges` must have a diagonal"):
        edge_distance(np.zeros((32768, 1), dtype=bool))
    with pytest.raises(OptionError, match="`threads` must"):
        edge_distance(edges, threads=0)


def test_distances_are_exact_on_both_sides_of_what_16_bit_hold():
    edges = np.zeros((500, 700), dtype=bool)
    edges[[0, 250, 251], [0, 333, 600]] = True
    expected = ndimage.distance_transform_edt(~edges)
    assert expected.min() < 181 < expected.max()
    for impl in cpu_paths():
        np.testing.assert_array_equal(edge_distance(edges, impl), expected)


def test_small_regions_are_left_out_and_their_pixels_stay_where_they_are():
    image = np.random.default_rng(2).integers(0, 40, (31, 37)).astype(np.uint8)
    whole, large = component_tree(image), component_tree(image, min_area=12)
    kept = whole.area >= 12
    for name in ("level", "area", "euler", "perimeter", "grey_sum2", "moments", "box"):
        one, other = (
            np.sort(column.reshape(len(column), -1), axis=0)
            for column in (getattr(large, name), getattr(whole, name)[kept])
        )
        np.testing.assert_array_equal(one, other, err_msg=name)
    with pytest.raises(OptionError, match="`min_area` must"):
        component_tree(image, min_area=0)


@pytest.mark.parametrize("impl", ["reference", *cpu_paths()])
def test_without_moments_all_else_is_the_same(impl):
    image = np.random.default_rng(4).integers(0, 30, (23, 19)).astype(np.uint16)
    whole, without = (component_tree(image, max_level=25, moments=asked, impl=impl) for asked in (True, False))
    assert without.moments.shape == (0, 5)
    for column in fields(whole):
        if column.name != "moments":
            np.testing.assert_array_equal(
                getattr(without, column.name), getattr(whole, column.name), err_msg=column.name
            )


def test_all_16_bit_levels_at_once():
    image = np.random.default_rng(9).permutation(65536).astype(np.uint16).reshape(256, 256)
    tree = component_tree(image)
    assert len(tree) == 65536
    assert np.array_equal(np.sort(tree.level), np.arange(65536))
    assert tree.area.max() == 65536


@pytest.mark.parametrize("width", [16383, 16384, 70001])
def test_sums_and_boxes_of_wide_pictures(width):
    image = np.random.default_rng(11).integers(0, 3, (2, width)).astype(np.uint8)
    for impl in cpu_paths():
        tree = component_tree(image, impl=impl)
        for index in range(0, len(tree), 7):
            rows, cols = np.divmod(tree.pixels(index).astype(np.int64), width)
            sums = [rows.sum(), cols.sum(), (rows**2).sum(), (cols**2).sum(), (rows * cols).sum()]
            assert tree.moments[index].tolist() == sums
            top, left, high, wide = tree.box[index].tolist()
            assert (top, left, top + high - 1, left + wide - 1) == (rows.min(), cols.min(), rows.max(), cols.max())


def test_a_path_that_is_not_there_is_an_error():
    there = cpu_paths()
    assert there[0] == "portable"
    assert cpu_path("fast", "relevance") == PATHS.index(there[-1])
    for impl in set(PATHS) - set(there):
        with pytest.raises(NotBuiltError, match=impl):
            cpu_path(impl, "relevance")


@pytest.mark.parametrize("count", [24, 25, 2048, 2049, 5000])
def test_the_first_of_the_nearest_points_of_long_lines(count):
    rng = np.random.default_rng(13)
    line = np.cumsum(rng.integers(-1, 2, (count, 2)), axis=0).astype(float)  # comes back to where it was: ties
    points = rng.integers(line.min() - 3, line.max() + 4, (300, 2)).astype(float)
    expected, apart = nearest(line, points, impl="reference")
    for impl in cpu_paths():
        found, distance = nearest(line, points, impl)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(distance, apart)


def test_relevance_decides_near_ties_as_double_precision_does():
    rng = np.random.default_rng(12)
    points = rng.integers(0, 4000, (500, 2)).astype(float)
    gradients = rng.normal(size=(500, 2))
    seeds = np.repeat(points[:20] + rng.uniform(-2, 2, (20, 2)), 2, axis=0)  # each one twice: ties everywhere
    seeds[1::2] += rng.choice([0.0, 1e-9, 1e-5], (20, 1))
    best, value = relevance(points, gradients, seeds)
    expected, most = relevance(points, gradients, seeds, impl="reference")
    np.testing.assert_array_equal(best, expected)
    np.testing.assert_allclose(value, most, rtol=1e-12)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_regions_match_scikit_image_at_every_level(connectivity, dtype):
    image = np.random.default_rng(7).integers(0, 6, (13, 17)).astype(dtype)
    tree = component_tree(image, connectivity, impl="fast")
    adjacency = 1 if connectivity == 4 else 2
    seen = 0
    for level in np.unique(image):
        labels = label(image <= level, connectivity=adjacency)
        for prop in regionprops(labels):
            inside = labels == prop.label
            if not (image[inside] == level).any():
                continue
            match = [i for i in range(len(tree)) if tree.level[i] == level and inside.flat[tree.pixels(i)[0]]]
            assert len(match) == 1
            index = match[0]
            seen += 1
            assert tree.area[index] == prop.area
            top, left, height, width = tree.box[index]
            assert (top, left, top + height, left + width) == prop.bbox
            assert tree.euler[index] == euler_number(inside, connectivity=adjacency)
            sums = tree.moments[index] / prop.area
            np.testing.assert_allclose(sums[:2], prop.centroid)
            np.testing.assert_array_equal(tree.mask(index)[1], prop.image)
    assert seen == len(tree)


def test_every_region_is_a_range_inside_its_parents_range():
    image = np.random.default_rng(3).integers(0, 20, (40, 30)).astype(np.uint8)
    tree = component_tree(image)
    for index, parent in enumerate(tree.parent):
        if parent >= 0:
            assert parent > index
            assert tree.level[parent] > tree.level[index]
            assert tree.start[parent] <= tree.start[index]
            assert tree.start[index] + tree.area[index] <= tree.start[parent] + tree.area[parent]
    assert sorted(tree.order) == list(range(image.size))
    assert np.count_nonzero(tree.parent == -1) == 1


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_an_empty_image_has_no_regions(shape):
    tree = component_tree(np.empty(shape, dtype=np.uint8), impl="fast")
    assert len(tree) == 0
    assert tree.box.shape == (0, 4)
    assert tree.moments.shape == (0, 5)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (4, 5)])
def test_a_constant_image_is_one_region(shape, value):
    tree = component_tree(np.full(shape, value, dtype=np.uint8), impl="fast")
    assert tree.area.tolist() == [shape[0] * shape[1]]
    assert tree.level.tolist() == [value]
    assert tree.euler.tolist() == [1]
    assert tree.perimeter.tolist() == [2 * (shape[0] + shape[1])]


def test_strided_and_read_only_images_give_the_same_tree():
    base = np.random.default_rng(5).integers(0, 9, (20, 24)).astype(np.uint8)
    strided = base[::-2, 1::3]
    strided.flags.writeable = False
    expected = tree_columns(component_tree(strided.copy()))
    for name, column in tree_columns(component_tree(strided)).items():
        np.testing.assert_array_equal(column, expected[name])


def test_a_bound_leaves_the_regions_up_to_it_unchanged():
    image = np.random.default_rng(11).integers(0, 30, (25, 25)).astype(np.uint16)
    whole, bounded = component_tree(image), component_tree(image, max_level=12)
    kept = whole.level <= 12
    assert len(bounded) == kept.sum()
    for name in ("area", "euler", "perimeter", "grey_sum2"):
        assert sorted(getattr(bounded, name)) == sorted(getattr(whole, name)[kept])
    assert len(component_tree(image, max_level=-3)) == 0


def test_the_highest_grey_level_is_a_level_like_any_other():
    image = np.array([[65535, 0, 65535]], dtype=np.uint16)
    tree = component_tree(image, impl="fast")
    assert tree.level.tolist() == [0, 65535]
    assert tree.perimeter.tolist() == [4, 8]


@pytest.mark.parametrize(
    ("image", "arguments", "error", "names"),
    [
        (np.zeros((3, 3)), {}, TypeError, "image"),
        (np.zeros((3, 3, 3), dtype=np.uint8), {}, ValueError, "image"),
        (np.zeros((3, 3), dtype=np.uint8), {"connectivity": 6}, OptionError, "connectivity"),
        (np.zeros((3, 3), dtype=np.uint8), {"max_level": 1.5}, OptionError, "max_level"),
        (np.zeros((3, 3), dtype=np.uint8), {"impl": "gpu"}, OptionError, "impl"),
    ],
)
def test_what_the_tree_cannot_do_is_named(image, arguments, error, names):
    with pytest.raises(error, match=f"`{names}` must"):
        component_tree(image, **arguments)


def test_fast_raises_and_auto_warns_where_the_kernel_is_not_built():
    missing = ImportError("no module _tree")
    with pytest.raises(NotBuiltError, match="component_tree"):
        use_fast("fast", "component_tree", missing)
    with pytest.warns(RuntimeWarning, match="slow reference"):
        assert not use_fast("auto", "component_tree", missing)
    assert use_fast("auto", "component_tree")


def test_v_weights_each_class_by_its_size():
    image = np.array([[10, 10, 10, 12, 100, 100, 104, 104]], dtype=np.uint8)
    # peaks: 10 (3 px), then 100 (2 px, the lower of two equals); threshold 55
    low, high = image[image <= 55], image[image > 55]
    by_hand = (4 * ((low - low.mean()) ** 2).sum() + 4 * ((high - high.mean()) ** 2).sum()) / 8
    assert two_class_variance(image, [[0, 0, 1, 8]]) == pytest.approx([by_hand])


def test_a_lone_peak_is_itself_the_threshold():
    image = np.array([[7, 7, 9, 7]], dtype=np.uint8)  # 9 is a second peak: the threshold is 8
    assert two_class_variance(image, [[0, 0, 1, 4], [0, 0, 1, 1]]).tolist() == [0.0, 0.0]
    plateau = np.array([[7, 8, 9]], dtype=np.uint8)  # one run of equal counts: cut after 7
    assert two_class_variance(plateau, [[0, 0, 1, 3]]) == pytest.approx([2 * 0.5 / 3])


@pytest.mark.parametrize("impl", ["auto", "reference"])
@pytest.mark.parametrize(
    "box", [[-1, 0, 2, 2], [0, 0, 0, 2], [2, 2, 2, 3], [1, 1, 2**63 - 1, 1], [0, 2**62, 1, 2**62], [0, 0, 1, -(2**63)]]
)
def test_a_box_outside_the_image_is_named(box, impl):
    with pytest.raises(ValueError, match=re.escape(f"Got: {box}")):
        two_class_variance(np.zeros((4, 4), dtype=np.uint8), [[0, 0, 4, 4], box], impl=impl)


def test_v_wants_a_grey_image_of_8_bit():
    with pytest.raises(TypeError, match="`image` must be uint8"):
        two_class_variance(np.zeros((4, 4), dtype=np.uint16), [[0, 0, 1, 1]])
    with pytest.raises(ValueError, match="`boxes` must be whole"):
        two_class_variance(np.zeros((4, 4), dtype=np.uint8), [[0.0, 0.0, 1.0, 1.0]])


def test_distances_are_those_of_scipy_to_the_last_bit_in_every_run():
    edges = np.random.default_rng(0).random((300, 200)) < 0.01
    first, again = edge_distance(edges), edge_distance(edges.copy())
    assert first.tobytes() == again.tobytes()
    assert np.array_equal(first, ndimage.distance_transform_edt(~edges))


def test_the_ridge_of_a_broad_shape_is_that_of_the_reference():
    rng = np.random.default_rng(17)
    for _ in range(30):
        shape = cv2.dilate((rng.random((24, 30)) < 0.05).astype(np.uint8), np.ones((4, 4), np.uint8)).astype(bool)
        radius = edge_distance(~np.pad(shape, 1))[1:-1, 1:-1].round()  # many are equal
        np.testing.assert_array_equal(ridge(shape, radius, 2.0, "fast"), ridge(shape, radius, 2.0, "reference"))


def test_lines_and_zones_that_are_none_are_named():
    mask = np.zeros((2, 2), dtype=bool)
    with pytest.raises(TypeError, match="`ridge` and `zones` must be bool"):
        ridge_paths(mask, mask.astype(np.uint8))
    for wrong in (mask[0], mask[:, :1]):
        with pytest.raises(ValueError, match="must have one shape"):
            ridge_paths(mask, wrong)


def test_parents_that_are_no_later_regions_are_named():
    values = np.zeros(2)
    for wrong in ([0, -1], [2, -1], [-2, -1]):
        with pytest.raises(ValueError, match="`parent` must"):
            largest_above(np.array(wrong, dtype=np.int32), values)
    with pytest.raises(ValueError, match="`value` must"):
        largest_above(np.array([1, -1, -1], dtype=np.int32), values)
    with pytest.raises(TypeError, match="`parent` must be int32"):
        largest_above(np.array([1, -1]), values)


def test_gaps_between_zones_are_those_of_the_distance_transform_of_opencv():
    rng = np.random.default_rng(8)
    zones = np.zeros((90, 120), dtype=np.int32)
    for number in range(1, 10):
        row, col = rng.integers(80), rng.integers(110)
        zones[row : row + 8, col : col + 8] = number
    away = np.stack(
        [cv2.distanceTransform((zones != number).astype(np.uint8), cv2.DIST_L2, 5) for number in range(1, 10)]
    )
    owner, least = away.argmin(axis=0), away.min(axis=0)
    expected = np.full((9, 9), np.inf)
    for one, two in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        meet = owner[one] != owner[two]
        first, second, gap = owner[one][meet], owner[two][meet], (least[one] + least[two])[meet]
        np.minimum.at(expected, (first, second), gap)
        np.minimum.at(expected, (second, first), gap)
    found = zone_gaps(zones, 9)
    assert np.array_equal(np.isfinite(found), np.isfinite(expected))
    np.testing.assert_allclose(found[np.isfinite(found)], expected[np.isfinite(expected)], rtol=1e-5)


def test_zones_that_are_no_zones_are_named():
    with pytest.raises(TypeError, match="`zones` must be int32"):
        zone_gaps(np.zeros((2, 2), dtype=np.int64), 1)
    with pytest.raises(ValueError, match=r"`zones` must be \(height, width\)"):
        zone_gaps(np.zeros(4, dtype=np.int32), 1)
    with pytest.raises(ValueError, match=r"`zones` must be 0 \.\. count"):
        zone_gaps(np.full((2, 2), 3, dtype=np.int32), 2)
    with pytest.raises(ValueError, match="`count` must"):
        zone_gaps(np.zeros((2, 2), dtype=np.int32), -1)


def blobs(shape):
    rng = np.random.default_rng(11)
    return ndimage.gaussian_filter(rng.normal(size=shape), 3).astype(np.float32)


def test_the_ridges_and_the_opening_of_a_large_picture_are_those_of_opencv():
    height = np.maximum(blobs((301, 467)), 0)
    np.testing.assert_array_equal(ridge_depths(height), ridge_depths(height, "reference"))
    assert len(ridge_depths(height)) > 100
    for diameter in (1, 3, 13, 15, 101):
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
        expected = cv2.morphologyEx(height, cv2.MORPH_OPEN, disk)
        np.testing.assert_array_equal(disk_opening(height, diameter), expected)


def test_all_holes_of_a_large_picture_are_those_of_scipy():
    mask = blobs((211, 307)) > 0
    np.testing.assert_array_equal(fill_holes(mask, mask.size), ndimage.binary_fill_holes(mask))


def test_a_picture_without_background_has_no_ridge():
    assert len(ridge_depths(np.full((5, 7), 3, dtype=np.float32))) == 0
    assert len(ridge_depths(np.zeros((5, 7), dtype=np.float32))) == 0


def test_the_lower_of_two_equally_good_thresholds_holds_in_ridge_and_reference():
    height = np.array([[1, 3, 2, 2, 2, 2, 2, 2, 2]], dtype=np.float32)
    assert ridge_depths(height).tolist() == ridge_depths(height, "reference").tolist() == [8.0]


def test_a_flat_surface_leaves_nothing_of_a_flat_picture():
    image = np.full((37, 53), 36.7, dtype=np.float32)
    for impl in cpu_paths():
        coarse = cell_means(image, 5, 7, impl)
        _, height = above_field(image, np.full_like(coarse, image[0, 0]), impl=impl)
        assert not height.any()
        np.testing.assert_allclose(coarse, 36.7, rtol=1e-6)


def test_a_field_as_fine_as_its_picture_is_the_picture():
    image = np.maximum(blobs((23, 41)), 0).astype(np.float32)
    np.testing.assert_allclose(cell_means(image, 23, 41), image, rtol=1e-6)
    field, height = above_field(image, image)
    np.testing.assert_array_equal(field, image)
    assert not height.any()


def test_the_field_of_a_real_size_is_that_of_opencv():
    image = np.maximum(blobs((211, 307)), 0).astype(np.float32)
    coarse = cell_means(image, 30, 43)
    np.testing.assert_allclose(coarse, cv2.resize(image, (43, 30), interpolation=cv2.INTER_AREA), atol=0.01)
    field, height = above_field(image, coarse)
    drawn = np.minimum(cv2.resize(coarse, (307, 211), interpolation=cv2.INTER_LINEAR), image)
    np.testing.assert_allclose(field, drawn, atol=1e-3)
    np.testing.assert_array_equal(height, image - field)


def test_strided_and_read_only_input_is_read_as_it_is():
    height = np.maximum(blobs((60, 90)), 0)
    height.flags.writeable = False
    part, mask = height[::2, 1::3], height[::2, 1::3] > 0
    np.testing.assert_array_equal(ridge_depths(part), ridge_depths(part.copy()))
    np.testing.assert_array_equal(disk_opening(part, 5), disk_opening(part.copy(), 5))
    np.testing.assert_array_equal(fill_holes(mask[:, ::-1], 9), fill_holes(mask, 9)[:, ::-1])
    boxes = [(1, 2, 20, 20)]
    np.testing.assert_array_equal(solidities(mask.T[:, ::-1], boxes), solidities(mask.T[:, ::-1].copy(), boxes))


def huge():
    """A mask of over 2^31 pixels that takes no memory."""
    return np.broadcast_to(np.zeros(1, dtype=bool), (50_000, 50_000))


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda: ridge_depths(np.zeros((2, 2))), TypeError, "`height` must be float32"),
        (lambda: ridge_depths(np.zeros(2, dtype=np.float32)), ValueError, "`height` must have two axes"),
        (lambda: disk_opening(np.zeros((2, 2)), 3), TypeError, "`image` must be float32"),
        (lambda: cell_means(np.zeros((2, 2)), 1, 1), TypeError, "`image` must be float32"),
        (lambda: cell_means(np.zeros(2, dtype=np.float32), 1, 1), ValueError, "`image` must have two axes"),
        (lambda: cell_means(np.zeros((2, 3), dtype=np.float32), 1, 4), OptionError, "`rows` and `cols` must"),
        (lambda: cell_means(np.zeros((0, 3), dtype=np.float32), 0, 1), OptionError, "`rows` and `cols` must"),
        (lambda: above_field(FLAT, np.zeros((3, 1), dtype=np.float32)), ValueError, "`coarse` must have values"),
        (lambda: above_field(FLAT, np.zeros((0, 1), dtype=np.float32)), ValueError, "`coarse` must have values"),
        (lambda: above_field(FLAT, FLAT, (FLAT, FLAT.astype(float))), ValueError, "`out` must be two float32"),
        (lambda: count_down(np.zeros((2, 2)), 1.0, 9), TypeError, "`height` must be float32"),
        (lambda: count_down(FLAT, np.inf, 9), OptionError, "`scale` must be finite"),
        (lambda: count_down(FLAT, 1.0, 65536), OptionError, "`top` must be"),
        (lambda: region_masks(component_tree(np.zeros((2, 2), np.uint8)), np.array([1])), ValueError, "`regions` must"),
        (lambda: disk_opening(np.zeros(2, dtype=np.float32), 3), ValueError, "`image` must have two axes"),
        (lambda: disk_opening(np.zeros((2, 2), dtype=np.float32), 4), OptionError, "`diameter` must be odd"),
        (lambda: fill_holes(np.zeros((2, 2)), 3), TypeError, "`mask` must be bool"),
        (lambda: fill_holes(np.zeros(2, dtype=bool), 3), ValueError, "`mask` must have two axes"),
        (lambda: fill_holes(huge(), 3), ValueError, "`mask` must have fewer"),
        (lambda: ridge_paths(huge(), huge()), ValueError, "`ridge` must have fewer"),
        (lambda: disk_opening(np.zeros((2, 2), dtype=np.float32), 257), OptionError, "`diameter` must be odd"),
        (lambda: ridge_depths(np.array([[np.inf, 0]], dtype=np.float32)), ValueError, "`height` must be finite"),
        (lambda: ridge_depths(np.array([[np.nan, 0]], dtype=np.float32)), ValueError, "`height` must be finite"),
        (lambda: solidities(np.zeros((2, 2)), []), TypeError, "`mask` must be bool"),
        (lambda: solidities(np.zeros(2, dtype=bool), []), ValueError, "`mask` must have two axes"),
        (lambda: solidities(np.zeros((2, 2), dtype=bool), [(0, 1, 1, 2)]), ValueError, "`boxes` must lie"),
        (lambda: solidities(np.zeros((2, 2), dtype=bool), [(2**62, 0, 2**62, 1)]), ValueError, "`boxes` must lie"),
        (lambda: beside(np.zeros((1, 2)), np.zeros((3, 2)), np.ones(2, dtype=bool), 1.0), ValueError, "`chosen` must"),
        (lambda: beside(np.zeros((0, 2)), np.zeros((3, 2)), np.ones(3, dtype=bool), 1.0), ValueError, "`line` must"),
    ],
)
def test_what_the_kernels_of_shape_cannot_read_is_named(call, error, named):
    with pytest.raises(error, match=named):
        call()


def test_a_tree_that_is_none_is_named_before_it_is_read():
    image = np.array([[0, 0, 9], [9, 9, 9]], dtype=np.uint8)
    tree, steps = component_tree(image), np.zeros((2, 3), dtype=np.uint16)
    far = replace(tree, order=tree.order + 100)
    with pytest.raises(ValueError, match="`regions` must be regions"):
        outlines(tree, np.array([2]))
    with pytest.raises(ValueError, match=r"`tree\.order` must be places"):
        outlines(far, np.array([0]))
    with pytest.raises(ValueError, match=r"`tree\.order` must be places"):
        rim_steps(steps, far, np.array([0]))
    with pytest.raises(ValueError, match="`tree` must have the pixels"):
        rim_steps(steps, replace(tree, start=tree.start + 100), np.array([0]))
    with pytest.raises(ValueError, match="pixels must lie in its box"):
        outlines(replace(tree, box=tree.box + np.array([0, 1, 0, 0], dtype=np.int32)), np.array([0]))
    with pytest.raises(ValueError, match="pixels must lie in its box"):
        region_masks(replace(tree, box=tree.box - np.array([0, 0, 1, 0], dtype=np.int32)), np.array([1]))
    with pytest.raises(ValueError, match="`image` must have the shape"):
        rim_steps(steps[:1], tree, np.array([0]))
    with pytest.raises(TypeError, match="`image` must be uint16"):
        rim_steps(image, tree, np.array([0]))


@pytest.mark.parametrize("span", [12, 900, 1e12])
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_of_many_seeds_those_that_are_not_looked_at_are_no_better(span, weight):
    rng = np.random.default_rng(5)
    for whole in (False, True):
        points, seeds = rng.random((150, 2)) * span, rng.random((220, 2)) * span
        gradients = rng.normal(size=(150, 2))
        gradients[::9] = 0
        if whole:  # ties, seeds on points
            points, seeds, gradients = points.round(), seeds.round(), gradients.round()
        best, value = relevance(points, gradients, seeds, weight, "reference")
        for impl in cpu_paths():
            found = relevance(points, gradients, seeds, weight, impl)
            np.testing.assert_array_equal(found[0], best)
            np.testing.assert_allclose(found[1], value, rtol=1e-12)
