import numpy as np
from numpy.typing import NDArray

def cell_means(image: NDArray[np.float32], out: NDArray[np.float32], path: int) -> None: ...
def above_field(
    image: NDArray[np.float32],
    coarse: NDArray[np.float32],
    field: NDArray[np.float32],
    height: NDArray[np.float32],
    path: int,
) -> None: ...
def count_down(height: NDArray[np.float32], scale: float, top: int, out: NDArray[np.uint16], path: int) -> None: ...
