# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Components of lifted pictures: the compiled side of `karyofast.kernels.lifted`, which validates and documents."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

import numpy as np


cdef extern from "lifted_core.h":
    ctypedef struct kf_cores:
        int64_t count
        int64_t *start
        int64_t *pixels
        double *score

    int kf_lifted_cores(const float *values, int64_t planes, int64_t rows, int64_t columns, float threshold,
                        int64_t least, const unsigned char *crossed, kf_cores *found) nogil
    void kf_free_cores(kf_cores *found) nogil


def lifted_cores(const float[:, :, ::1] values, float threshold, int64_t least, const unsigned char[:, ::1] crossed=None):
    """Pixels, starts and scores of the components (algorithm: lifted_core.c).

    Preconditions: no axis empty; `crossed` of the rows and columns. O(planes * pixels). Raises MemoryError.
    """
    cdef kf_cores found
    cdef int failed
    cdef const unsigned char *at = NULL if crossed is None else &crossed[0, 0]
    with nogil:
        failed = kf_lifted_cores(&values[0, 0, 0], values.shape[0], values.shape[1], values.shape[2], threshold, least,
                                 at, &found)
    if failed:
        raise MemoryError
    try:
        return (
            _copied(np.empty(found.start[found.count], np.int64), found.pixels),
            _copied(np.empty(found.count + 1, np.int64), found.start),
            _copied(np.empty(found.count, np.float64), found.score),
        )
    finally:
        kf_free_cores(&found)


cdef object _copied(object into, const void *source):
    cdef const unsigned char[::1] at = into.view(np.uint8)
    if at.shape[0]:
        memcpy(<void *>&at[0], source, at.shape[0])
    return into
