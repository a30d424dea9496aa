/* Medial axis of a shape by thinning in the order of its ring radius. See ridge_core.c. */
#ifndef KARYOFAST_RIDGE_CORE_H
#define KARYOFAST_RIDGE_CORE_H

#include <stdint.h>

/* Take pixels of `left` (height * width, 0 or 1, its outermost rows and columns 0) away by rising `radius`, which holds
 * no NaN; an end of `least` or more stays. Returns 0, or -1 where there is no memory, and `left` is half done then. */
int kf_ridge(uint8_t *left, const double *radius, int64_t height, int64_t width, double least);

#endif
