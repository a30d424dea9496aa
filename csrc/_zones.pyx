# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Gaps between zones: the compiled side of `karyofast.kernels.zones`, which validates and documents."""

from libc.stdint cimport int32_t, int64_t


cdef extern from "zones_core.h":
    int kf_zone_gaps(const int32_t *zones, int64_t height, int64_t width, int64_t count, int64_t *gap, int path) nogil


def zone_gaps(const int32_t[:, ::1] zones, int64_t[:, ::1] gap, int path):
    """The least gaps where the areas nearest to two zones meet into `gap`, in 65536ths of a pixel (algorithm: zones_core.c).

    Preconditions: at least one pixel and one zone, zones 0 .. len(gap), `gap` square; `path` there on this processor.
    O(pixels). Raises MemoryError.
    """
    cdef int failed
    with nogil:
        failed = kf_zone_gaps(&zones[0, 0], zones.shape[0], zones.shape[1], gap.shape[0], &gap[0, 0], path)
    if failed:
        raise MemoryError
