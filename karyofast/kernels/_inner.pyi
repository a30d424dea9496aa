import numpy as np
from numpy.typing import NDArray

def inner_path(mask: NDArray[np.uint8], depth: NDArray[np.float64], way: NDArray[np.int64]) -> tuple[int, float]: ...
