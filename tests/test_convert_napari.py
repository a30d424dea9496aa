import csv

import numpy as np
import pytest
import tifffile
from karyotypes import bars, karyotype, label
from skimage.measure import points_in_poly

from karyofast import convert, remote, report
from karyofast.batch import run
from karyofast.convert_napari import planes
from karyofast.errors import DataError, ImageError
from karyofast.io import write_png
from karyofast.types import Karyotype


@pytest.fixture
def made():
    crops, names = bars("45,X")
    return karyotype(crops[:7], [label(name) for name in names[:7]])


@pytest.fixture
def results(tmp_path, made, monkeypatch):
    """A run of a picture and of one in which nothing was found."""
    monkeypatch.setattr(report.view, "karyogram", lambda made, options: np.full((3, 9, 3), 9, np.uint8))
    monkeypatch.setattr(report.view, "overlay", lambda made: np.full((4, 8, 3), 9, np.uint8))
    for name in ("a", "empty"):
        write_png(tmp_path / f"{name}.png", made.metaphase.grey)
    found = iter([made, Karyotype(made.metaphase)])
    run([tmp_path / "a.png", tmp_path / "empty.png"], tmp_path / "out", analyse=lambda metaphase: next(found))
    return tmp_path / "out"


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_masks_that_cross_are_whole_on_planes_of_their_own():
    across, down, beside = np.zeros((3, 12, 12), bool)
    across[5:7, 1:11] = down[1:11, 5:7] = beside[0, 0] = True
    made = planes([across, down, beside], (12, 12))
    assert (made.dtype, made.shape) == (np.uint32, (2, 12, 12))
    for number, mask in enumerate((across, down, beside), 1):
        np.testing.assert_array_equal((made == number).any(axis=0), mask)
    assert planes([], (3, 4)).shape == (1, 3, 4)


def test_image_and_labels_have_the_kinds_by_which_napari_knows_them(results, made, tmp_path):
    assert convert.convert(results, "napari", tmp_path / "new") == 2
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "new" / "a" / "image.tif"), made.metaphase.grey)
    labels = tifffile.imread(tmp_path / "new" / "a" / "labels.tif")
    assert labels.dtype == np.uint32
    assert labels.shape[-2:] == made.metaphase.shape
    for number, one in enumerate(made.chromosomes, 1):
        found = (labels == number).reshape(-1, *made.metaphase.shape).any(axis=0)
        np.testing.assert_array_equal(found, one.full_mask(made.metaphase.shape))


def test_outlines_have_the_columns_of_napari_and_surround_the_pixels_middles(results, made, tmp_path):
    convert.convert(results, "napari", tmp_path / "new")
    shapes = rows(tmp_path / "new" / "a" / "shapes.csv")
    assert list(shapes[0]) == ["index", "shape-type", "vertex-index", "axis-0", "axis-1"]
    assert {row["shape-type"] for row in shapes} == {"polygon"}
    indices = [int(row["index"]) for row in shapes]
    assert indices == sorted(indices)
    assert set(indices) == set(range(made.count))
    height, width = made.metaphase.shape
    middles = np.stack(np.mgrid[:height, :width], axis=-1).reshape(-1, 2)
    for index, one in enumerate(made.chromosomes):
        own = [row for row in shapes if int(row["index"]) == index]
        assert [int(row["vertex-index"]) for row in own] == list(range(len(own)))
        ring = [(float(row["axis-0"]), float(row["axis-1"])) for row in own]
        inside = points_in_poly(middles, ring).reshape(height, width)
        np.testing.assert_array_equal(inside, one.full_mask((height, width)))


def test_points_lie_on_the_chromosomes_and_name_them(results, made, tmp_path):
    convert.convert(results, "napari", tmp_path / "new")
    points = rows(tmp_path / "new" / "a" / "points.csv")
    assert list(points[0])[:3] == ["index", "axis-0", "axis-1"]
    assert [row["class"] for row in points] == ["1", "1", "2", "2", "3", "3", "4"]
    for row, one in zip(points, made.chromosomes, strict=True):
        assert one.full_mask(made.metaphase.shape)[round(float(row["axis-0"])), round(float(row["axis-1"]))]


def test_a_picture_without_chromosomes_has_no_empty_tables(results, tmp_path):
    convert.convert(results, "napari", tmp_path / "new")
    assert sorted(file.name for file in (tmp_path / "new" / "empty").iterdir()) == ["image.tif", "labels.tif"]


def test_a_picture_that_is_gone_or_changed_is_told(results, made, tmp_path):
    write_png(tmp_path / "a.png", made.metaphase.grey[:50])
    with pytest.raises(DataError, match="must have the 620 x 760 px"):
        convert.convert(results, "napari", tmp_path / "new")
    (tmp_path / "a.png").unlink()
    with pytest.raises(ImageError, match=r"a\.png: cannot be read"):
        convert.convert(results, "napari", tmp_path / "new")


def test_pictures_at_urls_are_fetched_or_named(made, tmp_path):
    write_png(tmp_path / "a.png", made.metaphase.grey)
    url = f"memory:///convert/{tmp_path.name}/a.png"
    files, path = remote.at(url)
    files.put_file(str(tmp_path / "a.png"), path)
    run([url], tmp_path / "out", analyse=lambda metaphase: made)
    convert.convert(tmp_path / "out", "napari", tmp_path / "new")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "new" / "a" / "image.tif"), made.metaphase.grey)
    convert.convert(tmp_path / "out", "labelme", tmp_path / "new")
    assert f'"imagePath": "{url}"' in (tmp_path / "new" / "a.json").read_text()
    with pytest.raises(DataError, match="YOLO wants its pictures here"):
        convert.convert(tmp_path / "out", "yolo", tmp_path / "new")
