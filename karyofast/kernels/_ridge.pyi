import numpy as np
from numpy.typing import NDArray

def ridge(left: NDArray[np.uint8], radius: NDArray[np.float64], least: float) -> None: ...
def ridge_paths(
    ridge: NDArray[np.uint8],
    zones: NDArray[np.uint8],
    order: NDArray[np.int64],
    end: NDArray[np.int64],
    zone: NDArray[np.int32],
) -> int: ...
