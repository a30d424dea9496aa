from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from karyofast import coco
from karyofast.errors import DataError
from karyofast.types import CLASSES, Box, Region


def square(top, left, side=4):
    return Region(Box(top, left, side, side), np.ones((side, side), dtype=bool))


def sample():
    """One image, an X and an unplaced one that touch."""
    images = [{"id": 7, "file_name": "a.png", "height": 20, "width": 30, "slide": "s"}]
    entries = [
        coco.annotation(1, 7, CLASSES.index("X"), square(2, 3), (20, 30), orientation=90.0, score=0.5),
        coco.annotation(2, 7, None, square(6, 3), (20, 30), overlapping=False),
    ]
    return coco.document(images, entries, {"description": "test"})


def written(tmp_path, content):
    path = tmp_path / "instances.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


# pycocotools' own decoder still calls NumPy the way that NumPy 2 deprecates.
peer_decodes = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


@given(masks)
def test_decoding_gives_back_what_was_encoded(mask):
    assert np.array_equal(coco.decode(coco.encode(mask)), mask)


@peer_decodes
@given(masks)
def test_the_code_is_pycocotools_own(mask):
    code = coco.encode(mask)
    assert isinstance(code["counts"], str)
    assert np.array_equal(coco_mask.decode(code).astype(bool), mask)


@given(st.text(alphabet="0123456789:;<=>?@ABCXYZ[]^_`abcmno", max_size=12))
def test_any_string_decodes_or_is_refused(counts):
    try:
        mask = coco.decode({"size": [6, 5], "counts": counts})
    except DataError:
        return
    assert mask.shape == (6, 5)


def test_uncompressed_runs_are_read():
    mask = coco.decode({"size": [2, 3], "counts": [1, 2, 3]})
    assert np.array_equal(mask, [[False, True, False], [True, False, False]])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "size and counts"),
        ({"size": [2, 2]}, "size and counts"),
        ({"size": [2], "counts": [4]}, r"\[height, width\]"),
        ({"size": [2, -2], "counts": [4]}, r"\[height, width\]"),
        ({"size": [2, 2], "counts": [5]}, "must fill its size"),
        ({"size": [2, 2], "counts": []}, "string or a list"),
        ({"size": [2, 2], "counts": "\x01"}, "COCO's letters"),
        ({"size": [2, 2], "counts": "o"}, "whole run"),
    ],
)
def test_a_broken_code_is_refused_with_its_reason(code, reason):
    with pytest.raises(DataError, match=reason):
        coco.decode(code)


def test_a_document_has_the_25_categories():
    categories = {c["id"]: c["name"] for c in coco.document([], [])["categories"]}
    assert len(categories) == 25
    assert (categories[0], categories[1], categories[23], categories[24]) == ("unplaced", "1", "X", "Y")


def test_a_document_written_and_loaded_is_the_same(tmp_path):
    path = tmp_path / "out.json"
    coco.write(path, sample())
    (truth,) = coco.load(path)
    assert (truth.image.id, truth.image.file_name, truth.image.shape) == (7, "a.png", (20, 30))
    assert truth.image.extra == {"slide": "s"}
    x, unplaced = truth.instances
    assert (x.name, x.orientation, x.extra["score"]) == ("X", 90.0, 0.5)
    assert (unplaced.name, unplaced.label, unplaced.orientation) == (None, None, None)
    assert x.region.box == Box(2, 3, 4, 4)
    assert np.array_equal(x.region.full_mask((20, 30)), square(2, 3).full_mask((20, 30)))
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


@peer_decodes
def test_pycocotools_loads_the_file(tmp_path):
    path = tmp_path / "out.json"
    coco.write(path, sample())
    peer = COCO(str(path))
    assert len(peer.getCatIds()) == 25
    (entry,) = peer.loadAnns(peer.getAnnIds(catIds=[23]))
    assert peer.annToMask(entry).sum() == entry["area"] == 16


def test_missing_touching_flags_are_derived(tmp_path):
    (truth,) = coco.load(written(tmp_path, sample()))
    assert [instance.touching for instance in truth.instances] == [True, True]


@pytest.mark.parametrize(
    ("second", "meets"),
    [
        (square(4, 0), True),
        (square(4, 4), True),
        (square(5, 0), False),
        (square(2, 2), True),
        (square(0, 5), False),
    ],
)
def test_touching_means_meeting_when_grown_by_a_pixel(second, meets):
    assert coco.touching([square(0, 0), second]) == (meets, meets)


def test_one_that_touches_none_is_not_flagged_by_the_others():
    assert coco.touching([square(0, 0), square(20, 20), square(4, 4)]) == (True, False, True)


def changed(edit):
    content = sample()
    edit(content)
    return content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is no JSON"),
        ("[]", "must be a COCO document"),
        (changed(lambda c: c.pop("images")), "must be a COCO document"),
        (changed(lambda c: c["images"][0].pop("height")), "image 7: has no 'height'"),
        (changed(lambda c: c["images"][0].update(width=0)), "image 7: height and width must be positive"),
        (changed(lambda c: c["annotations"][1].pop("segmentation")), "annotation 2: .*has no 'segmentation'"),
        (
            changed(lambda c: c["annotations"][1].update(image_id=8)),
            "annotation 2: no image has the image_id 8",
        ),
        (
            changed(lambda c: c["annotations"][1].update(category_id=99)),
            "annotation 2: no category has the id 99",
        ),
        (
            changed(lambda c: c["annotations"][1].update(segmentation=[[1, 2, 3]])),
            "annotation 2: a mask must be",
        ),
        (
            changed(lambda c: c["images"][0].update(width=31)),
            r"annotation 1: its mask must have the size of a\.png",
        ),
        (
            changed(lambda c: c["annotations"][0].update(segmentation=coco.encode(np.zeros((20, 30), bool)))),
            "annotation 1: its mask must not be empty",
        ),
    ],
)
def test_a_broken_file_is_named_with_the_entry_and_the_reason(tmp_path, content, reason):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=reason) as caught:
        coco.load(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.json: cannot be read"):
        coco.load(tmp_path / "nothing.json")


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "out.json"
    coco.write(path, {"old": 1})
    with pytest.raises(TypeError):
        coco.write(path, {"new": object()})
    assert json.loads(path.read_text("utf-8")) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("name", ["instances.json", "instances_halfmax.json"])
def test_the_gband_truth_is_read(data_dir, name):
    truths = coco.load(data_dir / "gband" / name)
    instances = [instance for truth in truths for instance in truth.instances]
    assert len(truths) == 7
    assert len(instances) == 325
    ignored = [instance for instance in instances if instance.ignore]
    assert len(ignored) == 3
    assert all((instance.label is None) == instance.ignore for instance in instances)
    assert all(instance.touching for instance in instances if instance.overlapping)
    assert sum(instance.overlapping for instance in instances) == 20


def test_the_mfish_truth_is_read(data_dir, tmp_path):
    # Ten pictures are enough here, and decode ten times faster than all.
    content = json.loads((data_dir / "mfish" / "instances.json").read_text("utf-8"))
    content["images"] = content["images"][:10]
    kept = {image["id"] for image in content["images"]}
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] in kept]
    truths = coco.load(written(tmp_path, content))
    assert truths[0].image.extra["case_info"] == "46,XY"
    assert all(truth.image.shape == (517, 645) for truth in truths)
    for truth in truths:
        assert all(instance.label is not None and instance.region.area > 0 for instance in truth.instances)
        derived = coco.touching([instance.region for instance in truth.instances])
        assert derived == tuple(instance.touching for instance in truth.instances)
        crossing = [instance.touching for instance in truth.instances if instance.overlapping]
        assert all(crossing)


def test_a_region_is_encoded_as_on_its_canvas():
    rng = np.random.default_rng(0)
    for _ in range(300):
        shape = tuple(int(side) for side in rng.integers(1, 12, 2))
        size = [int(rng.integers(1, side + 1)) for side in shape]
        corner = [int(rng.integers(0, side - inner + 1)) for side, inner in zip(shape, size, strict=True)]
        one = Region(Box(*corner, *size), rng.random(size) < rng.choice([0.0, 0.3, 0.7, 1.0]))
        assert coco.encode_region(one, shape) == coco.encode(one.full_mask(shape))
