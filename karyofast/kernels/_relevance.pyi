import numpy as np
from numpy.typing import NDArray

def relevance(
    points: NDArray[np.float64],
    gradients: NDArray[np.float64],
    seeds: NDArray[np.float64],
    weight: float,
    best: NDArray[np.int64],
    value: NDArray[np.float64],
    path: int,
) -> None: ...
