/* Component tree of the lower level sets {image <= t}, with every region's attributes, by levels and union-find.
 *
 * 1. One vectorised local pass (tree_local.inc) looks at each pixel's eight neighbours. In the order of (grey level,
 *    place) nearly every pixel is regular: its lower neighbours are connected around it, so it joins the region of any
 *    one of them. Only saddles (two or more groups of lower neighbours) can merge regions, only minima begin one
 *    (Morse theory on a grid). The same pass counts what the pixel adds to the perimeter and the Euler number of the
 *    regions that hold it (after Gray 1971, quad counts): a pair or quad of pixels enters with its highest member, a
 *    corner of the pixel grid with its lowest, so every region's count is a plain sum over its pixels.
 * 2. A counting sort brings the pixels at or below the bound into that order (tree_sort.inc).
 * 3. Pixels join by rising level (Kruskal's order; Berger et al., ICIP 2007). The union-find forest is over the minima
 *    alone, with halved paths (Tarjan and van Leeuwen 1984): a regular pixel costs one look-up.
 * 4. Each region's range of `order` is given out from the roots down, children first, then its own pixels. Sums start
 *    as those of the region's own pixels and go up the tree once.
 *
 * Pixels of one level are met in row-major order, so memory is read in sweeps, and steps of different pixels do not
 * wait for one another as the pops of a flood do. Time O(pixels * connectivity * inverse Ackermann); memory 13 bytes a
 * pixel and 16 a region of any size (and 16 a minimum while building) beside what is returned. No globals, no Python. */
#include "tree_core.h"

#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "memory.h"

enum { KF_BLOCK = 128, KF_AHEAD = 16 }; /* pixels that are skipped together; pixels that are fetched ahead */

#define BODY "tree_paths.inc"
#include "each_path.inc"

/* Returns the minima. */
static int64_t kf_local(const kf_picture *picture, void *line, uint8_t *active, int32_t *labels) {
#ifdef KF_X86_PATHS
    if (picture->path == KF_AVX512) return kf_local_avx512(picture, line, active, labels);
    if (picture->path == KF_AVX2) return kf_local_avx2(picture, line, active, labels);
#endif
    return kf_local_portable(picture, line, active, labels);
}

/* Steps to the neighbours by their bit in a local code; bit 8 stands for none. */
#define KF_OFFSETS(stride) \
    { -(stride), -1, 1, (stride), -(stride)-1, -(stride) + 1, (stride)-1, (stride) + 1 }

static inline int kf_lowest_bit(uint32_t word) {
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctz(word);
#else
    int bit = 0;
    while (!(word & 1)) word >>= 1, bit++;
    return bit;
#endif
}

static inline void kf_fetch(const void *at) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(at);
#else
    (void)at;
#endif
}

#include "tree_sort.inc"

/* A connected component on its way up, known by its first minimum. */
typedef struct {
    int32_t up;     /* the component that it merged into, or itself */
    int32_t node;   /* its innermost region that holds all of it so far */
    int32_t level;  /* of that region */
    int32_t area;  /* pixels in it so far */
} kf_component;

static inline int32_t kf_find(kf_component *component, int32_t at) {
    while (component[at].up != at) {
        component[at].up = component[component[at].up].up;
        at = component[at].up;
    }
    return at;
}

static inline int32_t kf_new_node(kf_tree *tree, int32_t level) {
    const int32_t node = (int32_t)tree->nodes++;
    tree->node[node] = (kf_node){level, -1, 0, -1};
    return node;
}

/* The innermost region of a component that reaches `level`. A region that the component outgrows gets its area. */
static inline int32_t kf_raise(kf_tree *tree, kf_component *component, int32_t level) {
    kf_node *old = &tree->node[component->node];
    if (component->level == level) return component->node;
    const int32_t fresh = kf_new_node(tree, level);
    old->area = component->area;
    old->parent = fresh;
    component->node = fresh;
    component->level = level;
    return fresh;
}

/* Merge two components at `level`: the later of their regions of that level holds both, and where neither has one a new
 * one does. Of two regions of the level the earlier becomes a part of the later. Returns the component that is left. */
static int32_t kf_merge(kf_tree *tree, kf_component *component, int32_t one, int32_t other, int32_t level) {
    if (component[one].area < component[other].area) {
        const int32_t less = one;
        one = other;
        other = less;
    }
    kf_component *large = &component[one], *small = &component[other];
    if (large->level != level && small->level != level) kf_raise(tree, large, level);
    int32_t low = small->node, high = large->node;
    int32_t low_area = small->area;
    if (low > high) low = large->node, high = small->node, low_area = large->area;
    tree->node[low].area = low_area;
    tree->node[low].parent = high;
    large->area += small->area;
    large->node = high;
    large->level = level;
    small->up = one;
    return one;
}

/* Join the pixels by rising level. labels: local codes in, components out. */
static void kf_join(const kf_picture *picture, kf_component *restrict component, int32_t *restrict labels,
                    kf_tree *tree) {
    const int32_t stride = picture->width + 2, offset[8] = KF_OFFSETS(stride);
    const int32_t levels = picture->bytes == 1 ? 256 : 65536;
    const int32_t *restrict sorted = tree->sorted;
    const int64_t last = tree->pixels - 1;
    int32_t *restrict region = tree->region;
    uint8_t *restrict add = tree->code;
    int32_t minima = 0;
    int64_t i = 0;
    for (int32_t level = 0; level < levels; level++) {
        for (const int64_t end = tree->end[level]; i < end; i++) {
            const int32_t ahead = sorted[i + KF_AHEAD <= last ? i + KF_AHEAD : last];
            kf_fetch(labels + ahead - stride);
            kf_fetch(labels + ahead);
            kf_fetch(labels + ahead + stride);
            const int32_t p = sorted[i], code = labels[p];
            uint32_t groups = code & 255;
            int32_t own;
            add[i] = (uint8_t)(code >> 8);
            if (groups == 0) {
                own = minima++;
                component[own] = (kf_component){own, kf_new_node(tree, level), level, 0};
            } else {
                own = kf_find(component, labels[p + offset[kf_lowest_bit(groups)]]);
                while (groups &= groups - 1) {
                    const int32_t other = kf_find(component, labels[p + offset[kf_lowest_bit(groups)]]);
                    if (other != own) own = kf_merge(tree, component, own, other, level);
                }
            }
            labels[p] = own;
            region[i] = kf_raise(tree, &component[own], level);
            component[own].area++;
        }
    }
    for (int32_t at = 0; at < minima; at++) /* roots */
        if (component[at].up == at) tree->node[component[at].node].area = component[at].area;
}

/* Which regions stay, under which number, and for the others the number of the one that they are
 * part of, -1 for none. A parent's number is always higher. */
static void kf_keep(const kf_picture *picture, kf_tree *tree) {
    const int64_t nodes = tree->nodes;
    tree->count = 0;
    for (int64_t node = 0; node < nodes; node++) {
        const int32_t parent = tree->node[node].parent;
        const int part = parent >= 0 && tree->node[parent].level == tree->node[node].level;
        tree->node[node].target = part || tree->node[node].area < picture->min_area ? -1 : (int32_t)tree->count++;
    }
    tree->kept = 0;
    for (int64_t node = nodes - 1; node >= 0; node--) {
        const int32_t parent = tree->node[node].parent;
        if (parent < 0)
            tree->kept += tree->node[node].target >= 0 ? tree->node[node].area : 0;
        else if (tree->node[node].target < 0)
            tree->node[node].target = tree->node[parent].target;
    }
}

int kf_tree_build(const kf_picture *picture, int32_t *labels, kf_tree *tree) {
    const int64_t blocks = (picture->width + KF_BLOCK - 1) / KF_BLOCK;
    void *line = malloc(3 * ((size_t)picture->width + 2) * sizeof(uint32_t));
    uint8_t *active = malloc((size_t)(blocks * picture->height));
    int64_t minima = 0;
    memset(tree, 0, sizeof *tree);
    int failed = !line || !active;
    if (!failed) {
        minima = kf_local(picture, line, active, labels);
        failed = picture->bytes == 1 ? kf_sort_u8(picture, active, tree) : kf_sort_u16(picture, active, tree);
    }
    free(line);
    free(active);
    if (failed) return -1;
    kf_component *component = kf_room_for(minima, sizeof *component);
    tree->code = kf_room_for(tree->pixels, 1);
    tree->node = kf_room_for(tree->pixels, sizeof(kf_node)); /* a region has a pixel of its own at its level */
    failed = !component || !tree->code || !tree->node;
    if (!failed) {
        kf_join(picture, component, labels, tree);
        kf_keep(picture, tree);
    }
    free(component);
    return failed ? -1 : 0;
}

/* Columns of the regions that stay but for the sums; each one's range begins with its children's. Returns in `cursor`
 * where each one's own pixels go. */
static void kf_ranges(const kf_tree *tree, int32_t *cursor, int32_t *ints) {
    const int64_t count = tree->count;
    int32_t roots = 0;
    for (int64_t node = tree->nodes - 1, at = count - 1; node >= 0 && at >= 0; node--) {
        const int32_t parent = tree->node[node].parent;
        if (tree->node[node].target != at) continue; /* left out: it carries -1 or a number met before */
        const int32_t into = parent < 0 ? -1 : tree->node[parent].target;
        int32_t *next = into < 0 ? &roots : &cursor[into];
        ints[KF_LEVEL * count + at] = tree->node[node].level;
        ints[KF_PARENT * count + at] = into;
        ints[KF_START * count + at] = cursor[at] = *next;
        ints[KF_AREA * count + at] = tree->node[node].area;
        *next += tree->node[node].area;
        at--;
    }
}

/* What one coordinate adds to the sums (itself, its square) and, all as least values, to the box (itself, minus one past
 * itself). Read from tables, since all of a row shares them and they come in the vectors' order. */
typedef struct {
    int64_t sum[2];
    int32_t edge[2];
} kf_coordinate;

static kf_coordinate *kf_coordinates(int32_t count) {
    kf_coordinate *table = kf_room_for(count, sizeof *table);
    for (int64_t at = 0; table && at < count; at++)
        table[at] = (kf_coordinate){{at, at * at}, {(int32_t)at, (int32_t)(-at - 1)}};
    return table;
}

/* Give each pixel its place in `order`, and its region its share of the sums and the box (as least values). */
static void kf_own_pixels(const kf_picture *picture, const kf_tree *tree, const kf_coordinate *rows,
                          const kf_coordinate *cols, int32_t *restrict cursor, int32_t *restrict order,
                          int32_t *restrict box, int64_t *restrict sums) {
    const int32_t stride = picture->width + 2, levels = picture->bytes == 1 ? 256 : 65536;
    /* (p + 0.5) / stride is at least 0.5 / stride away from a whole number, far more than a double is off */
    const double per_row = 1.0 / stride;
    int64_t i = 0;
    for (int64_t level = 0; level < levels; level++) {
        const int64_t grey2 = level * level, end = tree->end[level];
        for (; i < end; i++) {
            const int32_t at = tree->node[tree->region[i]].target, p = tree->sorted[i];
            if (at < 0) continue;
            const int32_t row = (int32_t)((p + 0.5) * per_row) - 1, col = p - (row + 1) * stride - 1;
            const int64_t code = tree->code[i];
            int64_t *sum = sums + (int64_t)KF_SUMS * at;
            int32_t *edge = box + 4 * (int64_t)at;
            order[cursor[at]++] = p - 2 * row - stride - 1;
            for (int k = 0; k < 2; k++) sum[k] += rows[row].sum[k];
            for (int k = 0; k < 2; k++) sum[2 + k] += cols[col].sum[k];
            sum[KF_ROWCOL] += (int64_t)row * col;
            sum[KF_SHAPE] += (code & 7) | (code >> 3) << 32;
            sum[KF_GREY] += level;
            sum[KF_GREY2] += grey2;
            for (int k = 0; k < 2; k++) edge[k] = rows[row].edge[k] < edge[k] ? rows[row].edge[k] : edge[k];
            for (int k = 0; k < 2; k++) edge[2 + k] = cols[col].edge[k] < edge[2 + k] ? cols[col].edge[k] : edge[2 + k];
        }
    }
}

/* Finish each region, children first, and add it to its parent. */
static void kf_up(const kf_picture *picture, int64_t count, int32_t *ints, int32_t *box, int64_t *sums) {
    const int32_t *parents = ints + KF_PARENT * count;
    for (int64_t at = 0; at < count; at++) {
        const int64_t *sum = sums + KF_SUMS * at;
        int32_t *edge = box + 4 * at;
        const int32_t parent = parents[at], ahead = parents[at + KF_AHEAD < count ? at + KF_AHEAD : at];
        kf_fetch(sums + KF_SUMS * (int64_t)(ahead < 0 ? 0 : ahead));
        kf_fetch(box + 4 * (int64_t)(ahead < 0 ? 0 : ahead));
        if (parent >= 0) {
            int64_t *above = sums + KF_SUMS * (int64_t)parent;
            int32_t *around = box + 4 * (int64_t)parent;
            for (int k = 0; k < KF_SUMS; k++) above[k] += sum[k];
            for (int k = 0; k < 4; k++) around[k] = edge[k] < around[k] ? edge[k] : around[k];
        }
        const int64_t area = ints[KF_AREA * count + at];
        const int64_t pairs = sum[KF_SHAPE] & UINT32_MAX, quads = (int64_t)((uint64_t)sum[KF_SHAPE] >> 32);
        /* pixels - pairs + quads (4), or corners - sides + pixels with sides = 4 pixels - pairs (8) */
        const int64_t euler = picture->connectivity == 4 ? area - pairs + quads : quads - 3 * area + pairs;
        ints[KF_EULER * count + at] = (int32_t)euler;
        ints[KF_PERIMETER * count + at] = (int32_t)(4 * area - 2 * pairs);
        const int32_t left = edge[2];
        edge[2] = -edge[1] - edge[0];
        edge[3] = -edge[3] - left;
        edge[1] = left;
    }
}

int kf_tree_write(const kf_picture *picture, const kf_tree *tree, int32_t *order, int32_t *ints, int32_t *box,
                  int64_t *sums) {
    int32_t *cursor = kf_room_for(tree->count, sizeof(int32_t));
    kf_coordinate *rows = kf_coordinates(picture->height), *cols = kf_coordinates(picture->width);
    const int failed = !cursor || !rows || !cols;
    if (!failed) {
        for (int64_t i = 0; i < 4 * tree->count; i++) box[i] = INT32_MAX;
        kf_ranges(tree, cursor, ints);
        kf_own_pixels(picture, tree, rows, cols, cursor, order, box, sums);
        kf_up(picture, tree->count, ints, box, sums);
    }
    free(cursor);
    free(rows);
    free(cols);
    return failed ? -1 : 0;
}

void kf_tree_free(kf_tree *tree) {
    free(tree->sorted);
    free(tree->node);
    free(tree->region);
    free(tree->code);
    free(tree->end);
    memset(tree, 0, sizeof *tree);
}
