/* Gaps between zones: the zone nearest to each pixel, and where two such areas meet.
 *
 * The distance is the chamfer of 5 x 5 (Borgefors 1986, with the weights of OpenCV's DIST_L2, 65536ths of a pixel), in one
 * sweep down and one up. Distance and zone are one number, the zone in its low bits: the least of such numbers is the
 * nearest zone, of equally near ones the first. What a row takes from the rows before it is vectorised; only the run
 * along the row waits for its neighbour. Two pixels side by side with different zones are where areas meet.
 * Time O(pixels); memory 8 bytes a pixel. */
#include "zones_core.h"

#include <stdlib.h>

#include "cpu.h"
#include "memory.h"

#define KF_ZONE_BITS 24
#define KF_ZONE_MASK (((int64_t)1 << KF_ZONE_BITS) - 1)
#define KF_SIDE ((int64_t)65536 << KF_ZONE_BITS)
#define KF_DIAGONAL ((int64_t)91750 << KF_ZONE_BITS)
#define KF_KNIGHT ((int64_t)143976 << KF_ZONE_BITS)
#define KF_NOWHERE ((int64_t)1 << 61)

#define BODY "zones.inc"
#include "each_path.inc"

static void kf_from(const int64_t *second, const int64_t *first, int64_t *own, int64_t width, int path) {
#ifdef KF_X86_PATHS
    if (path == KF_AVX512) {
        kf_from_rows_avx512(second, first, own, width);
        return;
    }
    if (path == KF_AVX2) {
        kf_from_rows_avx2(second, first, own, width);
        return;
    }
#else
    (void)path;
#endif
    kf_from_rows_portable(second, first, own, width);
}

static inline void kf_meet(int64_t one, int64_t other, int64_t count, int64_t *gap) {
    const int64_t first = (one & KF_ZONE_MASK) - 1, second = (other & KF_ZONE_MASK) - 1;
    const int64_t apart = (one >> KF_ZONE_BITS) + (other >> KF_ZONE_BITS);
    if (first == second || apart >= gap[first * count + second]) return;
    gap[first * count + second] = gap[second * count + first] = apart;
}

int kf_zone_gaps(const int32_t *zones, int64_t height, int64_t width, int64_t count, int64_t *gap, int path) {
    const int64_t stride = width + 4;
    for (int64_t at = 0; at < count * count; at++) gap[at] = INT64_MAX;
    int64_t *whole = kf_room_for((height + 4) * stride, sizeof(int64_t));
    if (!whole) return -1;
    int64_t *near = whole + 2 * stride + 2; /* of the first pixel: a rim of two on every side */
    for (int64_t at = 0; at < 2 * stride; at++) whole[at] = whole[(height + 2) * stride + at] = KF_NOWHERE;
    for (int64_t row = 0; row < height; row++) {
        int64_t *own = near + row * stride;
        own[-2] = own[-1] = own[width] = own[width + 1] = KF_NOWHERE;
        for (int64_t col = 0; col < width; col++) {
            const int32_t zone = zones[row * width + col];
            own[col] = zone ? zone : KF_NOWHERE;
        }
        kf_from(own - 2 * stride, own - stride, own, width, path);
        for (int64_t col = 0, last = KF_NOWHERE; col < width; col++) {
            last += KF_SIDE;
            own[col] = last = own[col] < last ? own[col] : last;
        }
    }
    int met = 0; /* a zone */
    for (int64_t row = height - 1; row >= 0; row--) {
        int64_t *own = near + row * stride;
        kf_from(own + 2 * stride, own + stride, own, width, path);
        for (int64_t col = width - 1, last = KF_NOWHERE; col >= 0; col--) {
            last += KF_SIDE;
            own[col] = last = own[col] < last ? own[col] : last;
        }
        met |= own[0] < KF_NOWHERE;
        for (int64_t col = 0; met && col < width; col++) {
            const int64_t right = own[col + 1], below = own[col + stride];
            if (col + 1 < width && ((own[col] ^ right) & KF_ZONE_MASK)) kf_meet(own[col], right, count, gap);
            if (row + 1 < height && ((own[col] ^ below) & KF_ZONE_MASK)) kf_meet(own[col], below, count, gap);
        }
    }
    free(whole);
    return 0;
}
