/* Homotopic thinning in the order of the distance (Pudney 1998): the pixel of the least radius goes when the 8-connected
 * shape and its holes stay as they were; its neighbours that had to stay are tried again.
 *
 * A binary heap of (radius, place): places are unique, so the order in which pixels go does not depend on the heap.
 * Time O(pixels log pixels), memory 16 bytes a waiting pixel: no vector, every pixel waits for the one before it. */
#include "ridge_core.h"

#include <stdlib.h>

typedef struct {
    double radius;
    int64_t place;
} kf_waiting;

typedef struct {
    kf_waiting *item;
    int64_t count, room;
} kf_heap;

static inline int before(kf_waiting one, kf_waiting other) {
    return one.radius < other.radius || (one.radius == other.radius && one.place < other.place);
}

static void sink(kf_heap *heap, int64_t at) {
    const kf_waiting moved = heap->item[at];
    for (int64_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && before(heap->item[child + 1], heap->item[child])) child++;
        if (!before(heap->item[child], moved)) break;
        heap->item[at] = heap->item[child];
    }
    heap->item[at] = moved;
}

static int push(kf_heap *heap, kf_waiting added) {
    if (heap->count == heap->room) {
        kf_waiting *item = realloc(heap->item, sizeof(kf_waiting) * 2 * (size_t)heap->room);
        if (!item) return -1;
        heap->item = item;
        heap->room *= 2;
    }
    int64_t at = heap->count++;
    for (; at && before(added, heap->item[(at - 1) / 2]); at = (at - 1) / 2) heap->item[at] = heap->item[(at - 1) / 2];
    heap->item[at] = added;
    return 0;
}

static kf_waiting pop(kf_heap *heap) {
    const kf_waiting first = heap->item[0];
    heap->item[0] = heap->item[--heap->count];
    if (heap->count) sink(heap, 0);
    return first;
}

int kf_ridge(uint8_t *left, const double *radius, int64_t height, int64_t width, double least) {
    /* clockwise from the pixel above */
    const int64_t step[8] = {-width, -width + 1, 1, width + 1, width, width - 1, -1, -width - 1};
    kf_heap heap = {NULL, 0, 1};
    for (int64_t place = 0; place < height * width; place++) heap.room += left[place];
    heap.item = malloc(sizeof(kf_waiting) * (size_t)heap.room);
    if (!heap.item) return -1;
    for (int64_t place = 0; place < height * width; place++)
        if (left[place]) heap.item[heap.count++] = (kf_waiting){radius[place], place};
    for (int64_t at = heap.count / 2; at-- > 0;) sink(&heap, at);
    while (heap.count) {
        const kf_waiting now = pop(&heap);
        if (!left[now.place]) continue;
        int on[9], count = 0, holes = 0;
        for (int side = 0; side < 8; side++) count += on[side] = left[now.place + step[side]];
        on[8] = on[0];
        /* Yokoi's connectivity number of an 8-connected shape: 1 where a pixel can go */
        for (int side = 0; side < 8; side += 2) holes += !on[side] && (on[side + 1] || on[side + 2]);
        if (holes != 1 || (count == 1 && now.radius >= least)) continue;
        left[now.place] = 0;
        for (int side = 0; side < 8; side++) {
            const kf_waiting next = {radius[now.place + step[side]], now.place + step[side]};
            if (left[next.place] && next.radius <= now.radius && push(&heap, next)) {
                free(heap.item);
                return -1;
            }
        }
    }
    free(heap.item);
    return 0;
}
