/* How far apart neighbouring zones of a picture lie. See zones_core.c. */
#ifndef KARYOFAST_ZONES_CORE_H
#define KARYOFAST_ZONES_CORE_H

#include <stdint.h>

/* zones (height * width): 0 where there is none, else 1 .. count, count < 2^24, height + width < 2^20. gap (count * count):
 * the least gap between each two zones where the areas nearest to them meet, in 65536ths of a pixel, INT64_MAX where they
 * do not; symmetric. `path`: of cpu.h. Returns 0, or -1 without memory. */
int kf_zone_gaps(const int32_t *zones, int64_t height, int64_t width, int64_t count, int64_t *gap, int path);

#endif
