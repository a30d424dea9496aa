import numpy as np
import pytest

from karyofast import iscn
from karyofast.evaluate import evaluate_aneuploidy
from karyofast.evaluate_aneuploidy import NORMAL, TRIPLOID, TrueCell, score_aneuploidy
from karyofast.types import CLASSES, Label


def cell(case, text, wrong=()):
    """A cell that is read without error, but for the chromosomes whose places are in `wrong`: they are read as 9."""
    true = iscn.parse(text)
    rows = np.eye(24, dtype=np.float32)[[CLASSES.index(one) for one in true]]
    rows[list(wrong)] = np.eye(24, dtype=np.float32)[CLASSES.index("9")]
    return TrueCell(case, true, [Label(row) for row in rows])


def test_every_change_of_cells_read_without_error_is_seen():
    cells = [cell("one", "46,XX"), cell("one", "46,XX"), cell("two", "46,XY"), cell("two", "46,XY")]
    told = score_aneuploidy(cells).to_dict()
    assert told[NORMAL] == {"cells": 4, "seen": 0.0, "right": 1.0, "cases": 2, "cases_seen": 0.0}
    for change in set(told) - {NORMAL}:
        assert (told[change]["seen"], told[change]["right"], told[change]["cases_seen"]) == (1.0, 1.0, 1.0), change
    counted = {change: figures["cells"] for change, figures in told.items()}
    assert counted["47,+21"] == counted["45,X"] == counted[TRIPLOID] == 4
    assert counted["47,XXX"] == counted["47,XXY"] == counted["47,XYY"] == 2


def test_what_is_misread_is_a_false_alarm_of_a_normal_cell_and_not_right():
    # two of 13 read as 9: two losses and two gains
    places = [at for at, name in enumerate(iscn.parse("46,XX")) if name == "13"]
    told = score_aneuploidy([cell("one", "46,XX", places), cell("two", "46,XX")]).to_dict()
    assert told[NORMAL]["seen"] == 0.5
    assert told[NORMAL]["right"] == 0.5
    # a case of one cell has no other to put in from, and none to agree with
    assert set(told) == {NORMAL, "45,X", "45, one autosome lost"}
    assert told[NORMAL]["cases"] == 0
    assert told[NORMAL]["cases_seen"] is None


def test_areas_tell_a_missing_x_from_a_missing_1_that_is_misread():
    """A 1 that the classifier takes for an X: by its label alone the cell without an X has two and lacks a 1."""
    from dataclasses import replace

    from karyofast.sizes import RELATIVE_AREA, Typical, surprise

    misread = cell("one", "46,XX")
    at = misread.true.index("1")
    row = np.zeros(24, np.float32)
    row[[CLASSES.index("1"), CLASSES.index("X")]] = 0.1, 0.9
    labels = [*misread.labels]
    labels[at] = Label(row)
    misread = replace(misread, labels=labels)
    assert score_aneuploidy([misread]).to_dict()["45,X"]["seen"] == 0.0
    areas = [1000.0 * RELATIVE_AREA[CLASSES.index(name)] for name in misread.true]
    told = score_aneuploidy([replace(misread, sizes=surprise(areas, Typical(1000.0)))]).to_dict()
    assert told["45,X"]["seen"] == 1.0
    assert told[NORMAL]["seen"] == 0.0


def test_cells_that_are_not_normal_are_left_out():
    assert score_aneuploidy([cell("one", "47,XX,+21")]).to_dict() == {}


def test_the_change_is_made_to_real_cells(data_dir, tmp_path):
    """A classifier that knows the truth sees all changes of three real cells."""
    import csv
    import io
    import zipfile

    with zipfile.ZipFile(data_dir / "pki3.zip") as whole:
        rows = list(csv.DictReader(io.StringIO(whole.read("manifest.csv").decode())))
        by_cell = {}
        for row in rows:
            by_cell.setdefault(row["cell"], []).append(row)
        normal = [rows for rows in by_cell.values() if iscn.format([row["label"] for row in rows]) == "46,XY"][:2]
        some = [row for rows in normal for row in rows]
        with zipfile.ZipFile(tmp_path / "some.zip", "w") as out:
            for row in some:
                out.writestr(row["file"], whole.read(row["file"]))
            lines = [f"{row['file']},{row['label']},{row['cell']},same" for row in some]
            out.writestr("manifest.csv", "\n".join(["file,label,cell,case", *lines]))
    answers = iter([[CLASSES.index(row["label"]) for row in rows] for rows in normal])

    def oracle(crops):
        known = next(answers)
        assert len(crops) == len(known) == 46
        return [Label(np.eye(24, dtype=np.float32)[index]) for index in known]

    told = evaluate_aneuploidy(tmp_path / "some.zip", "all", rotate=False, classifier=oracle)
    assert told.to_dict()["47,+21"] == {"cells": 2, "seen": 1.0, "right": 1.0, "cases": 1, "cases_seen": 1.0}
    assert next(row["cells"] for row in told.rows("oracle")) == NORMAL
    assert float(told.rows("oracle")[0]["seen"]) == pytest.approx(0.0)
