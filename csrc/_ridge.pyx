# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Ridge: the compiled side of `karyofast.kernels.ridge`, which validates and documents."""

from libc.stdint cimport int32_t, int64_t, uint8_t


cdef extern from "ridge_core.h":
    int kf_ridge(uint8_t *left, const double *radius, int64_t height, int64_t width, double least) nogil
    ctypedef struct kf_paths:
        int64_t *order
        int64_t *end
        int32_t *zone
    int64_t kf_ridge_paths(const uint8_t *ridge, const uint8_t *zones, int64_t height, int64_t width, kf_paths *paths) nogil


def ridge(uint8_t[:, ::1] left, const double[:, ::1] radius, double least):
    """Leave of `left` its medial axis on the local maxima of `radius` (paper section 4; algorithm: ridge_core.c).

    Preconditions: `left` 0 or 1 with a rim of one free pixel, `radius` of the shape within it, without NaN. O(n log n).
    Raises MemoryError.
    """
    cdef int failed
    with nogil:
        failed = kf_ridge(&left[0, 0], &radius[0, 0], left.shape[0], left.shape[1], least)
    if failed:
        raise MemoryError


def ridge_paths(const uint8_t[:, ::1] ridge, const uint8_t[:, ::1] zones, int64_t[::1] order, int64_t[::1] end,
                int32_t[:, ::1] zone):
    """Walks along what `ridge` has outside of `zones` into `order`, `end` and `zone`; returns their number (ridge_core.c).

    Preconditions: both 0 or 1, of one shape and not empty; `order`, `end` and the rows of `zone` as many as pixels of
    `ridge`, at least one. O(pixels). Raises MemoryError.
    """
    cdef kf_paths paths
    cdef int64_t count
    paths.order, paths.end, paths.zone = &order[0], &end[0], &zone[0, 0]
    with nogil:
        count = kf_ridge_paths(&ridge[0, 0], &zones[0, 0], ridge.shape[0], ridge.shape[1], &paths)
    if count < 0:
        raise MemoryError
    return count
