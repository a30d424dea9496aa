import csv
import os
import zipfile

import cv2
import numpy as np
import pytest

from karyofast.classify import Frame
from karyofast.crops import CropRow
from karyofast.errors import DataError
from karyofast.predict import (
    COLUMNS,
    Prediction,
    open_crops,
    predict,
    score_predictions,
    write_predictions,
)
from karyofast.types import CLASSES, Label


def crop(length=50, white=True, dense_top=True):
    """A chromosome `length` px long with one end denser than the other, on white or black."""
    density = np.zeros((length + 10, 24), np.uint8)
    density[5:-5, 8:16] = 90
    half = slice(5, 5 + length // 2) if dense_top else slice(5 + length // 2, 5 + length)
    density[half, 8:16] = 180
    return 255 - density if white else density


class Ruler:
    """A stand-in for a network: the class is the length seen, the p arm the denser end."""

    frame = Frame(96, 32, 42.0, 1.6)
    temperature = 0.5

    def __init__(self):
        self.seen = []

    def predict(self, crops):
        self.seen += list(crops)
        inside = crops[:, 0] > -0.99
        rows = inside.any(axis=2).sum(axis=1)
        classes = np.full((len(crops), 24), 0.01, np.float32)
        classes[np.arange(len(crops)), np.clip(rows // 4, 0, 23)] = 1.0 - 23 * 0.01
        weight = np.where(inside, crops[:, 0] + 1.0, 0.0).sum(axis=2)
        up = []
        for across, on in zip(weight, inside.any(axis=2), strict=True):
            body = across[on]
            up.append(float(body[: len(body) // 2].sum() > body[-(len(body) // 2) :].sum()))
        return classes, np.array(up, np.float32)


def folder_of(tmp_path, crops, manifest=None):
    for name, picture in crops.items():
        assert cv2.imwrite(str(tmp_path / name), picture)
    if manifest:
        (tmp_path / "cells.csv").write_text(manifest)
        return tmp_path / "cells.csv"
    return tmp_path


def test_crops_of_a_folder_share_one_scale_and_are_not_assigned(tmp_path):
    source = open_crops(folder_of(tmp_path, {"b.png": crop(80), "a.png": crop(40), "c.bmp": crop(20)}))
    predictions = predict(source, Ruler())
    assert [one.row.file for one in predictions] == ["a.png", "b.png", "c.bmp"]
    assert [one.assigned for one in predictions] == [None] * 3
    lengths = [one.label.index for one in predictions]
    assert lengths[1] > lengths[0] > lengths[2]


def test_each_cell_has_its_own_scale_and_assignment_and_the_order_stays(tmp_path):
    # the second cell is the first at half the size: a network that is shown lengths must not see it
    crops = {"a.png": crop(80), "b.png": crop(40), "c.png": crop(40), "d.png": crop(20)}
    manifest = "file,cell\na.png,one\nc.png,two\nb.png,one\nd.png,two\n"
    predictions = predict(open_crops(folder_of(tmp_path, crops, manifest)), Ruler())
    assert [one.row.file for one in predictions] == ["a.png", "c.png", "b.png", "d.png"]
    by_file = {one.row.file: one.label.index for one in predictions}
    assert abs(by_file["a.png"] - by_file["c.png"]) <= 1
    assert abs(by_file["b.png"] - by_file["d.png"]) <= 1
    assert all(one.assigned is not None for one in predictions)


def test_black_and_white_backgrounds_look_the_same_to_the_network(tmp_path):
    rulers = Ruler(), Ruler()
    for white, ruler in zip((True, False), rulers, strict=True):
        place = tmp_path / str(white)
        place.mkdir()
        predict(open_crops(folder_of(place, {"a.png": crop(white=white)})), ruler)
    assert np.allclose(rulers[0].seen[0], rulers[1].seen[0], atol=1e-5)


def test_orientation_is_that_of_the_picture_whatever_way_the_crop_is_laid(tmp_path):
    crops = {"up.png": crop(dense_top=True), "down.png": crop(dense_top=False)}
    for degrees in (20, 60, -45):
        turn = cv2.getRotationMatrix2D((12, 30), degrees, 1.0)
        turn[:, 2] += 30
        for name in ("up", "down"):
            turned = cv2.warpAffine(crops[f"{name}.png"], turn, (90, 120), borderValue=255)
            crops[f"{name}{degrees}.png"] = turned
    for one in predict(open_crops(folder_of(tmp_path, crops)), Ruler()):
        assert one.row.file.startswith(one.label.orientation), one.row.file


def test_a_bad_crop_is_one_row_with_its_reason(tmp_path):
    manifest = "file,cell\na.png,one\nempty.png,one\ntext.png,one\nblank.png,one\ngone.png,one\n"
    path = folder_of(tmp_path, {"a.png": crop(), "blank.png": np.full((9, 9), 255, np.uint8)}, manifest)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("text")
    done = []
    predictions = predict(open_crops(path), Ruler(), progress=lambda *now: done.append(now))
    assert done == [(k, 5) for k in range(1, 6)]
    assert [bool(one.error) for one in predictions] == [False, True, True, True, True]
    assert [one.label is None for one in predictions] == [False, True, True, True, True]
    assert "background" in predictions[3].error
    assert "gone.png" in predictions[4].error
    assert predictions[4].cells() == ["gone.png", "one", *[""] * 28]


def test_a_cell_of_bad_crops_alone_stops_nothing(tmp_path):
    path = folder_of(tmp_path, {"a.png": crop()}, "file,cell\ngone.png,one\na.png,two\n")
    predictions = predict(open_crops(path), Ruler())
    assert predictions[0].error
    assert predictions[1].label is not None


def test_the_table_has_the_columns_of_the_design(tmp_path):
    path = folder_of(tmp_path, {"a.png": crop(), "b.png": crop(30)}, "file,cell\na.png,one\nb.png,\n")
    write_predictions(tmp_path / "out.csv", predict(open_crops(path), Ruler()))
    head = "file,cell,label,confidence,orientation,assigned"
    head += "".join(f",p_{name}" for name in (*range(1, 23), "X", "Y"))
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == head
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["a.png", "b.png"]
    assert rows[0]["assigned"] in (*CLASSES, "unplaced")
    assert rows[1]["assigned"] == ""
    for row in rows:
        values = [float(row[f"p_{name}"]) for name in CLASSES]
        assert sum(values) == pytest.approx(1.0, abs=1e-4)
        assert row["label"] == CLASSES[int(np.argmax(values))]
        assert float(row["confidence"]) == max(values)
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png", "cells.csv", "out.csv"]


def test_a_chromosome_left_out_of_its_cell_is_said_to_be_unplaced():
    label = Label(np.full(24, 1 / 24, np.float32))
    row = Prediction(CropRow("a.png", None, "one", "one"), label, -1).cells()
    assert row[COLUMNS.index("assigned")] == "unplaced"


def test_crops_are_read_from_a_zip_and_from_a_folder_with_a_manifest(tmp_path):
    folder_of(tmp_path, {"a.png": crop()})
    (tmp_path / "manifest.csv").write_text("file,label,cell\na.png,X,one\n")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for name in ("a.png", "manifest.csv"):
            file.write(tmp_path / name, name)
    for place in (tmp_path, tmp_path / "set.zip"):
        rows = open_crops(place).rows
        assert [(row.file, row.label, row.cell) for row in rows] == [("a.png", CLASSES.index("X"), "one")]


def test_a_broken_zip_member_is_one_bad_crop(tmp_path):
    folder_of(tmp_path, {"a.png": crop(), "b.png": crop()})
    (tmp_path / "manifest.csv").write_text("file\na.png\nb.png\n")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for name in ("a.png", "b.png", "manifest.csv"):
            file.write(tmp_path / name, name)
    data = bytearray((tmp_path / "set.zip").read_bytes())
    # a byte in the middle of the first member: its checksum fails
    data[100] ^= 255
    (tmp_path / "set.zip").write_bytes(bytes(data))
    predictions = predict(open_crops(tmp_path / "set.zip"), Ruler())
    assert "CRC" in predictions[0].error
    assert predictions[1].label is not None


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.csv", None, "no readable gone.csv"),
        ("gone.zip", None, "no such file"),
        ("empty.csv", "file\n", "Got: none"),
        ("no_file.csv", "name\na.png\n", "line 2: no value in column file"),
        ("label.csv", "file,label\na.png,23\n", r"line 2: label must be 1\.\.22, X or Y"),
        ("binary.csv", "file\n\0\n\udcff", "no readable binary.csv|line 2"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused(tmp_path, name, content, told):
    if content is not None:
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=told):
        open_crops(tmp_path / name)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="must name pictures"):
        open_crops(tmp_path)


def prediction(true, said, assigned, cell, error=""):
    label = None if error else Label(np.eye(24, dtype=np.float32)[said])
    return Prediction(CropRow("a.png", true, cell, cell), label, assigned, error)


def test_labelled_crops_are_scored_with_their_cells():
    predictions = [
        prediction(0, 0, 0, "one"),
        prediction(1, 0, 1, "one"),
        prediction(2, 2, 2, "two"),
        prediction(3, 3, None, "two", "broken"),
        prediction(None, 5, 5, "two"),
    ]
    score = score_predictions(predictions)
    assert score.crop.total == 3
    assert score.crop.right == 2
    assert score.assigned.right == 3
    # a cell with a crop that could not be read is not right
    assert (score.cells, score.cells_right) == (2, 1)


def test_without_cells_only_the_crops_are_scored():
    score = score_predictions([prediction(0, 0, None, ""), prediction(1, 0, None, "")])
    assert score.crop.accuracy == 0.5
    assert score.assigned is None
    assert score.cells == 0


def test_without_labels_nothing_is_scored():
    assert score_predictions([prediction(None, 0, 0, "one")]) is None
    assert score_predictions([prediction(3, 0, None, "one", "broken")]) is None
