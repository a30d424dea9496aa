# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Component tree: the compiled side of `karyofast.kernels.component_tree`, which validates and documents."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t


cdef extern from "tree_core.h":
    enum:
        KF_MOMENTS
    ctypedef struct kf_picture:
        const void *pixels
        int32_t height, width
        int bytes, connectivity
        int32_t max_level, min_area
        int path
    ctypedef struct kf_tree:
        int64_t count, kept
    ctypedef struct kf_regions:
        int32_t *order
        int32_t *level
        int32_t *parent
        int32_t *start
        int32_t *area
        int32_t *euler
        int32_t *perimeter
        int32_t *box
        int64_t *moments
        int64_t *grey
        int64_t *grey2
    int kf_tree_build(const kf_picture *picture, kf_tree *tree) nogil
    int kf_tree_write(const kf_picture *picture, const kf_tree *tree, const kf_regions *regions) nogil
    void kf_tree_free(kf_tree *tree) nogil


ctypedef fused grey_t:
    uint8_t
    uint16_t


def component_tree(const grey_t[:, ::1] image, int connectivity, int max_level, int min_area, bint with_moments, int path):
    """Regions of the lower level sets of `image`, by rising level.

    Preconditions (the wrapper's duty): at least one pixel, fewer than 2**31 with a rim of one pixel,
    connectivity 4 or 8, 0 <= max_level <= the type's maximum, min_area >= 1, `path` there on this processor.

    Returns `order` (int32, pixels of the regions as flat indices), `ints` (int32, 6 rows: level, parent, start, area,
    euler, perimeter), `box` (int32, 4 columns: top, left, height, width), `moments` (int64, 5 columns: row, column,
    row^2, column^2, row * column; no row unless `with_moments`) and `greys` (int64, 2 rows: grey, grey^2).
    Paper section 3, eq. 1 and 2; algorithm and complexity: tree_core.c.
    """
    cdef kf_picture picture
    cdef kf_tree tree
    cdef int failed
    picture.pixels = &image[0, 0]
    picture.height = <int32_t> image.shape[0]
    picture.width = <int32_t> image.shape[1]
    picture.bytes = sizeof(grey_t)
    picture.connectivity = connectivity
    picture.max_level = max_level
    picture.min_area = min_area
    picture.path = path
    cdef kf_regions regions
    cdef int64_t *sums = NULL
    cdef int32_t[::1] order = np.empty(0, dtype=np.int32)
    cdef int32_t[:, ::1] ints = np.empty((6, 0), dtype=np.int32), box = np.empty((0, 4), dtype=np.int32)
    cdef int64_t[:, ::1] moments = np.empty((0, KF_MOMENTS), dtype=np.int64), greys = np.empty((2, 0), dtype=np.int64)
    try:
        with nogil:
            failed = kf_tree_build(&picture, &tree)
        if not failed and tree.count:
            order = np.empty(tree.kept, dtype=np.int32)
            ints = np.empty((6, tree.count), dtype=np.int32)
            box = np.empty((tree.count, 4), dtype=np.int32)
            moments = np.empty((tree.count if with_moments else 0, KF_MOMENTS), dtype=np.int64)
            greys = np.empty((2, tree.count), dtype=np.int64)
            if with_moments:
                sums = &moments[0, 0]
            regions = kf_regions(&order[0], &ints[0, 0], &ints[1, 0], &ints[2, 0], &ints[3, 0], &ints[4, 0],
                                 &ints[5, 0], &box[0, 0], sums, &greys[0, 0], &greys[1, 0])
            with nogil:
                failed = kf_tree_write(&picture, &tree, &regions)
        if failed:
            raise MemoryError("component_tree ran out of memory.")
        return np.asarray(order), np.asarray(ints), np.asarray(box), np.asarray(moments), np.asarray(greys)
    finally:
        kf_tree_free(&tree)


def largest_above(const int32_t[::1] parent, const double[::1] value, double[::1] above):
    """The largest `value` among the ancestors of each region into `above`, 0 at a root.

    Preconditions: all of one length; a parent is a higher number than its child, or -1. O(regions).
    """
    cdef int64_t at
    cdef int32_t up
    with nogil:
        for at in range(parent.shape[0] - 1, -1, -1):
            up = parent[at]
            above[at] = 0.0 if up < 0 else value[up] if value[up] > above[up] else above[up]
