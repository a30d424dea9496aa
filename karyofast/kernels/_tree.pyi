import numpy as np
from numpy.typing import NDArray

def component_tree(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    connectivity: int,
    max_level: int,
    min_area: int,
    with_moments: bool,
    path: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]: ...
def largest_above(parent: NDArray[np.int32], value: NDArray[np.float64], above: NDArray[np.float64]) -> None: ...
