/* Component tree of the lower level sets {image <= t}, by one flood (Nister and Stewenius, "Linear time
 * maximally stable extremal regions", ECCV 2008), with every region's attributes.
 *
 * 1. A padded copy of the image removes all border tests; the padding is higher than any pixel.
 * 2. One local pass counts, for each pixel, what it adds to the perimeter and the Euler number of the
 *    regions that hold it (after Gray 1971, quad counts). A pair or quad of pixels enters a region with its
 *    highest member, a corner of the pixel grid is touched by a region as soon as its lowest member is in;
 *    both are known from the neighbours alone, so every region's count is a plain sum over its pixels.
 * 3. The flood accepts pixels so that each region is a contiguous range of the order of acceptance. A region
 *    remembers the running totals at its first pixel; all its sums are differences of two running totals.
 * 4. Regions leave in post-order; their parents follow from the ranges by one pass with a stack.
 *
 * Time O(pixels * connectivity); memory about 12 bytes a pixel beside the regions. No globals, no Python. */
#include "tree_core.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int32_t level, start;
    int32_t top, left, bottom, right;
    int64_t sum[KF_SUMS];
} kf_open; /* a region that is still growing */

static void kf_open_start(kf_open *region, int32_t level, int64_t accepted, const int64_t *total) {
    region->level = level;
    region->start = (int32_t)accepted;
    region->top = region->left = INT32_MAX;
    region->bottom = region->right = 0;
    memcpy(region->sum, total, sizeof region->sum);
}

static void kf_open_merge(kf_open *into, const kf_open *from) {
    if (from->top < into->top) into->top = from->top;
    if (from->left < into->left) into->left = from->left;
    if (from->bottom > into->bottom) into->bottom = from->bottom;
    if (from->right > into->right) into->right = from->right;
}

static int kf_emit(kf_tree *tree, const kf_open *region, int64_t accepted, const int64_t *total) {
    if (tree->count == tree->capacity) {
        int64_t capacity = tree->capacity ? 2 * tree->capacity : 1024;
        kf_node *grown = realloc(tree->node, (size_t)capacity * sizeof(kf_node));
        if (!grown) return -1;
        tree->node = grown;
        tree->capacity = capacity;
    }
    kf_node *node = &tree->node[tree->count++];
    node->level = region->level;
    node->start = region->start;
    node->area = (int32_t)(accepted - region->start);
    node->parent = -1;
    node->top = region->top;
    node->left = region->left;
    node->bottom = region->bottom;
    node->right = region->right;
    for (int i = 0; i < KF_SUMS; i++) node->sum[i] = total[i] - region->sum[i];
    return 0;
}

/* Close every open region below `level`; `top` is the innermost. Returns the new innermost, NULL without memory. */
static kf_open *kf_close_below(kf_open *top, int32_t level, int64_t accepted, const int64_t *total, kf_tree *tree) {
    while (top->level < level) {
        if (kf_emit(tree, top, accepted, total)) return NULL;
        if (level < (top - 1)->level) {
            top->level = level;
            break;
        }
        kf_open_merge(top - 1, top);
        top--;
    }
    return top;
}

/* A region's parent is the next region, in post-order, whose range starts no later than its own. */
static int kf_parents(kf_tree *tree) {
    int32_t *waiting = malloc((size_t)(tree->count + 1) * sizeof(int32_t));
    if (!waiting) return -1;
    int64_t depth = 0;
    for (int64_t i = 0; i < tree->count; i++) {
        while (depth > 0 && tree->node[waiting[depth - 1]].start >= tree->node[i].start)
            tree->node[waiting[--depth]].parent = (int32_t)i;
        waiting[depth++] = (int32_t)i;
    }
    free(waiting);
    return 0;
}

void kf_tree_free(kf_tree *tree) {
    free(tree->node);
    tree->node = NULL;
    tree->count = tree->capacity = 0;
}

/* The queue of seen pixels: one stack a level (room from the histogram: a pixel waits at most once) and
 * bitmaps of the levels that are not empty, 64 levels a word, 64 words a word of the summary. */
typedef struct {
    int32_t *pixel;  /* all stacks, one after the other */
    int32_t *end;    /* [levels] one past the last of each level's stack */
    int32_t *begin;  /* [levels] */
    uint64_t *word;  /* [levels / 64] */
    uint64_t *group; /* [levels / 4096, rounded up] */
    int32_t groups;
} kf_queue;

static inline int kf_lowest_bit(uint64_t word) {
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(word);
#else
    int bit = 0;
    while (!(word & 1)) word >>= 1, bit++;
    return bit;
#endif
}

static inline void kf_push(kf_queue *queue, int32_t level, int32_t pixel) {
    queue->pixel[queue->end[level]++] = pixel;
    queue->word[level >> 6] |= (uint64_t)1 << (level & 63);
    queue->group[level >> 12] |= (uint64_t)1 << ((level >> 6) & 63);
}

/* The lowest waiting pixel, -1 when none waits. */
static inline int32_t kf_pop(kf_queue *queue) {
    int32_t group = 0;
    while (!queue->group[group])
        if (++group == queue->groups) return -1;
    int32_t word = (group << 6) + kf_lowest_bit(queue->group[group]);
    int32_t level = (word << 6) + kf_lowest_bit(queue->word[word]);
    int32_t pixel = queue->pixel[--queue->end[level]];
    if (queue->end[level] == queue->begin[level]) {
        queue->word[word] &= ~((uint64_t)1 << (level & 63));
        if (!queue->word[word]) queue->group[group] &= ~((uint64_t)1 << (word & 63));
    }
    return pixel;
}

#define INPUT uint8_t
#define PIXEL uint16_t
#define PADDING UINT16_MAX
#define LEVELS 256
#define NAME(x) x##_u8
#include "tree_flood.inc"
#undef INPUT
#undef PIXEL
#undef PADDING
#undef LEVELS
#undef NAME

#define INPUT uint16_t
#define PIXEL uint32_t
#define PADDING UINT32_MAX
#define LEVELS 65536
#define NAME(x) x##_u16
#include "tree_flood.inc"
