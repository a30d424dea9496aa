"""What the CUDA driver says of the GPU; no package is needed for the question, and no GPU."""

from __future__ import annotations

import ctypes

_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of the driver's cuda.h."""


def compute_capability(device: int = 0) -> str | None:
    """Compute capability of a GPU, as "8.6"; None where there is no driver or no GPU."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    if driver.cuInit(0) != 0:
        return None
    told = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int()
        if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device) != 0:
            return None
        told.append(str(value.value))
    return ".".join(told)
