import json

import numpy as np
import pytest

from karyofast.classify import Frame
from karyofast.crops import CropSource, split_of, trained_slide
from karyofast.errors import DataError
from karyofast.models.vgg16 import NOTHING
from karyofast.train.augment import Augmentation, augmented
from karyofast.train.composed import compose, cut_anew
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


def test_metaphases_may_be_composed_of_some_cells_alone(crops, data_dir):
    from karyofast.simulate_composed import labelled_cells

    name = labelled_cells(CropSource(data_dir / "pki3.zip"), "train")[0][0]
    again = compose(data_dir / "pki3.zip", 1, seed=2, variants=2, jobs=1, only={name})
    assert np.array_equal(again.label, crops.label[crops.cell == "composed 0"])
    with pytest.raises(DataError, match="none of the 1 training cells"):
        compose(data_dir / "pki3.zip", 1, only={"no such cell"})


def test_where_up_is_not_known_in_the_data_composed_metaphases_do_not_teach_it(data_dir):
    bright = compose(data_dir / "bioimlab.zip", 1, "quinacrine", seed=2, variants=1, jobs=1, oriented=False)
    assert len(bright.label) > 35
    assert not bright.oriented.any()


def test_real_metaphases_are_cut_anew_where_slide_and_class_allow_it(data_dir, tmp_path):
    whole = json.loads((data_dir / "mfish" / "instances.json").read_text())
    chosen = [next(one for one in whole["images"] if trained_slide(one["slide"]) == wanted) for wanted in (True, False)]
    ids = {one["id"] for one in chosen}
    for one in chosen:
        (tmp_path / one["file_name"]).write_bytes((data_dir / "mfish" / one["file_name"]).read_bytes())
    some = [one for one in whole["annotations"] if one["image_id"] in ids]
    made = {"images": chosen, "annotations": some, "categories": whole["categories"]}
    (tmp_path / "instances.json").write_text(json.dumps(made))
    told = []
    crops = cut_anew(tmp_path / "instances.json", variants=2, jobs=1, progress=lambda *how_far: told.append(how_far))
    assert told == [(1, 1)]
    assert set(crops.cell) == {f"anew {chosen[0]['file_name']}"}
    assert set(crops.split) == {"train"}
    assert not crops.oriented.any()
    sure = [one["category_id"] - 1 for one in some if one["image_id"] == chosen[0]["id"] and not one["uncertain"]]
    known = crops.label[crops.label != NO_CHROMOSOME]
    assert 0.7 * len(sure) <= len(known)
    # a cluster of one chromosome and little more shows that one a second time
    assert (np.bincount(known, minlength=24) <= np.bincount(sure, minlength=24) + 1).all()
