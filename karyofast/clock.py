"""The clock of one picture: which stage is at work, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Which stage is at work, and the seconds of those before it.

    Parameters
    ----------
    told : callable, optional
        Called with the name of each stage as it begins.

    Attributes
    ----------
    stage : str
        The one at work, "" before the first and after `end`.
    seconds : dict
        Seconds of each stage so far, without the one at work.
    """

    def __init__(self, told: Callable[[str], None] | None = None) -> None:
        self.stage = ""
        self.seconds: dict[str, float] = {}
        self._told = told
        self._since = time.perf_counter()

    def begin(self, stage: str) -> None:
        """End the stage at work and begin another."""
        now = time.perf_counter()
        if self.stage:
            self.seconds[self.stage] = round(self.seconds.get(self.stage, 0.0) + now - self._since, 4)
        self.stage, self._since = stage, now
        if stage and self._told:
            self._told(stage)

    def end(self) -> None:
        """End the stage at work."""
        self.begin("")
