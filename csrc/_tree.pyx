# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Component tree: the compiled side of `karyofast.kernels.component_tree`, which validates and documents."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t


cdef extern from "tree_core.h":
    enum:
        KF_ROW, KF_COL, KF_ROW2, KF_COL2, KF_ROWCOL, KF_GREY, KF_GREY2, KF_INNER, KF_QUADS
    ctypedef struct kf_node:
        int32_t level, start, area, parent
        int32_t top, left, bottom, right
        int64_t sum[9]
    ctypedef struct kf_tree:
        kf_node *node
        int64_t count
    int kf_tree_u8(const uint8_t *image, int32_t height, int32_t width, int connectivity, int32_t max_level,
                   int32_t *order, int64_t *accepted, kf_tree *tree) nogil
    int kf_tree_u16(const uint16_t *image, int32_t height, int32_t width, int connectivity, int32_t max_level,
                    int32_t *order, int64_t *accepted, kf_tree *tree) nogil
    void kf_tree_free(kf_tree *tree) nogil


ctypedef fused grey_t:
    uint8_t
    uint16_t


cdef void _copy(const kf_tree *tree, int connectivity, int32_t[:, ::1] ints, int64_t[:, ::1] sums) noexcept nogil:
    """Columns of `ints`: level, parent, start, area, top, left, height, width, euler, perimeter."""
    cdef int64_t i
    cdef int k
    cdef const kf_node *node
    for i in range(tree.count):
        node = &tree.node[i]
        ints[0, i] = node.level
        ints[1, i] = node.parent
        ints[2, i] = node.start
        ints[3, i] = node.area
        ints[4, i] = node.top
        ints[5, i] = node.left
        ints[6, i] = node.bottom - node.top
        ints[7, i] = node.right - node.left
        # Euler number: pixels - pairs + quads (4), or corners - edges + pixels with edges = 4 pixels - pairs (8)
        if connectivity == 4:
            ints[8, i] = <int32_t> (node.area - node.sum[KF_INNER] + node.sum[KF_QUADS])
        else:
            ints[8, i] = <int32_t> (node.sum[KF_QUADS] - 3 * <int64_t> node.area + node.sum[KF_INNER])
        ints[9, i] = <int32_t> (4 * <int64_t> node.area - 2 * node.sum[KF_INNER])
        for k in range(7):
            sums[k, i] = node.sum[k]


def component_tree(const grey_t[:, ::1] image, int connectivity, int max_level):
    """Regions of the lower level sets of `image`, children before parents.

    Preconditions (the wrapper's duty): at least one pixel, fewer than 2**31 with a rim of one pixel,
    connectivity 4 or 8, 0 <= max_level <= the type's maximum.

    Returns `order` (int32, accepted pixels as flat indices), `ints` (int32, 10 rows as in `_copy`) and `sums`
    (int64, 7 rows: row, column, row^2, column^2, row * column, grey, grey^2).
    Paper section 3, eq. 1 and 2; algorithm and complexity: tree_core.c.
    """
    cdef int32_t height = <int32_t> image.shape[0], width = <int32_t> image.shape[1]
    cdef int32_t[::1] order = np.empty(image.size, dtype=np.int32)
    cdef int64_t accepted = 0
    cdef kf_tree tree
    cdef int failed
    with nogil:
        if grey_t is uint8_t:
            failed = kf_tree_u8(&image[0, 0], height, width, connectivity, max_level, &order[0], &accepted, &tree)
        else:
            failed = kf_tree_u16(&image[0, 0], height, width, connectivity, max_level, &order[0], &accepted, &tree)
    if failed:
        raise MemoryError("component_tree ran out of memory.")
    cdef int32_t[:, ::1] ints
    cdef int64_t[:, ::1] sums
    try:
        ints = np.empty((10, tree.count), dtype=np.int32)
        sums = np.empty((7, tree.count), dtype=np.int64)
        if tree.count:
            with nogil:
                _copy(&tree, connectivity, ints, sums)
    finally:
        kf_tree_free(&tree)
    return np.asarray(order)[:accepted], np.asarray(ints), np.asarray(sums)
