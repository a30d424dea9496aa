# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The way inside a mask: the compiled side of `karyofast.kernels.axis.inner_path`, which validates and documents."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from "inner_core.h":
    ctypedef struct kf_shape:
        const uint8_t *mask
        int64_t height, width
    int64_t kf_inner_path(const kf_shape *shape, const double *depth, int64_t *way, double *reach) nogil


def inner_path(const uint8_t[:, ::1] mask, const double[:, ::1] depth, int64_t[::1] way):
    """The way inside between the two pixels farthest apart, as places into `way`; returns their number and distance.

    Preconditions: `mask` 0 or 1 and not empty, `depth` of its shape and above 0 in it, `way` (pixels of the mask,).
    O(n log n), see inner_core.c. Raises MemoryError.
    """
    cdef kf_shape shape
    cdef int64_t count
    cdef double reach = 0.0
    shape.mask, shape.height, shape.width = &mask[0, 0], mask.shape[0], mask.shape[1]
    with nogil:
        count = kf_inner_path(&shape, &depth[0, 0], &way[0], &reach)
    if count < 0:
        raise MemoryError
    return count, reach
