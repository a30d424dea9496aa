/* Lines along a chromosome: principal curves, rows across them. See axis_core.c.
 *
 * A line is row, column pairs in double precision. */
#ifndef KARYOFAST_AXIS_CORE_H
#define KARYOFAST_AXIS_CORE_H

#include <stdint.h>

#include "inner_core.h"

typedef struct {
    double *at;
    int64_t count, room; /* of points; `at` is made by malloc and freed by the caller */
} kf_line;

typedef struct {
    const double *point, *weight; /* pairs, and what each of them counts */
    int64_t points, area;         /* area of the whole mask, px */
} kf_pixels;

typedef struct {
    double reach, bends, stiffness;
    int64_t rounds, most_bends, out;
} kf_fit;

/* The first of the nearest points of `line` (count of them, 1 or more) to each of `points`, and its squared distance.
 * at, square: [points]. path: of cpu.h. */
void kf_nearest(const double *line, int64_t count, const double *point, int64_t points, double *at, double *square,
                int path);

/* Of the `chosen` of `points` those at most `reach` from `line` (count of them, 1 or more), column before row, into `out`
 * (room for all). Returns their number, less one and negative (-1 for none) where they lie on one straight line. */
int64_t kf_beside(const double *line, int64_t count, const double *point, const uint8_t *chosen, int64_t points,
                  double reach, float *out);

/* Points about 1 px apart on `line` (2 or more), at least 3. Returns 0, or -1 where there is no memory. */
int kf_evenly(const double *line, int64_t count, kf_line *even);

/* `line` (3 points or more) with both ends drawn on until `out` points beyond the mask. Returns 0, or -1. */
int kf_prolonged(const double *line, int64_t count, const kf_shape *shape, double width, int64_t out, kf_line *longer);

/* What `line` (3 points or more) settles to when it is fitted to the pixels nearest to its points. Returns 0, or -1. */
int kf_principal_curve(const kf_shape *shape, const kf_pixels *pixels, const kf_fit *fit, kf_line *line, int path);

/* Of each row of `soft` (count rows across `line`, `across` samples each at rows, cols) the run above `least` that
 * holds or is nearest to its middle, without what lies nearer to a point of `line` more than `reach` rows away.
 * body: [count * across]. */
void kf_own_run(const double *line, int64_t count, int64_t across, const float *rows, const float *cols,
                const float *soft, double reach, float least, float *body);

#endif
