from functools import cache

import cv2
import numpy as np
import pytest

from karyofast.config import SimulateOptions
from karyofast.io import read_metaphase
from karyofast.polarity import BACKGROUND_MARGIN, background, density, find_polarity
from karyofast.simulate import simulate_metaphase


@cache
def picture(stain):
    """A simulated metaphase of 500 x 500 px."""
    return simulate_metaphase(np.random.default_rng(3), "46,XY", SimulateOptions(stain=stain, size=(500, 500))).image


def radius(grey):
    """Distance from the middle, 1 at the middle of each side."""
    height, width = grey.shape
    rows, columns = np.mgrid[:height, :width]
    return np.hypot((rows - height / 2) / (height / 2), (columns - width / 2) / (width / 2))


def as_it_is(grey):
    return grey.copy()


def vignette(grey):
    return np.clip(grey * (1.0 - 0.4 * np.clip(radius(grey) - 0.5, 0, 1)), 0, 255).astype(np.uint8)


def black_around_a_round_field(grey):
    return np.where(radius(grey) > 1.0, 0, grey).astype(np.uint8)


def black_frame(grey):
    framed = np.zeros_like(grey)
    framed[40:-40, 40:-40] = grey[40:-40, 40:-40]
    return framed


def white_frame(grey):
    return (255 - black_frame(255 - grey)).astype(np.uint8)


def dark_nucleus(grey):
    return cv2.circle(grey.copy(), (0, 250), 170, int(np.percentile(grey, 1)), -1)


def bright_nucleus(grey):
    return cv2.circle(grey.copy(), (0, 250), 170, int(np.percentile(grey, 99)), -1)


def cut_to_the_spread(grey):
    return np.ascontiguousarray(grey[125:375, 125:375])


def on_a_ramp(grey):
    return np.clip(grey + np.linspace(-25, 25, grey.shape[1]), 0, 255).astype(np.uint8)


SPOILT = (
    *(as_it_is, vignette, black_around_a_round_field, black_frame, white_frame),
    *(dark_nucleus, bright_nucleus, cut_to_the_spread, on_a_ramp),
)


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda one: one.__name__)
@pytest.mark.parametrize(("stain", "expected"), [("giemsa", "dark"), ("quinacrine", "bright"), ("dapi", "bright")])
def test_polarity_is_found_however_the_picture_is_spoilt(stain, expected, spoil):
    assert find_polarity(spoil(picture(stain))) == expected


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda one: one.__name__)
def test_real_metaphases_keep_their_polarity_when_spoilt(data_dir, spoil):
    files = [*sorted((data_dir / "gband" / "unlabelled").glob("*.jpg"))[::6]]
    files += sorted((data_dir / "mfish").glob("*_dapi.png"))[::25]
    wrong = []
    for file in files:
        grey = cv2.resize(read_metaphase(file).grey.copy(), (500, 500), interpolation=cv2.INTER_AREA)
        if find_polarity(spoil(grey)) != ("dark" if file.suffix == ".jpg" else "bright"):
            wrong.append(file.name)
    assert wrong == []


def test_turning_black_to_white_turns_the_polarity():
    for stain in ("giemsa", "dapi"):
        grey = picture(stain)
        assert {find_polarity(grey), find_polarity(255 - grey)} == {"dark", "bright"}
        chosen, other = find_polarity(grey), find_polarity(255 - grey)
        assert np.abs(density(grey, chosen).astype(int) - density(255 - grey, other)).max() <= 1


@pytest.mark.parametrize("spoil", [black_around_a_round_field, black_frame, dark_nucleus], ids=lambda one: one.__name__)
def test_a_black_border_or_a_nucleus_is_not_taken_for_a_bright_background(spoil):
    grey = picture("giemsa")
    assert abs(background(spoil(grey), "dark") - background(grey, "dark")) < 20


def test_density_is_what_the_picture_shows_above_its_background_and_not_stretched():
    grey = np.full((100, 100), 200, np.uint8)
    grey[20:80, 40:52] = 150
    grey[20:80, 70:80] = 220
    found = density(grey, "dark")
    assert found.dtype == np.uint8
    # the background of a picture without noise is found up to two levels off
    assert abs(int(found[50, 45]) - 50) <= 2
    assert found[5, 5] <= 2
    assert found[50, 75] == 0
    assert abs(int(density(grey, "bright")[50, 75]) - 20) <= 2


def test_the_margin_leaves_room_for_an_uneven_background():
    grey = np.full((100, 100), 200, np.uint8)
    grey[20:80, 40:52] = 20
    grey[:, :30] = 200 - BACKGROUND_MARGIN // 2
    assert abs(background(grey, "dark") - 200) <= 2


@pytest.mark.parametrize("shape", [(16, 16), (16, 40_000), (40_000, 16)])
def test_strips_and_the_smallest_pictures_are_looked_at_in_bounded_memory(shape):
    grey = np.full(shape, 230, np.uint8)
    grey[4:12, 4:12] = 30
    assert find_polarity(grey) == "dark"
    assert abs(int(density(grey, "dark")[8, 8]) - 200) <= 2
