from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karyofast.config import SimulateOptions
from karyofast.io import metaphase_from_array
from karyofast.quality import FOCUS, measure
from karyofast.simulate import simulate_metaphase
from karyofast.types import Box, Chromosome, Metaphase, Quality

TERMS = ("spread", "free", "sharpness", "count", "total")
LOOSE = SimulateOptions(touching=0, crossing=0, nuclei=0, debris=5)
FEW = settings(max_examples=12)


def simulated(seed=3, options=LOOSE, karyotype="46,XY"):
    """A simulated metaphase and its true chromosomes."""
    drawn = simulate_metaphase(np.random.default_rng(seed), karyotype, options)
    metaphase = metaphase_from_array(drawn.image, drawn.polarity)
    return metaphase, [Chromosome(one.region.box, one.region.mask) for one in drawn.instances]


@pytest.fixture(scope="module")
def cell():
    return simulated()


def bars(spacing, width=8, count=46):
    """Bars of one width in a row, `spacing` px apart."""
    grey = np.full((60, 20 + count * (width + spacing)), 220, np.uint8)
    found = []
    for number in range(count):
        box = Box(10, 10 + number * (width + spacing), 40, width)
        grey[box.slices] = 80
        found.append(Chromosome(box, np.ones((40, width), bool)))
    return Metaphase(grey, 220 - grey, "dark"), found


def test_bars_have_the_terms_that_their_drawing_says():
    exact = measure(*bars(spacing=4))
    # gaps of 4 px between bars of 8; a step has half of its height as its gradient
    assert exact.spread == pytest.approx(4 / 8, abs=0.15)
    assert (exact.free, exact.sharpness, exact.count) == (1.0, pytest.approx(0.5 * 8 / FOCUS, abs=0.05), 1.0)
    assert exact.total == pytest.approx((exact.spread * exact.free * exact.sharpness * exact.count) ** 0.25)
    assert measure(*bars(spacing=0)).free == 0.5
    assert measure(*bars(spacing=30)).spread == 1.0
    assert measure(*bars(spacing=4, count=45)).count == pytest.approx(measure(*bars(spacing=4, count=47)).count)


def test_a_picture_without_chromosomes_has_no_quality():
    blank = metaphase_from_array(np.full((60, 80), 200, np.uint8))
    assert measure(blank, []) == Quality()
    assert Quality().total == 0.0


@FEW
@given(weak=st.floats(0.5, 3.0), more=st.floats(0.4, 3.0))
def test_blur_lowers_the_sharpness_and_the_total_and_nothing_else(cell, weak, more):
    metaphase, chromosomes = cell
    less, further = (
        measure(replace(metaphase, grey=cv2.GaussianBlur(metaphase.grey, (0, 0), sigma)), chromosomes)
        for sigma in (weak, weak + more)
    )
    assert further.sharpness < less.sharpness < measure(metaphase, chromosomes).sharpness
    assert further.total < less.total < measure(metaphase, chromosomes).total
    assert replace(further, sharpness=0.0) == replace(less, sharpness=0.0)


@FEW
@given(near=st.integers(0, 6), more=st.integers(1, 6))
def test_crowding_lowers_the_spread_and_the_total(near, more):
    crowded, roomy = measure(*bars(near)), measure(*bars(near + more))
    assert crowded.spread < roomy.spread or roomy.spread == 1.0
    assert crowded.free <= roomy.free
    assert crowded.total < roomy.total or roomy.spread == 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_touching_and_crossing_chromosomes_lower_the_free_ones_and_the_total(seed):
    loose = measure(*simulated(seed))
    touching = measure(*simulated(seed, replace(LOOSE, touching=8)))
    crossing = measure(*simulated(seed, replace(LOOSE, touching=8, crossing=5)))
    assert crossing.free < touching.free < loose.free
    assert crossing.total < touching.total < loose.total


@FEW
@given(lost=st.lists(st.integers(0, 45), min_size=1, max_size=20, unique=True))
def test_lost_chromosomes_lower_the_count_and_the_total(cell, lost):
    metaphase, chromosomes = cell
    left = measure(metaphase, [one for number, one in enumerate(chromosomes) if number not in lost])
    whole = measure(metaphase, chromosomes)
    assert left.count == pytest.approx(np.exp(-len(lost) / 10))
    assert left.total < whole.total


@FEW
@given(chosen=st.lists(st.integers(0, 45), unique=True), zoom=st.sampled_from([0.5, 2.0]))
def test_every_term_is_0_to_1_at_every_magnification(cell, chosen, zoom):
    metaphase, chromosomes = cell
    size = (round(metaphase.shape[1] * zoom), round(metaphase.shape[0] * zoom))
    grey = np.asarray(cv2.resize(metaphase.grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    some = []
    for number in chosen:
        mask = cv2.resize(chromosomes[number].full_mask(metaphase.shape).astype(np.uint8), size) > 0
        some.append(Chromosome(Box(0, 0, *mask.shape), mask))
    found = measure(Metaphase(grey, 255 - grey, "dark"), some)
    assert all(0.0 <= getattr(found, term) <= 1.0 for term in TERMS)


def test_the_terms_hardly_depend_on_the_magnification(cell):
    metaphase, chromosomes = cell
    size = (metaphase.shape[1] * 2, metaphase.shape[0] * 2)
    grey = np.asarray(cv2.resize(metaphase.grey, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    masks = [cv2.resize(one.full_mask(metaphase.shape).astype(np.uint8), size) > 0 for one in chromosomes]
    found = measure(Metaphase(grey, 255 - grey, "dark"), [Chromosome(Box(0, 0, *mask.shape), mask) for mask in masks])
    before = measure(metaphase, chromosomes)
    assert found.spread == pytest.approx(before.spread, abs=0.05)
    assert found.sharpness == pytest.approx(before.sharpness, rel=0.15)
