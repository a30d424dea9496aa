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
    int64_t kf_ridge_depths(const float *height, int64_t rows, int64_t cols, float top, float *out) nogil
    int kf_outlines(const kf_bodies *bodies, double bin, double *disk, double *aspect, double *votes) nogil
    int kf_rim_steps(const uint16_t *image, int64_t rows, const kf_bodies *bodies, int64_t pixels, double *out) nogil
    int64_t kf_fill_holes(uint8_t *mask, int64_t height, int64_t width, double most) nogil
    int kf_solidities(const uint8_t *mask, int64_t width, const int64_t *box, int64_t count, double *out) nogil


def ridge_depths(const float[:, ::1] height, float top, float[::1] out):
    """Depths on the ridges of Otsu's mask of `height` into `out`; returns their number (algorithm: shape_core.c).

    Preconditions: at least one pixel, of which `top` is the greatest, `out` of as many. O(pixels). Raises MemoryError.
    """
    cdef int64_t count
    with nogil:
        count = kf_ridge_depths(&height[0, 0], height.shape[0], height.shape[1], top, &out[0])
    if count < 0:
        raise MemoryError
    return count


def outlines(const int32_t[::1] order, const int32_t[::1] start, const int32_t[::1] area, const int32_t[:, ::1] box,
             int64_t width, double bin, double[:, ::1] out):
    """Rows of `out`: disk, aspect and votes of each region; whether all pixels lay in their boxes (shape_core.c).

    Preconditions: at least one region, ranges in `order` of at least one pixel, boxes of at least one, `width` above 0.
    O(pixels of the boxes). Raises MemoryError.
    """
    cdef kf_bodies bodies
    cdef int failed
    bodies.order, bodies.start, bodies.area, bodies.box = &order[0], &start[0], &area[0], &box[0, 0]
    bodies.count, bodies.width = start.shape[0], width
    with nogil:
        failed = kf_outlines(&bodies, bin, &out[0, 0], &out[1, 0], &out[2, 0])
    if failed and failed != KF_OUTSIDE:
        raise MemoryError
    return failed == 0


def solidities(const uint8_t[:, ::1] mask, const int64_t[:, ::1] box, double[::1] out):
    """Of each box of `mask` the share of its pixels' convex hull that they are into `out` (shape_core.c).

    Preconditions: `mask` 0 or 1 and not empty, at least one box, each within it. O(pixels of the boxes). Raises MemoryError.
    """
    cdef int failed
    with nogil:
        failed = kf_solidities(&mask[0, 0], mask.shape[1], &box[0, 0], box.shape[0], &out[0])
    if failed:
        raise MemoryError


def fill_holes(uint8_t[:, ::1] mask, double most):
    """Fill the holes of `mask` of at most `most` pixels, in place; returns how many (shape_core.c).

    Preconditions: `mask` 0 or 1 and not empty, fewer than 2**31 pixels. O(pixels). Raises MemoryError.
    """
    cdef int64_t filled
    with nogil:
        filled = kf_fill_holes(&mask[0, 0], mask.shape[0], mask.shape[1], most)
    if filled < 0:
        raise MemoryError
    return filled


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
