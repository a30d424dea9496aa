from dataclasses import replace

import cv2
import numpy as np
import pytest
from karyotypes import bars, karyotype, label, pki3_cell, straight

from karyofast import view, view_layout
from karyofast.config import ArrangeOptions
from karyofast.errors import OptionError
from karyofast.types import Arrangement, Box, Dropped, Karyotype, Label, Metaphase


def of_bars(text, **extra):
    crops, names = bars(text)
    return karyotype(crops, [label(name) for name in names], **extra)


def colour_count(picture, colour, tolerance=40):
    return int((np.abs(picture.astype(int) - colour).max(axis=2) <= tolerance).sum())


def figures_of(cell):
    return view_layout.figures(cell, 1.0)


def empty_places(cell):
    placed, _ = figures_of(cell)
    return {name: sum(one.index < 0 for one in found) for name, found in placed.items() if found}


@pytest.fixture(scope="module")
def down_syndrome(data_dir):
    crops, names = pki3_cell(data_dir / "pki3.zip", "case356.11")
    return karyotype(crops, [label(name) for name in names], "case356.11")


def test_real_cell_gives_a_white_sheet_with_dark_chromosomes_in_four_rows(down_syndrome):
    sheet = view.karyogram(down_syndrome)
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3
    assert sheet.shape[1] == view.WIDTH
    assert (sheet[:4] == 255).all(), "the margin is white"
    assert (sheet.min(axis=2) < 60).mean() > 0.01, "bands are dark"
    placed, unplaced = figures_of(down_syndrome)
    assert [len(placed[name]) for name in ("1", "21", "X", "Y")] == [2, 3, 1, 1]
    assert unplaced == []
    titles = [[title for title, _ in row.groups] for row in view_layout.rows(placed, False, 1.0)]
    assert titles == [["A", "B"], ["C"], ["D", "E"], ["F", "G", "sex chromosomes"]]


def test_sex_chromosomes_stand_with_their_groups_on_request(down_syndrome):
    placed, _ = figures_of(down_syndrome)
    rows = view_layout.rows(placed, True, 1.0)
    members = {title: [place.name for place in places] for row in rows for title, places in row.groups}
    assert members["C, X"][-2:] == ["12", "X"]
    assert members["G, Y"] == ["21", "22", "Y"]
    drawn = view.karyogram(down_syndrome, ArrangeOptions(sex_with_groups=True))
    assert not np.array_equal(drawn, view.karyogram(down_syndrome))


def test_p_arm_is_drawn_up_whichever_way_the_crop_lies(down_syndrome):
    crops, names = bars("46,XX")
    upright = karyotype(crops, [label(name, p_up=0.9) for name in names])
    turned = karyotype([crop[::-1, ::-1] for crop in crops], [label(name, p_up=0.1) for name in names])
    for name, found in figures_of(upright)[0].items():
        for one, other in zip(found, figures_of(turned)[0][name], strict=True):
            np.testing.assert_array_equal(one.picture, other.picture)
            assert one.centromere == pytest.approx(other.centromere, abs=2.5)


@pytest.mark.parametrize("up", [True, False])
def test_centromere_is_the_waist_where_there_is_one(up):
    crop = np.full((60, 12), 150, np.uint8)
    crop[25:27, [0, 1, 2, 9, 10, 11]] = 0
    one = straight(crop if up else crop[::-1], Box(0, 0, 60, 12))
    assert view_layout.centromere_row(one, up, 0.39) == pytest.approx(25.5, abs=1)


def test_centromere_is_where_the_ideogram_has_it_when_the_outline_shows_none():
    one = straight(np.full((60, 12), 150, np.uint8), Box(0, 0, 60, 12))
    assert view_layout.centromere_row(one, True, 0.39) == pytest.approx(0.39 * 60)
    assert view_layout.centromere_row(one, True, 0.17) == pytest.approx(0.17 * 60)
    tiny = straight(np.full((1, 1), 150, np.uint8), Box(0, 0, 1, 1))
    assert view_layout.centromere_row(tiny, True, 0.39) == pytest.approx(0.39)


def test_centromeres_of_a_row_are_level():
    crops, names = bars("46,XX")
    for crop in crops:
        crop[crop > 0] = 50
        crop[len(crop) // 3, 2:-2] = 250
    cell = karyotype(crops, [label(name) for name in names])
    first, second = view_layout.rows(figures_of(cell)[0], False, 1.0)[:2]
    top = view.HEADER + first.above + first.below + view.ABOVE + view.BELOW
    level = top + view.ABOVE + second.above
    drawn = view.karyogram(cell)[top : level + second.below].min(axis=2)
    rows, columns = np.nonzero(drawn < 90)
    assert len(np.unique(columns)) > 14 * 15, "the stripes of all fourteen"
    assert np.abs(rows + top - level).max() <= 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("46,XX", {}),
        ("46,XY", {}),
        ("45,XY,-7", {"7": 1}),
        ("45,X", {"Y": 1}),
        ("45,Y", {"X": 1}),
        ("44,?", {"X": 1, "Y": 1}),
        ("68,XXX,-2", {"2": 1}),
        ("47,XXY", {}),
    ],
)
def test_missing_copies_leave_an_empty_place(text, expected):
    places = empty_places(of_bars(text))
    assert {name: count for name, count in places.items() if count} == expected


def test_dotted_place_is_drawn_for_a_missing_copy():
    cell = of_bars("45,XX,-21")
    unaware = replace(cell, arrangement=replace(cell.arrangement, iscn=""))
    dotted, plain = (view.karyogram(one)[view.HEADER :] for one in (cell, unaware))
    assert dotted.shape == plain.shape
    assert 30 < (dotted < 200).any(axis=2).sum() - (plain < 200).any(axis=2).sum() < 2000


def test_doubtful_chromosome_stands_in_an_amber_frame_with_its_probability():
    crops, names = bars("46,XX")
    labels = [label(name) for name in names]
    sure = view.karyogram(karyotype(crops, labels))
    labels[0] = label(names[0], confidence=0.15)
    cell = karyotype(crops, labels)
    assert cell.arrangement.low_confidence == (0,)
    figure = next(one for one in figures_of(cell)[0][names[0]] if one.index == 0)
    assert figure.doubtful
    assert figure.note == "? 15%"
    assert colour_count(sure, view.AMBER) == 0
    assert colour_count(view.karyogram(cell), view.AMBER) > 200


def test_what_could_not_be_placed_has_a_row_of_its_own():
    crops, names = bars("46,XX")
    flat = np.full(24, 0.95 / 23, np.float32)
    flat[6] = 0.05
    cell = karyotype([*crops, crops[0]], [*(label(name) for name in names), Label(flat)])
    assert cell.arrangement.assigned[-1] == -1
    _, unplaced = figures_of(cell)
    assert [one.index for one in unplaced] == [46]
    assert unplaced[0].note == "7 (5%)?"
    sheet, without = view.karyogram(cell), view.karyogram(of_bars("46,XX"))
    assert sheet.shape[0] > without.shape[0]


def test_many_unplaced_chromosomes_are_broken_into_lines():
    crops = [np.full((40, 12), 150, np.uint8)] * 60
    labels = [Label(np.full(24, 1 / 24, np.float32))] * 60
    cell = karyotype(crops[:54], labels[:54])
    nothing = Karyotype(
        cell.metaphase, (), cell.chromosomes, cell.straightened, cell.labels,
        Arrangement((-1,) * 54, "", tuple(range(54)), ("unplaced 54",)),
    )  # fmt: skip
    sheet = view.karyogram(nothing)
    assert sheet.shape[1] == view.WIDTH
    assert sheet.shape[0] > view.karyogram(cell).shape[0]


def test_empty_karyotype_gives_an_empty_sheet_and_the_plain_picture():
    grey = np.full((300, 400), 200, np.uint8)
    nothing = Karyotype(Metaphase(grey, np.zeros_like(grey), "dark", "blank"), flags=("blank", "empty"))
    sheet = view.karyogram(nothing)
    assert sheet.shape[1] == view.WIDTH
    assert colour_count(sheet, view.RED) > 100, "the draft mark"
    picture = view.overlay(nothing)
    assert picture.shape[1:] == (800, 3)
    assert (picture[:600] == 200).all()


@pytest.mark.parametrize(("text", "wider"), [("46,XX", False), ("94,XXYY,+21,+21", True)])
def test_sheet_grows_with_the_cell_and_with_the_scale(text, wider):
    cell = of_bars(text)
    sheet = view.karyogram(cell)
    assert (sheet.shape[1] > view.WIDTH) == wider
    assert view.karyogram(cell, scale=0.5).shape[0] == pytest.approx(0.5 * sheet.shape[0], rel=0.05)


def test_one_pixel_chromosome_and_a_long_name_are_drawn():
    crops = [np.full((1, 1), 150, np.uint8), np.zeros((3, 2), np.uint8)]
    cell = karyotype(crops, [label("21"), label("1")], name="Präparat " * 40)
    assert view.karyogram(cell).shape[1] == view.WIDTH


def test_scale_is_bounded():
    with pytest.raises(OptionError, match="scale"):
        view.karyogram(of_bars("45,X"), scale=0.0)


def test_overlay_outlines_each_chromosome_in_the_colour_of_its_class(down_syndrome):
    picture = view.overlay(down_syndrome)
    height, width = down_syndrome.metaphase.shape
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 2 * width
    assert picture.shape[0] > 2 * height, "a caption follows"
    for index, one in enumerate(down_syndrome.chromosomes):
        colour = view.class_colour(down_syndrome.arrangement.assigned[index])
        top, left = 2 * one.box.top, 2 * one.box.left
        window = picture[max(top - 4, 0) : top + 2 * one.box.height + 4, left - 4 : left + 2 * one.box.width + 4]
        assert colour_count(window, colour, 60) > 20
    untouched = picture[2 * height - 20 : 2 * height, :20]
    assert (untouched == untouched[0, 0]).all()


def test_classes_have_colours_of_their_own():
    colours = [view.class_colour(index) for index in range(-1, 24)]
    assert len(set(colours)) == 25
    apart = [np.abs(np.subtract(a, b)).max() for k, a in enumerate(colours) for b in colours[:k]]
    assert min(apart) > 12


def test_overlay_of_a_large_picture_is_reduced():
    grey = np.full((100, 6000), 200, np.uint8)
    picture = view.overlay(Karyotype(Metaphase(grey, np.zeros_like(grey), "dark")))
    assert picture.shape[1] == view.LARGEST_OVERLAY


def test_sheet_survives_a_png(tmp_path, down_syndrome):
    sheet = view.karyogram(down_syndrome)
    cv2.imwrite(str(tmp_path / "sheet.png"), sheet[:, :, ::-1])
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "sheet.png"))[:, :, ::-1], sheet)


def test_overlay_has_the_number_of_each_chromosome_on_a_plate_of_its_own_unless_told_not_to(down_syndrome):
    before, after = view.overlay(down_syndrome, numbers=False), view.overlay(down_syndrome)
    changed = (before != after).any(axis=2).astype(np.uint8)
    count = cv2.connectedComponents(cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)))[0] - 1
    assert count == down_syndrome.count
    # what is not placed carries its number already
    separated = Karyotype(down_syndrome.metaphase, (), down_syndrome.chromosomes)
    assert np.array_equal(view.overlay(separated), view.overlay(separated, numbers=False))


def test_overlay_shows_chromosomes_that_were_only_separated(down_syndrome):
    separated = Karyotype(down_syndrome.metaphase, (), down_syndrome.chromosomes)
    assert colour_count(view.overlay(separated), view.class_colour(-1), 60) > 20 * separated.count


def test_overlay_marks_what_was_left_out_and_the_caption_tells(down_syndrome):
    box = Box(300, 700, 30, 12)
    kept = replace(down_syndrome, dropped=(Dropped(box, np.ones((30, 12), bool), "segment", "faint"),))
    before, after = view.overlay(down_syndrome), view.overlay(kept)
    changed = np.argwhere((before != after).any(axis=2))
    picture = changed[changed[:, 0] < 2 * down_syndrome.metaphase.shape[0]]
    assert picture.min(axis=0).tolist() == pytest.approx([600, 1400], abs=3)
    assert picture.max(axis=0).tolist() == pytest.approx([660, 1424], abs=3)
    assert len(picture) < len(changed)
