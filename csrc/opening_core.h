/* Greyscale opening by a disk. See opening_core.c. */
#ifndef KARYOFAST_OPENING_CORE_H
#define KARYOFAST_OPENING_CORE_H

#include <stdint.h>

/* What it is opened by: `size` rows, an odd number, of which row i reaches `reach[i]` >= 0 pixels to either side of the
 * middle column; the same upside down. */
typedef struct {
    const int32_t *reach;
    int64_t size;
} kf_element;

/* `image` (height * width, at least one pixel, without NaN) eroded, then dilated, into `out`; what lies beyond the picture
 * does not count. `path`: of cpu.h. Returns 0, or -1 without memory. */
int kf_opening(const float *image, int64_t height, int64_t width, const kf_element *element, float *out, int path);

#endif
