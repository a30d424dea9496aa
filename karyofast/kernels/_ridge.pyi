import numpy as np
from numpy.typing import NDArray

def ridge(left: NDArray[np.uint8], radius: NDArray[np.float64], least: float) -> None: ...
