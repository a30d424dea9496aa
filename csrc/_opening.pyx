# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Opening by a disk: the compiled side of `karyofast.kernels.opening`, which validates and documents."""

from libc.stdint cimport int32_t, int64_t


cdef extern from "opening_core.h":
    ctypedef struct kf_element:
        const int32_t *reach
        int64_t size
    int kf_opening(const float *image, int64_t height, int64_t width, const kf_element *element, float *out,
                   int path) nogil


def disk_opening(const float[:, ::1] image, const int32_t[::1] reach, float[:, ::1] out, int path):
    """`image` opened by rows that reach as far as `reach` says into `out` (algorithm: opening_core.c).

    Preconditions: at least one pixel, `out` of its shape, `reach` of odd length, 0 or more, the same from either end,
    `path` there on this processor.
    O(pixels * len(reach)). Raises MemoryError.
    """
    cdef kf_element element
    cdef int failed
    element.reach, element.size = &reach[0], reach.shape[0]
    with nogil:
        failed = kf_opening(&image[0, 0], image.shape[0], image.shape[1], &element, &out[0, 0], path)
    if failed:
        raise MemoryError
