/* Medial axis of a shape by thinning in the order of its ring radius. See ridge_core.c. */
#ifndef KARYOFAST_RIDGE_CORE_H
#define KARYOFAST_RIDGE_CORE_H

#include <stdint.h>

/* Take pixels of `left` (height * width, 0 or 1, its outermost rows and columns 0) away by rising `radius`, which holds
 * no NaN; an end of `least` or more stays. Returns 0, or -1 where there is no memory, and `left` is half done then. */
int kf_ridge(uint8_t *left, const double *radius, int64_t height, int64_t width, double least);

/* The pixels of each label 1 .. count - 1 of `labels` (as large, 0 on the rim; labels are 8-connected and do not touch)
 * in the order of a walk: from a pixel with the fewest neighbours, the first of them, always to the first neighbour that is
 * left, sides before corners. Places into `order`, one past each label's last into end[label]; end[0] = 0. Room in `order`
 * for all of them. Returns 0, or -1 where there is no memory. */
int kf_ridge_paths(const int32_t *labels, int64_t height, int64_t width, int32_t count, int64_t *order, int64_t *end);

#endif
