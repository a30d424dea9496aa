/* Two-class variance of boxes from one histogram that is carried from box to box.
 *
 * Candidates come as nested chains, so their boxes, visited chain by chain, differ in a few rows and columns: only
 * those are counted in and out. The two highest peaks of a histogram come from one vectorised pass (variance.inc);
 * where a run of equal counts might be one of them a plain pass decides. With Q the sum of squares and S the sum of a
 * class of n pixels, n * sum (I - A)^2 = n Q - S^2: whole numbers, so V carries one rounding.
 * Time O(pixels that change + 256) a box, memory O(1). */
#include "variance_core.h"

#include <string.h>

#include "cpu.h"

typedef struct {
    int64_t pixels, grey, grey2;
} kf_class;

typedef struct {
    kf_class all, low; /* of all levels, of those below the cut */
} kf_classes;

enum { KF_FEW = INT32_MAX / (255 * 255) };

#define BODY "variance.inc"
#include "each_path.inc"

typedef struct {
    int64_t top, left, bottom, right;
} kf_area;

static void kf_count(const uint8_t *image, int64_t stride, kf_area area, int32_t step, int32_t *histogram) {
    for (int64_t row = area.top; row < area.bottom; row++)
        for (int64_t col = area.left; col < area.right; col++) histogram[image[row * stride + col]] += step;
}

/* Count what is in `area` but not in `but` (which overlaps it). */
static void kf_count_rest(const uint8_t *image, int64_t stride, kf_area area, kf_area but, int32_t step,
                          int32_t *histogram) {
    const int64_t top = area.top > but.top ? area.top : but.top;
    const int64_t bottom = area.bottom < but.bottom ? area.bottom : but.bottom;
    const int64_t left = area.left > but.left ? area.left : but.left;
    const int64_t right = area.right < but.right ? area.right : but.right;
    kf_count(image, stride, (kf_area){area.top, area.left, top, area.right}, step, histogram);
    kf_count(image, stride, (kf_area){bottom, area.left, area.bottom, area.right}, step, histogram);
    kf_count(image, stride, (kf_area){top, area.left, bottom, left}, step, histogram);
    kf_count(image, stride, (kf_area){top, right, bottom, area.right}, step, histogram);
}

static int64_t kf_pixels(kf_area area) {
    if (area.bottom <= area.top || area.right <= area.left) return 0;
    return (area.bottom - area.top) * (area.right - area.left);
}

static void kf_move(const uint8_t *image, int64_t stride, kf_area from, kf_area to, int32_t *histogram) {
    const kf_area both = {from.top > to.top ? from.top : to.top, from.left > to.left ? from.left : to.left,
                          from.bottom < to.bottom ? from.bottom : to.bottom,
                          from.right < to.right ? from.right : to.right};
    const int64_t shared = kf_pixels(both);
    if (shared > 0 && kf_pixels(from) - 2 * shared < 0) {
        kf_count_rest(image, stride, from, to, -1, histogram);
        kf_count_rest(image, stride, to, from, 1, histogram);
    } else {
        memset(histogram, 0, 256 * sizeof(int32_t));
        kf_count(image, stride, to, 1, histogram);
    }
}

/* First level of the upper class by one pass over the runs of equal counts: a run is a peak when both flanks are lower. */
static int kf_cut(const int32_t *histogram) {
    int32_t best = 0, second = 0;
    int best_at = -1, second_at = -1, begin = 0, rising = 1;
    for (int level = 1; level <= 256; level++) {
        const int32_t after = level < 256 ? histogram[level] : 0, count = histogram[begin];
        if (level < 256 && after == count) continue;
        if (rising && after < count) {
            if (count > best) {
                second = best, second_at = best_at;
                best = count, best_at = begin;
            } else if (count > second) {
                second = count, second_at = begin;
            }
        }
        rising = after > count;
        begin = level;
    }
    return second_at < 0 ? best_at + 1 : (best_at + second_at) / 2 + 1;
}

/* pixels * sum of squared distances to the mean. */
static double kf_squares(kf_class one) {
#ifdef __SIZEOF_INT128__
    return (double)((__int128)one.pixels * one.grey2 - (__int128)one.grey * one.grey);
#else
    const double mean = one.pixels ? (double)one.grey / (double)one.pixels : 0.0;
    return (double)one.pixels * ((double)one.grey2 - mean * (double)one.grey);
#endif
}

typedef int kf_peaks_t(const int32_t *histogram);
typedef kf_classes kf_sums_t(const int32_t *levels, int cut);

void kf_variance(const uint8_t *image, int64_t stride, const int64_t *box, const int64_t *rank, int64_t count,
                 double *out, int path) {
    kf_peaks_t *peaks = kf_peaks_portable;
    kf_sums_t *sums = kf_sums_portable, *sums_of_few = kf_sums_of_few_portable;
#ifdef KF_X86_PATHS
    if (path == KF_AVX2) peaks = kf_peaks_avx2, sums = kf_sums_avx2, sums_of_few = kf_sums_of_few_avx2;
    if (path == KF_AVX512) peaks = kf_peaks_avx512, sums = kf_sums_avx512, sums_of_few = kf_sums_of_few_avx512;
#else
    (void)path;
#endif
    int32_t histogram[1 + 256 + 1] = {0}; /* a level without pixels on either side */
    int32_t *levels = histogram + 1;
    kf_area last = {0, 0, 0, 0};
    double v = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t *given = box + 4 * rank[i];
        const kf_area area = {given[0], given[1], given[0] + given[2], given[1] + given[3]};
        if (i == 0 || memcmp(&area, &last, sizeof area) != 0) {
            kf_move(image, stride, last, area, levels);
            last = area;
            const int64_t pixels = kf_pixels(area);
            int cut = pixels < 1 << 23 ? peaks(levels) : -1; /* counts and levels share 32 bits there */
            if (cut < 0) cut = kf_cut(levels);
            const kf_classes both = (pixels <= KF_FEW ? sums_of_few : sums)(levels, cut);
            const kf_class high = {both.all.pixels - both.low.pixels, both.all.grey - both.low.grey,
                                   both.all.grey2 - both.low.grey2};
            v = (kf_squares(both.low) + kf_squares(high)) / (double)pixels;
        }
        out[rank[i]] = v;
    }
}

/* Side of a cell, px: the centres of nested boxes move by less, those of neighbouring chromosomes lie further apart. */
enum { KF_CELL = 8 };

int kf_chain_keys(const int64_t *box, int64_t count, int64_t height, int64_t width, int64_t *key) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t top = box[4 * i], left = box[4 * i + 1], rows = box[4 * i + 2], cols = box[4 * i + 3];
        if (top < 0 || left < 0 || rows < 1 || cols < 1 || rows > height - top || cols > width - left) return 0;
        const int64_t down = (2 * top + rows) / (2 * KF_CELL), across = (2 * left + cols) / (2 * KF_CELL);
        const int64_t size = rows + cols, most = (1 << 20) - 1; /* beyond, keys are shared: they decide the order alone */
        const int64_t low = size < most ? size : most, middle = across < most ? across : most;
        key[i] = (down < most ? down : most) << 40 | middle << 20 | low;
    }
    return 1;
}
