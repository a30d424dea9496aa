"""The shipped classifiers on a GPU beside the CPU: time of a batch, crops a second, and how far the answers are apart.

    python benches/cuda.py                            simulated chromosomes
    python benches/cuda.py --data DIR -o cuda.json    crops of unseen cases, from the zip that each model was trained on

Every classifier is made from its ONNX file alone. Contenders are timed in turn in one process, from crops in memory to
probabilities in memory, so copies to and from the GPU count; median with quartiles. Differences and agreement are to
ONNX Runtime on the CPU in fp32, on all crops. Prints a Markdown table; `-o` writes the same rows as JSON. What is not
here (a GPU, a runtime's CUDA provider) is said and left out, and without a GPU the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from karyofast.classify import CellScale, Frame, Runtime, network_input
from karyofast.config import ClassifyOptions
from karyofast.errors import NotBuiltError
from karyofast.export.parity import outcome
from karyofast.export.samples import draw
from karyofast.io import metaphase_from_array
from karyofast.models.store import INT8, ModelInfo, list_models
from karyofast.runtimes.load import load_classifier
from karyofast.runtimes.torch import TorchClassifier
from karyofast.simulate import simulate_metaphase
from karyofast.straighten import straighten
from karyofast.types import Chromosome

BATCHES = (1, 46, 256)
"""One crop, a cell, several cells."""
COUNT = 512
"""Crops on which outputs are compared."""
WARM = 3
"""Calls before the first that is timed."""
HEAD = ("model", "runtime", "device", "precision", "CUDA graph", "batch", "ms (quartiles)", "crops/s", "times CPU fp32")
TOLD = ("largest difference", "same class")

Load = Callable[[int], Runtime]


def classifiers() -> list[ModelInfo]:
    """The shipped classifiers in floating point."""
    found = [model for model in list_models() if model.kind == "classifier"]
    return [model for model in found if model.values.get("precision", "fp32") == "fp32"]


def contenders(info: ModelInfo, threads: int) -> Iterator[tuple[tuple[str, str, str, str], Load]]:
    """Runtime, device, precision, CUDA graph or not, and what loads it for a batch; the first is the reference."""

    def by_options(model: str, runtime: str, device: str, batch: int) -> Runtime:
        return load_classifier(ClassifyOptions(model=model, runtime=runtime, device=device, batch=batch), threads)

    def by_torch(device: str, precision: str, graph: bool, batch: int) -> Runtime:
        return TorchClassifier(info, threads, device, precision, batch, graph)

    yield ("onnxruntime", "cpu", "fp32", "no"), partial(by_options, info.name, "onnxruntime", "cpu")
    if any(model.name == info.name + INT8 for model in list_models()):
        yield ("onnxruntime", "cpu", "int8", "no"), partial(by_options, info.name + INT8, "onnxruntime", "cpu")
    yield ("torch", "cpu", "fp32", "no"), partial(by_torch, "cpu", "fp32", False)
    if not torch.cuda.is_available():
        return
    yield ("onnxruntime", "cuda", "fp32", "no"), partial(by_options, info.name, "onnxruntime", "cuda")
    for precision in ("fp32", "fp16", "bf16"):
        for graph in (False, True):
            yield ("torch", "cuda", precision, "yes" if graph else "no"), partial(by_torch, "cuda", precision, graph)


def simulated(count: int, frame: Frame, bright: bool) -> np.ndarray:
    """Crops float32 (count, 1, rows, columns) of simulated metaphases, by their true masks."""
    rng = np.random.default_rng(0)
    crops: list[np.ndarray] = []
    while len(crops) < count:
        drawn = simulate_metaphase(rng)
        image = 255 - drawn.image if bright else drawn.image
        metaphase = metaphase_from_array(image, polarity="bright" if bright else "dark")
        cell = [straighten(metaphase, Chromosome(one.region.box, one.region.mask)) for one in drawn.instances]
        scale = CellScale.of(cell)
        crops += [network_input(one.crop, scale, frame) for one in cell]
    return np.stack(crops[:count])[:, None]


def rows_of(info: ModelInfo, crops: np.ndarray, threads: int, rounds: int) -> Iterator[dict[str, object]]:
    """One row for each contender and batch."""
    loaded: list[tuple[tuple[str, str, str, str], int, Runtime]] = []
    for name, load in contenders(info, threads):
        try:
            loaded += [(name, batch, load(batch)) for batch in BATCHES]
        except NotBuiltError as error:
            print(f"NOT MEASURED: {info.name} by {' '.join(name[:3])}: {error}", file=sys.stderr)
    given = {batch: np.ascontiguousarray(np.resize(crops, (batch, *crops.shape[1:]))) for batch in BATCHES}
    for _, batch, runtime in loaded:
        for _ in range(WARM):
            runtime.predict(given[batch])
    spent = np.array([[seconds(runtime, given[batch]) for _, batch, runtime in loaded] for _ in range(rounds)])
    right = loaded[0][2].predict(crops)
    for (name, batch, runtime), times in zip(loaded, spent.T, strict=True):
        beside = spent[:, BATCHES.index(batch)]
        answers = runtime.predict(crops)
        low, middle, high = np.quantile(times, (0.25, 0.5, 0.75)) * 1e3
        yield {
            **dict(zip(HEAD, (info.name, *name, batch), strict=False)),
            "ms": round(float(middle), 3),
            "ms_quartiles": [round(float(low), 3), round(float(high), 3)],
            "crops_a_second": round(batch / middle * 1e3),
            "times_cpu_fp32": round(float(np.median(beside / times)), 1),
            "largest_difference": float(max(np.abs(a - b).max() for a, b in zip(answers, right, strict=True))),
            "same_class": float(np.mean(outcome(answers[0]) == outcome(right[0]))),
        }


def seconds(runtime: Runtime, crops: np.ndarray) -> float:
    start = time.perf_counter()
    runtime.predict(crops)
    return time.perf_counter() - start


def line(row: dict[str, object]) -> str:
    low, high = row["ms_quartiles"]
    cells = [row[name] for name in HEAD[:6]]
    cells += [f"{row['ms']:.2f} ({low:.2f}..{high:.2f})", row["crops_a_second"], row["times_cpu_fp32"]]
    cells += [f"{row['largest_difference']:.1e}", f"{row['same_class']:.2%}"]
    return "| " + " | ".join(map(str, cells)) + " |"


def processor() -> str:
    """The processor's name, as Linux tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    return next((one.partition(":")[2].strip() for one in lines if "model name" in one), platform.machine())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the zip files that the models were trained on")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=0, help="of the CPU, 0: one a core")
    parser.add_argument("-o", "--output", type=Path, help="write the rows as JSON, too")
    given = parser.parse_args()
    there = torch.cuda.is_available()
    about = {
        "gpu": torch.cuda.get_device_name() if there else None,
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": given.threads,
        "rounds": given.rounds,
        "versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
        "crops": "simulated" if given.data is None else "of unseen cases",
    }
    print(json.dumps(about))
    if not there:
        print("NOT MEASURED: no CUDA GPU that PyTorch sees on this machine; the rows below are the CPU's.")
    names = (*HEAD, *TOLD)
    print("| " + " | ".join(names) + " |", "|" + "---|" * len(names), sep="\n", flush=True)
    rows = []
    for info in classifiers():
        training = info.values["training"]["data"]
        frame = load_classifier(ClassifyOptions(model=info.name), given.threads).frame
        crops = (
            simulated(COUNT, frame, info.name.startswith("q"))
            if given.data is None
            else draw(given.data / training, "test", COUNT, frame).crops
        )
        for row in rows_of(info, crops, given.threads, given.rounds):
            rows.append(row)
            print(line(row), flush=True)
    if given.output:
        given.output.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    raise SystemExit(0 if there else 1)


if __name__ == "__main__":
    main()
