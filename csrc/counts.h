/* How often each grey level occurs. Neighbours are alike, and an increment waits for the one before it: there are several tables. */
#ifndef KARYOFAST_COUNTS_H
#define KARYOFAST_COUNTS_H

#include <stdint.h>

enum { KF_TABLES = 8 };

/* Of fewer than 2^32 pixels; zeros to begin with. */
typedef struct {
    uint32_t table[KF_TABLES][256];
} kf_counts;

static inline void kf_count_greys(kf_counts *counts, const uint8_t *grey, int64_t pixels) {
    int64_t at = 0;
    for (; at + KF_TABLES <= pixels; at += KF_TABLES)
        for (int k = 0; k < KF_TABLES; k++) counts->table[k][grey[at + k]]++;
    for (; at < pixels; at++) counts->table[0][grey[at]]++;
}

static inline int64_t kf_counted(const kf_counts *counts, int level) {
    int64_t count = 0;
    for (int k = 0; k < KF_TABLES; k++) count += counts->table[k][level];
    return count;
}

#endif
