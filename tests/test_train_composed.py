import numpy as np
import pytest

from karyofast.classify import Frame
from karyofast.crops import CropSource, split_of
from karyofast.models.vgg16 import NOTHING
from karyofast.train.augment import Augmentation, augmented
from karyofast.train.composed import compose
from karyofast.train.crops import NO_CHROMOSOME


@pytest.fixture(scope="module")
def crops(data_dir):
    return compose(data_dir / "pki3.zip", 3, seed=2, variants=2, jobs=1)


def test_most_chromosomes_of_composed_metaphases_are_found_and_labelled(crops):
    assert set(crops.cell) == {"composed 0", "composed 1", "composed 2"}
    assert set(crops.split) == {"train"}
    assert crops.oriented.all()
    known = crops.label[crops.label != NO_CHROMOSOME]
    assert 120 <= len(known) <= 140
    assert np.bincount(known, minlength=24).max() <= 7
    assert len(crops.crops[0]) == crops.upright.shape[1] == 2


def test_clusters_taken_for_one_are_no_chromosome_to_the_network(crops):
    clusters = np.flatnonzero(crops.label == NO_CHROMOSOME)
    assert len(clusters) >= 5
    how = Augmentation(nothing=0.0)
    said = [augmented(crops, int(one), Frame(), np.random.default_rng(1), how)[1] for one in clusters]
    assert set(said) == {NOTHING}
    # two of them, so longer or broader than the others by and large
    area = np.array([float((one[0] > 0).sum()) for one in crops.crops])
    assert np.median(area[clusters]) > 1.3 * np.median(area[crops.label != NO_CHROMOSOME])


def test_as_many_processes_as_wanted_compose_the_same(crops, data_dir):
    again = compose(data_dir / "pki3.zip", 3, seed=2, variants=2, jobs=2)
    assert np.array_equal(again.label, crops.label)
    assert np.array_equal(again.upright, crops.upright)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(again.crops, crops.crops, strict=True))


def test_only_cells_of_training_cases_are_composed(data_dir):
    from karyofast.simulate_composed import labelled_cells

    cells = labelled_cells(CropSource(data_dir / "pki3.zip"), "train")
    assert {split_of(rows[0].case) for _, rows in cells} == {"train"}
