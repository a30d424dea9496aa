import numpy as np
from numpy.typing import NDArray

def nearest(
    line: NDArray[np.float64],
    points: NDArray[np.float64],
    at: NDArray[np.float64],
    square: NDArray[np.float64],
    path: int,
) -> None: ...
def beside(
    line: NDArray[np.float64],
    points: NDArray[np.float64],
    chosen: NDArray[np.uint8],
    reach: float,
    out: NDArray[np.float32],
) -> int: ...
def evenly(line: NDArray[np.float64]) -> NDArray[np.float64]: ...
def prolonged(line: NDArray[np.float64], mask: NDArray[np.uint8], width: float, out: int) -> NDArray[np.float64]: ...
def principal_curve(
    line: NDArray[np.float64],
    mask: NDArray[np.uint8],
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    area: int,
    fit: tuple[float, float, float, int, int, int],
    path: int,
) -> NDArray[np.float64]: ...
def own_run(
    line: NDArray[np.float64],
    rows: NDArray[np.float32],
    cols: NDArray[np.float32],
    soft: NDArray[np.float32],
    reach: float,
    least: float,
    body: NDArray[np.float32],
) -> None: ...
