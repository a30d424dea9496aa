/* Components of pictures lifted by direction. See lifted_core.c. */
#ifndef KARYOFAST_LIFTED_CORE_H
#define KARYOFAST_LIFTED_CORE_H

#include <stdint.h>

/* What was found; `pixels` holds those of core k from start[k] up to start[k + 1], which rise. */
typedef struct {
    int64_t count;
    int64_t *start;  /* count + 1 */
    int64_t *pixels; /* start[count] */
    double *score;   /* count: the mean over the directions of the mean over the pixels of each */
} kf_cores;

/* Components of `planes` (planes * rows * columns), on above `threshold`: pixels that touch in one plane, in pieces of
 * `least` pixels or more, and pieces of neighbouring planes, the last and the first included, that share a pixel where
 * `crossed` (rows * columns), which may be NULL, is 0.
 * Returns 0, or -1 where there is no memory and nothing is to be freed. */
int kf_lifted_cores(const float *values, int64_t planes, int64_t rows, int64_t columns, float threshold, int64_t least,
                    const uint8_t *crossed, kf_cores *found);

void kf_free_cores(kf_cores *found);

#endif
