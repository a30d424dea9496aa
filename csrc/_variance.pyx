# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Two-class variance: the compiled side of `karyofast.kernels.two_class_variance`, which validates and documents."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from "variance_core.h":
    void kf_variance(const uint8_t *image, int64_t stride, const int64_t *box, const int64_t *rank, int64_t count,
                     double *out, int path) nogil
    int kf_chain_keys(const int64_t *box, int64_t count, int64_t height, int64_t width, int64_t *key) nogil


def chain_keys(const int64_t[:, ::1] boxes, int64_t height, int64_t width, int64_t[::1] key):
    """Keys (n,) that sort boxes (n, 4) into nested chains; False where one is empty or not in the image."""
    cdef int inside = 1
    if boxes.shape[0]:
        with nogil:
            inside = kf_chain_keys(&boxes[0, 0], boxes.shape[0], height, width, &key[0])
    return inside == 1


def two_class_variance(
    const uint8_t[:, ::1] image, const int64_t[:, ::1] boxes, const int64_t[::1] rank, double[::1] out, int path
):
    """V of the boxes that `rank` names into `out` (paper section 3, eq. 4).

    Preconditions: boxes (n, 4) inside `image` and not empty; `rank` (m,) of 0..n-1, in the order in which boxes are
    visited; `out` (n,); `path` there. Algorithm and complexity: variance_core.c.
    """
    if rank.shape[0]:
        with nogil:
            kf_variance(&image[0, 0], image.shape[1], &boxes[0, 0], &rank[0], rank.shape[0], &out[0], path)
