/* A binary heap of places by a number each, equal ones by place. */
#ifndef KARYOFAST_HEAP_H
#define KARYOFAST_HEAP_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t key; /* of a number, in its order: kf_key_of */
    int64_t place;
} kf_waiting;

typedef struct {
    kf_waiting *item;
    int64_t count, room;
} kf_heap;

static inline uint64_t kf_key_of(double number) {
    uint64_t bits;
    number += 0.0; /* no zero below zero */
    memcpy(&bits, &number, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static inline int kf_before(kf_waiting one, kf_waiting other) {
    return one.key < other.key || (one.key == other.key && one.place < other.place);
}

/* Returns 0, or -1 where there is no memory. */
static inline int kf_push(kf_heap *heap, kf_waiting added) {
    if (heap->count == heap->room) {
        kf_waiting *item = realloc(heap->item, sizeof(kf_waiting) * 2 * (size_t)heap->room);
        if (!item) return -1;
        heap->item = item;
        heap->room *= 2;
    }
    int64_t at = heap->count++;
    for (; at && kf_before(added, heap->item[(at - 1) / 2]); at = (at - 1) / 2) heap->item[at] = heap->item[(at - 1) / 2];
    heap->item[at] = added;
    return 0;
}

/* The first by key, then by place, of one or more. */
static inline kf_waiting kf_pop(kf_heap *heap) {
    const kf_waiting first = heap->item[0], moved = heap->item[--heap->count];
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && kf_before(heap->item[child + 1], heap->item[child])) child++;
        if (!kf_before(heap->item[child], moved)) break;
        heap->item[at] = heap->item[child];
    }
    heap->item[at] = moved;
    return first;
}

#endif
