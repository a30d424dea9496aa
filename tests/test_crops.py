import numpy as np
import pytest

from karyofast.crops import CropSource, isolate, split_of, stood_up, straighten_single
from karyofast.errors import DataError, ImageError


def test_real_crops_on_white_are_found_whole(data_dir):
    source = CropSource(data_dir / "pki3.zip")
    for row in source.rows[:60]:
        grey = source.grey(row)
        density, region = isolate(grey)
        assert region.mask[grey < 150].mean() > 0.95
        assert not density[~region.mask].any()


def test_real_crops_on_black_are_found_whole(data_dir):
    source = CropSource(data_dir / "bioimlab.zip")
    for row in source.rows[:60]:
        grey = source.grey(row)
        density, region = isolate(grey)
        bright = grey > 0.5 * grey.max()
        assert region.mask[bright].mean() > 0.9
        assert density[region.mask].mean() > density[~region.mask].mean()


def test_a_turned_crop_says_which_end_was_up(data_dir):
    source = CropSource(data_dir / "pki3.zip")
    upright = source.rows[0]
    straight, up = straighten_single(source.grey(upright))
    turned, up_turned = straighten_single(source.grey(upright), degrees=180.0)
    same = up == up_turned
    rows = min(len(straight.profile), len(turned.profile)) - 4
    first = straight.profile[:rows]
    second = (turned.profile if same else turned.profile[::-1])[:rows]
    assert np.corrcoef(first, second)[0, 1] > 0.8


def test_a_bent_crop_is_stood_up_as_it_is(data_dir):
    source = CropSource(data_dir / "pki3.zip")
    for row in source.rows[:40]:
        grey = source.grey(row)
        (crop, up), (turned, up_turned) = stood_up(grey), stood_up(grey, degrees=180.0)
        assert up
        assert not up_turned
        rows = min(len(crop.profile), len(turned.profile)) - 2
        assert np.corrcoef(crop.profile[:rows], turned.profile[::-1][:rows])[0, 1] > 0.8
        assert np.count_nonzero(crop.crop) == pytest.approx(np.count_nonzero(isolate(grey)[1].mask), rel=0.15)
        assert len(crop.axis) == len(crop.crop) >= crop.crop.shape[1]


def test_a_single_pixel_stands_up_too():
    grey = np.full((9, 7), 255, np.uint8)
    grey[4, 3] = 40
    crop, up = stood_up(grey)
    assert crop.crop.shape == (1, 1)
    assert up


def test_the_split_keeps_the_cells_of_a_case_together(data_dir):
    rows = CropSource(data_dir / "pki3.zip").rows
    parts = {}
    for row in rows:
        parts.setdefault(row.case, set()).add(split_of(row.case))
    assert all(len(found) == 1 for found in parts.values())
    cases = {name: sum(found == {name} for found in parts.values()) for name in ("train", "validation", "test")}
    assert cases["train"] > 200
    assert cases["test"] > 30
    assert cases["validation"] > 5


def test_a_picture_of_background_alone_is_refused():
    with pytest.raises(ImageError, match="nothing but background"):
        isolate(np.full((20, 10), 255, np.uint8))


def test_a_broken_set_says_what_is_wrong(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        CropSource(tmp_path / "nothing.zip")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(DataError, match="folder or a zip"):
        CropSource(tmp_path / "text.zip")
    with pytest.raises(DataError, match=r"manifest\.csv"):
        CropSource(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,label,cell\na.png,23,c\n")
    with pytest.raises(DataError, match=r"line 2: label must be 1\.\.22, X or Y\. Got: 23"):
        CropSource(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,label,cell\na.png,2,c\n")
    source = CropSource(tmp_path)
    with pytest.raises(DataError, match=r"a\.png is in the manifest"):
        source.grey(source.rows[0])
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(ImageError, match="not a picture"):
        source.grey(source.rows[0])
