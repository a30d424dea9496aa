/* The way inside a mask. See inner_core.c. */
#ifndef KARYOFAST_INNER_CORE_H
#define KARYOFAST_INNER_CORE_H

#include <stdint.h>

/* height * width bytes, 0 or 1 */
typedef struct {
    const uint8_t *mask;
    int64_t height, width;
} kf_shape;

/* The pixels, places in the mask, of the way inside between the two that are farthest apart; `depth`, above 0 in the
 * mask, is what the way keeps from the rim. way: [pixels of the mask], not none. Returns their number, `reach` the
 * distance between the two; -1 where there is no memory. */
int64_t kf_inner_path(const kf_shape *shape, const double *depth, int64_t *way, double *reach);

#endif
