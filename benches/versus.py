"""The kernels against their peers: ratios with their spread and peak memory, as a Markdown table, losses included.

    python benches/versus.py                      prints the table
    python benches/versus.py --readme README.md   also writes it between the markers there
    python benches/versus.py --only distance      the rows whose operation has this word

Both sides run in turn in one process, on the same pictures; a ratio is peer time over ours, its spread the quartiles of
the rounds. Times are processor time, so what else the machine does weighs less; where both sides have two threads they
are wall time.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from benches import peers
from benches.conftest import drawn_metaphase
from karyofast.io import metaphase_from_array
from karyofast.kernels import component_tree, edge_distance, relevance, two_class_variance
from karyofast.kernels.dispatch import cpu_paths
from karyofast.kernels.ops import OPERATIONS
from karyofast.kernels.ring import ridge

BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"
PACKAGES = (
    *("numpy", "numba", "opencv-python-headless", "scipy", "pylena", "mmcfilters", "higra", "edt", "mahotas"),
    "SimpleITK",
)
SAME = (
    *(
        "AREA",
        "BOX_ROW_MIN",
        "BOX_COLUMN_MIN",
        "BOX_ROW_MAX",
        "BOX_COLUMN_MAX",
        "BITQUAD_NUMBER_EULER",
        "BITQUAD_PERIMETER",
    ),
    *("CENTRAL_MOMENT_20", "CENTRAL_MOMENT_02", "CENTRAL_MOMENT_11", "MEAN_GRAY_LEVEL", "GRAY_LEVEL_VARIANCE"),
)
"""Attributes of mmcfilters that are ours, or come from ours in one step."""
ROUNDS = 7
SIZES = ((576, 768), (1024, 1280), (2048, 2048), (4096, 4096))
"""Height and width of the drawn pictures on which time per pixel is told."""
SEEDS = 300
"""Seeds of the relevance bench, as many as PEERS names for its 12,758 edge pixels."""

Call = Callable[[], object]


def pictures(data: Path) -> dict[str, np.ndarray]:
    """Densities by name: real ones where the folder has them, and a drawn one of 1280 x 1024."""
    gband = cv2.imread(str(data / "gband" / "annotated" / "1071262.jpg"), cv2.IMREAD_GRAYSCALE)
    mfish = cv2.imread(str(data / "mfish" / "A0502XY_dapi.png"), cv2.IMREAD_GRAYSCALE)
    if gband is None or mfish is None:
        raise SystemExit(f"KARYOFAST_DATA must name the folder of gband and mfish. Got: {data}.")
    return {"gband": 255 - gband, "mfish": mfish, "drawn 1280x1024": drawn_metaphase()}


def contests(density: np.ndarray) -> Iterator[tuple[str, str, Call, Call]]:
    """Operation, peer, the peer's call and ours."""
    yield from tree_contests(density)
    boxes = boxes_of(density)
    out = np.empty(len(boxes))
    yield (
        f"V_i, {len(boxes)} boxes",
        "Numba, box by box",
        lambda: peers.two_class_variance(density, boxes, out),
        lambda: two_class_variance(density, boxes),
    )
    yield from distance_contests(density)
    shape = next(one for one in OPERATIONS if one.name == "ridge").scene(density)
    yield "ridge", "our own in Numba", lambda: ridge(**shape, impl="numba"), lambda: ridge(**shape)
    points, gradients, seeds = points_of(density)
    best, value = np.empty(len(points), dtype=np.int64), np.empty(len(points))
    yield (
        f"relevance, {SEEDS} seeds",
        "Numba f64, plain loop",
        lambda: peers.relevance(points, gradients, seeds, 0.4, best, value),
        lambda: relevance(points, gradients, seeds),
    )
    yield from chain_contests(density)


def chain_contests(density: np.ndarray) -> Iterator[tuple[str, str, Call, Call]]:
    """From a picture to separated chromosomes by the ring radius chain."""
    from benches import chain, paper_chain

    metaphase = metaphase_from_array(density, polarity="bright")
    yield (
        "classical chain",
        "a chain of its own of pylena, Numba and OpenCV",
        lambda: paper_chain.chromosomes(metaphase),
        lambda: chain.ours(metaphase),
    )
    yield (
        "classical chain",
        "our chain with pylena (8 bit), Numba and OpenCV for our kernels",
        lambda: chain.theirs(metaphase),
        lambda: chain.ours(metaphase),
    )


def boxes_of(density: np.ndarray) -> np.ndarray:
    """Boxes for V_i, int64 (n, 4)."""
    scene = next(one for one in OPERATIONS if one.name == "two_class_variance").scene(density)
    return scene["boxes"].astype(np.int64)


def points_of(density: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edge pixels, the gradients at them and seeds for the relevance, float64 (n, 2), (n, 2), (SEEDS, 2)."""
    places = np.argwhere(cv2.Canny(density, 60, 150))
    points = np.ascontiguousarray(places, dtype=np.float64)
    down, across = np.gradient(density.astype(np.float64))
    rows, cols = places.T
    gradients = np.stack([down[rows, cols], across[rows, cols]], axis=-1)
    return points, gradients, points[np.linspace(0, len(points) - 1, SEEDS).astype(int)] + 0.25


def two_thread_contests(density: np.ndarray) -> Iterator[tuple[str, str, Call, Call]]:
    """The same where both sides may have two threads. A plain loop in Numba gets half of the items in each."""
    import edt

    image, mser = 255 - density, cv2.MSER.create(delta=1)
    yield (
        "tree, both polarities, two threads",
        "cv2.MSER delta 1",
        lambda: mser.detectRegions(density),
        lambda: in_two(lambda: component_tree(image), lambda: component_tree(density)),
    )
    boxes = boxes_of(density)
    out, half = np.empty(len(boxes)), len(boxes) // 2
    yield (
        f"V_i, {len(boxes)} boxes, two threads",
        "Numba, box by box",
        lambda: in_two(
            lambda: peers.two_class_variance(density, boxes[:half], out[:half]),
            lambda: peers.two_class_variance(density, boxes[half:], out[half:]),
        ),
        lambda: two_class_variance(density, boxes, threads=2),
    )
    edges = cv2.Canny(density, 60, 150) > 0
    free = ~edges
    bytes_free = free.astype(np.uint8)
    sides: dict[str, Call] = {
        "cv2 DIST_MASK_PRECISE": lambda: cv2.distanceTransform(bytes_free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
        "edt": lambda: edt.edt(free, parallel=2),
    }
    for name, side in sides.items():
        yield "distance, two threads", name, side, lambda: edge_distance(edges, threads=2)
    points, gradients, seeds = points_of(density)
    best, value, middle = np.empty(len(points), dtype=np.int64), np.empty(len(points)), len(points) // 2
    first, rest = slice(middle), slice(middle, None)
    yield (
        f"relevance, {SEEDS} seeds, two threads",
        "Numba f64, plain loop",
        lambda: in_two(
            lambda: peers.relevance(points[first], gradients[first], seeds, 0.4, best[first], value[first]),
            lambda: peers.relevance(points[rest], gradients[rest], seeds, 0.4, best[rest], value[rest]),
        ),
        lambda: relevance(points, gradients, seeds, threads=2),
    )


def in_two(one: Call, other: Call) -> None:
    """Both at once, each in a thread."""
    thread = threading.Thread(target=one)
    thread.start()
    other()
    thread.join()


def tree_contests(density: np.ndarray) -> Iterator[tuple[str, str, Call, Call]]:
    """The component tree, full and under a bound."""
    import mmcfilters
    import pylena

    image = 255 - density
    bound = min(254, 25 + int(cv2.threshold(image, 0, 1, cv2.THRESH_OTSU)[0]))
    clipped = 255 - np.minimum(image, bound + 1)
    mser = cv2.MSER.create(delta=1)
    yield "tree", "pylena, no attributes", lambda: pylena.morpho.maxtree(density, 8), lambda: component_tree(image)
    yield (
        "tree up to Otsu + 25",
        "pylena, clipped picture",
        lambda: pylena.morpho.maxtree(clipped, 8),
        lambda: component_tree(image, max_level=bound),
    )
    least = mser.getMinArea()
    for name, area in (("tree, both polarities", 1), (f"the same, regions from {least} px as MSER", least)):
        yield (
            name,
            "cv2.MSER delta 1",
            lambda: mser.detectRegions(density),
            lambda area=area: (component_tree(image, min_area=area), component_tree(density, min_area=area)),
        )

    def attributes() -> None:
        tree = mmcfilters.MorphologicalTreeFactory.create_max_tree(density, radius=1.5)
        for name in SAME:
            mmcfilters.Attribute.compute(tree, getattr(mmcfilters.Attribute, name))

    yield "tree", "mmcfilters, the same attributes", attributes, lambda: component_tree(image)
    import higra

    graph = higra.get_8_adjacency_implicit_graph(density.shape)
    yield (
        "tree",
        "higra, no attributes",
        lambda: higra.component_tree_max_tree(graph, density),
        lambda: component_tree(image),
    )


def distance_contests(density: np.ndarray) -> Iterator[tuple[str, str, Call, Call]]:
    """The exact distance transform of a Canny picture, one thread each."""
    import edt
    import mahotas
    import SimpleITK
    from scipy import ndimage

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    edges = cv2.Canny(density, 60, 150) > 0
    free = ~edges
    bytes_free = free.astype(np.uint8)
    sides: dict[str, Call] = {
        "cv2 DIST_MASK_PRECISE": lambda: cv2.distanceTransform(bytes_free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
        "edt": lambda: edt.edt(free, parallel=1),
        "mahotas": lambda: mahotas.distance(free),
        "SciPy": lambda: ndimage.distance_transform_edt(free),
        "SimpleITK Maurer": lambda: SimpleITK.SignedMaurerDistanceMap(seeds, False, False),
    }
    seeds = SimpleITK.GetImageFromArray(edges.astype(np.uint8))
    for name, side in sides.items():
        yield "distance", name, side, lambda: edge_distance(edges)


def sizes(only: str, rounds: int) -> Iterator[str]:
    """Rows of a table: nanoseconds a pixel of our kernels on drawn pictures of growing size, one thread."""
    inputs: dict[str, tuple[Callable[[np.ndarray], object], Callable[[np.ndarray], np.ndarray]]] = {
        "tree": (component_tree, lambda density: 255 - density),
        "distance": (edge_distance, lambda density: cv2.Canny(density, 60, 150) > 0),
    }
    for name, (kernel, prepared) in inputs.items():
        if only not in name:
            continue
        spent = []
        for height, width in SIZES:
            given = prepared(drawn_metaphase(height, width))
            call = partial(kernel, given)
            call()
            spent.append(np.median([timed(call) for _ in range(rounds)]) * 1e9 / given.size)
        cells = " | ".join(f"{value:.1f}" for value in spent)
        yield f"| {name} | {cells} | {spent[-1] / spent[0]:.2f} |"


def timed(call: Call, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of one call, by `clock`."""
    start = clock()
    call()
    return clock() - start


def peak(call: Call) -> float:
    """Bytes that a call needs at its highest, measured in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).malloc_trim(0)  # what earlier calls left would be taken again unseen
        Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
        before = _status("VmRSS")
        call()
        os.write(writing, str(max(0, _status("VmHWM") - before)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        found = said.read()
    os.waitpid(child, 0)
    return float(found or "nan")


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise KeyError(key)


def compared(
    pairs: Iterable[tuple[str, str, Call, Call]],
    clock: Callable[[], float],
    rounds: int,
    only: str,
    picture: str,
    pixels: int,
) -> Iterator[str]:
    """A row of the table for each contest whose operation has the word `only`."""
    for operation, peer, theirs, ours in pairs:
        if only not in operation:
            continue
        theirs(), ours()  # compiles, fills caches
        spent = np.array([(timed(theirs, clock), timed(ours, clock)) for _ in range(rounds)])
        low, middle, high = np.quantile(spent[:, 0] / spent[:, 1], (0.25, 0.5, 0.75))
        mark = "" if middle >= 1 else " (loss)"
        times = np.median(spent, axis=0) * 1e3
        yield (
            f"| {operation} | {peer} | {picture} | {times[1]:.1f} | {times[0]:.1f} | "
            f"{middle:.1f} ({low:.1f}..{high:.1f}){mark} | {peak(ours) / pixels:.0f} |"
        )


def processor() -> str:
    """Its name; a virtual machine's may say little, so also family and model, where the system tells them."""
    told = dict(
        (part.strip() for part in line.split(":", 1))
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if ":" in line
    )
    if "model name" not in told:
        return platform.machine()
    return f"{told['model name']} (family {told.get('cpu family', '?')}, model {told.get('model', '?')})"


def table(data: Path, rounds: int, only: str) -> str:
    """The table, under a line that names machine and versions."""
    cv2.setNumThreads(1)
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    rows = [
        f"{processor()}, {os.cpu_count()} cores, path {cpu_paths()[-1]}, "
        f"Python {platform.python_version()}, {versions}; {datetime.date.today()}; one thread where not said.",
        "",
        "| operation | peer | picture | ours, ms | peer, ms | ratio (quartiles) | ours, bytes a pixel |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, density in pictures(data).items():
        rows += compared(contests(density), time.process_time, rounds, only, name, density.size)
        cv2.setNumThreads(2)
        rows += compared(two_thread_contests(density), time.perf_counter, rounds, only, name, density.size)
        cv2.setNumThreads(1)
    shapes = " | ".join(f"{width}x{height}" for height, width in SIZES)
    rows += [
        "",
        f"| ours on drawn pictures, ns a pixel | {shapes} | last over first |",
        "|" + "---|" * (len(SIZES) + 2),
        *sizes(only, rounds),
    ]
    return "\n".join(rows)


def write_between(path: Path, text: str) -> None:
    """Replace what stands between the markers of a file."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path} must hold the lines {BEGIN} and {END}.")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    made = table(Path(os.environ.get("KARYOFAST_DATA", "../shared/data")), chosen.rounds, chosen.only)
    print(made)
    if chosen.readme:
        write_between(chosen.readme, made)


if __name__ == "__main__":
    main()
