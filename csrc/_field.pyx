# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The field under objects: the compiled side of `karyofast.kernels.field`, which validates and documents."""

from libc.stdint cimport int64_t, uint16_t


cdef extern from "field_core.h":
    ctypedef struct kf_grid:
        int64_t height, width, rows, cols
    int kf_cell_means(const float *image, const kf_grid *grid, float *out, int path) nogil
    int kf_above_field(const float *image, const kf_grid *grid, const float *coarse, float *field, float *height,
                       int path) nogil
    void kf_count_down(const float *height, int64_t pixels, float scale, uint16_t top, uint16_t *out, int path) nogil


def cell_means(const float[:, ::1] image, float[:, ::1] out, int path):
    """Means of `image` over the cells of a grid into `out` (algorithm: field_core.c).

    Preconditions: at least one pixel and one cell, no more cells along a side than pixels, `path` there on this processor.
    O(pixels). Raises MemoryError.
    """
    cdef kf_grid grid
    cdef int failed
    grid.height, grid.width, grid.rows, grid.cols = image.shape[0], image.shape[1], out.shape[0], out.shape[1]
    with nogil:
        failed = kf_cell_means(&image[0, 0], &grid, &out[0, 0], path)
    if failed:
        raise MemoryError


def above_field(const float[:, ::1] image, const float[:, ::1] coarse, float[:, ::1] field, float[:, ::1] height, int path):
    """`coarse` drawn over the picture into `field`, what stands above it into `height` (algorithm: field_core.c).

    Preconditions: at least one pixel and one cell, no more cells along a side than pixels, `field` and `height` of the
    shape of `image`, `path` there on this processor. O(pixels). Raises MemoryError.
    """
    cdef kf_grid grid
    cdef int failed
    grid.height, grid.width, grid.rows, grid.cols = image.shape[0], image.shape[1], coarse.shape[0], coarse.shape[1]
    with nogil:
        failed = kf_above_field(&image[0, 0], &grid, &coarse[0, 0], &field[0, 0], &height[0, 0], path)
    if failed:
        raise MemoryError


def count_down(const float[:, ::1] height, float scale, uint16_t top, uint16_t[:, ::1] out, int path):
    """`top` less each height times `scale` into `out` (rules: `karyofast.kernels.field.count_down`).

    Preconditions: at least one pixel, `out` of the shape of `height`, `path` there on this processor. O(pixels).
    """
    with nogil:
        kf_count_down(&height[0, 0], height.shape[0] * height.shape[1], scale, top, &out[0, 0], path)
