# cython: autotestdict=False, language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""How solid masks are: the compiled side of `karyofast.kernels.solid`, which validates and documents."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from "solid_core.h":
    int64_t kf_fill_holes(uint8_t *mask, int64_t height, int64_t width, double most) nogil
    int kf_solidities(const uint8_t *mask, int64_t width, const int64_t *box, int64_t count, double *out) nogil


def solidities(const uint8_t[:, ::1] mask, const int64_t[:, ::1] box, double[::1] out):
    """Of each box of `mask` the share of its pixels' convex hull that they are into `out` (solid_core.c).

    Preconditions: `mask` 0 or 1 and not empty, at least one box, each within it. O(pixels of the boxes). Raises MemoryError.
    """
    cdef int failed
    with nogil:
        failed = kf_solidities(&mask[0, 0], mask.shape[1], &box[0, 0], box.shape[0], &out[0])
    if failed:
        raise MemoryError


def fill_holes(uint8_t[:, ::1] mask, double most):
    """Fill the holes of `mask` of at most `most` pixels, in place; returns how many (solid_core.c).

    Preconditions: `mask` 0 or 1 and not empty, fewer than 2**31 pixels. O(pixels). Raises MemoryError.
    """
    cdef int64_t filled
    with nogil:
        filled = kf_fill_holes(&mask[0, 0], mask.shape[0], mask.shape[1], most)
    if filled < 0:
        raise MemoryError
    return filled
