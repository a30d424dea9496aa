import numpy as np
from numpy.typing import NDArray

def disk_opening(image: NDArray[np.float32], reach: NDArray[np.int32], out: NDArray[np.float32], path: int) -> None: ...
