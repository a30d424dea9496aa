"""What the coming steps of a training are shown, drawn in worker processes while the present step runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

import cv2

Shared = TypeVar("Shared")
Drawn = TypeVar("Drawn")

AHEAD = 3
"""Steps a worker that are drawn before they are asked for."""

_shared: Any = None
"""In a worker: what every step is drawn from."""


def drawn_ahead(draw: Callable[[Shared, int], Drawn], shared: Shared, steps: range, workers: int) -> Iterator[Drawn]:
    """What `draw` gives for each step, in order.

    Parameters
    ----------
    draw : callable
        Of a module, called with (shared, step). The step alone may decide what it draws, so that the number of workers
        changes nothing.
    shared : Any
        Sent to each worker once.
    steps : range
    workers : int
        Processes; 0: drawn here, when asked for.
    """
    if workers == 0:
        yield from (draw(shared, step) for step in steps)
        return
    # spawned, not forked: a fork of a process in which torch or OpenCV runs threads can hang
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _take, (shared,))
    coming: deque[Future[Drawn]] = deque()
    try:
        for step in steps:
            coming.append(pool.submit(_draw, draw, step))
            if len(coming) > AHEAD * workers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _take(shared: Any) -> None:
    global _shared
    _shared = shared
    cv2.setNumThreads(1)


def _draw(draw: Callable[[Any, int], Drawn], step: int) -> Drawn:
    return draw(_shared, step)
