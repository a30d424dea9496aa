# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Assignment: the compiled side of `karyofast.kernels.assign`, which validates and documents."""

from libc.stdint cimport int64_t


cdef extern from "assign_core.h":
    int kf_assign(const double *cost, int64_t rows, int64_t columns, int64_t *column_of) nogil


def assign(const double[:, ::1] costs, int64_t[::1] column_of):
    """Column of each row into `column_of`, so that the sum of the costs is least (algorithm: assign_core.c).

    Preconditions: finite (n, m) with n at least 1 and at most m, `column_of` (n,). O(n^2 m). Raises MemoryError.
    """
    cdef int failed
    with nogil:
        failed = kf_assign(&costs[0, 0], costs.shape[0], costs.shape[1], &column_of[0])
    if failed:
        raise MemoryError
