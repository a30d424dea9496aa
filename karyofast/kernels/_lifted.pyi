import numpy as np
from numpy.typing import NDArray

def lifted_cores(
    values: NDArray[np.float32], threshold: float, least: int, crossed: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]: ...
