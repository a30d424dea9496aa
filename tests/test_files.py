import os

import pytest

from karyofast.files import replacing, write_together, write_whole


@pytest.fixture
def full(monkeypatch):
    """A disk that has no room when the file is to take its name."""

    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)


def test_writing_replaces_the_whole_file_and_leaves_nothing_else(tmp_path):
    write_whole(tmp_path / "a.txt", "é")
    assert (tmp_path / "a.txt").read_bytes() == "é".encode()
    write_whole(tmp_path / "a.txt", b"12")
    assert (tmp_path / "a.txt").read_bytes() == b"12"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, full):
    (tmp_path / "a.txt").write_bytes(b"old")
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_stops_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"old")

    def stopped():
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_bytes(b"ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_is_written_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    done = []
    real = os.replace
    monkeypatch.setattr(os, "fsync", lambda number: done.append("on the disk"))
    monkeypatch.setattr(os, "replace", lambda source, target: (done.append("named"), real(source, target)))
    write_whole(tmp_path / "a.txt", b"new")
    assert done == ["on the disk", "named"]


def test_files_that_belong_together_are_renamed_in_their_order_when_all_are_written(tmp_path, monkeypatch):
    real, seen = os.replace, []

    def noted(source, target):
        seen.append((target.name, len(list(tmp_path.glob(".*.tmp")))))
        real(source, target)

    monkeypatch.setattr(os, "replace", noted)
    write_together(tmp_path, [("a.txt", "first"), ("b.bin", b"last")])
    assert seen == [("a.txt", 2), ("b.bin", 1)]
    assert (tmp_path / "a.txt").read_text() == "first"
    assert (tmp_path / "b.bin").read_bytes() == b"last"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.bin"]


def test_where_one_of_them_cannot_be_written_none_is(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"old")
    with pytest.raises(OSError, match="nowhere"):
        write_together(tmp_path, [("a.txt", b"new"), ("nowhere/c.txt", b"new")])
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]
