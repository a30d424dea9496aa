import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from karyofast import karyotype, read_metaphase
from karyofast.coco import load
from karyofast.config import Options, SegmentOptions
from karyofast.io import metaphase_from_array
from karyofast.masks import overlap_share
from karyofast.pipeline import load_models
from karyofast.simulate import simulate_metaphase
from karyofast.types import CLASSES, Chromosome


@pytest.fixture(scope="module")
def models():
    return load_models(Options())


@pytest.fixture(scope="module")
def real(data_dir, models):
    """One annotated G-band metaphase, its truth and its karyotype."""
    truth = next(one for one in load(data_dir / "gband" / "instances.json") if one.image.file_name == "unknow214.jpg")
    metaphase = read_metaphase(data_dir / "gband" / "annotated" / truth.image.file_name)
    return metaphase, truth, karyotype(metaphase, models=models)


def test_a_real_metaphase_is_separated_and_named(real):
    _, truth, found = real
    right = 0
    for instance in truth.instances:
        share, index = max(
            (overlap_share(one, Chromosome(instance.region.box, instance.region.mask)), index)
            for index, one in enumerate(found.chromosomes)
        )
        assigned = found.arrangement.assigned[index]
        right += share >= 0.5 and assigned == instance.label
    assert len(truth.instances) == 46
    assert 44 <= found.count <= 48
    assert right >= 40


def test_everything_about_a_karyotype_runs_in_parallel(real):
    metaphase, _, found = real
    count = found.count
    assert len(found.straightened) == len(found.labels) == len(found.arrangement.assigned) == count
    for one, straight in zip(found.chromosomes, found.straightened, strict=True):
        assert one.full_mask(metaphase.shape).sum() == one.area
        assert 0 <= one.candidate < len(found.candidates)
        assert straight.length > 5
    assert {"detect", "segment", "straighten", "classify", "second_look", "arrange"} <= set(found.seconds)


def test_what_no_chromosome_came_of_is_carried_with_its_reason(real):
    _, _, found = real
    used = {one.candidate for one in found.chromosomes}
    unused = [one.box for number, one in enumerate(found.candidates) if number not in used]
    assert [one.box for one in found.dropped if one.stage == "segment"] == unused
    assert all(one.reason for one in found.dropped)


def test_the_same_picture_gives_the_same_karyotype(real, models):
    metaphase, _, found = real
    again = karyotype(metaphase, models=models)
    assert again.iscn == found.iscn
    assert [one.box for one in again.chromosomes] == [one.box for one in found.chromosomes]


def test_true_masks_handed_in_are_named(real, models):
    metaphase, truth, _ = real
    masks = [Chromosome(one.region.box, one.region.mask) for one in truth.instances]
    found = karyotype(metaphase, models=models, chromosomes=masks)
    assert found.count == 46
    right = [a == one.label for a, one in zip(found.arrangement.assigned, truth.instances, strict=True)]
    assert np.mean(right) > 0.9
    assert found.candidates == ()


def test_a_turned_picture_gives_the_same_classes(real, models):
    metaphase, _, found = real
    turned = metaphase_from_array(np.rot90(metaphase.grey).copy(), "turned")
    again = karyotype(turned, models=models)

    def classes(one):
        return sorted(CLASSES[index] for index in one.arrangement.assigned if index >= 0)

    differ = np.abs(
        np.array([classes(again).count(name) for name in CLASSES])
        - np.array([classes(found).count(name) for name in CLASSES])
    ).sum()
    assert abs(again.count - found.count) <= 2
    assert differ <= 6


def test_a_dapi_metaphase_is_read_as_bright(data_dir, models):
    found = karyotype(read_metaphase(data_dir / "mfish" / "V1303XY_dapi.png"), models=models)
    assert found.metaphase.polarity == "bright"
    assert 30 <= found.count <= 60


def test_a_blank_picture_gives_an_empty_karyotype_with_flags(models):
    found = karyotype(metaphase_from_array(np.full((300, 400), 255, np.uint8)), models=models)
    assert found.count == 0
    assert found.iscn == ""
    assert {"blank", "empty"} <= set(found.flags)


@pytest.mark.parametrize("method", ["rrt", "watershed", "none"])
def test_every_method_of_separation_goes_the_whole_way(method, models):
    drawn = simulate_metaphase(np.random.default_rng(5), "46,XX")
    options = Options(segment=SegmentOptions(method=method))
    found = karyotype(metaphase_from_array(drawn.image), options, replace(models, separator=None))
    assert 30 <= found.count <= 60
    assert found.iscn


def test_without_a_second_look_the_separators_own_way_stands(models):
    drawn = simulate_metaphase(np.random.default_rng(6), "46,XY")
    metaphase = metaphase_from_array(drawn.image)
    plain = karyotype(metaphase, Options(segment=SegmentOptions(second_look=False)), models)
    assert not any({"joined", "cut"} & set(one.flags) for one in plain.chromosomes)
    assert "second_look" not in plain.seconds


def test_the_whole_way_needs_no_torch(data_dir):
    program = """
import sys
import karyofast
assert "numpy" not in sys.modules and "cv2" not in sys.modules, "import karyofast must stay light"
found = karyofast.karyotype(karyofast.read_metaphase(sys.argv[1]))
assert found.count > 30
assert "torch" not in sys.modules and "torchvision" not in sys.modules
print(found.count)
"""
    picture = data_dir / "gband" / "annotated" / "1071262.jpg"
    done = subprocess.run([sys.executable, "-c", program, str(picture)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
