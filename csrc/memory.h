/* Working memory of the kernels. Most of what is written is written once, and a page fault costs as much as the work on a
 * small page. Arrays that live together are cut from one block: what is freed at once the C library keeps for the next call,
 * while of many arrays it gives most back to the system. A block that is too large for that asks for huge pages, on Linux. */
#ifndef KARYOFAST_MEMORY_H
#define KARYOFAST_MEMORY_H

#include <stdint.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

enum { KF_HUGE_PAGE = 1 << 21, KF_KEPT = 1 << 25 }; /* blocks up to KF_KEPT are kept by the C library of GNU */
enum { KF_CUT = 64 };                               /* bytes that an array of a block begins at a multiple of */

/* Room for count + 1 items of `size` bytes, not cleared; NULL where there is none. Free with free(). */
static inline void *kf_room_for(int64_t count, size_t size) {
    if (count < 0 || (uint64_t)count >= (SIZE_MAX - KF_HUGE_PAGE) / size - 1) return NULL;
    const size_t bytes = ((size_t)count + 1) * size;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes > (size_t)KF_KEPT) {
        void *room = NULL;
        if (posix_memalign(&room, KF_HUGE_PAGE, bytes)) return NULL;
        madvise(room, bytes, MADV_HUGEPAGE); /* a wish: without it the block is as good as any */
        return room;
    }
#endif
    return malloc(bytes);
}

/* A block on its way to being cut; without memory of its own it only counts what it takes. */
typedef struct {
    char *base;
    size_t used;
} kf_block;

/* The next array of a block, for count + 1 items of `size` bytes; under the address sanitizer with a gap after it. */
static inline void *kf_cut(kf_block *block, int64_t count, size_t size) {
    char *room = block->base ? block->base + block->used : NULL;
    const size_t bytes = ((size_t)count + 1) * size;
    block->used += (bytes + KF_CUT - 1) / KF_CUT * KF_CUT;
#if defined(__SANITIZE_ADDRESS__)
    if (room) __asan_poison_memory_region(room + bytes, block->used + KF_CUT - (size_t)(room - block->base) - bytes);
    block->used += KF_CUT;
#endif
    return room;
}

#endif
