/* Relevance of seeds to edge pixels: single precision, many pixels at a time, finds the seed that is likely the best and
 * a bound on all others; double precision gives its value, and decides alone wherever the bound is not below it.
 *
 * With y = 1 / distance, 1 / (1 + distance) is at most y - y^2 + y^3, and closer to it the further the seed: so no
 * division and no root are needed beside y, which comes from its exponent and one step of third order, off by less than
 * KF_ROOT_OFF (KF_RSQRT_OFF where the processor estimates y) of itself. That changes the cosine's part by as much of itself,
 * and the other by less than the cubic is too high, but for 0.06 of it: y off - y^4 / (1 + y) is largest near
 * y = (off / 4)^(1/3), where y is below 0.06. Coordinates that round by `slip` change relevance by less than 10 slips from a fifth of a pixel
 * on; below that the cubic outranks every value, as its factor is at least KF_APART. The arithmetic adds a few 2^-24.
 * So a seed's relevance is at most its bound and `slack`. Bounds carry their seed's number in their lowest bits, which
 * takes from them as much of themselves as those bits hold.
 * Where the exact value of the likely best is not above the bound of the second, all seeds whose bounds reach it are
 * compared in double precision, in order: the result is that of the plain loop, ties (the first seed) included.
 * Time O(points * seeds), memory 136 bytes a seed. */
#include "relevance_core.h"

#include <math.h>
#include <string.h>

#include "cpu.h"

enum { KF_POINTS = 32 }; /* edge pixels at a time */
enum { KF_ROOT = 0x5f3759df };
static const float KF_HALF = 0.50115f; /* a half, moved so that the step errs equally to both sides */
static const float KF_APART = 0.02f;
static const float KF_LEAST = 1e-12f; /* px^2: keeps what grows with 1 / distance finite */
static const double KF_ROOT_OFF = 4e-5;

/* What single precision says of a block of pixels. */
typedef struct {
    float row[KF_POINTS], col[KF_POINTS];
    float down[KF_POINTS], across[KF_POINTS]; /* gradient, half the weight long */
    int32_t best[KF_POINTS], next[KF_POINTS]; /* bits of the two highest bounds with their seeds' numbers, or 0 */
    double length[KF_POINTS]; /* of the gradient as given */
    double slip;              /* most that a coordinate was rounded by */
} kf_points;

static inline uint32_t kf_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float kf_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define BODY "relevance.inc"
#include "each_path.inc"

#ifdef KF_X86_PATHS
#include <immintrin.h>

static const double KF_RSQRT_OFF = 3.67e-4; /* 1.5 * 2^-12, as the instruction is specified */

/* kf_scan with 1 / distance as the processor's own estimate gives it: fewer operations, a wider slack. */
__attribute__((target("avx2,fma"))) static void kf_scan_rsqrt(kf_points *restrict block, const float *restrict rows,
                                                              const float *restrict cols, int32_t seeds, float apart,
                                                              uint32_t number_bits, float *restrict values) {
    const __m256 far = _mm256_set1_ps(apart), least = _mm256_set1_ps(KF_LEAST);
    const __m256i kept = _mm256_set1_epi32((int32_t)~number_bits);
    for (int i = 0; i < KF_POINTS; i += 8) {
        const __m256 row = _mm256_loadu_ps(block->row + i), col = _mm256_loadu_ps(block->col + i);
        const __m256 down = _mm256_loadu_ps(block->down + i), across = _mm256_loadu_ps(block->across + i);
        __m256i best = _mm256_setzero_si256(), next = best;
        for (int32_t seed = 0; seed < seeds; seed++) {
            const __m256 r = _mm256_sub_ps(_mm256_broadcast_ss(rows + seed), row);
            const __m256 c = _mm256_sub_ps(_mm256_broadcast_ss(cols + seed), col);
            const __m256 inverse = _mm256_rsqrt_ps(_mm256_fmadd_ps(r, r, _mm256_fmadd_ps(c, c, least)));
            const __m256 ahead = _mm256_fmadd_ps(down, r, _mm256_fmadd_ps(across, c, far));
            const __m256 bend = _mm256_fmsub_ps(inverse, inverse, inverse);
            const __m256 found = _mm256_mul_ps(inverse, _mm256_fmadd_ps(far, bend, ahead));
            const __m256i bits = _mm256_and_si256(_mm256_castps_si256(found), kept);
            const __m256i named = _mm256_or_si256(bits, _mm256_set1_epi32(seed));
            _mm256_storeu_ps(values + KF_POINTS * (int64_t)seed + i, found);
            next = _mm256_max_epi32(next, _mm256_min_epi32(named, best));
            best = _mm256_max_epi32(best, named);
        }
        _mm256_storeu_si256((__m256i *)(block->best + i), best);
        _mm256_storeu_si256((__m256i *)(block->next + i), next);
    }
}
#endif

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

/* The best of the seeds whose bounds values[KF_POINTS * seed] are not below `least`. */
static void kf_decide(const kf_cluster *cluster, int64_t point, double length, const float *values, float least,
                      int64_t *best, double *value) {
    *value = -1.0;
    for (int64_t seed = 0; seed < cluster->seeds; seed++) {
        if (values[KF_POINTS * seed] < least) continue; /* what is no number is looked at */
        const double found = kf_value(cluster, point, length, seed);
        if (found > *value) *value = found, *best = seed;
    }
}

/* In single precision, the slip noted. */
static inline float kf_narrow(double value, double *slip) {
    const double off = fabs(value - (double)(float)value);
    *slip = off > *slip ? off : *slip;
    return (float)value;
}

static void kf_load(const kf_cluster *cluster, int64_t first, int64_t count, kf_points *block) {
    block->slip = 0.0;
    for (int64_t i = 0; i < KF_POINTS; i++) {
        const int64_t point = first + (i < count ? i : 0);
        const double down = cluster->gradient[2 * point], across = cluster->gradient[2 * point + 1];
        const double length = sqrt(down * down + across * across);
        const double scale = length > 0.0 ? 0.5 * cluster->weight / length : 0.0;
        block->row[i] = kf_narrow(cluster->point[2 * point], &block->slip);
        block->col[i] = kf_narrow(cluster->point[2 * point + 1], &block->slip);
        block->down[i] = (float)(down * scale);
        block->across[i] = (float)(across * scale);
        block->best[i] = block->next[i] = 0;
        block->length[i] = length;
    }
}

typedef void kf_scan_t(kf_points *block, const float *rows, const float *cols, int32_t seeds, float apart,
                       uint32_t number_bits, float *values);

void kf_relevance(const kf_cluster *cluster, float *scratch, int64_t *best, double *value, int path) {
    kf_scan_t *scan = kf_scan_portable;
    double root_off = KF_ROOT_OFF;
#ifdef KF_X86_PATHS
    if (path == KF_AVX2) scan = kf_scan_rsqrt, root_off = KF_RSQRT_OFF;
    if (path == KF_AVX512) scan = kf_scan_avx512;
#else
    (void)path;
#endif
    float *rows = scratch, *cols = scratch + cluster->seeds, *values = cols + cluster->seeds;
    double slip = 0.0;
    for (int64_t seed = 0; seed < cluster->seeds; seed++) {
        rows[seed] = kf_narrow(cluster->seed[2 * seed], &slip);
        cols[seed] = kf_narrow(cluster->seed[2 * seed + 1], &slip);
    }
    uint32_t number_bits = 1; /* past 22 they hold more than a bound is worth: then all is decided in double precision */
    while (number_bits < 1 << 23 && number_bits < cluster->seeds - 1) number_bits = 2 * number_bits + 1;
    const double half = 0.5 * cluster->weight, held = ldexp(number_bits, -23);
    const float apart = fmaxf(1.0f - (float)cluster->weight, KF_APART);
    for (int64_t first = 0; first < cluster->points; first += KF_POINTS) {
        const int64_t count = cluster->points - first < KF_POINTS ? cluster->points - first : KF_POINTS;
        kf_points block;
        kf_load(cluster, first, count, &block);
        scan(&block, rows, cols, (int32_t)cluster->seeds, apart, number_bits, values);
        const double slack = half * root_off + 0.06 * root_off + ldexp(1.0, -18) + 10.0 * (slip + block.slip);
        for (int64_t i = 0; i < count; i++) {
            const int64_t point = first + i, at = block.best[i] & number_bits;
            const double length = block.length[i], likely = kf_value(cluster, point, length, at);
            if (likely - half - slack > (1.0 + held) * (double)kf_from_bits((uint32_t)block.next[i])) {
                best[point] = at;
                value[point] = likely;
            } else {
                const double other = kf_value(cluster, point, length, block.next[i] & number_bits);
                const float least = (float)(fmax(likely, other) - half - 2.0 * slack);
                kf_decide(cluster, point, length, values + i, least, &best[point], &value[point]);
            }
        }
    }
}
