"""Is what was exported still the same model? Outputs, accuracy, time and memory of both, side by side.

Both are read crop by crop, each crop once, without the averaging of both ends that would hide a difference.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from karyofast.classify import Runtime
from karyofast.errors import KaryofastError, ModelError
from karyofast.export.samples import UNKNOWN, Samples

FILE = "parity.json"
BATCH = 46
"""Crops handed over at once: a usual cell."""

ROUNDS = 9
"""Batches of each side that are timed, in turn: a machine that slows down slows both."""


@dataclass(frozen=True)
class Bounds:
    """How far an export may be from its source.

    Attributes
    ----------
    difference : float or None
        Largest difference of a probability; None: not bounded.
    agreement : float
        Share of crops whose most probable outcome stays the same: a class, or no whole chromosome.
    """

    difference: float | None
    agreement: float


@dataclass(frozen=True)
class Likeness:
    """Outputs and accuracy of an export beside its source's.

    Attributes
    ----------
    data, split : str
    crops : int
    max_difference, mean_difference : float
        Of the class probabilities and of the p arm's.
    top1_agreement, p_arm_agreement : float
        Shares of the crops.
    labelled : int
        Crops with a known class.
    accuracy_source, accuracy_exported : float or None
        Share of them with the right class, from the crop alone.
    """

    data: str
    split: str
    crops: int
    max_difference: float
    mean_difference: float
    top1_agreement: float
    p_arm_agreement: float
    labelled: int
    accuracy_source: float | None
    accuracy_exported: float | None

    def check(self, bounds: Bounds, what: str) -> None:
        """Raise `ModelError` where the export is past its bounds; outputs that are no numbers are too."""
        said = []
        if bounds.difference is not None and not self.max_difference <= bounds.difference:
            said.append(f"a probability differs by {self.max_difference:.2g}, at most {bounds.difference:g} may")
        if not self.top1_agreement >= bounds.agreement:
            said.append(
                f"{self.top1_agreement:.2%} of the crops keep their class, at least {bounds.agreement:.2%} must"
            )
        if said:
            raise ModelError(
                f"{what} is not the model that it was made from, on {self.crops} crops of {self.data} ({self.split}): "
                f"{'; '.join(said)}. Nothing was written."
            )


@dataclass(frozen=True)
class Cost:
    """Time and memory of both.

    Attributes
    ----------
    batch, threads : int
        Crops handed over at once; CPU threads (0: one a core).
    source_ms, exported_ms : float
        Median time of a crop, ms.
    speed_up, speed_up_low, speed_up_high : float
        Median and quartiles of source over exported, over pairs of batches that ran one after the other.
    source_mib, exported_mib : float
        What a fresh process grows by when it loads the model and reads a batch.
    source_bytes, exported_bytes : int
        Size of the weights on disk.
    """

    batch: int
    threads: int
    source_ms: float
    exported_ms: float
    speed_up: float
    speed_up_low: float
    speed_up_high: float
    source_mib: float
    exported_mib: float
    source_bytes: int
    exported_bytes: int


def compare(
    source: Runtime, exported: Runtime, samples: Samples, progress: Callable[[int, int], None] | None = None
) -> Likeness:
    """Read `samples` with both and compare the outputs."""
    parts = []
    for first in range(0, len(samples.crops), BATCH):
        crops = samples.crops[first : first + BATCH]
        parts.append((*source.predict(crops), *exported.predict(crops)))
        if progress:
            progress(first + len(crops), len(samples.crops))
    old, old_up, new, new_up = (np.concatenate(column) for column in zip(*parts, strict=True))
    differences = np.abs(np.column_stack([new, new_up]) - np.column_stack([old, old_up]))
    known = samples.labels != UNKNOWN
    return Likeness(
        data=samples.data,
        split=samples.split,
        crops=len(samples.crops),
        max_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        top1_agreement=_share(outcome(new) == outcome(old)),
        p_arm_agreement=_share((new_up >= 0.5) == (old_up >= 0.5)),
        labelled=int(known.sum()),
        accuracy_source=_share((old.argmax(axis=1) == samples.labels)[known]) if known.any() else None,
        accuracy_exported=_share((new.argmax(axis=1) == samples.labels)[known]) if known.any() else None,
    )


def outcome(classes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Most probable outcome int64 (n,) of class probabilities (n, 24): a class, or 24, no whole chromosome.

    Rows that are not finite have the outcome -1.
    """
    nothing = 1.0 - classes.sum(axis=1, keepdims=True)
    best = np.concatenate([classes, nothing], axis=1).argmax(axis=1)
    return np.where(np.isfinite(classes).all(axis=1), best, -1)


class Reads(Protocol):
    """What is timed: a classifier, or what answers to pictures as one does."""

    def predict(self, crops: NDArray[np.float32]) -> Any:
        """The answer to float32 (n, 1, rows, columns)."""
        ...


def cost(
    source: tuple[Path, Callable[[], Reads]],
    exported: tuple[Path, Callable[[], Reads]],
    crops: NDArray[np.float32],
    threads: int,
) -> Cost:
    """Time both in turn, and measure what each adds to a process of its own.

    Parameters
    ----------
    source, exported : (Path, callable)
        The weights, and what loads them; the callable must be picklable.
    crops : float32 (n, 1, rows, columns)
        One batch is made of them.
    threads : int
        Only told.
    """
    batch = np.ascontiguousarray(np.resize(crops, (BATCH, *crops.shape[1:])))
    pair = source[1](), exported[1]()
    for runtime in pair:
        runtime.predict(batch)
    times = np.array([[_seconds(runtime, batch) for runtime in pair] for _ in range(ROUNDS)])
    low, middle, high = (float(np.percentile(times[:, 0] / times[:, 1], at)) for at in (25, 50, 75))
    old_ms, new_ms = (float(value) for value in 1000.0 * np.median(times, axis=0) / BATCH)
    return Cost(
        batch=BATCH,
        threads=threads,
        source_ms=old_ms,
        exported_ms=new_ms,
        speed_up=middle,
        speed_up_low=low,
        speed_up_high=high,
        source_mib=_memory(source[1], batch),
        exported_mib=_memory(exported[1], batch),
        source_bytes=source[0].stat().st_size,
        exported_bytes=exported[0].stat().st_size,
    )


def write(folder: Path, likeness: Any, spent: Cost | None, bounds: dict[str, Any], more: dict[str, Any]) -> None:
    """Write ``parity.json``; `likeness` is a dataclass, `spent` None where the export could not be run here."""
    content = {**more, "bounds": bounds, "outputs": asdict(likeness), "cost": asdict(spent) if spent else None}
    (folder / FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _seconds(runtime: Reads, batch: NDArray[np.float32]) -> float:
    start = time.perf_counter()
    runtime.predict(batch)
    return time.perf_counter() - start


def _memory(load: Callable[[], Reads], batch: NDArray[np.float32]) -> float:
    """MiB by which the peak of a fresh process grows when it loads a model and reads a batch."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_grow, args=(theirs, load, batch), daemon=True)
    process.start()
    theirs.close()
    try:
        return float(ours.recv())
    except EOFError as error:
        raise KaryofastError("the process that measures memory ended before its answer.") from error
    finally:
        process.join()


def _grow(pipe: Connection, load: Callable[[], Reads], batch: NDArray[np.float32]) -> None:
    before = _resident("VmRSS")
    load().predict(batch)
    pipe.send((_resident("VmHWM") - before) / 1024)


def _resident(key: str) -> int:
    """Resident size of this process, KiB: VmRSS now, VmHWM at most. `resource` tells the parent's peak to a child."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    raise KaryofastError(f"memory is measured where /proc/self/status tells {key}. Got: a system without it.")


def _share(true: NDArray[np.bool_]) -> float:
    return float(np.mean(true))
