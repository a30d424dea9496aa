/* A DEFLATE stream of runs. See deflate_core.c. */
#ifndef KARYOFAST_DEFLATE_CORE_H
#define KARYOFAST_DEFLATE_CORE_H

#include <stdint.h>

/* Most bytes that kf_deflate writes for `count` bytes. */
int64_t kf_deflate_room(int64_t count);

/* Write `count` bytes as a DEFLATE stream (RFC 1951) to `out`, which has room for it. Returns its length, or -1 where
 * there is no memory. */
int64_t kf_deflate(const uint8_t *data, int64_t count, uint8_t *out);

#endif
