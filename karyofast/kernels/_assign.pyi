import numpy as np
from numpy.typing import NDArray

def assign(costs: NDArray[np.float64], column_of: NDArray[np.int64]) -> None: ...
