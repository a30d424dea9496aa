/* Relevance of seeds to edge pixels: single precision, many pixels at a time, finds the best seed and how far ahead it is;
 * double precision gives its value, and decides alone wherever single precision cannot.
 *
 * The single-precision value of a pair is off by at most half of `margin` once the seed is a pixel away or more:
 * coordinates are rounded to reach * 2^-24, and relevance changes by less than (1 - l) + l / (2 distance) a pixel; the
 * arithmetic itself adds a few 2^-24. So a lead of `margin` is a lead. Otherwise all seeds within `margin` of the best
 * and all closer than a pixel are compared in double precision, in order: the result is that of the plain loop, ties
 * (the first seed) included.
 * Time O(points * seeds), memory 136 bytes a seed. */
#include "relevance_core.h"

#include <math.h>

#include "cpu.h"

enum { KF_POINTS = 32 }; /* edge pixels at a time */
enum { KF_CLOSE = -1 };  /* stands for the value of a seed less than a pixel away */

/* What single precision says of a block of pixels. */
typedef struct {
    float row[KF_POINTS], col[KF_POINTS], down[KF_POINTS], across[KF_POINTS]; /* place and unit gradient */
    float best[KF_POINTS], next[KF_POINTS], near[KF_POINTS]; /* two highest values, least squared distance */
    int32_t at[KF_POINTS];
} kf_points;

#define BODY "relevance.inc"
#include "each_path.inc"

/* Eq. 6 in double precision, in the order of the reference's operations. */
static inline double kf_value(const kf_cluster *cluster, int64_t point, double length, int64_t seed) {
    const double down = cluster->seed[2 * seed] - cluster->point[2 * point];
    const double across = cluster->seed[2 * seed + 1] - cluster->point[2 * point + 1];
    const double distance = sqrt(down * down + across * across);
    double div = 0.0;
    if (length * distance > 0.0)
        div = (cluster->gradient[2 * point] * down + cluster->gradient[2 * point + 1] * across) / (length * distance);
    return (1.0 - cluster->weight) / (1.0 + distance) + cluster->weight * (div + 1.0) / 2.0;
}

static double kf_length(const kf_cluster *cluster, int64_t point) {
    const double down = cluster->gradient[2 * point], across = cluster->gradient[2 * point + 1];
    return sqrt(down * down + across * across);
}

/* The best of the seeds that may be it, by their single-precision values values[KF_POINTS * seed]. */
static void kf_decide(const kf_cluster *cluster, int64_t point, const float *values, float least, int64_t *best,
                      double *value) {
    const double length = kf_length(cluster, point);
    *value = -1.0;
    for (int64_t seed = 0; seed < cluster->seeds; seed++) {
        const float rough = values[KF_POINTS * seed];
        if (rough < least && rough > KF_CLOSE) continue;
        const double found = kf_value(cluster, point, length, seed);
        if (found > *value) *value = found, *best = seed;
    }
}

static void kf_load(const kf_cluster *cluster, int64_t first, int64_t count, kf_points *block) {
    for (int64_t i = 0; i < KF_POINTS; i++) {
        const int64_t point = first + (i < count ? i : 0);
        const double length = kf_length(cluster, point), scale = length > 0.0 ? 1.0 / length : 0.0;
        block->row[i] = (float)cluster->point[2 * point];
        block->col[i] = (float)cluster->point[2 * point + 1];
        block->down[i] = (float)(cluster->gradient[2 * point] * scale);
        block->across[i] = (float)(cluster->gradient[2 * point + 1] * scale);
        block->best[i] = block->next[i] = KF_CLOSE;
        block->near[i] = INFINITY;
        block->at[i] = 0;
    }
}

typedef void kf_scan_t(kf_points *block, const float *rows, const float *cols, int32_t seeds, float weight,
                       float *values);

void kf_relevance(const kf_cluster *cluster, double reach, float *scratch, int64_t *best, double *value, int path) {
    kf_scan_t *scan = kf_scan_portable;
#ifdef KF_X86_PATHS
    if (path == KF_AVX2) scan = kf_scan_avx2;
    if (path == KF_AVX512) scan = kf_scan_avx512;
#else
    (void)path;
#endif
    float *rows = scratch, *cols = scratch + cluster->seeds, *values = cols + cluster->seeds;
    for (int64_t seed = 0; seed < cluster->seeds; seed++) {
        rows[seed] = (float)cluster->seed[2 * seed];
        cols[seed] = (float)cluster->seed[2 * seed + 1];
    }
    /* four coordinates rounded by half a unit each; sixteen roundings of values up to 1 */
    const double unit = ldexp(1.0, -24), margin = 2.0 * (4.0 * reach * unit + 16.0 * unit);
    for (int64_t first = 0; first < cluster->points; first += KF_POINTS) {
        const int64_t count = cluster->points - first < KF_POINTS ? cluster->points - first : KF_POINTS;
        kf_points block;
        kf_load(cluster, first, count, &block);
        scan(&block, rows, cols, (int32_t)cluster->seeds, (float)cluster->weight, values);
        for (int64_t i = 0; i < count; i++) {
            const int64_t point = first + i;
            if (block.near[i] >= 1.0f && (double)block.best[i] - (double)block.next[i] > margin) {
                best[point] = block.at[i];
                value[point] = kf_value(cluster, point, kf_length(cluster, point), block.at[i]);
            } else {
                const float least = block.best[i] - (float)margin;
                kf_decide(cluster, point, values + i, least, &best[point], &value[point]);
            }
        }
    }
}
