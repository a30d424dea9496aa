/* The way inside a mask.
 *
 * Its ends by buckets of one px (Dial 1969), O(pixels); the way by Dijkstra's algorithm with a binary heap of
 * (distance, place), O(pixels log pixels). Places are unique, so the way does not depend on the heap: of equally long
 * ones it takes the one that was reached first. */
#include "inner_core.h"

#include <math.h>
#include <stdlib.h>

#include "heap.h"

typedef struct {
    int64_t *item, count;
} kf_bucket;

/* The neighbours of a pixel in the mask, their number; `slanting` tells the diagonal ones. */
static inline int beside(const kf_shape *shape, int64_t place, int64_t next[8], uint8_t slanting[8]) {
    const int64_t width = shape->width, row = place / width, col = place % width;
    int count = 0;
    for (int64_t down = row ? -1 : 0; down <= (row + 1 < shape->height); down++)
        for (int64_t right = col ? -1 : 0; right <= (col + 1 < width); right++) {
            const int64_t there = place + down * width + right;
            if (there == place || !shape->mask[there]) continue;
            slanting[count] = down && right;
            next[count++] = there;
        }
    return count;
}

static void far_from(const kf_shape *shape, int64_t start, double *distance) {
    for (int64_t place = 0; place < shape->height * shape->width; place++) distance[place] = INFINITY;
    distance[start] = 0.0;
}

/* Distance of every pixel from `start`. A step is at least 1 long and less than 2: pixels between two whole numbers
 * cannot shorten one another's way, and what they reach lies in the next two buckets. O(pixels).
 * room: three times eight times the pixels. */
static void spread(const kf_shape *shape, int64_t start, int64_t pixels, int64_t *room, double *distance) {
    kf_bucket bucket[3] = {{room, 1}, {room + 8 * pixels, 0}, {room + 16 * pixels, 0}};
    far_from(shape, start, distance);
    bucket[0].item[0] = start;
    for (int64_t level = 0; bucket[level % 3].count || bucket[(level + 1) % 3].count; level++) {
        kf_bucket *now = &bucket[level % 3];
        while (now->count) {
            const int64_t place = now->item[--now->count];
            if (distance[place] < (double)level) continue; /* was reached on a shorter way */
            int64_t next[8];
            uint8_t slanting[8];
            const int count = beside(shape, place, next, slanting);
            for (int side = 0; side < count; side++) {
                const double there = distance[place] + (slanting[side] ? sqrt(2.0) : 1.0);
                if (!(there < distance[next[side]])) continue;
                distance[next[side]] = there;
                kf_bucket *later = &bucket[(int64_t)there % 3];
                later->item[later->count++] = next[side];
            }
        }
    }
}

/* The pixel before every one on the way from `start`, up to `end`: a step costs its length over the square of the depth
 * at its middle. */
static int lead(const kf_shape *shape, const double *depth, int64_t start, int64_t end, kf_heap *front,
                double *distance, int64_t *before) {
    far_from(shape, start, distance);
    if (kf_push(front, (kf_waiting){kf_key_of(0.0), start})) return -1;
    while (front->count) {
        const kf_waiting now = kf_pop(front);
        const double here = distance[now.place];
        if (now.key != kf_key_of(here)) continue; /* was reached on a shorter way */
        if (now.place == end) break;
        int64_t next[8];
        uint8_t slanting[8];
        const int count = beside(shape, now.place, next, slanting);
        for (int side = 0; side < count; side++) {
            const double middle = 0.5 * (depth[now.place] + depth[next[side]]);
            const double there = here + (slanting[side] ? sqrt(2.0) : 1.0) / (middle * middle);
            if (!(there < distance[next[side]])) continue;
            distance[next[side]] = there;
            before[next[side]] = now.place;
            if (kf_push(front, (kf_waiting){kf_key_of(there), next[side]})) return -1;
        }
    }
    return 0;
}

/* The first of the pixels that are farthest. */
static int64_t farthest(const kf_shape *shape, const double *distance) {
    int64_t found = -1;
    for (int64_t place = 0; place < shape->height * shape->width; place++)
        if (shape->mask[place] && distance[place] < INFINITY && (found < 0 || distance[place] > distance[found]))
            found = place;
    return found;
}

int64_t kf_inner_path(const kf_shape *shape, const double *depth, int64_t *way, double *reach) {
    const int64_t size = shape->height * shape->width;
    int64_t pixels = 0, first = 0, count = -1;
    for (int64_t place = 0; place < size; place++) pixels += shape->mask[place];
    while (!shape->mask[first]) first++;
    double *distance = malloc(sizeof(double) * (size_t)size);
    int64_t *before = malloc(sizeof(int64_t) * (size_t)size), *room = malloc(sizeof(int64_t) * 24 * (size_t)pixels);
    kf_heap front = {malloc(sizeof(kf_waiting) * (size_t)pixels), 0, pixels};
    if (distance && before && room && front.item) {
        spread(shape, first, pixels, room, distance);
        const int64_t start = farthest(shape, distance);
        spread(shape, start, pixels, room, distance);
        const int64_t end = farthest(shape, distance);
        *reach = distance[end];
        if (!lead(shape, depth, start, end, &front, distance, before)) {
            count = 0;
            for (int64_t at = end; at != start; at = before[at]) way[count++] = at;
            way[count++] = start;
        }
    }
    free(distance);
    free(before);
    free(room);
    free(front.item);
    return count;
}
