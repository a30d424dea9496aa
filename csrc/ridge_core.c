/* Homotopic thinning in the order of the distance (Pudney 1998): the pixel of the least radius goes when the 8-connected
 * shape and its holes stay as they were; its neighbours that had to stay are tried again.
 *
 * Radii are distances on a grid, so there are few different ones: a hash table gives each a number, these few are sorted,
 * and one counting sort brings the pixels into the order of (radius, place). Only those that are tried again go to a binary
 * heap, which holds few. Places are unique, so the order in which pixels go does not depend on it. What lies ahead in the
 * sorted order is not put on the heap: it is tried anyway.
 * Time O(pixels + d log d) for d different radii, but for what is tried again; memory 4 bytes a pixel and 4 a pixel of the
 * shape: no vector, every pixel waits for the one before it. */
#include "ridge_core.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "heap.h"
#include "memory.h"

/* The different radii; `slot` is a hash table of numbers of `value`, -1 where it is free. */
typedef struct {
    struct kf_value {
        uint64_t key;    /* kf_key_of the radius */
        int32_t number;  /* in the order in which they were met; once sorted, of which value `rank` is */
        int32_t pixels;
    } *value;
    int32_t *slot, count, bits;
} kf_values;

/* Where a key is or would be: Fibonacci hashing (Knuth). */
static inline uint64_t kf_slot_of(const kf_values *values, uint64_t key) {
    const uint64_t last = ((uint64_t)1 << values->bits) - 1;
    uint64_t at = key * 0x9E3779B97F4A7C15u >> (64 - values->bits);
    while (values->slot[at] >= 0 && values->value[values->slot[at]].key != key) at = (at + 1) & last;
    return at;
}

/* Room for twice as many as there may be, or for a first few; returns 0, or -1 without memory. */
static int kf_grow(kf_values *values) {
    const int bits = values->slot ? values->bits + 1 : 10;
    const size_t size = (size_t)1 << bits;
    struct kf_value *value = realloc(values->value, size / 2 * sizeof *value);
    if (value) values->value = value;
    int32_t *slot = value ? malloc(size * sizeof *slot) : NULL;
    if (!slot) return -1;
    free(values->slot);
    values->slot = slot;
    values->bits = bits;
    memset(slot, -1, size * sizeof *slot);
    for (int32_t number = 0; number < values->count; number++) slot[kf_slot_of(values, value[number].key)] = number;
    return 0;
}

/* The number of a key, which is new or not; -1 without memory. */
static inline int32_t kf_number_of(kf_values *values, uint64_t key) {
    uint64_t at = kf_slot_of(values, key);
    if (values->slot[at] >= 0) return values->slot[at];
    if (2 * (int64_t)values->count >= (int64_t)1 << values->bits) {
        if (kf_grow(values)) return -1;
        at = kf_slot_of(values, key);
    }
    values->value[values->count] = (struct kf_value){key, values->count, 0};
    return values->slot[at] = values->count++;
}

static int by_key(const void *one, const void *other) {
    const uint64_t first = ((const struct kf_value *)one)->key, second = ((const struct kf_value *)other)->key;
    return (first > second) - (first < second);
}

/* The pixels of `left` (height * width, a rim of one included) by rising radius, then in row-major order, into `order`;
 * the number of each one's radius, by rising radius, into `rank`. Returns how many radii are below `least`, -1 without
 * memory. */
static int64_t sorted(const uint8_t *left, const double *radius, int64_t height, int64_t width, double least,
                      uint32_t *rank, int32_t *order) {
    kf_values values = {NULL, NULL, 0, 0};
    int64_t below = -1;
    int32_t *rank_of = NULL, last = 0;
    uint64_t last_key = 0;
    int failed = kf_grow(&values);
    for (int64_t row = 1; row < height - 1 && !failed; row++)
        for (int64_t col = 1; col < width - 1; col++) {
            const int64_t place = row * width + col;
            if (!left[place]) continue;
            const uint64_t key = kf_key_of(radius[(row - 1) * (width - 2) + col - 1]);
            if (key != last_key || !values.count) last = kf_number_of(&values, key), last_key = key;
            if (last < 0) {
                failed = 1;
                break;
            }
            values.value[last].pixels++;
            rank[place] = (uint32_t)last;
        }
    if (!failed) rank_of = malloc(2 * ((size_t)values.count + 1) * sizeof *rank_of);
    if (rank_of) {
        int32_t *next = rank_of + values.count + 1, first = 0;
        qsort(values.value, (size_t)values.count, sizeof *values.value, by_key);
        for (int32_t at = 0; at < values.count; at++) {
            rank_of[values.value[at].number] = at;
            next[at] = first;
            first += values.value[at].pixels;
        }
        for (below = 0; below < values.count && values.value[below].key < kf_key_of(least);) below++;
        for (int64_t place = 0; place < height * width; place++) {
            if (!left[place]) continue;
            const int32_t own = rank_of[rank[place]];
            rank[place] = (uint32_t)own;
            order[next[own]++] = (int32_t)place;
        }
    }
    free(rank_of);
    free(values.value);
    free(values.slot);
    return below;
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

/* Take pixels away until none can go; an end of a rank of `least` or more stays. Returns -1 without memory. */
static int thin(uint8_t *left, const uint32_t *rank, int64_t width, int64_t least, const int32_t *order, int64_t count,
                kf_heap *again) {
    /* clockwise from the pixel above */
    const int64_t step[8] = {-width, -width + 1, 1, width + 1, width, width - 1, -1, -width - 1};
    uint8_t can_go[256];
    spared(can_go);
    for (int64_t at = 0; at < count || again->count;) {
        kf_waiting now = {UINT64_MAX, 0};
        if (at < count) now = (kf_waiting){rank[order[at]], order[at]};
        if (again->count && kf_before(again->item[0], now)) {
            now = kf_pop(again);
        } else {
            at++;
        }
        if (!left[now.place]) continue;
        int around = 0;
        for (int side = 0; side < 8; side++) around |= left[now.place + step[side]] << side;
        const int tip = (around & (around - 1)) == 0;
        if (!can_go[around] || (tip && (int64_t)now.key >= least)) continue;
        left[now.place] = 0;
        uint32_t back = 0; /* neighbours whose turn has been, mostly none: one branch for all */
        for (int side = 0; side < 8; side++) back |= (uint32_t)(rank[now.place + step[side]] <= now.key) << side;
        for (back &= (uint32_t)around; back; back &= back - 1) {
            const int64_t place = now.place + step[kf_lowest_bit(back)];
            const kf_waiting next = {rank[place], place};
            const int met = at == count || kf_before(next, (kf_waiting){rank[order[at]], order[at]});
            if (met && kf_push(again, next)) return -1;
        }
    }
    return 0;
}

int kf_ridge(uint8_t *left, const double *radius, int64_t height, int64_t width, double least) {
    int64_t count = 0;
    for (int64_t place = 0; place < height * width; place++) count += left[place];
    uint32_t *rank = kf_room_for(height * width, sizeof *rank);
    int32_t *order = kf_room_for(count, sizeof *order);
    kf_heap again = {malloc(sizeof(kf_waiting) * 64), 0, 64};
    int failed = !rank || !order || !again.item;
    if (!failed) {
        memset(rank, -1, (size_t)(height * width) * sizeof *rank); /* of no pixel of the shape: behind all */
        const int64_t below = sorted(left, radius, height, width, least, rank, order);
        failed = below < 0 || thin(left, rank, width, below, order, count, &again);
    }
    free(rank);
    free(order);
    free(again.item);
    return failed ? -1 : 0;
}

/* A mask or what is left of it, with a rim of one free pixel: 1 where a pixel has not been met, 2 once it has. */
typedef struct {
    uint8_t *left;
    int64_t width, step[8]; /* to the neighbours: side ones first, clockwise from the pixel above, then corners */
    int32_t *wait;          /* room for all its pixels */
} kf_lines;

static void kf_rimmed(const uint8_t *mask, const uint8_t *without, int64_t height, int64_t width, uint8_t *out) {
    memset(out, 0, (size_t)((height + 2) * (width + 2)));
    for (int64_t row = 0; row < height; row++)
        for (int64_t col = 0; col < width; col++) {
            const int64_t at = row * width + col;
            out[(row + 1) * (width + 2) + col + 1] = without ? mask[at] & !without[at] : mask[at] != 0;
        }
}

/* Meet all pixels that hang together with `place`; the last of `wait` that they take up. Returns their number. */
static int64_t kf_meet(kf_lines *lines, int64_t place) {
    int64_t met = 0, pixels = 0;
    lines->left[place] = 2;
    lines->wait[pixels++] = (int32_t)place;
    while (met < pixels) {
        const int64_t at = lines->wait[met++];
        for (int side = 0; side < 8; side++) {
            const int64_t next = at + lines->step[side];
            if (lines->left[next] != 1) continue;
            lines->left[next] = 2;
            lines->wait[pixels++] = (int32_t)next;
        }
    }
    return pixels;
}

/* From `place`, the first of a block of 2 x 2 pixels, to the next such place in its two rows up to `end` that has a pixel
 * which has not been met; `end` or beyond where there is none. What lies beyond an odd end is the rim. */
static inline int64_t kf_next_block(const kf_lines *lines, int64_t place, int64_t end) {
    while (place < end) {
        uint64_t above, below;
        if (place + 8 <= end) {
            memcpy(&above, lines->left + place, 8);
            memcpy(&below, lines->left + place + lines->width, 8);
            if (!(above | below)) {
                place += 8;
                continue;
            }
        }
        const uint8_t *at = lines->left + place;
        if (at[0] == 1 || at[1] == 1 || at[lines->width] == 1 || at[lines->width + 1] == 1) return place;
        place += 2;
    }
    return place;
}

/* The first pixel of a block that has not been met, -1 where there is none. */
static inline int64_t kf_unmet(const kf_lines *lines, int64_t block) {
    for (int k = 0; k < 4; k++) {
        const int64_t place = block + k / 2 * lines->width + k % 2;
        if (lines->left[place] == 1) return place;
    }
    return -1;
}

/* Number the zones, from 1, in the order of their first blocks of 2 x 2 pixels; 0 elsewhere. */
static void kf_number_zones(kf_lines *lines, int64_t height, int32_t *zone) {
    int32_t number = 0;
    for (int64_t row = 1; row <= height; row += 2) {
        const int64_t end = (row + 1) * lines->width - 1;
        for (int64_t block = row * lines->width + 1; (block = kf_next_block(lines, block, end)) < end; block += 2) {
            const int64_t pixels = kf_meet(lines, kf_unmet(lines, block)); /* a block's pixels hang together */
            number++;
            for (int64_t at = 0; at < pixels; at++) zone[lines->wait[at]] = number;
        }
    }
}

/* Where the walk along met pixels begins: with the fewest neighbours, the first of those. */
static int64_t kf_start(const kf_lines *lines, int64_t pixels) {
    int64_t start = -1;
    int fewest = 9;
    for (int64_t at = 0; at < pixels; at++) {
        const int64_t place = lines->wait[at];
        int near = 0;
        for (int side = 0; side < 8; side++) near += lines->left[place + lines->step[side]] != 0;
        if (near < fewest || (near == fewest && place < start)) fewest = near, start = place;
    }
    return start;
}

static int32_t kf_zone_near(const int32_t *zone, int64_t place, const int64_t *step) {
    int32_t most = zone[place];
    for (int side = 0; side < 8; side++) most = zone[place + step[side]] > most ? zone[place + step[side]] : most;
    return most;
}

/* Walk on from `at` until no neighbour is left; the last pixel. */
static int64_t kf_walk(kf_lines *lines, int64_t at, int64_t *order, int64_t *told) {
    for (int64_t next = at; next; ) { /* place 0 lies on the rim */
        at = next;
        lines->left[at] = 3;
        order[(*told)++] = at;
        next = 0;
        for (int side = 7; side >= 0; side--)
            next = lines->left[at + lines->step[side]] == 2 ? at + lines->step[side] : next;
    }
    return at;
}

int64_t kf_ridge_paths(const uint8_t *ridge, const uint8_t *zones, int64_t height, int64_t width, kf_paths *paths) {
    const int64_t across = width + 2, size = (height + 2) * across;
    kf_lines lines = {kf_room_for(size, 1), across,
                      {-across, 1, across, -1, -across + 1, across + 1, across - 1, -across - 1},
                      kf_room_for(size, sizeof(int32_t))};
    int32_t *zone = calloc((size_t)size, sizeof *zone);
    int64_t count = -1, told = 0;
    if (lines.left && lines.wait && zone) {
        kf_rimmed(zones, NULL, height, width, lines.left);
        kf_number_zones(&lines, height, zone);
        kf_rimmed(ridge, zones, height, width, lines.left);
        count = 0;
        for (int64_t row = 1; row <= height; row += 2) {
            const int64_t end = (row + 1) * across - 1;
            for (int64_t block = row * across + 1; (block = kf_next_block(&lines, block, end)) < end; block += 2) {
                const int64_t start = kf_start(&lines, kf_meet(&lines, kf_unmet(&lines, block)));
                const int64_t last = kf_walk(&lines, start, paths->order, &told);
                paths->zone[2 * count] = kf_zone_near(zone, start, lines.step) - 1;
                paths->zone[2 * count + 1] = last != start ? kf_zone_near(zone, last, lines.step) - 1 : -1;
                paths->end[count++] = told;
            }
        }
        for (int64_t at = 0; at < told; at++) { /* places without the rim */
            const int64_t row = paths->order[at] / across;
            paths->order[at] = (row - 1) * width + paths->order[at] - row * across - 1;
        }
    }
    free(lines.left);
    free(lines.wait);
    free(zone);
    return count;
}
