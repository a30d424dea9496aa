# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Two-class variance: the compiled side of `karyofast.kernels.two_class_variance`, which validates and documents."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from "variance_core.h":
    void kf_variance(const uint8_t *image, int64_t stride, const int64_t *box, const int64_t *rank, int64_t count,
                     double *out, int path) nogil


def two_class_variance(
    const uint8_t[:, ::1] image, const int64_t[:, ::1] boxes, const int64_t[::1] rank, double[::1] out, int path
):
    """V of each box into `out` (paper section 3, eq. 4).

    Preconditions: boxes (n, 4) inside `image` and not empty; `rank` (n,) a permutation; `out` (n,); `path` there.
    Algorithm and complexity: variance_core.c.
    """
    if boxes.shape[0]:
        with nogil:
            kf_variance(&image[0, 0], image.shape[1], &boxes[0, 0], &rank[0], boxes.shape[0], &out[0], path)
