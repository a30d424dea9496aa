/* Component tree of the lower level sets {image <= t}, with every region's attributes, by levels and union-find.
 *
 * 1. One vectorised local pass (tree_local.inc) looks at each pixel's eight neighbours. In the order of (grey level,
 *    place) nearly every pixel is regular: its lower neighbours are connected around it, so it joins the region of any
 *    one of them. Only saddles (two or more groups of lower neighbours) can merge regions, only minima begin one
 *    (Morse theory on a grid). The same pass counts what the pixel adds to the perimeter and the Euler number of the
 *    regions that hold it (after Gray 1971, quad counts): a pair or quad of pixels enters with its highest member, a
 *    corner of the pixel grid with its lowest, so every region's count is a plain sum over its pixels.
 * 2. A counting sort brings the pixels at or below the bound into that order (tree_sort.inc).
 * 3. Levels rise (Kruskal's order; Berger et al., ICIP 2007), each in four steps of which three are without branches
 *    that depend on a pixel: pixels take the minimum that a lower neighbour of theirs descends to; saddles join minima
 *    (a union-find forest over these alone, the older as root, halved paths: Tarjan and van Leeuwen 1984); what was
 *    joined gets its region; pixels count into theirs. All joins of a level come first, so a region is made once.
 * 4. Each region's range of `order` is given out from the roots down, children first, then its own pixels, which are
 *    one run: moments and boxes are summed along runs, and go up the tree once. A pixel that counts into its region is
 *    told which of its own pixels it is, so that all know their places in `order` and none waits for the one before it.
 *
 * Pixels of one level are met in row-major order, so memory is read in sweeps, and steps of different pixels do not
 * wait for one another as the pops of a flood do; what one will read is fetched ahead. A level of one pixel, as most of a
 * 16-bit picture's are, takes one step instead of four. Time O(pixels * connectivity * inverse Ackermann); memory 18 bytes a
 * pixel and 40 a region of any size beside what is returned. No globals, no Python. */
#include "tree_core.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "counts.h"
#include "cpu.h"
#include "memory.h"

enum { KF_BLOCK = 32 };                       /* pixels that are skipped together */
enum { KF_AHEAD = 16, KF_PIXELS_AHEAD = 128 }; /* regions and pixels that are fetched ahead */

/* Of a local code: in the low byte the neighbours, one in each group of lower ones; in the high one that there is none, that
 * there are several, and what the shape there is multiplied with. */
enum { KF_GROUPS = 255, KF_MINIMUM = 1, KF_SADDLE = 2, KF_SHAPE = 4 };

enum { KF_STEADY = 3 }; /* pixels to one that goes to another region than the one before it, from which counts are kept at hand */
enum { KF_BEYOND = 8 }; /* counts of what lies beyond the bound, in turn: no increment waits for the one before it */
enum { KF_FEW = 8, KF_NARROW = 1 << 14 }; /* pixels whose sums are taken at once; side of a picture up to which they are */
enum { KF_SINGLE = 1 << 22 }; /* pixels up to which single precision tells a pixel's row */

#define BODY "tree_paths.inc"
#include "each_path.inc"

/* The steps of a path. */
typedef struct {
    void (*local)(const kf_picture *picture, void *line, uint8_t *active, uint16_t *codes);
    void (*up)(const kf_picture *picture, const kf_tree *tree, const kf_regions *regions, const int32_t *begin);
} kf_steps;

static kf_steps kf_steps_of(int path) {
#ifdef KF_X86_PATHS
    if (path == KF_AVX512) return (kf_steps){kf_local_avx512, kf_up_avx512};
    if (path == KF_AVX2) return (kf_steps){kf_local_avx2, kf_up_avx2};
#endif
    (void)path;
    return (kf_steps){kf_local_portable, kf_up_portable};
}

/* A pixel on its way through the sort, with what is read of it: nothing has to be looked up twice. */
typedef struct {
    int32_t pixel;
    uint16_t level, code;
} kf_placed;

/* A tree on its way up. */
typedef struct {
    kf_tree *tree;
    kf_block rest;        /* of memory, for what grows; none yet where that would be too much before the pixels are known */
    kf_placed *placed;    /* [pixels] while 16 bits are sorted, where the regions will be */
    uint16_t *code;       /* [pixels] of sorted[i] */
    int32_t offset[9];    /* to the neighbours by their bit in a code; to the pixel itself */
    int32_t *label;       /* [of the picture] the minimum that a pixel descends to */
    int32_t *up;          /* [minima] the minimum that it was joined to, or itself */
    int32_t *newest;      /* [minima] the region of highest level of what it stands for, -1 where there is none yet */
    int32_t *saddle;      /* [pixels] saddles of this level, as places in `sorted`; where the targets will be */
    int32_t *joined;      /* [minima] those that this level joined to others */
    int32_t minima;       /* so far */
    int32_t nodes;        /* so far */
    int32_t fresh;        /* first node of this level */
    int steady;           /* whether most pixels of the level before went where the pixel before them went */
    int64_t share[64];    /* what a pixel adds to its node's shape, by the shape in its code */
} kf_growth;

/* What a pixel adds to Euler number and perimeter of its region, by pairs and by quads or corners.
 * Euler number: pixels - pairs + quads (4), or corners - sides + pixels with sides = 4 pixels - pairs (8). */
static void kf_shares(int connectivity, int64_t *share) {
    for (int shape = 0; shape < 64; shape++) {
        const int pairs = shape & 7, quads = shape >> 3;
        const int euler = connectivity == 4 ? 1 - pairs + quads : quads - 3 + pairs;
        share[shape] = (4 - 2 * pairs) * ((int64_t)1 << 32) + euler;
    }
}

#include "tree_level.inc"

/* The arrays that grow, cut from a block. Those of the minima have room for the most there can be, no two of them side by
 * side; what is never written takes no memory. */
static void kf_lay_out(kf_block *block, const kf_picture *picture, kf_growth *grown) {
    kf_tree *tree = grown->tree;
    const int64_t pixels = tree->pixels, height = picture->height, width = picture->width;
    const int64_t apart = picture->connectivity == 4 ? (height * width + 1) / 2 : (height + 1) / 2 * ((width + 1) / 2);
    const int64_t minima = apart < pixels ? apart : pixels;
    tree->sorted = kf_cut(block, pixels + KF_PIXELS_AHEAD, sizeof(int32_t));
    tree->region = kf_cut(block, pixels, sizeof(int32_t));
    tree->rank = kf_cut(block, pixels, sizeof(int32_t));
    grown->code = kf_cut(block, pixels + KF_PIXELS_AHEAD, sizeof(uint16_t));
    grown->up = kf_cut(block, minima, sizeof(int32_t));
    grown->newest = kf_cut(block, minima, sizeof(int32_t));
    grown->joined = kf_cut(block, minima, sizeof(int32_t));
    tree->node = kf_cut(block, pixels + 1, sizeof(kf_node)); /* a region has a pixel of its own at its level */
    tree->level = kf_cut(block, pixels, sizeof(int32_t));
    tree->target = kf_cut(block, pixels + 1, sizeof(int32_t));
    grown->saddle = tree->target + 1;
    grown->placed = (kf_placed *)tree->node;
}

/* From the pixels of each level in tree->end to their first places, and what grows is laid out; returns 0, or -1 without
 * memory. */
static int kf_plant(const kf_picture *picture, kf_growth *grown) {
    kf_tree *tree = grown->tree;
    int64_t before = 0;
    for (int32_t level = 0; level <= picture->max_level; level++) {
        const int64_t count = tree->end[level];
        tree->end[level] = before;
        before += count;
    }
    tree->pixels = before;
    if (!grown->rest.base) {
        kf_lay_out(&grown->rest, picture, grown);
        grown->rest = (kf_block){tree->grown = kf_room_for((int64_t)grown->rest.used, 1), 0};
        if (!tree->grown) return -1;
    }
    kf_lay_out(&grown->rest, picture, grown);
    tree->node++;
    *tree->target++ = -1; /* of the one before them */
    memset(tree->sorted + before, 0, KF_PIXELS_AHEAD * sizeof(int32_t));
    for (int i = 0; i < KF_PIXELS_AHEAD; i++) grown->code[before + i] = KF_MINIMUM << 8;
    return 0;
}

#include "tree_sort.inc"

/* A level of one pixel, as most of a 16-bit picture's are: the four steps in one. */
static void kf_lone(kf_growth *grown, int64_t i) {
    kf_tree *tree = grown->tree;
    const int32_t p = tree->sorted[i], made = grown->nodes++;
    uint32_t groups = grown->code[i] & KF_GROUPS;
    int32_t own = groups ? kf_find(grown->up, grown->label[p + grown->offset[kf_lowest_bit(groups)]]) : kf_begin(grown);
    while (groups &= groups - 1) {
        const int32_t other = kf_find(grown->up, grown->label[p + grown->offset[kf_lowest_bit(groups)]]);
        int32_t younger;
        if (other == own) continue;
        own = kf_unite(grown->up, own, other, &younger);
        tree->node[grown->newest[younger]].parent = made;
    }
    tree->node[grown->newest[own]].parent = made;
    tree->node[made] = (kf_node){1, -1, grown->share[grown->code[i] / (KF_SHAPE << 8)]};
    grown->newest[own] = tree->region[i] = made;
    tree->rank[i] = 0;
    grown->label[p] = own;
}

static void kf_grow(kf_growth *grown, int32_t levels) {
    kf_tree *tree = grown->tree;
    int64_t begin = 0;
    for (int32_t level = 0; level < levels; level++) {
        const int64_t end = tree->end[level];
        grown->fresh = grown->nodes;
        if (end - begin == 1) {
            kf_lone(grown, begin);
        } else if (begin < end) {
            const int32_t saddles = kf_descend(grown, begin, end), joined = kf_join(grown, saddles);
            for (int32_t at = 0; at < joined; at++) {
                const int32_t made = kf_raise(grown, kf_find(grown->up, grown->joined[at]));
                tree->node[grown->newest[grown->joined[at]]].parent = made;
            }
            kf_settle(grown, begin, end);
        }
        begin = end;
        for (int32_t at = grown->fresh; at < grown->nodes; at++) tree->level[at] = level;
    }
    tree->nodes = grown->nodes;
}

/* Sums over the regions inside each one; which regions stay, under which number, and for the others the number of the one
 * that they are part of, -1 for none. */
static void kf_keep(const kf_picture *picture, kf_tree *tree) {
    const int64_t nodes = tree->nodes;
    int32_t *area = tree->area, *target = tree->target;
    kf_node *node = tree->node;
    int32_t count = 0;
    memset(area, 0, (size_t)nodes * sizeof(int32_t));
    for (int64_t at = 0; at < nodes; at++) {
        const int32_t parent = node[at].parent;
        const int32_t above = node[at + KF_AHEAD < nodes ? at + KF_AHEAD : at].parent;
        kf_fetch(node + above);
        kf_fetch(area + (above < 0 ? 0 : above));
        const int32_t pixels = area[at] += node[at].own, stays = pixels >= picture->min_area;
        target[at] = count | (stays - 1); /* or -1; as below without a branch */
        count += stays;
        if (parent < 0) {
            tree->kept += stays ? pixels : 0;
            continue;
        }
        area[parent] += pixels;
        node[parent].shape += node[at].shape;
    }
    tree->count = count;
    for (int64_t at = nodes - 1; at >= 0 && count < nodes; at--) {
        const int32_t own = target[at], around = target[node[at].parent]; /* before the first there is none: -1 */
        target[at] = own ^ ((own ^ around) & -(own < 0));
    }
}

/* What the first steps write, cut from a block. One array holds the codes until they are sorted, then the labels, then,
 * of no more regions than pixels, the areas. */
static void kf_lay_ground(kf_block *block, const kf_picture *picture, void **line, uint8_t **active, kf_growth *grown) {
    const int64_t blocks = (picture->width + KF_BLOCK - 1) / KF_BLOCK;
    kf_tree *tree = grown->tree;
    *line = kf_cut(block, 5 * ((int64_t)picture->width + 2), sizeof(uint16_t));
    *active = kf_cut(block, blocks * picture->height, 1);
    tree->end = kf_cut(block, (int64_t)picture->max_level + 1 + KF_BEYOND, sizeof(int64_t));
    tree->area = grown->label = kf_cut(block, (int64_t)picture->height * picture->width, sizeof(int32_t));
}

int kf_tree_build(const kf_picture *picture, kf_tree *tree) {
    const int32_t width = picture->width;
    memset(tree, 0, sizeof *tree);
    kf_growth grown = {.tree = tree, .offset = {-1, 1, -width, width, -width - 1, -width + 1, width - 1, width + 1, 0}};
    kf_shares(picture->connectivity, grown.share);
    void *line;
    uint8_t *active;
    kf_block block = {NULL, 0};
    kf_lay_ground(&block, picture, &line, &active, &grown);
    kf_block whole = block;
    tree->pixels = (int64_t)picture->height * width;
    kf_lay_out(&whole, picture, &grown);
    if (whole.used <= KF_KEPT) block = whole;
    block = (kf_block){tree->ground = kf_room_for((int64_t)block.used, 1), 0};
    if (!block.base) return -1;
    kf_lay_ground(&block, picture, &line, &active, &grown);
    if (whole.used <= KF_KEPT) grown.rest = block;
    uint16_t *codes = (uint16_t *)grown.label;
    kf_steps_of(picture->path).local(picture, line, active, codes);
    if (picture->bytes == 1 ? kf_sort_u8(picture, active, codes, &grown) : kf_sort_u16(picture, active, codes, &grown))
        return -1;
    kf_grow(&grown, picture->max_level + 1);
    kf_keep(picture, tree);
    return 0;
}

#include "tree_write.inc"

int kf_tree_write(const kf_picture *picture, const kf_tree *tree, const kf_regions *regions) {
    int32_t *begin = kf_room_for(3 * tree->count + tree->nodes + 1, sizeof(int32_t));
    if (!begin) return -1;
    const size_t count = (size_t)tree->count;
    int32_t *next = begin + count, *base = next + count, *source = base + tree->nodes;
    if (regions->moments) memset(regions->moments, 0, KF_MOMENTS * count * sizeof(int64_t));
    memset(regions->grey, 0, count * sizeof(int64_t));
    memset(regions->grey2, 0, count * sizeof(int64_t));
    for (size_t i = 0; i < 4 * count; i++) regions->box[i] = INT32_MAX;
    kf_sources(picture, tree, source);
    kf_ranges(tree, source, regions, begin);
    memcpy(next, begin, count * sizeof(int32_t));
    kf_bases(tree, regions, next, base);
    kf_place(tree, base, regions->order);
    kf_steps_of(picture->path).up(picture, tree, regions, begin);
    free(begin);
    return 0;
}

void kf_tree_free(kf_tree *tree) {
    free(tree->ground);
    free(tree->grown);
    memset(tree, 0, sizeof *tree);
}
