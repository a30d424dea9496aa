/* Homotopic thinning in the order of the distance (Pudney 1998): the pixel of the least radius goes when the 8-connected
 * shape and its holes stay as they were; its neighbours that had to stay are tried again.
 *
 * All pixels are sorted once by (radius, place), digit by digit; only those that are tried again go to a binary heap, which
 * holds few. Places are unique, so the order in which pixels go does not depend on either. What lies ahead in the sorted
 * order is not put on the heap: it is tried anyway.
 * Time O(pixels) but for what is tried again, memory 32 bytes a pixel: no vector, every pixel waits for the one before it. */
#include "ridge_core.h"

#include <stdlib.h>

#include "heap.h"

enum { KF_DIGITS = 8, KF_DIGIT = 256 }; /* of a key */

/* The pixels of `left` by rising radius, then in row-major order; `spare` has as much room. Returns which of both holds them. */
static kf_waiting *sorted(const uint8_t *left, const double *radius, int64_t pixels, kf_waiting *item, kf_waiting *spare) {
    int64_t table[KF_DIGITS][KF_DIGIT] = {{0}}, count = 0;
    for (int64_t place = 0; place < pixels; place++) {
        if (!left[place]) continue;
        const uint64_t key = kf_key_of(radius[place]);
        item[count++] = (kf_waiting){key, place};
        for (int digit = 0; digit < KF_DIGITS; digit++) table[digit][key >> 8 * digit & 255]++;
    }
    for (int digit = 0; digit < KF_DIGITS && count; digit++) {
        int64_t *next = table[digit], first = 0;
        if (next[item[0].key >> 8 * digit & 255] == count) continue; /* the same in all */
        for (int value = 0; value < KF_DIGIT; value++) {
            const int64_t with = next[value];
            next[value] = first;
            first += with;
        }
        for (int64_t i = 0; i < count; i++) spare[next[item[i].key >> 8 * digit & 255]++] = item[i];
        kf_waiting *filled = spare;
        spare = item;
        item = filled;
    }
    return item;
}

/* For each set of neighbours, by its bits clockwise from the pixel above, whether the shape stays as it is without the
 * pixel: Yokoi's connectivity number of an 8-connected shape is 1. */
static void spared(uint8_t *can_go) {
    for (int around = 0; around < 256; around++) {
        const int on = around | around << 8;
        int holes = 0;
        for (int side = 0; side < 8; side += 2) holes += !(on >> side & 1) && (on >> side & 6);
        can_go[around] = holes == 1;
    }
}

/* Take pixels away until none can go; returns -1 without memory. */
static int thin(uint8_t *left, const double *radius, int64_t width, double least, const kf_waiting *order, int64_t count,
                kf_heap *again) {
    /* clockwise from the pixel above */
    const int64_t step[8] = {-width, -width + 1, 1, width + 1, width, width - 1, -1, -width - 1};
    uint8_t can_go[256];
    spared(can_go);
    for (int64_t at = 0; at < count || again->count;) {
        const int old = again->count && (at == count || kf_before(again->item[0], order[at]));
        const kf_waiting now = old ? kf_pop(again) : order[at++];
        if (!left[now.place]) continue;
        int around = 0;
        for (int side = 0; side < 8; side++) around |= left[now.place + step[side]] << side;
        const int tip = (around & (around - 1)) == 0;
        if (!can_go[around] || (tip && radius[now.place] >= least)) continue;
        left[now.place] = 0;
        for (int side = 0; side < 8; side++) {
            const int64_t place = now.place + step[side];
            if (!left[place]) continue;
            const kf_waiting next = {kf_key_of(radius[place]), place};
            const int met = at == count || kf_before(next, order[at]);
            if (met && next.key <= now.key && kf_push(again, next)) return -1;
        }
    }
    return 0;
}

int kf_ridge(uint8_t *left, const double *radius, int64_t height, int64_t width, double least) {
    int64_t count = 0;
    for (int64_t place = 0; place < height * width; place++) count += left[place];
    kf_waiting *item = malloc(sizeof(kf_waiting) * 2 * ((size_t)count + 1));
    kf_heap again = {malloc(sizeof(kf_waiting) * 64), 0, 64};
    int failed = !item || !again.item;
    if (!failed) {
        const kf_waiting *order = sorted(left, radius, height * width, item, item + count + 1);
        failed = thin(left, radius, width, least, order, count, &again);
    }
    free(item);
    free(again.item);
    return failed ? -1 : 0;
}

int kf_ridge_paths(const int32_t *labels, int64_t height, int64_t width, int32_t count, int64_t *order, int64_t *end) {
    /* side neighbours first, clockwise from the pixel above, then corners */
    const int64_t step[8] = {-width, 1, width, -1, -width + 1, width + 1, width - 1, -width - 1};
    const int64_t pixels = height * width;
    uint8_t *left = calloc((size_t)pixels, 1), *fewest = malloc((size_t)count);
    int64_t *start = calloc((size_t)count, sizeof(int64_t)), told = 0;
    const int failed = !left || !fewest || !start;
    if (!failed) {
        memset(fewest, 9, (size_t)count);
        for (int64_t place = 0; place < pixels; place++) {
            const int32_t label = labels[place];
            if (!label) continue;
            uint8_t near = 0;
            left[place] = 1;
            for (int side = 0; side < 8; side++) near += labels[place + step[side]] != 0;
            if (near < fewest[label]) fewest[label] = near, start[label] = place;
        }
        for (int32_t label = 1; label < count; label++) {
            for (int64_t at = start[label], next = at; next; at = next) { /* place 0 lies on the rim */
                left[at] = 0;
                order[told++] = at;
                next = 0;
                for (int side = 7; side >= 0; side--) next = left[at + step[side]] ? at + step[side] : next;
            }
            end[label] = told;
        }
        end[0] = 0;
    }
    free(left);
    free(fewest);
    free(start);
    return failed ? -1 : 0;
}
