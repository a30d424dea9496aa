/* Relevance of seeds to edge pixels: single precision, many pixels at a time, finds the seed that is likely the best and
 * a bound on all others; double precision gives its value, and decides alone wherever the bound is not below it.
 *
 * With y = 1 / distance, 1 / (1 + distance) is at most y - y^2 + y^3, and closer to it the further the seed: so no
 * division and no root are needed beside y, which comes from its exponent and one step of third order, off by less than
 * KF_ROOT_OFF (KF_RSQRT_OFF where the processor estimates y) of itself. That changes the cosine's part by as much of itself,
 * and the other by less than the cubic is too high, but for 0.06 of it: y off - y^4 / (1 + y) is largest near
 * y = (off / 4)^(1/3), where y is below 0.06. Coordinates that round by `slip` change relevance by less than 10 slips from
 * a fifth of a pixel on; below that the cubic outranks every value, as its factor is at least KF_APART. The arithmetic adds a few 2^-24.
 * So a seed's relevance is at most its bound and `slack`. Bounds carry their seed's place in their lowest bits, which
 * takes from them as much of themselves as those bits hold.
 * Where the exact value of the likely best is not above the bound of the second, all seeds whose bounds reach it are
 * compared in double precision: the result is that of the plain loop, ties (the first seed) included.
 *
 * No seed at a distance d is worth more than (1 - weight) / (1 + d) + weight, what it would be straight ahead. So pixels
 * are taken in the order of a Z curve (Morton 1966), which keeps those of a block together, and only the seeds near the
 * block are looked at. A pixel that has found what no seed beyond them can be worth is done; the others are taken
 * together anew, with more seeds, and what is left then with all. Time O(points * seeds) at worst. Memory 184 bytes a seed and 8 a point. */
#include "relevance_core.h"

#include <math.h>
#include <string.h>

#include "cpu.h"

enum { KF_POINTS = 32 };                               /* edge pixels at a time */
enum { KF_TILES = 64, KF_KEYS = KF_TILES * KF_TILES }; /* of the Z curve: to a side; in all */
enum { KF_MANY = 150 };                                /* seeds from which it pays to leave out distant ones */
enum { KF_GROUP = 16 };                                /* seeds that are passed over together */
enum { KF_ROOT = 0x5f3759df };
static const float KF_HALF = 0.50115f; /* a half, moved so that the step errs equally to both sides */
static const float KF_APART = 0.02f;
static const float KF_LEAST = 1e-12f; /* px^2: keeps what grows with 1 / distance finite */
static const double KF_ROOT_OFF = 4e-5;
static const double KF_LARGE = 1e9; /* px: coordinates beyond it are looked at with all seeds, lest squares overflow */
static const double KF_NEAR = 2.0; /* distances between seeds up to which they are looked at first */

/* A block of pixels, and what single precision says of it. */
typedef struct {
    double point[2][KF_POINTS], gradient[2][KF_POINTS]; /* as given */
    double length[KF_POINTS], likely[KF_POINTS];        /* of the gradient; value of the best so far */
    float row[KF_POINTS], col[KF_POINTS];
    float down[KF_POINTS], across[KF_POINTS]; /* gradient, half the weight long */
    int32_t best[KF_POINTS], next[KF_POINTS]; /* bits of the two highest bounds with their seeds' places, or 0 */
    double slip;                              /* most that a coordinate was rounded by */
} kf_points;

/* Seeds along the Z curve, and those of them that a block looks at; in single precision but for `given`. */
typedef struct {
    double *given[2];           /* [seeds] rows and columns */
    int32_t *number;            /* [seeds] which seed it is */
    float *row, *col, *square;  /* [seeds] squared distance from the middle of the block */
    float *least;               /* [seeds / KF_GROUP + 1] of each group's squared distances */
    float *near_row, *near_col; /* [taken] */
    int32_t *place;             /* [taken] among all */
    float *values;              /* [taken][KF_POINTS] their bounds */
    int64_t count, taken;
} kf_seeds;

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
__attribute__((target("avx2,fma"))) static void kf_scan_rsqrt(kf_points *restrict block, const kf_seeds *seeds, float apart,
                                                              uint32_t place_bits) {
    const float *restrict rows = seeds->near_row, *restrict cols = seeds->near_col;
    const int32_t *restrict place = seeds->place;
    float *restrict values = seeds->values;
    const int64_t taken = seeds->taken;
    const __m256 far = _mm256_set1_ps(apart), least = _mm256_set1_ps(KF_LEAST);
    const __m256i kept = _mm256_set1_epi32((int32_t)~place_bits);
    for (int i = 0; i < KF_POINTS; i += 8) {
        const __m256 row = _mm256_loadu_ps(block->row + i), col = _mm256_loadu_ps(block->col + i);
        const __m256 down = _mm256_loadu_ps(block->down + i), across = _mm256_loadu_ps(block->across + i);
        __m256i best = _mm256_setzero_si256(), next = best;
        for (int64_t seed = 0; seed < taken; seed++) {
            const __m256 r = _mm256_sub_ps(_mm256_broadcast_ss(rows + seed), row);
            const __m256 c = _mm256_sub_ps(_mm256_broadcast_ss(cols + seed), col);
            const __m256 inverse = _mm256_rsqrt_ps(_mm256_fmadd_ps(r, r, _mm256_fmadd_ps(c, c, least)));
            const __m256 ahead = _mm256_fmadd_ps(down, r, _mm256_fmadd_ps(across, c, far));
            const __m256 bend = _mm256_fmsub_ps(inverse, inverse, inverse);
            const __m256 found = _mm256_mul_ps(inverse, _mm256_fmadd_ps(far, bend, ahead));
            const __m256i bits = _mm256_and_si256(_mm256_castps_si256(found), kept);
            const __m256i named = _mm256_or_si256(bits, _mm256_set1_epi32(place[seed]));
            _mm256_storeu_ps(values + KF_POINTS * seed + i, found);
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

/* The best of the seeds whose bounds for pixel i of the block are not below `least`; of equal ones the first. */
static void kf_decide(const kf_cluster *cluster, int64_t point, double length, const kf_seeds *seeds, int64_t i, float least,
                      int64_t *best, double *value) {
    *value = -1.0;
    for (int64_t at = 0; at < seeds->taken; at++) {
        if (seeds->values[KF_POINTS * at + i] < least) continue; /* what is no number is looked at */
        const int64_t seed = seeds->number[seeds->place[at]];
        const double found = kf_value(cluster, point, length, seed);
        if (found > *value || (found == *value && seed < *best)) *value = found, *best = seed;
    }
}

static void kf_load(const kf_cluster *cluster, const int32_t *order, int64_t count, kf_points *block) {
    for (int64_t i = 0; i < KF_POINTS; i++) {
        const int64_t point = order[i < count ? i : 0];
        for (int k = 0; k < 2; k++) {
            block->point[k][i] = cluster->point[2 * point + k];
            block->gradient[k][i] = cluster->gradient[2 * point + k];
        }
    }
}

/* Which tile of KF_TILES a coordinate is in; the first where it is no number. */
static inline uint32_t kf_tile(double at, double least, double scale) {
    const double tile = (at - least) * scale;
    return tile > 0 ? (tile < KF_TILES - 1 ? (uint32_t)tile : KF_TILES - 1) : 0;
}

/* The six bits of a number, each followed by a free one. */
static inline uint32_t kf_spread(uint32_t number) {
    number = (number | number << 4) & 0x30f;
    number = (number | number << 2) & 0x333;
    return (number | number << 1) & 0x555;
}

/* The least and the greatest of rows and columns: least[2], most[2]. */
static void kf_extent(const double *pair, int64_t count, double *least, double *most) {
    for (int k = 0; k < 2; k++) {
        double low = pair[k], high = pair[k];
        for (int64_t at = 1; at < count; at++) {
            const double value = pair[2 * at + k];
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        least[k] = low, most[k] = high;
    }
}

/* Pairs along the Z curve of their tiles; `key` has as much room as `order`. */
static void kf_along(const double *pair, int64_t count, int32_t *key, int32_t *order) {
    double least[2], most[2];
    int32_t next[KF_KEYS] = {0};
    kf_extent(pair, count, least, most);
    const double side = fmax(fmax(most[0] - least[0], most[1] - least[1]), 1.0), scale = KF_TILES / side;
    for (int64_t at = 0; at < count; at++) {
        const uint32_t row = kf_tile(pair[2 * at], least[0], scale), col = kf_tile(pair[2 * at + 1], least[1], scale);
        key[at] = (int32_t)(kf_spread(row) << 1 | kf_spread(col));
        next[key[at]]++;
    }
    for (int32_t at = 0, before = 0; at < KF_KEYS; at++) {
        const int32_t with = next[at];
        next[at] = before;
        before += with;
    }
    for (int64_t at = 0; at < count; at++) order[next[key[at]]++] = (int32_t)at;
}

/* The steps of a path. */
typedef struct {
    void (*narrow)(double weight, kf_points *block);
    void (*scan)(kf_points *block, const kf_seeds *seeds, float apart, uint32_t place_bits);
    void (*value)(const kf_seeds *seeds, double weight, uint32_t place_bits, kf_points *block);
    void (*reach)(const kf_points *block, float near, float unsure, float *reach);
    void (*measure)(const kf_seeds *seeds, float row, float col);
    double root_off;
} kf_steps;

static kf_steps kf_steps_of(int path) {
#ifdef KF_X86_PATHS
    if (path == KF_AVX2)
        return (kf_steps){kf_narrow_block_avx2, kf_scan_rsqrt, kf_value_block_avx2, kf_reach_avx2, kf_measure_avx2,
                          KF_RSQRT_OFF};
    if (path == KF_AVX512)
        return (kf_steps){kf_narrow_block_avx512, kf_scan_avx512, kf_value_block_avx512, kf_reach_avx512, kf_measure_avx512,
                          KF_ROOT_OFF};
#endif
    (void)path;
    return (kf_steps){kf_narrow_block_portable, kf_scan_portable, kf_value_block_portable, kf_reach_portable,
                      kf_measure_portable, KF_ROOT_OFF};
}

static void kf_take_one(kf_seeds *seeds, int64_t at, int taken) {
    seeds->place[seeds->taken] = (int32_t)at;
    seeds->near_row[seeds->taken] = seeds->row[at];
    seeds->near_col[seeds->taken] = seeds->col[at];
    seeds->taken += taken;
}

/* Take the seeds up to `radius` from all of a block's pixels: in any case those nearer to its middle than that and as far as
 * the farthest pixel is. */
static void kf_take(kf_seeds *seeds, const kf_points *block, double radius, const kf_steps *steps) {
    float least[2] = {block->row[0], block->col[0]}, most[2] = {block->row[0], block->col[0]};
    if (radius == INFINITY && seeds->taken == seeds->count) return; /* they are all there from the block before */
    seeds->taken = 0;
    if (radius == INFINITY) {
        for (int64_t at = 0; at < seeds->count; at++) kf_take_one(seeds, at, 1);
        return;
    }
    for (int i = 1; i < KF_POINTS; i++) {
        least[0] = block->row[i] < least[0] ? block->row[i] : least[0];
        most[0] = block->row[i] > most[0] ? block->row[i] : most[0];
        least[1] = block->col[i] < least[1] ? block->col[i] : least[1];
        most[1] = block->col[i] > most[1] ? block->col[i] : most[1];
    }
    const double down = (double)most[0] - least[0], across = (double)most[1] - least[1];
    const double edge = radius + 0.5 * sqrt(down * down + across * across);
    const float farthest = (float)(edge * edge);
    steps->measure(seeds, 0.5f * (least[0] + most[0]), 0.5f * (least[1] + most[1]));
    for (int64_t group = 0; KF_GROUP * group < seeds->count; group++) {
        if (seeds->least[group] > farthest) continue;
        const int64_t end = KF_GROUP * (group + 1) < seeds->count ? KF_GROUP * (group + 1) : seeds->count;
        for (int64_t at = KF_GROUP * group; at < end; at++) kf_take_one(seeds, at, seeds->square[at] <= farthest);
    }
}

/* Points by all seeds, or by those that matter. */
typedef struct {
    const kf_cluster *cluster;
    kf_steps steps;
    kf_seeds seeds;
    double slip;  /* most that a coordinate of a seed was rounded by */
    double slack; /* by which a seed's relevance may be above its bound, but for the slip of the pixel */
    double held;  /* share of a bound that its lowest bits hold */
    uint32_t place_bits;
} kf_search;

/* Best and value of pixel i of the block, by the seeds taken. */
static void kf_settle(const kf_search *search, const kf_points *block, int64_t i, int64_t point, int64_t *best, double *value) {
    const kf_cluster *cluster = search->cluster;
    const double half = 0.5 * cluster->weight, slack = search->slack + 10.0 * block->slip;
    const double likely = block->likely[i];
    if (likely - half - slack > (1.0 + search->held) * (double)kf_from_bits((uint32_t)block->next[i])) {
        *best = search->seeds.number[block->best[i] & search->place_bits];
        *value = likely;
        return;
    }
    const int64_t second = search->seeds.number[block->next[i] & search->place_bits];
    const double other = kf_value(cluster, point, block->length[i], second);
    const float lowest = (float)(fmax(likely, other) - half - 2.0 * slack);
    kf_decide(cluster, point, block->length[i], &search->seeds, i, lowest, best, value);
}

/* Look at the seeds up to `radius` from each of the points in `order`; those that need more come first in it then. Returns
 * how many these are. */
static int64_t kf_round(kf_search *search, int32_t *order, int64_t points, double radius, int64_t *best, double *value) {
    const kf_cluster *cluster = search->cluster;
    const float weight = (float)cluster->weight, apart = fmaxf(1.0f - weight, KF_APART);
    int64_t left = 0;
    for (int64_t first = 0; first < points; first += KF_POINTS) {
        const int64_t together = points - first < KF_POINTS ? points - first : KF_POINTS;
        kf_points block;
        float reach[KF_POINTS];
        kf_load(cluster, order + first, together, &block);
        search->steps.narrow(cluster->weight, &block);
        kf_take(&search->seeds, &block, radius, &search->steps);
        search->steps.scan(&block, &search->seeds, apart, search->place_bits);
        search->steps.value(&search->seeds, cluster->weight, search->place_bits, &block);
        const int all = search->seeds.taken == cluster->seeds;
        const double slip = search->slip + block.slip;
        if (!all) search->steps.reach(&block, 1.0f - weight, (float)(1e-5 + 10.0 * slip), reach);
        for (int64_t i = 0; i < together; i++) {
            const int64_t point = order[first + i];
            /* what rounding takes from distances */
            if (all || (search->seeds.taken && reach[i] * (1.0 + 1e-5) + 1e-3 + 10.0 * slip <= radius))
                kf_settle(search, &block, i, point, best + point, value + point);
            else
                order[left++] = (int32_t)point;
        }
    }
    return left;
}

/* Cut the scratch into the arrays of the seeds, and put these along the Z curve. */
static void kf_lay_out(const kf_cluster *cluster, double *scratch, kf_seeds *seeds, double *slip) {
    const int64_t count = seeds->count = cluster->seeds;
    float *next = (float *)(scratch + 2 * count);
    seeds->given[0] = scratch, seeds->given[1] = scratch + count;
    seeds->number = (int32_t *)next;
    seeds->row = next += count, seeds->col = next += count, seeds->square = next += count;
    seeds->near_row = next += count, seeds->near_col = next += count;
    seeds->place = (int32_t *)(next += count);
    seeds->values = next += count;
    seeds->least = next + KF_POINTS * count;
    if (count < KF_MANY)
        for (int64_t at = 0; at < count; at++) seeds->number[at] = (int32_t)at;
    else
        kf_along(cluster->seed, count, (int32_t *)seeds->values, seeds->number);
    for (int64_t at = 0; at < count; at++)
        for (int k = 0; k < 2; k++) {
            const double given = seeds->given[k][at] = cluster->seed[2 * (int64_t)seeds->number[at] + k];
            (k ? seeds->col : seeds->row)[at] = (float)given;
            *slip = fmax(*slip, fabs(given - (double)(float)given));
        }
}

void kf_relevance(const kf_cluster *cluster, double *scratch, int32_t *order, int64_t *best, double *value, int path) {
    const int64_t count = cluster->seeds;
    kf_search search = {.cluster = cluster, .steps = kf_steps_of(path), .place_bits = 1};
    kf_lay_out(cluster, scratch, &search.seeds, &search.slip);
    /* past 22 bits they hold more than a bound is worth: then all is decided in double precision */
    while (search.place_bits < 1 << 23 && search.place_bits < count - 1) search.place_bits = 2 * search.place_bits + 1;
    const double off = search.steps.root_off;
    search.slack = 0.5 * cluster->weight * off + 0.06 * off + ldexp(1.0, -18) + 10.0 * search.slip;
    search.held = ldexp(search.place_bits, -23);
    int64_t left = cluster->points;
    double least[2], most[2], low[2], high[2], largest = 0.0;
    if (count >= KF_MANY) {
        kf_extent(cluster->point, left, least, most);
        kf_extent(cluster->seed, count, low, high);
        for (int k = 0; k < 2; k++)
            largest = fmax(largest, fmax(fmax(-least[k], most[k]), fmax(-low[k], high[k])));
    }
    if (count < KF_MANY || largest > KF_LARGE) {
        for (int64_t point = 0; point < left; point++) order[point] = (int32_t)point;
    } else {
        kf_along(cluster->point, left, order + left, order);
        /* as far as some seeds lie from one another, then three times that */
        const double radius = KF_NEAR * sqrt((high[0] - low[0]) * (high[1] - low[1]) / (double)count);
        left = kf_round(&search, order, left, radius, best, value);
        left = kf_round(&search, order, left, 3.0 * radius, best, value);
    }
    kf_round(&search, order, left, INFINITY, best, value);
}
