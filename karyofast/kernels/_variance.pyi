import numpy as np
from numpy.typing import NDArray

def two_class_variance(
    image: NDArray[np.uint8],
    boxes: NDArray[np.int64],
    rank: NDArray[np.int64],
    out: NDArray[np.float64],
    path: int,
) -> None: ...
def chain_keys(boxes: NDArray[np.int64], height: int, width: int, key: NDArray[np.int64]) -> bool: ...
