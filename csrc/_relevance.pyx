# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Relevance: the compiled side of `karyofast.kernels.relevance`, which validates and documents."""

import numpy as np

from libc.stdint cimport int32_t, int64_t


cdef extern from "relevance_core.h":
    enum:
        KF_SCRATCH
    ctypedef struct kf_cluster:
        const double *point
        const double *gradient
        const double *seed
        int64_t points, seeds
        double weight
    void kf_relevance(const kf_cluster *cluster, double *scratch, int32_t *order, int64_t *best, double *value,
                      int path) nogil


def relevance(const double[:, ::1] points, const double[:, ::1] gradients, const double[:, ::1] seeds, double weight,
              int64_t[::1] best, double[::1] value, int path):
    """Most relevant seed of each edge pixel into `best`, `value` (paper section 4, eq. 6).

    Preconditions: finite (n, 2), (n, 2), (m, 2) with n and m at least 1 and below 2**31; `best`, `value` (n,);
    `path` there on this processor. Algorithm: relevance_core.c.
    """
    cdef kf_cluster cluster
    cdef double[::1] scratch = np.empty(KF_SCRATCH * seeds.shape[0], dtype=np.float64)
    cdef int32_t[::1] order = np.empty(2 * points.shape[0], dtype=np.int32)
    cluster.point = &points[0, 0]
    cluster.gradient = &gradients[0, 0]
    cluster.seed = &seeds[0, 0]
    cluster.points = points.shape[0]
    cluster.seeds = seeds.shape[0]
    cluster.weight = weight
    with nogil:
        kf_relevance(&cluster, &scratch[0], &order[0], &best[0], &value[0], path)
