import numpy as np
import pytest

from karyofast.arrange import arrange
from karyofast.coco import load
from karyofast.crops import CropSource, isolate, split_of, trained_slide
from karyofast.sizes import LEAST_SURE, RELATIVE_AREA, SPREAD, Typical, surprise, typical_of
from karyofast.types import CLASSES, Label


def relative(areas_by_class):
    """Median of each class over the medians of the cells, from (class, area over the cell's median)."""
    found = [[] for _ in CLASSES]
    for index, area in areas_by_class:
        found[index].append(area)
    return np.array([np.median(areas) for areas in found])


def test_the_table_is_what_single_chromosomes_of_training_cases_measure(data_dir):
    source = CropSource(data_dir / "pki3.zip")
    pairs, cells = [], 0
    for _, rows in source.cells():
        if split_of(rows[0].case) != "train" or len(rows) != 46 or cells >= 25:
            continue
        cells += 1
        areas = np.array([isolate(source.grey(row))[1].mask.sum() for row in rows])
        pairs += [(row.label, area) for row, area in zip(rows, areas / np.median(areas), strict=True)]
    assert relative(pairs) == pytest.approx(np.array(RELATIVE_AREA), rel=0.08)


def test_the_table_holds_for_another_stain_within_its_spread(data_dir):
    pairs = []
    for picture in load(data_dir / "mfish" / "instances.json"):
        sure = [one for one in picture.instances if not (one.uncertain or one.ignore)]
        if not trained_slide(str(picture.image.extra.get("slide"))) or not 40 <= len(sure) <= 50:
            continue
        areas = np.array([one.region.area for one in sure])
        typical = typical_of(areas, list(np.eye(24, dtype=np.float32)[[one.label for one in sure]]))
        usual = (areas / typical.area) ** (1.0 / typical.power)
        pairs += [(one.label, area) for one, area in zip(sure, usual, strict=True)]
    assert np.all(np.abs(np.log(relative(pairs) / RELATIVE_AREA)) < 1.2 * np.array(SPREAD))


def test_a_chromosome_of_its_usual_size_surprises_nobody():
    told = surprise([100.0 * area for area in RELATIVE_AREA], Typical(100.0))
    assert told.argmin(axis=1).tolist() == list(range(24))
    assert told[np.arange(24), np.arange(24)] == pytest.approx(0.0, abs=1e-9)
    assert (told >= 0).all()


def test_two_joined_end_to_end_are_told_from_the_longer_one():
    whole, joined = surprise([77.3, 77.3 + 49.6], Typical(100.0))[:, CLASSES.index("14")]
    assert whole < 0.1
    assert joined > 4.0


def sure(*names):
    return [np.eye(24, dtype=np.float32)[CLASSES.index(name)] for name in names]


def test_the_scale_is_that_of_the_sure_chromosomes_whatever_was_cut():
    names = list(CLASSES[:20])
    areas = [200.0 * RELATIVE_AREA[CLASSES.index(name)] for name in names]
    fragments = [20.0] * 30
    unread = [np.full(24, 1 / 24, np.float32)] * 30
    typical = typical_of(areas + fragments, sure(*names) + unread)
    assert typical.area == pytest.approx(200.0, rel=0.02)
    assert typical.power == pytest.approx(1.0, abs=0.02)


def test_the_power_of_a_cell_is_found_among_chromosomes_read_wrongly():
    names = [name for name in CLASSES[:22] for _ in range(2)]
    areas = [300.0 * RELATIVE_AREA[CLASSES.index(name)] ** 0.88 for name in names]
    wrong = [*names[:-4], "1", "2", *names[-2:]]
    typical = typical_of(areas, sure(*wrong))
    assert typical.area == pytest.approx(300.0, rel=0.03)
    assert typical.power == pytest.approx(0.88, abs=0.03)
    told = surprise(areas, typical)
    assert told.argmin(axis=1).tolist() == [CLASSES.index(name) for name in names]


def test_the_rim_of_a_mask_makes_small_chromosomes_of_pictures_larger(data_dir):
    powers = []
    for picture in load(data_dir / "gband" / "instances.json"):
        known = [one for one in picture.instances if one.label is not None and not one.ignore]
        typical = typical_of([one.region.area for one in known], sure(*(CLASSES[one.label] for one in known)))
        powers.append(typical.power)
    assert 0.9 < np.median(powers) < 0.98


def test_a_cell_without_sure_chromosomes_tells_nothing():
    assert typical_of([50.0] * (LEAST_SURE - 1), sure(*["9"] * (LEAST_SURE - 1))) is None
    assert typical_of([], []) is None
    assert not surprise([10.0, 500.0], None).any()
    assert surprise([], Typical(10.0)).shape == (0, 24)


def test_the_size_decides_where_the_bands_do_not():
    names = [name for name in CLASSES[:22] for _ in range(2)] + ["X", "Y"]
    areas = [100.0 * RELATIVE_AREA[CLASSES.index(name)] for name in names]
    unread = [Label(np.full(24, 1 / 24, np.float32)) for _ in names]
    arranged = arrange(unread, sizes=surprise(areas, Typical(100.0)))
    right = [CLASSES[index] == name for index, name in zip(arranged.assigned, names, strict=True)]
    assert np.mean(right) > 0.6
    assert arranged.iscn == "46,XY"


def test_sizes_of_another_number_of_chromosomes_are_refused():
    with pytest.raises(ValueError, match=r"`sizes` must have the shape \(1, 24\)"):
        arrange([Label(np.full(24, 1 / 24, np.float32))], sizes=np.zeros((2, 24)))
