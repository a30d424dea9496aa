/* How solid masks are. See solid_core.c. */
#ifndef KARYOFAST_SOLID_CORE_H
#define KARYOFAST_SOLID_CORE_H

#include <stdint.h>

/* Fill the holes of `mask` (height * width, 0 or 1) of at most `most` pixels: its 4-connected parts of 0 that do not reach
 * its rim. Returns how many were filled, -1 without memory. */
int64_t kf_fill_holes(uint8_t *mask, int64_t height, int64_t width, double most);

/* Of each box (top, left, height, width) of `mask` (rows of `width` bytes, 0 or 1) the share that its pixels have of those in
 * their convex hull; 0 where it has none. Returns 0, or -1 without memory. */
int kf_solidities(const uint8_t *mask, int64_t width, const int64_t *box, int64_t count, double *out);

#endif
