import json

import pytest

from karyofast.errors import OutputError
from karyofast.run_log import opened


def test_events_are_lines_with_their_time_and_go_on_after_earlier_ones(tmp_path):
    path = tmp_path / "run.log"
    for number in (1, 2):
        with opened(path) as log:
            log.write("image", image="ä.png", number=number)
            assert len(path.read_text(encoding="utf-8").splitlines()) == number
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(one["event"], one["image"], one["number"]) for one in lines] == [
        ("image", "ä.png", 1),
        ("image", "ä.png", 2),
    ]
    assert lines[0]["time"] <= lines[1]["time"]


def test_what_ends_a_run_is_its_last_event(tmp_path):
    def stopped():
        with opened(tmp_path / "run.log"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    (line,) = map(json.loads, (tmp_path / "run.log").read_text().splitlines())
    assert (line["event"], line["reason"]) == ("stopped", "KeyboardInterrupt")


def test_a_log_that_cannot_be_opened_is_told(tmp_path):
    with pytest.raises(OutputError, match="--log"), opened(tmp_path):
        pass


def test_without_a_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with opened(None) as log:
        log.write("image")
    assert list(tmp_path.iterdir()) == []
