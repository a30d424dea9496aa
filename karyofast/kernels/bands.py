"""Work of a kernel shared by threads; the kernels compute without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from karyofast.errors import OptionError


def check_threads(threads: int) -> None:
    """Raise OptionError where `threads` is less than 1."""
    if threads < 1:
        raise OptionError(f"`threads` must be at least 1. Got: {threads!r}. Pass 1 for no thread but this one.")


def in_bands(work: Callable[[int, int], None], count: int, threads: int) -> None:
    """Run `work(begin, end)` on equal bands of 0..count, one a thread, none of them empty, the last in this one.

    Parameters
    ----------
    work : callable
        Does one band; writes only what is its own.
    count : int
        Items; with none nothing is run.
    threads : int
        At least 1.
    """
    if threads == 1 and count:
        work(0, count)
        return
    bands = min(threads, count)
    limits = [count * band // bands for band in range(bands + 1)] if bands else []
    others = [Thread(target=work, args=(limits[band], limits[band + 1])) for band in range(bands - 1)]
    for other in others:
        other.start()
    if bands:
        work(limits[-2], limits[-1])
    for other in others:
        other.join()
