from dataclasses import replace

import numpy as np
import pytest

from karyofast.pieces import SMALL, TINY, without_debris, without_scraps
from karyofast.second_look_moves import Piece
from karyofast.sizes import Typical
from karyofast.types import Arrangement, Box, Chromosome, Label, Metaphase, Straightened

TYPICAL = Typical(1000.0)
SHAPE = (20, 5000)
PLAIN = Metaphase(np.full(SHAPE, 155, np.uint8), np.full(SHAPE, 100, np.uint8), "dark")


def piece(area, nothing=0.0, top=5):
    """A piece of an area, px, read as class 1 or, so far as `nothing`, as no chromosome."""
    rows = np.zeros((1, 2), np.float32)
    straightened = Straightened(np.ones((1, 1), np.uint8), rows, np.ones(1, np.float32), np.ones(1, np.float32))
    probabilities = (1.0 - nothing) * np.eye(24, dtype=np.float32)[0]
    return Piece(Chromosome(Box(top, 5, 1, area), np.ones((1, area), bool)), straightened, Label(probabilities))


def test_what_is_smaller_than_any_chromosome_is_left_out_where_the_scale_is_known():
    pieces = [piece(100), piece(300)]
    kept, scraps = without_scraps(pieces, TYPICAL)
    assert kept == pieces[1:]
    assert [(one.area, one.reason) for one in scraps] == [(100, "smaller than any chromosome")]
    assert without_scraps(pieces, None) == (pieces, [])


@pytest.mark.parametrize(
    ("area", "nothing", "place", "left_out"),
    [
        (500, 0.95, -1, True),
        (500, 0.95, 3, False),  # it found a place
        (500, 0.5, -1, False),  # it may be a chromosome
        (int(SMALL * TYPICAL.area) + 1, 0.95, -1, False),  # it may be two that were not separated
    ],
)
def test_small_pieces_without_a_place_that_are_read_as_no_chromosome_are_debris(area, nothing, place, left_out):
    pieces = [piece(800), piece(area, nothing)]
    kept, debris = without_debris(pieces, Arrangement(assigned=(0, place)), TYPICAL, PLAIN)
    assert kept == (pieces[:1] if left_out else pieces)
    assert [one.reason for one in debris] == ["read as no chromosome"] * left_out
    assert without_debris(pieces, Arrangement(assigned=(0, place)), None, PLAIN) == (pieces, [])


def test_what_is_smaller_than_a_chromosome_and_has_no_place_need_only_be_rather_none():
    tiny = int(TINY * TYPICAL.area) - 1
    for one, left_out in ((piece(tiny, 0.6), True), (piece(tiny, 0.4), False), (piece(tiny + 2, 0.6), False)):
        kept, debris = without_debris([piece(800), one], Arrangement(assigned=(0, -1)), TYPICAL, PLAIN)
        assert (len(kept), [each.reason[:6] for each in debris]) == (2 - left_out, ["rather"] * left_out)


@pytest.mark.parametrize(
    ("nothing", "top", "left_out"), [(0.6, 0, True), (0.6, 19, True), (0.4, 0, False), (0.6, 5, False)]
)
def test_what_the_rim_cuts_and_is_rather_no_chromosome_is_left_out_whatever_its_size(nothing, top, left_out):
    pieces = [piece(800), piece(3000, nothing, top)]
    kept, debris = without_debris(pieces, Arrangement(assigned=(0, -1)), TYPICAL, PLAIN)
    assert (len(kept), [one.reason[:7] for one in debris]) == (2 - left_out, ["cut by "] * left_out)


@pytest.mark.parametrize(
    ("times", "nothing", "polarity", "left_out"),
    [
        (1.5, 0.6, "dark", True),
        (1.5, 0.4, "dark", False),  # another may lie over it
        (1.2, 0.6, "dark", False),
        (1.5, 0.6, "bright", False),  # in fluorescence dirt is not darker
    ],
)
def test_what_is_far_darker_than_the_cell_and_rather_no_chromosome_is_dirt(times, nothing, polarity, left_out):
    pieces = [piece(800), piece(900, top=8), piece(500, nothing, top=12)]
    density = np.full(SHAPE, 100, np.uint8)
    density[12] = round(100 * times)
    metaphase = Metaphase(255 - density if polarity == "dark" else density, density, polarity)
    kept, debris = without_debris(pieces, Arrangement(assigned=(0, 0, 23)), TYPICAL, metaphase)
    assert (len(kept), [one.reason for one in debris]) == (3 - left_out, ["darker than any chromosome"] * left_out)


def test_what_the_network_alone_has_seen_must_find_a_place():
    one = replace(piece(900), chromosome=replace(piece(900).chromosome, candidate=7))
    for place, left_out in ((-1, True), (3, False)):
        kept, debris = without_debris([piece(800), one], Arrangement(assigned=(0, place)), TYPICAL, PLAIN, range(7, 8))
        assert (len(kept), len(debris)) == (2 - left_out, left_out)
        assert without_debris([piece(800), one], Arrangement(assigned=(0, place)), TYPICAL, PLAIN)[1] == []
