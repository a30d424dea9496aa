# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Distance transform: the compiled side of `karyofast.kernels.edge_distance`, which validates and documents."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t


cdef extern from "distance_core.h":
    void kf_distance_columns(const uint8_t *edges, int32_t height, int32_t width, int32_t begin, int32_t end,
                             uint16_t *depth, int path) nogil
    void kf_distance_rows(const uint16_t *depth, int32_t width, int32_t begin, int32_t end, int32_t *scratch,
                          double *out, int path) nogil
    int64_t kf_distance_scratch(int32_t width) nogil


def columns(const uint8_t[:, ::1] edges, int begin, int end, uint16_t[:, ::1] depth, int path):
    """Distance down the columns begin..end into `depth` (paper section 4, eq. 5; algorithm: distance_core.c).

    Preconditions: both of one shape, at least one pixel, height**2 + width**2 < 2**30; `path` there on this processor.
    """
    with nogil:
        kf_distance_columns(&edges[0, 0], <int32_t> edges.shape[0], <int32_t> edges.shape[1], begin, end, &depth[0, 0],
                            path)


def rows(const uint16_t[:, ::1] depth, int begin, int end, double[:, ::1] out, int path):
    """Distances of the rows begin..end, px, into `out` from the depths of `columns`, under its preconditions."""
    cdef int32_t width = <int32_t> depth.shape[1]
    cdef int32_t[::1] scratch = np.empty(kf_distance_scratch(width), dtype=np.int32)
    with nogil:
        kf_distance_rows(&depth[0, 0], width, begin, end, &scratch[0], &out[0, 0], path)
