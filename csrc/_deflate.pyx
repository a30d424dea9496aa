# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A DEFLATE stream of runs: the compiled side of `karyofast.kernels.deflate`, which validates and documents."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from "deflate_core.h":
    int64_t kf_deflate_room(int64_t count) nogil
    int64_t kf_deflate(const uint8_t *data, int64_t count, uint8_t *out) nogil


def room(int64_t count):
    """Most bytes that `deflate` writes for `count` bytes."""
    return kf_deflate_room(count)


def deflate(const uint8_t[::1] data, uint8_t[::1] out):
    """Write `data` as a DEFLATE stream into `out` and return its length (algorithm: deflate_core.c).

    Preconditions: `out` has `room` for it. O(bytes). Raises MemoryError.
    """
    cdef int64_t written
    cdef const uint8_t *first = &data[0] if data.shape[0] else NULL
    with nogil:
        written = kf_deflate(first, data.shape[0], &out[0])
    if written < 0:
        raise MemoryError
    return written
