/* Component tree of the lower level sets of an image, with attributes. See tree_core.c. */
#ifndef KARYOFAST_TREE_CORE_H
#define KARYOFAST_TREE_CORE_H

#include <stdint.h>

/* Columns of `moments`: sums over a region's pixels. */
enum { KF_ROW, KF_COL, KF_ROW2, KF_COL2, KF_ROWCOL, KF_MOMENTS };

typedef struct {
    const void *pixels; /* uint8 or uint16, row-major */
    int32_t height, width; /* fewer than 2^31 pixels */
    int bytes;          /* of a pixel: 1 or 2 */
    int connectivity;   /* 4 or 8 */
    int32_t max_level;  /* pixels above it belong to no region */
    int32_t min_area;   /* smaller regions are left out */
    int path;           /* of cpu.h */
} kf_picture;

/* What a region of any size has beside the regions inside it: pixels, and what those add to Euler number and perimeter of
 * every region that holds them (summed over the regions inside once the tree is built). */
typedef struct {
    int32_t own, parent; /* parent: -1 at a root, else a higher number */
    int64_t shape;       /* perimeter * 2^32 + Euler number */
} kf_node;

/* A tree that has been built; its regions are numbered by rising level. All arrays are its own. */
typedef struct {
    int64_t pixels;    /* at or below max_level */
    int64_t count;     /* regions of at least min_area px: what kf_tree_write writes */
    int64_t kept;      /* pixels of those regions */
    int64_t nodes;     /* regions of any size */
    int32_t *sorted;   /* [pixels] row-major indices by level, then in row-major order */
    int32_t *region;   /* [pixels] node of sorted[i] */
    int32_t *rank;     /* [pixels] which of its node's own pixels sorted[i] is, from 0 */
    int64_t *end;      /* [max_level + 1] one past the last of each level in `sorted` */
    kf_node *node;     /* [nodes], with one before them for what has no place */
    int32_t *level;    /* [nodes] */
    int32_t *area;     /* [nodes] */
    int32_t *target;   /* [nodes] number among those written; of one left out that of the region it is part of, or -1 */
    void *ground, *grown; /* the blocks of memory that these arrays are cut from */
} kf_tree;

/* Where to write the regions: columns of kf_tree.count, `order` of kf_tree.kept. */
typedef struct {
    int32_t *order;   /* row-major indices; a region's pixels are order[start .. start + area] */
    int32_t *level, *parent, *start, *area, *euler, *perimeter;
    int32_t *box;     /* [count][4]: top, left, height, width */
    int64_t *moments; /* [count][KF_MOMENTS], or NULL: not to be written */
    int64_t *grey, *grey2;
} kf_regions;

/* Build the tree. Returns 0, or -1 when memory ran out. Free with kf_tree_free in either case. */
int kf_tree_build(const kf_picture *picture, kf_tree *tree);

/* Write the regions of the tree of that picture. Returns 0, or -1 when memory ran out. */
int kf_tree_write(const kf_picture *picture, const kf_tree *tree, const kf_regions *regions);
void kf_tree_free(kf_tree *tree);

#endif
