"""What training asks of the machine it runs on."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory instead of handing it back to the kernel.

    A training step frees and takes the same large blocks again and again; by default glibc maps and unmaps each, and
    the page faults cost much of a step on a CPU. Does nothing where the C library is not glibc.

    Returns
    -------
    bool
        Whether the settings were taken.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    taken = (
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30),
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1),
        libc.mallopt(_M_TOP_PAD, 1 << 28),
    )
    return all(taken)


@cache
def quick_bfloat16(device: str) -> bool:
    """Whether bfloat16 is quicker than float32.

    It is on a GPU, and on a CPU with instructions for it; elsewhere it is
    emulated and some twenty times slower.
    """
    if device != "cpu":
        return True
    flags = Path("/proc/cpuinfo")
    return flags.exists() and any(name in flags.read_text() for name in ("avx512_bf16", "amx_bf16"))
