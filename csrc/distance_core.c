/* Exact Euclidean distance transform in two passes: down the columns, then along the rows the least of
 * (x - u)^2 + depth[u]^2 (Saito and Toriwaki 1994), in whole numbers.
 *
 * Both passes are vectorised over columns. A row is cut into blocks of KF_LANES columns, what fits a vector in 16 bit. For
 * the columns x of a block the columns u of another, `gap` columns away, can only matter where gap^2 + least depth^2 of that
 * block is within the greatest distance that the first may have. That is known before anything is tried: from one row to the
 * next a distance grows by 1 at most, and none is greater than the depth of its column. So blocks are tried outwards until
 * the gap alone is too far, and nearly all are passed over. No branch depends on a single pixel. A block is tried in 16 bit,
 * where twice as many columns fit a vector, or in 32 bit where a distance may reach KF_NEAR. Roots of what is found in 16 bit
 * are taken once and looked up.
 * Time O(height * width) for the columns; a row costs O(width * (blocks that matter + width / KF_LANES / KF_LANES)).
 * Memory 2 bytes a pixel, 19 a column and 8 a root. Bands of columns and of rows can go to threads of their own. */
#include "distance_core.h"

#include <math.h>

#include "cpu.h"

enum { KF_LANES_portable = 16, KF_LANES_avx2 = 16, KF_LANES_avx512 = 32 }; /* columns that are worked on together */
enum { KF_NEAR = 0x7fff, KF_NEAR_DEPTH = 181 }; /* squared distances below KF_NEAR are found in 16 bit: up to 181 px */
enum { KF_NONE = KF_FAR * KF_FAR };             /* above every squared distance */

/* What one row needs; steps[n] = n^2 for -reach .. reach. */
typedef struct {
    int32_t blocks;
    int32_t *square, *steps;         /* of the depths */
    int32_t *least;                  /* of each block, with as many of KF_NONE on either side: no block has to be asked for */
    int32_t *worst;                  /* of each block no squared distance in the row is greater */
    uint16_t *near_square, *near_steps;
    double *root;                    /* of the first whole numbers: to look one up takes less than to take it */
    int32_t roots;                   /* how many are known */
} kf_row_scratch;

/* What no squared distance exceeds where none in the row above exceeds `worst`: (sqrt(worst) + 1)^2, rounded up. */
static inline int32_t kf_below(int32_t worst) {
    const int32_t below = worst + 3 + (int32_t)(2.0f * sqrtf((float)worst));
    return below < KF_NONE - 1 ? below : KF_NONE - 1;
}

/* Whether there is a block of that number and it holds a squared depth of at most `within`. */
static inline int kf_matters(const kf_row_scratch *row, int32_t block, int32_t within) {
    return row->least[block] <= within;
}

/* KF_APART: a function of its own, since where it is part of another the compiler keeps the lanes in registers of their own.
 * KF_NO_VECTOR in a loop that is to stay one of single items, for what a processor gathers it gathers slowly. */
#if defined(__GNUC__) && !defined(__clang__)
#define KF_APART __attribute__((noinline))
#define KF_NO_VECTOR __asm__ volatile("")
#else
#define KF_APART
#define KF_NO_VECTOR ((void)0)
#endif

#define BODY "distance.inc"
#include "each_path.inc"

int64_t kf_distance_scratch(int32_t width) {
    const int64_t reach = width + KF_LANES_avx512, blocks = reach / KF_LANES_portable + 1;
    return 2 * (KF_NEAR + 1) + reach + 4 * blocks + 2 * reach + 1 + (3 * reach + 2) / 2;
}

void kf_distance_columns(const uint8_t *edges, int32_t height, int32_t width, int32_t begin, int32_t end,
                         uint16_t *depth, int path) {
#ifdef KF_X86_PATHS
    if (path == KF_AVX512) {
        kf_columns_avx512(edges, height, width, begin, end, depth);
        return;
    }
    if (path == KF_AVX2) {
        kf_columns_avx2(edges, height, width, begin, end, depth);
        return;
    }
#else
    (void)path;
#endif
    kf_columns_portable(edges, height, width, begin, end, depth);
}

void kf_distance_rows(const uint16_t *depth, int32_t width, int32_t begin, int32_t end, int32_t *scratch, double *out,
                      int path) {
    const int32_t lanes = path == KF_AVX512 ? KF_LANES_avx512 : path == KF_AVX2 ? KF_LANES_avx2 : KF_LANES_portable;
    const int32_t blocks = (width + lanes - 1) / lanes, reach = lanes * blocks;
    double *root = (double *)scratch;
    scratch += 2 * (KF_NEAR + 1);
    int32_t *least = scratch + reach + blocks, *worst = least + 2 * blocks, *steps = worst + blocks + reach;
    uint16_t *near_square = (uint16_t *)(steps + reach + 1);
    kf_row_scratch row = {blocks, scratch, steps, least, worst, near_square, near_square + 2 * (int64_t)reach, root, 0};
    for (int32_t block = 0; block < blocks; block++) {
        worst[block] = KF_NONE - 1;
        least[-1 - block] = least[blocks + block] = KF_NONE;
    }
    for (int32_t step = -reach; step <= reach; step++) {
        steps[step] = step * step;
        row.near_steps[step] = (uint16_t)(steps[step] < KF_NEAR ? steps[step] : KF_NEAR);
    }
    for (int64_t at = begin; at < end; at++) {
        const uint16_t *deep = depth + at * width;
        double *to = out + at * width;
#ifdef KF_X86_PATHS
        if (path == KF_AVX512) {
            kf_row_avx512(deep, width, &row, to);
            continue;
        }
        if (path == KF_AVX2) {
            kf_row_avx2(deep, width, &row, to);
            continue;
        }
#else
        (void)path;
#endif
        kf_row_portable(deep, width, &row, to);
    }
}
