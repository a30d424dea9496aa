import json
import sys
from dataclasses import asdict

import numpy as np
import pyarrow.parquet
import pytest
from karyotypes import bars, karyotype, label
from skimage.measure import points_in_poly

from karyofast import convert
from karyofast.batch import run
from karyofast.errors import DataError, NotBuiltError, OptionError
from karyofast.io import write_png
from karyofast.summary import read_summary
from karyofast.types import CLASSES, Label


def filled(ring, shape):
    """The pixels whose middles lie within a ring of (x, y)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    return points_in_poly(np.stack([columns.ravel(), rows.ravel()], axis=1), ring).reshape(shape)


@pytest.fixture
def odd():
    """A mask of two pieces, one with a hole, pixels that touch by corners and a line of one pixel's width."""
    mask = np.zeros((20, 30), bool)
    mask[2:12, 3:15] = True
    mask[5:8, 6:10] = False
    mask[12, 15] = True
    mask[16, 4:28] = True
    return mask


@pytest.fixture(scope="module")
def made():
    """A 46,XX with a 47th that fits nowhere."""
    crops, names = bars("46,XX")
    flat = np.full(24, 0.95 / 23, np.float32)
    flat[6] = 0.05
    return karyotype([*crops, crops[0]], [*map(label, names), Label(flat)])


@pytest.fixture(scope="module")
def results(tmp_path_factory, made):
    """A run of two pictures and a broken one."""
    folder = tmp_path_factory.mktemp("convert")
    for name in ("a", "b"):
        write_png(folder / f"{name}.png", made.metaphase.grey)
    (folder / "broken.png").write_bytes(b"no picture")
    run([folder / f"{name}.png" for name in ("a", "broken", "b")], folder / "out", analyse=lambda metaphase: made)
    return folder / "out"


def test_an_outline_gives_the_mask_back(odd):
    np.testing.assert_array_equal(filled(convert.outline(odd), odd.shape), odd)


def test_polygons_are_pieces_with_their_holes(odd):
    pieces = sorted(convert.polygons(odd), key=len)
    assert [len(piece) for piece in pieces] == [1, 2]
    outer, hole = pieces[1]
    np.testing.assert_array_equal(
        filled(outer, odd.shape) & ~filled(hole, odd.shape) | filled(pieces[0][0], odd.shape), odd
    )


def test_an_empty_mask_has_no_outline():
    assert convert.polygons(np.zeros((3, 4), bool)) == []
    assert convert.outline(np.zeros((3, 4), bool)).shape == (0, 2)


def test_labelme_files_hold_every_chromosome_and_lead_to_the_picture(results, made, tmp_path):
    assert convert.convert(results, "labelme", tmp_path / "new") == 2
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["a.json", "b.json"]
    content = json.loads((tmp_path / "new" / "b.json").read_text())
    assert (tmp_path / "new" / content["imagePath"]).resolve() == (results.parent / "b.png").resolve()
    shape = (content["imageHeight"], content["imageWidth"])
    assert shape == made.metaphase.shape
    for one, index, entry in zip(made.chromosomes, made.arrangement.assigned, content["shapes"], strict=True):
        assert entry["label"] == (CLASSES[index] if index >= 0 else "unplaced")
        np.testing.assert_array_equal(filled(np.array(entry["points"]), shape), one.full_mask(shape))


def test_yolo_has_a_line_a_chromosome_and_finds_its_pictures(results, made, tmp_path):
    convert.convert(results, "yolo", tmp_path)
    convert.convert(results, "yolo", tmp_path)
    assert (tmp_path / "images" / "a.png").resolve() == (results.parent / "a.png").resolve()
    lines = [line.split() for line in (tmp_path / "labels" / "a.txt").read_text().splitlines()]
    assert [int(line[0]) for line in lines] == [index % 25 for index in made.arrangement.assigned]
    height, width = made.metaphase.shape
    ring = np.array(lines[0][1:], float).reshape(-1, 2) * (width, height)
    np.testing.assert_array_equal(filled(ring, (height, width)), made.chromosomes[0].full_mask((height, width)))
    names = (tmp_path / "data.yaml").read_text()
    assert "  22: 'X'\n" in names
    assert "  24: 'unplaced'\n" in names


def test_geojson_has_closed_rings_and_classes(results, made, tmp_path):
    convert.convert(results, "geojson", tmp_path)
    content = json.loads((tmp_path / "a.geojson").read_text())
    assert len(content["features"]) == made.count
    shape = made.metaphase.shape
    for one, feature in zip(made.chromosomes, content["features"], strict=True):
        assert feature["geometry"]["type"] == "Polygon"
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        np.testing.assert_array_equal(filled(np.array(ring), shape), one.full_mask(shape))
    assert content["features"][-1]["properties"]["classification"]["name"] == "unplaced"


def test_parquet_holds_the_summary(results, tmp_path):
    assert convert.convert(results, "parquet", tmp_path / "new") == 3
    table = pyarrow.parquet.read_table(tmp_path / "new" / "summary.parquet")
    assert table.to_pylist() == [asdict(row) for row in read_summary(results / "summary.csv")]
    assert table.schema.field("count").type == "int64"


def test_parquet_without_pyarrow_says_what_to_install(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NotBuiltError, match="pip install"):
        convert.convert(results, "parquet", tmp_path)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must be a folder that `karyofast run` has written"):
        convert.convert(tmp_path, "yolo", tmp_path / "new")
    with pytest.raises(OptionError, match="labelme, yolo, geojson, napari, parquet"):
        convert.convert(tmp_path, "voc", tmp_path)


def test_a_broken_part_is_named(results, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "run.json").write_text('{"folders": {"../a.png": "a"}}')
    (tmp_path / "a" / "instances.json").write_text('{"image": {}}')
    with pytest.raises(DataError, match=r"instances\.json: is none of karyofast's"):
        convert.convert(tmp_path, "geojson", tmp_path / "new")
