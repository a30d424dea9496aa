import json
import zipfile

import cv2
import numpy as np
import pytest

from karyofast import coco
from karyofast.config import SimulateOptions
from karyofast.crops import CropSource, split_of
from karyofast.errors import DataError, OptionError
from karyofast.simulate import varied
from karyofast.simulate_composed import compose_metaphase, labelled_cells
from karyofast.types import CLASSES


@pytest.fixture(scope="module")
def pki3(data_dir):
    return CropSource(data_dir / "pki3.zip")


@pytest.fixture(scope="module")
def cell(pki3):
    return labelled_cells(pki3, "validation")[0]


def composed(pki3, cell, seed=0, options=None):
    return compose_metaphase(np.random.default_rng(seed), pki3, cell[1], options)


def test_a_composed_metaphase_has_the_chromosomes_of_its_cell(pki3, cell):
    drawn = composed(pki3, cell)
    names = sorted((CLASSES[row.label] for row in cell[1]), key=CLASSES.index)
    assert sorted((one.name for one in drawn.instances), key=CLASSES.index) == names
    assert (drawn.cell, drawn.karyotype) == (cell[0], "46,XY")
    assert drawn.image.shape == (700, 700)
    for one in drawn.instances:
        assert one.centromere is None
        assert drawn.image[one.region.box.slices][one.region.mask].mean() < 200


def test_the_same_seed_composes_the_same_picture_and_another_lays_it_out_anew(pki3, cell):
    first, again, other = (composed(pki3, cell, seed).image for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_p_end_of_the_axis_is_what_was_up_in_the_crop(pki3, cell):
    # an upright crop, turned back by its orientation, is the crop again: its bands agree best that way up
    drawn = composed(pki3, cell, options=SimulateOptions(noise=0.0, debris=0, nuclei=0, background=0.0, crossing=0))
    rows = {row.label: row for row in cell[1]}
    agreed = []
    for one in drawn.instances:
        if one.touching or one.overlapping or one.name not in ("1", "2", "3", "4", "5", "X"):
            continue
        bands = drawn.image[tuple(np.rint(one.axis).astype(int).T)].astype(float)
        grey = pki3.grey(rows[one.label]).astype(float)
        true = np.where(grey < 247, grey, np.nan)
        true = np.nanmean(true[~np.isnan(true).all(axis=1)], axis=1)
        true = np.interp(np.linspace(0.05, 0.95, len(bands)), np.linspace(0, 1, len(true)), true)
        agreed.append([np.corrcoef(turned, true)[0, 1] for turned in (bands, bands[::-1])])
    assert len(agreed) >= 4
    upright, upside_down = np.mean(agreed, axis=0)
    assert upright > upside_down + 0.1


def test_a_crossing_belongs_to_both_and_is_darker(pki3, cell):
    options = SimulateOptions(crossing=2, touching=0, noise=0.0, debris=0, nuclei=0)
    drawn = composed(pki3, cell, options=options)
    owners = sum(one.region.full_mask(drawn.image.shape).astype(int) for one in drawn.instances)
    assert drawn.image[owners > 1].mean() < drawn.image[owners == 1].mean() - 20
    assert sum(one.overlapping for one in drawn.instances) >= 4


def test_a_plump_cell_crosses_as_often_as_it_can(pki3):
    rng = np.random.default_rng([1, 2])
    for _, rows in labelled_cells(pki3, "validation")[:6]:
        options = varied(rng, SimulateOptions(crossing=5))
        assert compose_metaphase(rng, pki3, rows, options).options.crossing <= options.crossing


def test_fluorescence_is_bright_on_dark(pki3, cell):
    drawn = composed(pki3, cell, options=SimulateOptions(stain="quinacrine"))
    assert drawn.polarity == "bright"
    assert np.median(drawn.image) < 40


def test_cells_without_labels_and_unknown_settings_are_refused(pki3, cell, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 20), 255, np.uint8))
    (tmp_path / "manifest.csv").write_text("file,label,cell\na.png,,one\n")
    with pytest.raises(DataError, match="no cell in split test"):
        labelled_cells(CropSource(tmp_path), "test")
    with pytest.raises(OptionError, match="room for all chromosomes"):
        composed(pki3, cell, options=SimulateOptions(size=(200, 200)))


def test_the_verb_composes_cells_of_a_split_with_their_truth(karyofast, pki3, tmp_path, data_dir):
    code, out, _ = karyofast(
        "simulate",
        "-n",
        2,
        "--varied",
        "--crops",
        data_dir / "pki3.zip",
        "--split",
        "validation",
        "-o",
        tmp_path,
        "--json",
    )
    assert code == 0
    assert json.loads(out)["split"] == "validation"
    truths = coco.load(tmp_path / "instances.coco.json")
    assert [one.image.file_name for one in truths] == ["composed-0001.png", "composed-0002.png"]
    cases = {row.cell: row.case for row in pki3.rows}
    assert {split_of(cases[one.image.extra["cell"]]) for one in truths} == {"validation"}
    assert all(len(one.instances) >= 45 for one in truths)
    assert "centromere" not in truths[0].instances[0].extra


def test_a_karyotype_and_crops_exclude_one_another(karyofast, tmp_path, data_dir):
    code, _, err = karyofast(
        "simulate", "--karyotype", "45,X", "--crops", data_dir / "pki3.zip", "-o", tmp_path / "out"
    )
    assert code == 2
    assert "--karyotype must be left out" in err
    assert not (tmp_path / "out").exists()


def test_a_set_without_a_manifest_is_named(karyofast, tmp_path):
    with zipfile.ZipFile(tmp_path / "none.zip", "w"):
        pass
    code, _, err = karyofast("simulate", "--crops", tmp_path / "none.zip", "-o", tmp_path / "out")
    assert code != 0
    assert "manifest.csv" in err
