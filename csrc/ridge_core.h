/* Medial axis of a shape by thinning in the order of its ring radius. See ridge_core.c. */
#ifndef KARYOFAST_RIDGE_CORE_H
#define KARYOFAST_RIDGE_CORE_H

#include <stdint.h>

/* Take pixels of `left` (height * width, 0 or 1, its outermost rows and columns 0) away by rising `radius` (without those
 * rows and columns), which holds no NaN; an end of `least` or more stays. Returns 0, or -1 where there is no memory, and
 * `left` is half done then. */
int kf_ridge(uint8_t *left, const double *radius, int64_t height, int64_t width, double least);

/* Walks along lines. */
typedef struct {
    int64_t *order; /* [pixels of all] places, one walk after the other */
    int64_t *end;   /* [pixels of all] one past each walk's last */
    int32_t *zone;  /* [2 * pixels of all] number of the zone beside each walk's first and last pixel, -1 for none */
} kf_paths;

/* A walk along each 8-connected part of what `ridge` (height * width, 0 or 1) has outside of `zones` (0 or not): from a
 * pixel with the fewest neighbours, the first of those, always to the first neighbour that is left, clockwise from the one
 * above, sides before corners. Parts and zones are numbered by their first blocks of 2 x 2 pixels, zones from 0; of zones
 * beside a pixel the last counts; a walk of one pixel has a first end only. Returns the number of walks, -1 without memory. */
int64_t kf_ridge_paths(const uint8_t *ridge, const uint8_t *zones, int64_t height, int64_t width, kf_paths *paths);

#endif
