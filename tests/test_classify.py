import numpy as np
import pytest

from karyofast.classify import FLOOR, CellScale, Frame, classify, network_input, read, settle, standardise
from karyofast.types import Label, Straightened


def chromosome(length: int, value: int = 120, width: int = 12) -> Straightened:
    crop = np.zeros((length, width + 8), np.uint8)
    crop[:, 4:-4] = value
    crop[::5, 4:-4] = value + 60
    along = np.arange(length, dtype=np.float32)
    return Straightened(
        crop=crop,
        axis=np.stack([along, np.zeros(length, np.float32)], axis=1),
        widths=np.full(length, width, np.float32),
        profile=crop.sum(1).astype(np.float32) / width,
    )


FRAME = Frame()


class Recorder:
    """A runtime that keeps what it was given and answers with the number of the crop."""

    frame = FRAME
    temperature = 1.0

    def __init__(self):
        self.batches = []

    def predict(self, crops):
        self.batches.append(crops)
        classes = np.zeros((len(crops), 24), np.float32)
        classes[np.arange(len(crops)), np.arange(len(crops)) % 24] = 1.0
        return classes, np.linspace(0, 1, len(crops), dtype=np.float32)


def test_size_is_measured_against_the_cells_median_chromosome():
    cell = [chromosome(n) for n in (30, 60, 90)]
    drawn = [network_input(one.crop, CellScale.of(cell), FRAME) for one in cell]
    rows = [int((image > -0.9).any(axis=1).sum()) for image in drawn]
    assert rows[1] == pytest.approx(FRAME.median_rows, abs=2)
    assert rows[0] == pytest.approx(FRAME.median_rows / 2, abs=2)
    assert rows[2] == pytest.approx(FRAME.median_rows * 1.5, abs=2)


def test_a_cell_photographed_twice_as_large_looks_the_same():
    small, large = [chromosome(n) for n in (30, 60, 90)], []
    for one in small:
        crop = np.kron(one.crop, np.ones((2, 2), np.uint8))
        n = len(crop)
        large.append(Straightened(crop, np.zeros((n, 2), np.float32), np.ones(n, np.float32), np.ones(n, np.float32)))
    first = network_input(small[2].crop, CellScale.of(small), FRAME)
    second = network_input(large[2].crop, CellScale.of(large), FRAME)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.95


def test_staining_is_measured_against_the_cell():
    pale = [chromosome(n, 60) for n in (30, 60)]
    first = standardise(pale[0].crop, CellScale.of(pale))
    assert first[pale[0].crop == 0].max() == FLOOR
    inside = np.concatenate([standardise(one.crop, CellScale.of(pale))[one.crop > 0] for one in pale])
    assert inside.mean() == pytest.approx(0.0, abs=0.05)
    assert inside.std() == pytest.approx(1.0, abs=0.05)


def test_a_chromosome_too_long_for_the_input_is_drawn_smaller_and_whole():
    cell = [chromosome(20), chromosome(20), chromosome(200)]
    drawn = network_input(cell[2].crop, CellScale.of(cell), FRAME)
    assert drawn.shape == FRAME.size
    assert (drawn > -0.9).any(axis=1).sum() >= FRAME.rows - 2


def test_labels_come_in_the_order_of_the_chromosomes_whatever_the_batch():
    cell = [chromosome(20 + n) for n in range(7)]
    whole, split = Recorder(), Recorder()
    one = classify(cell, whole, batch=46, both_ends=False)
    other = classify(cell, split, batch=3, both_ends=False)
    assert [label.name for label in one] == ["1", "2", "3", "4", "5", "6", "7"]
    assert len(other) == 7
    assert np.array_equal(np.concatenate(split.batches), np.concatenate(whole.batches))
    assert one[0].orientation == "down"
    assert one[-1].orientation == "up"


class Lopsided(Recorder):
    """Sees the top of a crop alone."""

    def predict(self, crops):
        self.batches.append(crops)
        top = crops[:, 0, :48].mean(axis=(1, 2))
        classes = np.full((len(crops), 24), 0.5 / 23, np.float32)
        classes[:, 3] = np.where(top > -0.8, 0.5, 0.5 / 23)
        return classes, 1 / (1 + np.exp(-4 * top)).astype(np.float32)


def test_read_from_both_ends_a_crop_and_its_half_turn_answer_alike():
    crops = np.random.default_rng(0).uniform(-1, 0.5, (5, 1, 96, 32)).astype(np.float32)
    classes, up = read(crops, Lopsided())
    turned, turned_up = read(np.ascontiguousarray(crops[:, :, ::-1, ::-1]), Lopsided())
    assert np.allclose(classes, turned)
    assert np.allclose(up, 1 - turned_up)


def test_settling_reads_the_half_turns_alone_and_says_what_reading_both_ends_does():
    cell = [chromosome(20 + 9 * n) for n in range(5)]
    scale, network = CellScale.of(cell), Lopsided()
    once = classify(cell, Lopsided(), scale, both_ends=False)
    both = classify(cell, Lopsided(), scale)
    settled = settle(once, cell, network, scale, batch=2)
    assert sum(len(crops) for crops in network.batches) == len(cell)
    assert all(np.array_equal(one.probabilities, other.probabilities) for one, other in zip(settled, both, strict=True))
    assert [one.p_up for one in settled] == [other.p_up for other in both]
    assert any(one.p_up != other.p_up for one, other in zip(once, both, strict=True))


def test_no_chromosome_gives_no_label():
    assert classify([], Recorder()) == []


def test_a_network_of_other_classes_is_refused():
    class Wrong(Recorder):
        def predict(self, crops):
            return np.ones((len(crops), 10), np.float32), np.ones(len(crops), np.float32)

    with pytest.raises(ValueError, match=r"24 classes\. Got: 10"):
        classify([chromosome(30)], Wrong())


def test_a_temperature_sharpens_what_is_reported_and_leaves_what_was_read():
    row = np.zeros(24, np.float32)
    row[:2] = 0.6, 0.3
    plain, sharp = Label(row), Label(row, temperature=0.5)
    assert np.array_equal(plain.calibrated, row)
    assert np.array_equal(sharp.probabilities, row)
    # squares of 0.6, 0.3 and of 0.1 for no chromosome, over their sum
    assert sharp.confidence == pytest.approx(0.36 / 0.46, abs=1e-6)
    assert float(sharp.calibrated.sum()) == pytest.approx(0.45 / 0.46, abs=1e-6)
    assert Label(row, temperature=2.0).confidence < plain.confidence
    assert (plain.name, sharp.name) == ("1", "1")
