# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""How broad things are: the compiled side of `karyofast.kernels.shape`, which validates and documents."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t


cdef extern from "shape_core.h":
    enum:
        KF_OUTSIDE
    ctypedef struct kf_bodies:
        const int32_t *order
        const int32_t *start
        const int32_t *area
        const int32_t *box
        int64_t count, width
    int64_t kf_ridge_depths(const float *height, int64_t rows, int64_t cols, float top, float *out, int path) nogil
    int kf_outlines(const kf_bodies *bodies, double bin, double *disk, double *aspect, double *votes,
                    int path) nogil
    int kf_masks(const kf_bodies *bodies, uint8_t *out) nogil
    int kf_rim_steps(const uint16_t *image, int64_t rows, const kf_bodies *bodies, int64_t pixels, double *out) nogil


def ridge_depths(const float[:, ::1] height, float top, float[::1] out, int path):
    """Depths on the ridges of Otsu's mask of `height` into `out`; returns their number (algorithm: shape_core.c).

    Preconditions: at least one pixel, of which `top` is the greatest, `out` of as many, `path` there on this
    processor. O(pixels). Raises MemoryError.
    """
    cdef int64_t count
    with nogil:
        count = kf_ridge_depths(&height[0, 0], height.shape[0], height.shape[1], top, &out[0], path)
    if count < 0:
        raise MemoryError
    return count


def outlines(const int32_t[::1] order, const int32_t[::1] start, const int32_t[::1] area, const int32_t[:, ::1] box,
             int64_t width, double bin, double[:, ::1] out, int path):
    """Rows of `out`: disk, aspect and votes of each region; whether all pixels lay in their boxes (shape_core.c).

    Preconditions: at least one region, ranges in `order` of at least one pixel, boxes of at least one, `width` above 0,
    `path` there on this processor. O(pixels of the boxes). Raises MemoryError.
    """
    cdef kf_bodies bodies
    cdef int failed
    bodies.order, bodies.start, bodies.area, bodies.box = &order[0], &start[0], &area[0], &box[0, 0]
    bodies.count, bodies.width = start.shape[0], width
    with nogil:
        failed = kf_outlines(&bodies, bin, &out[0, 0], &out[1, 0], &out[2, 0], path)
    if failed and failed != KF_OUTSIDE:
        raise MemoryError
    return failed == 0


def masks(const int32_t[::1] order, const int32_t[::1] start, const int32_t[::1] area, const int32_t[:, ::1] box,
          int64_t width, uint8_t[::1] out):
    """Masks of the regions in their boxes, one after the other, into `out`; whether all pixels lay there (shape_core.c).

    Preconditions: at least one region, ranges in `order` of at least one pixel, boxes of at least one, `width` above 0, `out`
    0 and of as many pixels as all boxes. O(pixels of the boxes).
    """
    cdef kf_bodies bodies
    cdef int failed
    bodies.order, bodies.start, bodies.area, bodies.box = &order[0], &start[0], &area[0], &box[0, 0]
    bodies.count, bodies.width = start.shape[0], width
    with nogil:
        failed = kf_masks(&bodies, &out[0])
    return failed == 0


def rim_steps(const uint16_t[:, ::1] image, const int32_t[::1] order, const int32_t[::1] start, const int32_t[::1] area,
              double[::1] out):
    """Of each region the sum of the Laplacian of `image` over its pixels into `out` (shape_core.c).

    Preconditions: at least one pixel and one region, `order` of places in `image`, ranges within it. O(pixels of `order`).
    Raises MemoryError.
    """
    cdef kf_bodies bodies
    cdef int failed
    bodies.order, bodies.start, bodies.area, bodies.box = &order[0], &start[0], &area[0], NULL
    bodies.count, bodies.width = start.shape[0], image.shape[1]
    with nogil:
        failed = kf_rim_steps(&image[0, 0], image.shape[0], &bodies, order.shape[0], &out[0])
    if failed:
        raise MemoryError
