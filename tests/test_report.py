import base64
import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from karyotypes import bars, karyotype, label

from karyofast import coco, report, summary
from karyofast.errors import DataError
from karyofast.report import SummaryRow
from karyofast.types import CLASSES, Box, Dropped, Karyotype, Label, Metaphase, Quality


@pytest.fixture(scope="module")
def cell():
    """A 46,XX of which one chromosome is doubtful and a 47th fits nowhere."""
    crops, names = bars("46,XX")
    labels = [label(name) for name in names]
    labels[0] = label(names[0], confidence=0.15, p_up=0.2)
    flat = np.full(24, 0.95 / 23, np.float32)
    flat[6] = 0.05
    made = karyotype([*crops, crops[0]], [*labels, Label(flat)], seconds={"detect": 0.25, "segment": 0.5})
    first = replace(made.chromosomes[0], flags=("overlap", "cluster"))
    second = replace(made.chromosomes[2], candidate=1)
    chromosomes = (first, made.chromosomes[1], second, *made.chromosomes[3:])
    return replace(made, chromosomes=chromosomes, quality=Quality(0.5, 0.8, 0.9, 0.95))


def nothing():
    grey = np.full((30, 40), 200, np.uint8)
    return Karyotype(Metaphase(grey, np.zeros_like(grey), "bright", "blank"), flags=("blank", "empty"))


def row_of(image, **fields):
    return (
        SummaryRow(image, "done", 46, "46,XX", 3, 0, 1.25, quality=0.8) if not fields else SummaryRow(image, **fields)
    )


def test_dictionary_says_what_was_found_and_is_marked_draft(cell):
    found = report.to_dict(cell)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["draft"] is True
    assert (found["count"], found["iscn"], found["unplaced"], found["polarity"]) == (47, "46,XX", 1, "dark")
    assert found["size"] == {"height": 620, "width": 760}
    assert found["quality"] == {"total": 0.7647, "spread": 0.5, "free": 0.8, "sharpness": 0.9, "count": 0.95}
    assert found["seconds"] == {"detect": 0.25, "segment": 0.5}
    assert {"count 47", "unplaced 1", "low confidence 2"} <= set(found["flags"])
    assert len(found["flags"]) == len(set(found["flags"]))
    assert len(found["chromosomes"]) == 47


def test_dictionary_describes_each_chromosome(cell):
    first, last = (report.to_dict(cell)["chromosomes"][k] for k in (0, -1))
    assert first["class"] == first["label"] == "1"
    assert first["probability"] == first["confidence"] == pytest.approx(0.15)
    assert first["low_confidence"]
    assert first["orientation"] == "down"
    assert first["flags"] == ["overlap", "cluster"]
    assert next(iter(first["top"])) == "1"
    assert len(first["top"]) == 3
    box = cell.chromosomes[0].box
    assert first["box"] == {"top": box.top, "left": box.left, "height": box.height, "width": box.width}
    assert first["area"] == cell.chromosomes[0].area
    assert first["axis_length"] == cell.straightened[0].length
    assert first["separation"] == pytest.approx(0.9)
    assert last["class"] is None
    assert last["probability"] is None
    assert last["label"] == "7"


def test_what_was_left_out_is_told_with_its_place_and_its_reason(cell):
    left_out = Dropped(Box(3, 4, 2, 5), np.ones((2, 5), bool), "detect", "round debris")
    assert report.to_dict(cell)["dropped"] == []
    assert report.to_dict(replace(cell, dropped=(left_out,)))["dropped"] == [
        {
            "stage": "detect",
            "reason": "round debris",
            "box": {"top": 3, "left": 4, "height": 2, "width": 5},
            "area": 10,
        }
    ]


def test_empty_karyotype_is_described_too():
    found = report.to_dict(nothing())
    assert (found["count"], found["iscn"], found["chromosomes"]) == (0, "", [])
    assert found["flags"] == ["blank", "empty"]


def test_files_are_written_whole_and_nothing_else_is_left(tmp_path, cell):
    folder = tmp_path / "run" / "metaphase 07"
    report.write(cell, folder)
    assert sorted(file.name for file in folder.iterdir()) == [
        "karyogram.png",
        "karyotype.json",
        "overlay.png",
        "preview.jpg",
    ]
    assert json.loads((folder / "karyotype.json").read_text(encoding="utf-8")) == report.to_dict(cell)
    assert cv2.imread(str(folder / "karyogram.png")).shape[1] >= 1180
    # RGB on the inside, and the red of the draft mark is red in the file
    sheet = cv2.imread(str(folder / "karyogram.png"))[:, :, ::-1].astype(int)
    assert ((sheet[..., 0] > 170) & (sheet[..., 2] < 60)).sum() > 50
    report.write(nothing(), folder)
    assert json.loads((folder / "karyotype.json").read_text(encoding="utf-8"))["count"] == 0


def test_a_write_that_fails_leaves_no_result(tmp_path, cell, monkeypatch):
    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr("karyofast.files.os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        report.write(cell, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_annotations_hold_masks_classes_and_scores(tmp_path, cell):
    entries = report.annotations(cell, image_id=5, first_id=100)
    assert [entry["id"] for entry in entries] == list(range(100, 147))
    assert {entry["image_id"] for entry in entries} == {5}
    assert entries[0]["category_id"] == 1
    assert entries[-1]["category_id"] == 0
    assert entries[-1]["class_score"] == 0.0
    assert entries[0]["score"] == pytest.approx(0.9)
    assert entries[0]["class_score"] == pytest.approx(0.15)
    assert entries[0]["overlapping"]
    doubted = {*cell.arrangement.low_confidence, 0, 46}
    assert [index for index, entry in enumerate(entries) if entry["uncertain"]] == sorted(doubted)
    image = {"id": 5, "file_name": "a.png", "height": 620, "width": 760}
    coco.write(tmp_path / "instances.coco.json", coco.document([image], entries))
    truth = coco.load(tmp_path / "instances.coco.json")[0]
    for instance, one, index in zip(truth.instances, cell.chromosomes, cell.arrangement.assigned, strict=True):
        np.testing.assert_array_equal(instance.region.full_mask((620, 760)), one.full_mask((620, 760)))
        assert instance.name == (CLASSES[index] if index >= 0 else None)


def test_chromosomes_that_were_only_separated_are_annotated_without_a_class(cell):
    entries = report.annotations(Karyotype(cell.metaphase, (), cell.chromosomes), image_id=1, first_id=1)
    assert {entry["category_id"] for entry in entries} == {0}
    assert {entry["p_arm"] for entry in entries} == {None}


def test_summary_has_exactly_its_columns(tmp_path, cell):
    rows = [
        report.summary_row(cell, "slides/a, b.tif"),
        report.failed_row("b.tif", 'no\nimage: "x"', seconds=0.12345, stage="read"),
        replace(report.summary_row(nothing(), "c.tif", seconds=2.0), case="C1"),
    ]
    assert report.summary_csv(rows).splitlines() == [
        "image,status,count,iscn,clusters,low_confidence,seconds,error,stage,reached,case,edits,quality",
        '"slides/a, b.tif",done,47,"46,XX",2,2,0.75,,,counted,,0,0.765',
        'b.tif,failed,,,,,0.123,"no image: ""x""",read,,,,',
        "c.tif,done,0,,0,0,2.0,,,,C1,0,0.0",
    ]
    report.write_summary(tmp_path / "summary.csv", rows)
    assert report.read_summary(tmp_path / "summary.csv") == rows
    assert [file.name for file in tmp_path.iterdir()] == ["summary.csv"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must have the columns"),
        ("image,status\n", "must have the columns"),
        ("{head}\na.tif,done\n", "row 2"),
        ("{head}\na.tif,maybe,1,,,,,,,,,,\n", "row 2"),
        ("{head}\na.tif,done,x,,,,,,,,,,\n", "row 2"),
        ("{head}\na.tif,done,1,,,,,,,far,,,\n", "row 2"),
    ],
)
def test_broken_summary_is_refused_with_its_row(tmp_path, text, reason):
    path = tmp_path / "summary.csv"
    path.write_text(text.replace("{head}", report.summary_csv([]).strip()), encoding="utf-8")
    with pytest.raises(DataError, match=reason):
        report.read_summary(path)
    with pytest.raises(DataError, match="cannot be read"):
        report.read_summary(tmp_path / "none.csv")


def test_clusters_are_candidates_taken_apart_or_left_whole(cell):
    # candidate 0 looks unseparated, candidate 1 gave two chromosomes
    assert summary.clusters(cell) == 2
    assert summary.clusters(nothing()) == 0


def test_page_puts_first_what_needs_a_look(tmp_path, cell):
    report.write(cell, tmp_path / "doubtful")
    crops, names = bars("46,XY")
    report.write(karyotype(crops, [label(name) for name in names]), tmp_path / "normal")
    crops, names = bars("45,X")
    report.write(karyotype(crops, [label(name) for name in names]), tmp_path / "turner")
    rows = [
        row_of("normal.png"),
        SummaryRow("turner.png", "done", 45, "45,X", 0, 0, 1.0),
        SummaryRow("doubtful.png", "done", 46, "46,XX", 0, 2, 1.0),
        report.failed_row("broken.png", "broken.png: not an image"),
    ]
    path = report.html(rows, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "report.html"
    order = [text.index(f'"name">{name}.png') for name in ("broken", "turner", "doubtful", "normal")]
    assert order == sorted(order)
    assert "4 images, 1 failed, 2 with 46 chromosomes, 3 that need a look;" in text
    assert "broken.png: not an image" in text
    assert "sex X" in text
    assert re.search(r"<button[^>]*>quality</button>", text)
    assert '<td class="number">0.800</td>' in text
    assert "DRAFT" in text


def test_page_holds_the_first_previews_and_links_to_the_others(tmp_path, cell, monkeypatch):
    monkeypatch.setattr(report, "EMBEDDED", 1)
    report.write(cell, tmp_path / "a b#1")
    report.write(cell, tmp_path / "c")
    text = report.html([row_of("a b#1.png"), row_of("c.png")], tmp_path).read_text(encoding="utf-8")
    assert re.findall(r'href="([^"]+)"', text).count("a%20b%231/karyotype.json") == 1
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    first, second = re.findall(r'loading="lazy" decoding="async" src="([^"]+)"', text)
    assert second == "c/preview.jpg"
    data = np.frombuffer(base64.b64decode(first.removeprefix("data:image/jpeg;base64,")), np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape[0] == report.PREVIEW_HEIGHT


def test_page_tells_rows_apart_for_its_filter(tmp_path):
    rows = [
        SummaryRow("a.png", "done", 45, "45,X", reached="karyotyped", case="one"),
        report.failed_row("b.png", "broken", stage="read"),
    ]
    text = report.html(rows, tmp_path, facts={"method": "axis"}).read_text(encoding="utf-8")
    assert 'data-kinds="look count counted analysed karyotyped" data-case="one"' in text
    assert 'data-kinds="look failed" data-case=""' in text
    assert "read: broken" in text
    assert "1 counted, 1 analysed, 1 karyotyped" in text
    assert "method axis" in text


def test_page_has_the_totals_of_each_case_only_where_there_are_cases(tmp_path):
    rows = [SummaryRow("a.png", "done", 45, "45,X", reached="karyotyped", case="one"), row_of("b.png")]
    text = report.html(rows, tmp_path).read_text(encoding="utf-8")
    cells = re.findall(r"<td[^>]*>(?:<button[^>]*>)?([^<]*)", text.split('<table id="images">')[0])
    assert cells == ["no case", "1", "0", "0", "0", "0", "", "", "one", "1", "0", "1", "1", "1", "45,X (1)", "45,X[1]"]
    assert 'id="cases"' not in report.html([row_of("b.png")], tmp_path).read_text(encoding="utf-8").split("<body>")[1]


def test_page_takes_folders_that_are_named_otherwise(tmp_path, cell):
    report.write(cell, tmp_path / "a-2")
    text = report.html([row_of("x/a.png")], tmp_path, {"x/a.png": "a-2"}).read_text(encoding="utf-8")
    assert 'href="a-2/overlay.png"' in text


def test_page_shows_names_and_errors_as_text(tmp_path):
    evil = '<script>alert("x")</script>.png'
    text = report.html([report.failed_row(evil, "<b>bold</b>")], tmp_path).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "<b>bold" not in text


def test_page_of_missing_or_broken_results_says_so(tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "karyotype.json").write_text("{", encoding="utf-8")
    (tmp_path / "half" / "overlay.png").write_bytes(b"")
    text = report.html([row_of("half.png"), row_of("gone.png")], tmp_path).read_text(encoding="utf-8")
    assert text.count("karyotype.json missing or broken") == 2
    assert "data:image" not in text


def test_page_of_an_empty_run_is_a_page(tmp_path):
    assert "0 images" in report.html([], tmp_path).read_text(encoding="utf-8")
