import numpy as np
from numpy.typing import NDArray

def ridge_depths(height: NDArray[np.float32], top: float, out: NDArray[np.float32], path: int) -> int: ...
def outlines(
    order: NDArray[np.int32],
    start: NDArray[np.int32],
    area: NDArray[np.int32],
    box: NDArray[np.int32],
    width: int,
    bin: float,
    out: NDArray[np.float64],
    path: int,
) -> bool: ...
def masks(
    order: NDArray[np.int32],
    start: NDArray[np.int32],
    area: NDArray[np.int32],
    box: NDArray[np.int32],
    width: int,
    out: NDArray[np.uint8],
) -> bool: ...
def rim_steps(
    image: NDArray[np.uint16],
    order: NDArray[np.int32],
    start: NDArray[np.int32],
    area: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None: ...
