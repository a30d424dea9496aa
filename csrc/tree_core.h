/* Component tree of the lower level sets of an image, with attributes. See tree_core.c. */
#ifndef KARYOFAST_TREE_CORE_H
#define KARYOFAST_TREE_CORE_H

#include <stdint.h>

enum { KF_ROW, KF_COL, KF_ROW2, KF_COL2, KF_ROWCOL, KF_GREY, KF_GREY2, KF_INNER, KF_QUADS, KF_SUMS };

/* One region. Ranges are half open: rows top..bottom, columns left..right, pixels order[start .. start + area]. */
typedef struct {
    int32_t level, start, area, parent;
    int32_t top, left, bottom, right;
    int64_t sum[KF_SUMS];
} kf_node;

/* A growing array of regions, children before their parents; free with kf_tree_free. */
typedef struct {
    kf_node *node;
    int64_t count, capacity;
} kf_tree;

/* Both return 0, or -1 when memory ran out (then `tree` is empty).
 * image: height * width pixels in row-major order; connectivity: 4 or 8; pixels above max_level are not flooded.
 * order: room for height * width indices; *accepted receives how many were written. */
int kf_tree_u8(const uint8_t *image, int32_t height, int32_t width, int connectivity, int32_t max_level,
               int32_t *order, int64_t *accepted, kf_tree *tree);
int kf_tree_u16(const uint16_t *image, int32_t height, int32_t width, int connectivity, int32_t max_level,
                int32_t *order, int64_t *accepted, kf_tree *tree);
void kf_tree_free(kf_tree *tree);

#endif
