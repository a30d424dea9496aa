from pathlib import Path
from threading import Event, current_thread, main_thread

import pytest

from karyofast.batch_image import in_turn
from karyofast.errors import OutputError
from karyofast.report import failed_row
from karyofast.run_folder import Task

WAIT = 30.0
"""Seconds after which a test that waits for a thread gives up."""


def tasks(count):
    return [Task(Path(f"{number}.png"), Path("out", str(number)), f"{number}.png") for number in range(count)]


def row(task):
    return failed_row(task.image, "a row")


def test_an_image_is_written_while_the_next_is_looked_at():
    first, second = tasks(2)
    written, looked = Event(), Event()

    def look(task):
        def write():
            assert current_thread() is not main_thread()
            if task is first:
                assert looked.wait(WAIT)
                written.set()
            return row(task)

        if task is second:
            looked.set()
            assert written.wait(WAIT)
        return write

    told = []
    in_turn([first, second], look, lambda task, found: told.append((task, found.image)))
    assert told == [(first, "0.png"), (second, "1.png")]


def test_one_image_waits_at_most():
    waiting, most = [], []

    def look(task):
        waiting.append(task)
        most.append(len(waiting))
        return lambda: row(task)

    in_turn(tasks(6), look, lambda task, found: waiting.remove(task))
    assert max(most) == 2
    assert waiting == []


def test_a_disk_that_is_full_ends_the_run():
    looked, told = [], []

    def look(task):
        looked.append(task)

        def write():
            if task.image == "1.png":
                raise OutputError("full")
            return row(task)

        return write

    with pytest.raises(OutputError, match="full"):
        in_turn(tasks(6), look, lambda task, found: told.append(task.image))
    assert told == ["0.png"]
    assert len(looked) == 3


def test_what_stops_looking_waits_for_what_is_being_written():
    started, written = Event(), []

    def look(task):
        def write():
            started.set()
            written.append(task.image)
            return row(task)

        if task.image == "1.png":
            assert started.wait(WAIT)
            raise KeyboardInterrupt
        return write

    told = []
    with pytest.raises(KeyboardInterrupt):
        in_turn(tasks(3), look, lambda task, found: told.append(task.image))
    assert written == told == ["0.png"]
