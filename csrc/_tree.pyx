# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Component tree: the compiled side of `karyofast.kernels.component_tree`, which validates and documents."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t


cdef extern from "tree_core.h":
    enum:
        KF_SUMS, KF_INTS
    ctypedef struct kf_picture:
        const void *pixels
        int32_t height, width
        int bytes, connectivity
        int32_t max_level, min_area
        int path
    ctypedef struct kf_tree:
        int64_t count, kept
    int kf_tree_build(const kf_picture *picture, int32_t *labels, kf_tree *tree) nogil
    int kf_tree_write(const kf_picture *picture, const kf_tree *tree, int32_t *order, int32_t *ints, int32_t *box,
                      int64_t *sums) nogil
    void kf_tree_free(kf_tree *tree) nogil


ctypedef fused grey_t:
    uint8_t
    uint16_t


def component_tree(const grey_t[:, ::1] image, int connectivity, int max_level, int min_area, int path):
    """Regions of the lower level sets of `image`, by rising level.

    Preconditions (the wrapper's duty): at least one pixel, fewer than 2**31 with a rim of one pixel,
    connectivity 4 or 8, 0 <= max_level <= the type's maximum, min_area >= 1, `path` there on this processor.

    Returns `order` (int32, pixels of the regions as flat indices), `ints` (int32, 6 rows: level, parent, start, area,
    euler, perimeter), `box` (int32, 4 columns: top, left, height, width) and `sums` (int64, 8 columns: row, row^2,
    column, column^2, row * column, one for the kernel's own use, grey, grey^2).
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
    # scratch for the labels first, then the order itself
    cdef int32_t[::1] order = np.empty((image.shape[0] + 2) * (image.shape[1] + 2), dtype=np.int32)
    cdef int32_t[:, ::1] ints, box
    cdef int64_t[:, ::1] sums
    try:
        with nogil:
            failed = kf_tree_build(&picture, &order[0], &tree)
        if not failed:
            ints = np.empty((KF_INTS, tree.count), dtype=np.int32)
            box = np.empty((tree.count, 4), dtype=np.int32)
            sums = np.zeros((tree.count, KF_SUMS), dtype=np.int64)
            if tree.count:
                with nogil:
                    failed = kf_tree_write(&picture, &tree, &order[0], &ints[0, 0], &box[0, 0], &sums[0, 0])
        if failed:
            raise MemoryError("component_tree ran out of memory.")
        return np.asarray(order)[:tree.kept], np.asarray(ints), np.asarray(box), np.asarray(sums)
    finally:
        kf_tree_free(&tree)
