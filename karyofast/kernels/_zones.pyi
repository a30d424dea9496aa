import numpy as np
from numpy.typing import NDArray

def zone_gaps(zones: NDArray[np.int32], gap: NDArray[np.int64], path: int) -> None: ...
