/* Two-class variance V of boxes (paper section 3, eq. 4). See variance_core.c. */
#ifndef KARYOFAST_VARIANCE_CORE_H
#define KARYOFAST_VARIANCE_CORE_H

#include <stdint.h>

/* image: `stride` pixels from row to row. box: [count][4] top, left, height, width, inside the image, none empty.
 * rank: the order in which to visit them: boxes that overlap next to one another cost only what they differ in.
 * out: [count]. path: of cpu.h. */
void kf_variance(const uint8_t *image, int64_t stride, const int64_t *box, const int64_t *rank, int64_t count,
                 double *out, int path);

/* key: [count]; in their order nested boxes are next to one another: by the cell that the centre is in, then by size.
 * 0 where a box is empty or reaches out of the image. */
int kf_chain_keys(const int64_t *box, int64_t count, int64_t height, int64_t width, int64_t *key);

#endif
