/* Working memory of the kernels: on Linux large blocks ask for huge pages, since most of what is written is written once
 * and a page fault costs as much as the work on a small page. Free with free(). */
#ifndef KARYOFAST_MEMORY_H
#define KARYOFAST_MEMORY_H

#include <stdint.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { KF_HUGE_PAGE = 1 << 21 };

/* Room for count + 1 items of `size` bytes, not cleared; NULL where there is none. */
static inline void *kf_room_for(int64_t count, size_t size) {
    if (count < 0 || (uint64_t)count >= (SIZE_MAX - KF_HUGE_PAGE) / size - 1) return NULL;
    const size_t bytes = ((size_t)count + 1) * size;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= 2 * (size_t)KF_HUGE_PAGE) {
        void *room = NULL;
        if (posix_memalign(&room, KF_HUGE_PAGE, bytes)) return NULL;
        madvise(room, bytes, MADV_HUGEPAGE); /* a wish: without it the block is as good as any */
        return room;
    }
#endif
    return malloc(bytes);
}

#endif
