from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from karyofast import coco
from karyofast.config import SimulateOptions, from_dict, to_dict
from karyofast.errors import OptionError
from karyofast.ideogram import load_ideogram
from karyofast.simulate import (
    parse_karyotype,
    simulate_chromosome,
    simulate_metaphase,
    varied,
    write_dataset,
)
from karyofast.simulate_chromosome import LOOKS
from karyofast.types import CLASSES

STAINS = ("giemsa", "quinacrine", "dapi")
SMALL = SimulateOptions(stain="dapi", size=(480, 500), nuclei=1, debris=5)


@cache
def metaphase(stain="giemsa", seed=11):
    return simulate_metaphase(np.random.default_rng(seed), "46,XY", SimulateOptions(stain=stain))


def owners(simulated):
    return sum(instance.region.full_mask(simulated.image.shape).astype(int) for instance in simulated.instances)


def overlapping_pairs(simulated):
    masks = [i.region.full_mask(simulated.image.shape) for i in simulated.instances if i.overlapping]
    return sum(bool(np.any(a & b)) for k, a in enumerate(masks) for b in masks[k + 1 :])


# karyotype text


@pytest.mark.parametrize(
    ("text", "count", "some"),
    [
        ("46,XY", 46, {"1": 2, "X": 1, "Y": 1}),
        ("46,XX", 46, {"22": 2, "X": 2, "Y": 0}),
        ("47,XX,+21", 47, {"21": 3}),
        ("45,X", 45, {"X": 1, "Y": 0, "7": 2}),
        ("47,XXY", 47, {"X": 2, "Y": 1}),
        ("45,XX,-7", 45, {"7": 1}),
        ("48,XXY,+21", 48, {"X": 2, "Y": 1, "21": 3}),
        ("48,XX,+8,+8", 48, {"8": 4}),
        ("46,XY,+8,-7", 46, {"8": 3, "7": 1}),
        ("69,XXX", 69, {"1": 3, "X": 3}),
        ("69,XXY", 69, {"13": 3, "X": 2, "Y": 1}),
        ("92,XXYY", 92, {"13": 4, "Y": 2}),
        ("23,X", 23, {"13": 1}),
        (" 47, XX, +21 ", 47, {"21": 3}),
    ],
)
def test_a_karyotype_gives_its_chromosomes(text, count, some):
    names = parse_karyotype(text)
    counts = Counter(names)
    assert len(names) == count
    assert {name: counts[name] for name in some} == some
    assert names == sorted(names, key=CLASSES.index)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must begin with a count"),
        ("46", "must name its sex chromosomes"),
        ("XY", "must begin with a count"),
        ("forty,XY", "must begin with a count"),
        ("46,AB", "must name its sex chromosomes"),
        ("46,", "must name its sex chromosomes"),
        ("46,XY,+21", "must have a count that is the sum"),
        ("47,XX", "must have a count that is the sum"),
        ("47,XX,+23", "whole autosomes gained or lost"),
        ("47,XX,21", "whole autosomes gained or lost"),
        ("46,XX,t(9;22)", "whole autosomes gained or lost"),
        ("43,XX,-7,-7,-7", "must not lose more copies"),
    ],
)
def test_a_bad_karyotype_is_refused_with_the_reason(text, reason):
    with pytest.raises(OptionError, match=reason):
        parse_karyotype(text)
    with pytest.raises(OptionError, match=reason):
        simulate_metaphase(np.random.default_rng(0), text, SMALL)


# one chromosome


@pytest.mark.parametrize("stain", STAINS)
@pytest.mark.parametrize("name", CLASSES)
def test_a_chromosome_has_one_whole_mask_under_its_stain(stain, name):
    drawn = simulate_chromosome(np.random.default_rng(5), name, look=LOOKS[stain])
    pieces, _ = cv2.connectedComponents(drawn.mask.astype(np.uint8))
    assert pieces == 2
    assert not drawn.mask[[0, -1]].any()
    assert not drawn.mask[:, [0, -1]].any()
    # Stain lies on the mask; outside it is only what the optics blurred.
    assert drawn.density[drawn.mask].sum() > 0.75 * drawn.density.sum()
    assert drawn.density[drawn.mask].mean() > 0.3


@pytest.mark.parametrize("name", CLASSES)
def test_the_p_arm_is_the_shorter_one(name):
    for seed in range(20):
        drawn = simulate_chromosome(np.random.default_rng(seed), name)
        steps = np.linalg.norm(np.diff(drawn.axis, axis=0), axis=1)
        assert steps[: drawn.centromere].sum() < steps[drawn.centromere :].sum()


@pytest.mark.parametrize("heading", [0.0, 35.0, 90.0, 200.0, 300.0])
def test_the_p_arm_points_along_its_heading(heading):
    drawn = simulate_chromosome(np.random.default_rng(1), "4", heading=heading)
    assert drawn.orientation == pytest.approx(heading, abs=0.01) or heading == 0.0
    up_right = drawn.axis[0] - drawn.axis[-1]
    expected = np.array([-np.sin(np.radians(heading)), np.cos(np.radians(heading))])
    assert np.allclose(up_right / np.linalg.norm(up_right), expected, atol=1e-3)


def test_lengths_follow_the_ideogram_the_long_ones_contracted_more():
    ideogram = load_ideogram(550)
    for name in CLASSES:
        drawn = simulate_chromosome(np.random.default_rng(0), name, variation=0.0, bend=0.0)
        length = 0.5 * (len(drawn.axis) - 1)
        assert length == pytest.approx(118.0 * (ideogram[name].length / 15100) ** 0.91, abs=0.5)
        assert drawn.centromere / (len(drawn.axis) - 1) == pytest.approx(ideogram[name].centromere_index, abs=0.03)


def test_bands_lie_where_the_ideogram_has_them():
    # Straight, unblurred and without variation, the stain along the axis follows the bands' levels.
    drawn = simulate_chromosome(np.random.default_rng(0), "5", heading=90.0, bend=0.0, blur=0.0, variation=0.0)
    rows, columns = np.round(drawn.axis).astype(int).T
    window = [drawn.density[r, c - 3 : c + 4].mean() for r, c in zip(rows, columns, strict=True)]
    bands = load_ideogram(550)["5"].bands
    position = np.linspace(0, bands[-1].stop, len(window))
    stain = [next(b for b in bands if p <= b.stop) for p in position]
    level = [0.42 if b.stain == "gneg" else np.interp(b.density, (25, 100), (0.54, 1.0)) for b in stain]
    inner = slice(20, -20)  # the rounded ends hold less stain
    assert np.corrcoef(window[inner], level[inner])[0, 1] > 0.75


def test_the_waist_is_at_the_centromere():
    drawn = simulate_chromosome(np.random.default_rng(0), "3", heading=90.0, bend=0.0, variation=0.0)
    widths = drawn.mask.sum(axis=1)
    top = int(drawn.axis[0, 0])
    waist = int(drawn.axis[drawn.centromere, 0])
    arms = widths[top + 12 : len(widths) - top - 12]
    assert widths[waist - 1 : waist + 2].mean() < 0.85 * np.median(arms)


def test_an_unknown_class_is_refused():
    with pytest.raises(OptionError, match="`name` must be a chromosome class"):
        simulate_chromosome(np.random.default_rng(0), "23")


# whole metaphases


@pytest.mark.parametrize("stain", STAINS)
def test_the_same_seed_draws_the_same_bytes(stain):
    options = replace(SMALL, stain=stain, length=80.0, width=11.0)
    one, two = (simulate_metaphase(np.random.default_rng(4), "46,XX", options) for _ in range(2))
    assert one.image.tobytes() == two.image.tobytes()
    assert [i.axis.tobytes() for i in one.instances] == [i.axis.tobytes() for i in two.instances]
    assert one.image.tobytes() != simulate_metaphase(np.random.default_rng(5), "46,XX", options).image.tobytes()


@pytest.mark.parametrize("text", ["46,XX", "47,XX,+21", "45,X", "47,XXY", "45,XX,-7", "48,XXY,+21"])
def test_a_metaphase_has_the_chromosomes_of_its_karyotype(text):
    simulated = simulate_metaphase(np.random.default_rng(2), text, SMALL)
    assert [instance.name for instance in simulated.instances] == parse_karyotype(text)
    assert simulated.karyotype == text


def test_a_triploid_fits_a_larger_picture():
    simulated = simulate_metaphase(np.random.default_rng(2), "69,XXY", replace(SMALL, size=(600, 600)))
    assert len(simulated.instances) == 69


@pytest.mark.parametrize("stain", STAINS)
def test_every_mask_lies_inside_the_picture_over_its_chromosome(stain):
    simulated = metaphase(stain)
    height, width = simulated.image.shape
    covered = owners(simulated) > 0
    background = np.median(simulated.image[~covered]).astype(float)
    for instance in simulated.instances:
        box = instance.region.box
        assert instance.region.area > 50
        assert box.top >= 0
        assert box.left >= 0
        assert box.top + box.height <= height
        assert box.left + box.width <= width
        level = simulated.image[box.slices][instance.region.mask].mean()
        assert (background - level if simulated.polarity == "dark" else level - background) > 25


def test_the_masks_together_are_all_that_was_drawn():
    # Without blur, noise, nuclei, debris, halo and an uneven background, stain and masks are the same pixels.
    options = SimulateOptions(blur=0.0, noise=0.0, nuclei=0, debris=0, halo=0.0, background=0.0)
    simulated = simulate_metaphase(np.random.default_rng(8), "46,XY", options)
    stained = simulated.image < simulated.image.max()
    covered = owners(simulated) > 0
    rim = cv2.dilate(covered.astype(np.uint8), np.ones((3, 3))) > 0
    assert not np.any(stained & ~rim)
    # the silhouette holds the thin gap between the chromatids too
    assert np.count_nonzero(covered & ~stained) < 0.03 * np.count_nonzero(covered)


@pytest.mark.parametrize(("touching", "crossing"), [(0, 0), (3, 0), (0, 4), (6, 5)])
def test_as_many_pairs_touch_and_cross_as_asked_for(touching, crossing):
    options = SimulateOptions(touching=touching, crossing=crossing)
    simulated = simulate_metaphase(np.random.default_rng(6), "46,XY", options)
    assert sum(instance.overlapping for instance in simulated.instances) == 2 * crossing
    assert overlapping_pairs(simulated) == crossing
    assert sum(instance.touching for instance in simulated.instances) == 2 * (touching + crossing)


def test_a_crossing_belongs_to_both_and_is_darker_than_either():
    simulated = metaphase()
    shared = owners(simulated) == 2
    assert shared.sum() > 20
    single = owners(simulated) == 1
    assert simulated.image[shared].mean() < simulated.image[single].mean() - 25


def test_crossings_are_brighter_where_the_stain_shines():
    simulated = metaphase("dapi")
    number = owners(simulated)
    assert simulated.image[number == 2].mean() > simulated.image[number == 1].mean() + 25


def test_the_axis_lies_on_the_chromosome_from_p_end_to_q_end():
    for instance in metaphase().instances:
        mask = instance.region.full_mask((700, 700))
        rows, columns = np.round(instance.axis[2:-2]).astype(int).T
        assert mask[rows, columns].mean() > 0.97
        to_p, to_q = (np.hypot(*(np.array(instance.centromere) - instance.axis[k])) for k in (0, -1))
        steps = len(instance.axis)
        index = np.argmin(np.linalg.norm(instance.axis - instance.centromere, axis=1))
        assert index < steps / 2
        assert to_p <= 0.5 * index + 1
        assert to_q <= 0.5 * (steps - index) + 1


def test_nuclei_stay_off_the_chromosomes():
    rng = np.random.default_rng(9)
    options = SimulateOptions(debris=0, noise=0.0, background=0.0, halo=0.0)
    none = simulate_metaphase(rng, "46,XY", replace(options, nuclei=0))
    some = simulate_metaphase(np.random.default_rng(9), "46,XY", replace(options, nuclei=3))
    covered = owners(none) > 0
    assert np.array_equal(covered, owners(some) > 0)
    # Only what the nucleus's blurred edge reaches over 4 px may differ: less than a grey level.
    assert np.abs(none.image[covered].astype(int) - some.image[covered]).max() <= 1
    assert np.count_nonzero(some.image < 160) > np.count_nonzero(none.image < 160) + 1000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stain": "silver"}, "`stain` must be one of"),
        ({"bands": 300}, "`bands` must be one of"),
        ({"touching": -1}, "`touching` must be int, 0 to"),
        ({"crossing": 1.5}, "`crossing` must be int"),
        ({"touching": 20, "crossing": 4}, "must be at most half the chromosomes, 23. Got: 24"),
        ({"blur": float("nan")}, "`blur` must be float"),
        ({"size": (10, 700)}, "`size` must be .height, width."),
        ({"size": (100, 100)}, "`size` must leave room"),
        ({"width": 90.0}, "`width` must be 4 px to a third of `length`"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(change, reason):
    with pytest.raises(OptionError, match=reason):
        simulate_metaphase(np.random.default_rng(0), "46,XY", replace(SimulateOptions(), **change))


def test_options_go_through_plain_values_and_back():
    options = SimulateOptions(stain="dapi", size=(517, 645), crossing=3)
    plain = to_dict(options)
    plain["size"] = list(plain["size"])
    assert from_dict(SimulateOptions, plain) == options
    with pytest.raises(OptionError, match="size must be a list of 2 values"):
        from_dict(SimulateOptions, {"size": [700]})


def test_varied_options_keep_the_stain_and_differ():
    rng = np.random.default_rng(0)
    draws = [varied(rng, SMALL) for _ in range(40)]
    assert {draw.stain for draw in draws} == {"dapi"}
    assert {draw.crossing for draw in draws} == {1, 2, 3, 4, 5}
    assert {draw.touching for draw in draws} == set(range(2, 9))
    assert len({draw.length for draw in draws}) == 40


# data sets


def test_a_data_set_is_read_back_with_its_whole_truth(tmp_path):
    rng = np.random.default_rng(3)
    made = [simulate_metaphase(rng, text, SMALL) for text in ("47,XX,+21", "45,X")]
    path = write_dataset(tmp_path / "new" / "set", iter(made))
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "instances.coco.json",
        "simulated-0001.png",
        "simulated-0002.png",
    ]
    for truth, simulated in zip(coco.load(path), made, strict=True):
        picture = cv2.imread(str(path.parent / truth.image.file_name), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(picture, simulated.image)
        assert truth.image.extra["karyotype"] == simulated.karyotype
        for read, instance in zip(truth.instances, simulated.instances, strict=True):
            assert read.name == instance.name
            assert read.region.box == instance.region.box
            assert np.array_equal(read.region.mask, instance.region.mask)
            assert (read.touching, read.overlapping) == (instance.touching, instance.overlapping)
            assert read.orientation == pytest.approx(instance.orientation, abs=0.01)
            assert read.extra["axis"][0] == read.extra["p_end"]
            assert read.extra["axis"][-1] == read.extra["q_end"]
            assert np.allclose(read.extra["p_end"], instance.axis[0], atol=0.01)
