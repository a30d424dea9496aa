/* Component tree of the lower level sets of an image, with attributes. See tree_core.c. */
#ifndef KARYOFAST_TREE_CORE_H
#define KARYOFAST_TREE_CORE_H

#include <stdint.h>

/* Sums over a region's pixels; KF_SHAPE packs pairs of pixels (low 32 bits) and quads or corners (high 32 bits). */
enum { KF_ROW, KF_ROW2, KF_COL, KF_COL2, KF_ROWCOL, KF_SHAPE, KF_GREY, KF_GREY2, KF_SUMS };
/* Whole-number columns of a region. */
enum { KF_LEVEL, KF_PARENT, KF_START, KF_AREA, KF_EULER, KF_PERIMETER, KF_INTS };

typedef struct {
    const void *pixels; /* uint8 or uint16, row-major */
    int32_t height, width;
    int bytes;          /* of a pixel: 1 or 2 */
    int connectivity;   /* 4 or 8 */
    int32_t max_level;  /* pixels above it belong to no region */
    int32_t min_area;   /* smaller regions are left out */
    int path;           /* of cpu.h */
} kf_picture;

/* A region of any size. Of two that merge on one level the earlier becomes a part of the later. */
typedef struct {
    int32_t level, parent; /* parent: -1 at a root */
    int32_t area;
    int32_t target;        /* its number among those written; of one left out that of the region it is part of, or -1 */
} kf_node;

/* A tree that has been built; its regions are numbered by rising level. All arrays are its own. */
typedef struct {
    int64_t pixels;    /* at or below max_level */
    int64_t count;     /* regions of at least min_area px: what kf_tree_write writes */
    int64_t kept;      /* pixels of those regions */
    int64_t nodes;     /* regions of any size, those that merged into another of their level included */
    int32_t *sorted;   /* [pixels] padded indices by level, then in row-major order */
    int32_t *region;   /* [pixels] node of sorted[i] */
    uint8_t *code;     /* [pixels] what sorted[i] adds to pairs (low 3 bits) and quads or corners */
    int64_t *end;      /* [levels] one past the last of each level in `sorted` */
    kf_node *node;     /* [nodes] */
} kf_tree;

/* Build the tree. `labels`: scratch of (height + 2) * (width + 2). Returns 0, or -1 when memory ran out.
 * Free with kf_tree_free in either case. */
int kf_tree_build(const kf_picture *picture, int32_t *labels, kf_tree *tree);

/* Write the regions: ints[KF_INTS][count], box[count][4] (top, left, height, width), sums[count][KF_SUMS] (zero
 * when given), order[kept] (row-major indices). `order` may be the scratch of kf_tree_build. Returns 0, -1 without memory. */
int kf_tree_write(const kf_picture *picture, const kf_tree *tree, int32_t *order, int32_t *ints, int32_t *box,
                  int64_t *sums);
void kf_tree_free(kf_tree *tree);

#endif
