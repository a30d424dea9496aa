"""Tasks of a run side by side: small networks train quicker on a core each than one after the other on all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

import torch

Tell = Callable[[str, int, int], None]
"""Called with (what is done, steps done, steps in all)."""


@dataclass(frozen=True)
class Task:
    """Work that another process can do; what it finds it leaves in files of the run folder.

    Attributes
    ----------
    name : str
        Told when it is done.
    work : callable
        Of a module.
    given : tuple
        Its arguments.
    """

    name: str
    work: Callable[..., object]
    given: tuple[Any, ...] = field(default=())


def side_by_side(tasks: Sequence[Task], jobs: int, tell: Tell) -> None:
    """Do tasks, `jobs` at a time in processes of one thread each; no two may write the same file.

    Raises what the first task that fails raises; those that were begun end first, those that were not are left out.
    """
    # spawned, not forked: a fork of a process whose libraries have threads may hang
    with ProcessPoolExecutor(max(1, min(jobs, len(tasks))), get_context("spawn"), _begin) as pool:
        names = {pool.submit(task.work, *task.given): task.name for task in tasks}
        try:
            for done, one in enumerate(as_completed(names), 1):
                one.result()
                tell(names[one], done, len(tasks))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _begin() -> None:
    torch.set_num_threads(1)
    Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End with the parent, even where that was killed: the run that follows must be alone in its folder."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
