# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Lines along a chromosome: the compiled side of `karyofast.kernels.axis`, which validates and documents.

Lines and pixels are (n, 2) row, column, finite; masks C-contiguous. Algorithms: axis_core.c. What makes a line raises
MemoryError where there is no memory.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


cdef extern from "axis_core.h":
    ctypedef struct kf_line:
        double *at
        int64_t count, room
    ctypedef struct kf_shape:
        const uint8_t *mask
        int64_t height, width
    ctypedef struct kf_pixels:
        const double *point
        const double *weight
        int64_t points, area
    ctypedef struct kf_fit:
        double reach, bends, stiffness
        int64_t rounds, most_bends, out
    void kf_nearest(const double *line, int64_t count, const double *point, int64_t points, double *at, double *square,
                    int path) nogil
    int64_t kf_beside(const double *line, int64_t count, const double *point, const uint8_t *chosen, int64_t points,
                      double reach, float *out) nogil
    int kf_evenly(const double *line, int64_t count, kf_line *even) nogil
    int kf_prolonged(const double *line, int64_t count, const kf_shape *shape, double width, int64_t out,
                     kf_line *longer) nogil
    int kf_principal_curve(const kf_shape *shape, const kf_pixels *pixels, const kf_fit *fit, kf_line *line,
                           int path) nogil
    void kf_own_run(const double *line, int64_t count, int64_t across, const float *rows, const float *cols,
                    const float *soft, double reach, float least, float *body) nogil


cdef object taken(kf_line *line, int failed):
    """A line as an array; what the core has allocated is freed."""
    cdef double[:, ::1] view
    try:
        if failed:
            raise MemoryError
        out = np.empty((line.count, 2), dtype=np.float64)
        view = out
        memcpy(&view[0, 0], line.at, sizeof(double) * 2 * line.count)
        return out
    finally:
        free(line.at)


cdef inline kf_shape shape_of(const uint8_t[:, ::1] mask):
    cdef kf_shape shape
    shape.mask = &mask[0, 0]
    shape.height = mask.shape[0]
    shape.width = mask.shape[1]
    return shape


def nearest(const double[:, ::1] line, const double[:, ::1] points, double[::1] at, double[::1] square, int path):
    """The first of the nearest points of `line` to each of `points` into `at`, its squared distance into `square`.

    Preconditions: one point or more in both; `at`, `square` (points,); `path` there on this processor.
    O(line * points).
    """
    with nogil:
        kf_nearest(&line[0, 0], line.shape[0], &points[0, 0], points.shape[0], &at[0], &square[0], path)


def beside(const double[:, ::1] line, const double[:, ::1] points, const uint8_t[::1] chosen, double reach,
           float[:, ::1] out):
    """Of the `chosen` of `points` those at most `reach` from `line`, as x and y into `out`; as kf_beside of axis_core.h.

    Preconditions: one point of each or more, `chosen` 0 or 1, `out` as long as `points`. O(points * line).
    """
    cdef int64_t found
    with nogil:
        found = kf_beside(&line[0, 0], line.shape[0], &points[0, 0], &chosen[0], points.shape[0], reach, &out[0, 0])
    return found


def evenly(const double[:, ::1] line):
    """Points about 1 px apart on `line`, which has one point or more. O(length)."""
    cdef kf_line even = kf_line(NULL, 0, 0)
    cdef int failed
    with nogil:
        failed = kf_evenly(&line[0, 0], line.shape[0], &even)
    return taken(&even, failed)


def prolonged(const double[:, ::1] line, const uint8_t[:, ::1] mask, double width, int64_t out):
    """`line`, three points or more, with both ends drawn on until `out` points beyond `mask`. O(line + width)."""
    cdef kf_shape shape = shape_of(mask)
    cdef kf_line longer = kf_line(NULL, 0, 0)
    cdef int failed
    with nogil:
        failed = kf_prolonged(&line[0, 0], line.shape[0], &shape, width, out, &longer)
    return taken(&longer, failed)


def principal_curve(const double[:, ::1] line, const uint8_t[:, ::1] mask, const double[:, ::1] points,
                    const double[::1] weights, int64_t area, tuple fit, int path):
    """What `line`, three points or more, settles to when it is fitted to `points`.

    Preconditions: one point or more, `weights` (points,) above 0, `area` above 0; `fit` the fields of `CurveFit` in
    order, most_bends 14 at most; `path` there on this processor. O(rounds * line * points).
    """
    cdef kf_shape shape = shape_of(mask)
    cdef kf_pixels pixels
    cdef kf_fit how
    cdef kf_line curve = kf_line(NULL, 0, 0)
    cdef int failed
    how.reach, how.bends, how.stiffness, how.rounds, how.most_bends, how.out = fit
    pixels.point = &points[0, 0]
    pixels.weight = &weights[0]
    pixels.points = points.shape[0]
    pixels.area = area
    with nogil:
        curve.count = curve.room = line.shape[0]
        curve.at = <double *>malloc(sizeof(double) * 2 * curve.count)
        failed = curve.at == NULL
        if not failed:
            memcpy(curve.at, &line[0, 0], sizeof(double) * 2 * curve.count)
            failed = kf_principal_curve(&shape, &pixels, &how, &curve, path)
    return taken(&curve, failed)


def own_run(const double[:, ::1] line, const float[:, ::1] rows, const float[:, ::1] cols, const float[:, ::1] soft,
            double reach, float least, float[:, ::1] body):
    """Of each row of samples the run above `least` that holds or is nearest to its middle into `body`.

    Preconditions: one point or more, and one row of samples for each. O(line * line), and O(line) for each sample of a
    fold.
    """
    with nogil:
        kf_own_run(&line[0, 0], line.shape[0], soft.shape[1], &rows[0, 0], &cols[0, 0], &soft[0, 0], reach, least,
                   &body[0, 0])
