/* What compilers have a word of their own for. */
#ifndef KARYOFAST_BITS_H
#define KARYOFAST_BITS_H

#include <stdint.h>

/* Place of the lowest bit of a word that is not 0. */
static inline int kf_lowest_bit(uint32_t word) {
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctz(word);
#else
    int bit = 0;
    while (!(word & 1)) word >>= 1, bit++;
    return bit;
#endif
}

/* Ask for what will be read soon. */
static inline void kf_fetch(const void *at) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(at);
#else
    (void)at;
#endif
}

#endif
