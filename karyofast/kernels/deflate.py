"""A DEFLATE stream that knows runs only: wrapper that validates and allocates for csrc/deflate_core.c."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyofast.kernels import reference
from karyofast.kernels.dispatch import Impl, use_fast

try:
    from karyofast.kernels import _deflate
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None


def deflate(data: NDArray[np.uint8], impl: Impl = "auto") -> bytes:
    """Bytes as a DEFLATE stream (RFC 1951), quickly: runs of one byte are shortened, other repetitions are not.

    Parameters
    ----------
    data : uint8, any shape
        Taken in row-major order.
    impl : Impl
        See `karyofast.kernels.dispatch.Impl`. The implementations give streams of their own, that all say `data`.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError
        `data` is not uint8.
    NotBuiltError
        `impl` is "fast" and the compiled kernel is not there.

    Examples
    --------
    >>> import zlib
    >>> stream = deflate(np.zeros(1000, np.uint8))
    >>> len(stream) < 200, zlib.decompress(stream, wbits=-15) == bytes(1000)
    (True, True)
    """
    given: NDArray[Any] = np.ascontiguousarray(data)
    if given.dtype != np.uint8:
        raise TypeError(f"`data` must be uint8. Got: {given.dtype}.")
    if not use_fast(impl, "deflate", _missing):
        return reference.deflate(given)
    out = np.empty(_deflate.room(given.size), dtype=np.uint8)
    return out[: _deflate.deflate(given.reshape(-1), out)].tobytes()
