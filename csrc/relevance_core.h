/* The most relevant seed of each edge pixel (paper section 4, eq. 6). See relevance_core.c. */
#ifndef KARYOFAST_RELEVANCE_CORE_H
#define KARYOFAST_RELEVANCE_CORE_H

#include <stdint.h>

enum { KF_SCRATCH = 23 };

/* Row, column pairs, finite. */
typedef struct {
    const double *point, *gradient, *seed;
    int64_t points, seeds;
    double weight; /* lambda, 0..1 */
} kf_cluster;

/* best, value: [points]. scratch: KF_SCRATCH a seed; order: two numbers a point; both are written over. Points and seeds
 * fewer than 2^31. path: of cpu.h. */
void kf_relevance(const kf_cluster *cluster, double *scratch, int32_t *order, int64_t *best, double *value, int path);

#endif
