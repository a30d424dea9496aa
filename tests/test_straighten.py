import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from karyofast.straighten import medial_axis, straighten_patch
from karyofast.types import Box, Region


def bar(length: float, width: float, degrees: float, side: int = 160) -> np.ndarray:
    canvas = np.zeros((side, side), np.uint8)
    corners = cv2.boxPoints(((side / 2, side / 2), (length, width), degrees))
    cv2.fillPoly(canvas, [np.rint(corners * 16).astype(np.int32)], 1, shift=4)
    return canvas.astype(bool)


def arc(radius: float, width: float, sweep: float, side: int = 200) -> np.ndarray:
    canvas = np.zeros((side, side), np.uint8)
    cv2.ellipse(canvas, (side // 2, side // 2), (int(radius), int(radius)), 0, 0, sweep, 1, int(width))
    return canvas.astype(bool)


def region(mask: np.ndarray) -> Region:
    return Region(Box(0, 0, *mask.shape), mask)


@given(length=st.floats(50, 110), width=st.floats(8, 16), degrees=st.floats(0, 180))
def test_a_straight_bar_keeps_its_length_and_width_in_any_turn(length, width, degrees):
    mask = bar(length, width, degrees)
    straight = straighten_patch(np.where(mask, 200, 0).astype(np.uint8), region(mask))
    assert abs(straight.length - length) < 0.12 * length + 3
    assert abs(np.median(straight.widths) - width) < 2.5


@pytest.mark.parametrize("sweep", [90, 180, 240])
def test_a_bent_chromosome_is_as_long_as_its_arc(sweep):
    mask = arc(45, 12, sweep)
    straight = straighten_patch(np.where(mask, 200, 0).astype(np.uint8), region(mask))
    assert straight.length == pytest.approx(45 * np.deg2rad(sweep) + 12, rel=0.12)
    assert np.median(straight.widths) == pytest.approx(12, abs=2)


def test_bands_of_a_bent_chromosome_come_out_as_straight_rows():
    mask = arc(50, 14, 180)
    rows, cols = np.indices(mask.shape)
    angle = np.degrees(np.arctan2(rows - 100, cols - 100)) % 360
    density = np.where(mask, np.where((angle // 20) % 2 == 0, 200, 80), 0).astype(np.uint8)
    straight = straighten_patch(density, region(mask))
    middle = straight.crop[15:-15]
    inside = middle[:, middle.shape[1] // 2 - 3 : middle.shape[1] // 2 + 4].astype(float)
    assert inside.std(axis=1).mean() < 0.25 * inside.mean(axis=1).std()


def bent(arms: tuple[float, float], width: int, degrees: float, side: int = 160) -> np.ndarray:
    """Two arms that meet at an angle; 180 degrees is a straight one."""
    canvas = np.zeros((side, side), np.uint8)
    turn = np.deg2rad(degrees)
    middle = np.array([side / 2, side / 2])
    for length, angle in zip(arms, (0.3, 0.3 + turn), strict=True):
        end = middle + length * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(canvas, np.rint(middle).astype(int).tolist(), np.rint(end).astype(int).tolist(), 1, width)
    return canvas.astype(bool)


@pytest.mark.parametrize("degrees", [75, 100, 130])
@pytest.mark.parametrize("arms", [(30, 30), (40, 20)])
def test_a_thick_chromosome_bent_at_an_angle_is_laid_straight(degrees, arms):
    mask = bent(arms, 17, degrees)
    straight = straighten_patch(np.where(mask, 200, 0).astype(np.uint8), region(mask))
    assert straight.length > 0.8 * (sum(arms) + 12)
    assert np.median(straight.widths) == pytest.approx(17, abs=3)


def test_the_splayed_arms_of_a_short_chromosome_are_no_bend():
    mask = bent((14, 14), 8, 180) | bent((14, 14), 8, 180).T
    axis, _ = medial_axis(mask)
    (down, right), (row, col) = axis[-1] - axis[0], axis[len(axis) // 2] - axis[0]
    assert abs(down * col - right * row) / np.hypot(down, right) < 0.5


def test_a_short_chromosome_has_a_straight_axis():
    axis, _ = medial_axis(bar(20, 13, 30))
    first, last = axis[0], axis[-1]
    middle = axis[len(axis) // 2]
    across = abs((last - first)[0] * (middle - first)[1] - (last - first)[1] * (middle - first)[0])
    assert across / np.hypot(*(last - first)) < 0.5


def test_what_lies_outside_of_the_mask_does_not_enter_the_crop():
    mask = bar(80, 12, 0)
    density = np.full(mask.shape, 255, np.uint8)
    straight = straighten_patch(density, region(mask))
    assert (straight.crop > 0).sum(axis=1).max() <= 16


def test_a_mask_of_one_pixel_gives_a_crop():
    mask = np.zeros((5, 5), bool)
    mask[2, 2] = True
    straight = straighten_patch(np.full((5, 5), 90, np.uint8), region(mask))
    assert straight.crop.shape[0] >= 1
    assert straight.crop.max() == 90


@given(arrays(np.bool_, st.tuples(st.integers(1, 25), st.integers(1, 25))))
def test_any_mask_gives_a_crop_whose_rows_lie_along_its_axis(mask):
    mask[0, 0] = True
    straight = straighten_patch(np.full(mask.shape, 100, np.uint8), region(mask))
    assert len(straight.crop) == len(straight.axis) == len(straight.widths) == len(straight.profile)
    assert straight.crop.shape[0] >= 1
    assert np.isfinite(straight.axis).all()


def test_what_touches_a_straight_chromosome_does_not_bend_its_axis():
    alone = bar(90, 14, 0)
    touched = alone | bar(30, 12, 90)
    axes = [straighten_patch(np.where(mask, 200, 0).astype(np.uint8), region(mask)).axis for mask in (alone, touched)]
    assert np.ptp(axes[1][:, 0]) < 6
    assert abs(len(axes[0]) - len(axes[1])) < 6


def test_an_empty_mask_and_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="at least one pixel"):
        straighten_patch(np.zeros((4, 4), np.uint8), region(np.zeros((4, 4), bool)))
    with pytest.raises(ValueError, match=r"shape of the mask \(4, 4\)"):
        straighten_patch(np.zeros((3, 4), np.uint8), region(np.ones((4, 4), bool)))


def test_the_axis_is_in_image_coordinates():
    mask = bar(80, 12, 0, side=120)
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    tight = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    box = Box(int(rows[0]) + 1000, int(cols[0]) + 500, *tight.shape)
    straight = straighten_patch(np.full(tight.shape, 100, np.uint8), Region(box, tight))
    assert np.allclose(straight.axis.mean(axis=0), [1060, 560], atol=2)
