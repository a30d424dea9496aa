# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Ridge: the compiled side of `karyofast.kernels.ridge`, which validates and documents."""

from libc.stdint cimport int32_t, int64_t, uint8_t


cdef extern from "ridge_core.h":
    int kf_ridge(uint8_t *left, const double *radius, int64_t height, int64_t width, double least) nogil
    int kf_ridge_paths(const int32_t *labels, int64_t height, int64_t width, int32_t count, int64_t *order,
                       int64_t *end) nogil


def ridge(uint8_t[:, ::1] left, const double[:, ::1] radius, double least):
    """Leave of `left` its medial axis on the local maxima of `radius` (paper section 4; algorithm: ridge_core.c).

    Preconditions: both of one shape, `left` 0 or 1 with a rim of one free pixel, `radius` without NaN. O(n log n).
    Raises MemoryError.
    """
    cdef int failed
    with nogil:
        failed = kf_ridge(&left[0, 0], &radius[0, 0], left.shape[0], left.shape[1], least)
    if failed:
        raise MemoryError


def ridge_paths(const int32_t[:, ::1] labels, int count, int64_t[::1] order, int64_t[::1] end):
    """Places of the pixels of each label in the order of a walk into `order`, one past its last into `end`.

    Preconditions: labels 0 .. count - 1 of 8-connected sets that do not touch, 0 on the rim; `order` (pixels of all) or
    larger, `end` (count,). O(pixels of `labels`). Raises MemoryError.
    """
    cdef int failed
    with nogil:
        failed = kf_ridge_paths(&labels[0, 0], labels.shape[0], labels.shape[1], count, &order[0], &end[0])
    if failed:
        raise MemoryError
