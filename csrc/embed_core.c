/* What include/karyofast.h declares: checks, memory and the choice of candidates around the other cores. */
#include "karyofast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "distance_core.h"
#include "memory.h"
#include "tree_core.h"
#include "variance_core.h"

/* Limits of the area as shares of the picture: below a small chromosome to a cluster of a quarter of it. */
static const double KF_AREA_SHARE[2] = {0.0003, 0.25};

static int kf_best_path(void) {
    return kf_path_there(KF_AVX512) ? KF_AVX512 : kf_path_there(KF_AVX2) ? KF_AVX2 : KF_PORTABLE;
}

static int kf_bad_view(const kf_view *view) {
    return !view || !view->pixels || view->height < 1 || view->width < 1 || view->stride < view->width ||
           ((int64_t)view->height + 2) * ((int64_t)view->width + 2) > INT32_MAX;
}

/* The rows of a view one after the other, each level taken from `above` where that is not 0. */
static uint8_t *kf_packed(const kf_view *view, int above) {
    uint8_t *image = kf_room_for((int64_t)view->height * view->width, 1);
    for (int64_t row = 0; image && row < view->height; row++) {
        const uint8_t *from = view->pixels + row * view->stride;
        uint8_t *to = image + row * view->width;
        for (int32_t col = 0; col < view->width; col++) to[col] = (uint8_t)(above ? above - from[col] : from[col]);
    }
    return image;
}

static int kf_room_for_regions(kf_region_table *table) {
    const int64_t count = table->count;
    int32_t **column[] = {&table->level, &table->parent, &table->start, &table->area, &table->euler, &table->perimeter};
    int room = 1;
    for (size_t i = 0; i < sizeof column / sizeof *column; i++)
        room &= (*column[i] = kf_room_for(count, sizeof(int32_t))) != NULL;
    room &= (table->order = kf_room_for(table->kept, sizeof(int32_t))) != NULL;
    room &= (table->box = kf_room_for(count, 4 * sizeof(int32_t))) != NULL;
    room &= (table->moments = kf_room_for(count, KF_MOMENTS * sizeof(int64_t))) != NULL;
    room &= (table->grey = kf_room_for(count, sizeof(int64_t))) != NULL;
    room &= (table->grey2 = kf_room_for(count, sizeof(int64_t))) != NULL;
    return room;
}

static int kf_regions_of(const uint8_t *image, const kf_view *view, int connectivity, int max_level, int32_t min_area,
                         kf_region_table *table) {
    const kf_picture picture = {image,     view->height, view->width,    1,
                                connectivity, max_level, min_area, kf_best_path()};
    kf_tree tree;
    int failed = kf_tree_build(&picture, &tree);
    if (!failed) {
        table->count = tree.count;
        table->kept = tree.kept;
        failed = !kf_room_for_regions(table);
    }
    if (!failed) {
        const kf_regions to = {table->order, table->level,     table->parent, table->start,   table->area, table->euler,
                               table->perimeter, table->box, table->moments, table->grey, table->grey2};
        failed = kf_tree_write(&picture, &tree, &to);
    }
    kf_tree_free(&tree);
    if (failed) kf_free_regions(table);
    return failed ? KF_NO_MEMORY : 0;
}

int kf_extremal_regions(const kf_view *view, int connectivity, int max_level, int32_t min_area, kf_region_table *table) {
    if (!table || kf_bad_view(view) || (connectivity != 4 && connectivity != 8) || max_level < 0 || max_level > 255 ||
        min_area < 1)
        return KF_BAD_ARGUMENT;
    memset(table, 0, sizeof *table);
    uint8_t *image = kf_packed(view, 0);
    const int failed = image ? kf_regions_of(image, view, connectivity, max_level, min_area, table) : KF_NO_MEMORY;
    free(image);
    return failed;
}

void kf_free_regions(kf_region_table *table) {
    free(table->order);
    free(table->level);
    free(table->parent);
    free(table->start);
    free(table->area);
    free(table->euler);
    free(table->perimeter);
    free(table->box);
    free(table->moments);
    free(table->grey);
    free(table->grey2);
    memset(table, 0, sizeof *table);
}

int kf_two_class_variance(const kf_view *view, const int32_t *box, int64_t count, double *out) {
    if (kf_bad_view(view) || count < 0 || (count && (!box || !out))) return KF_BAD_ARGUMENT;
    int64_t *given = kf_room_for(5 * count, sizeof(int64_t));
    if (!given) return KF_NO_MEMORY;
    int bad = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t *one = given + 4 * i;
        for (int k = 0; k < 4; k++) one[k] = box[4 * i + k];
        bad |= one[0] < 0 || one[1] < 0 || one[2] < 1 || one[3] < 1 || one[0] + one[2] > view->height ||
               one[1] + one[3] > view->width;
        given[4 * count + i] = i;
    }
    if (!bad) kf_variance(view->pixels, view->stride, given, given + 4 * count, count, out, kf_best_path());
    free(given);
    return bad ? KF_BAD_ARGUMENT : 0;
}

int kf_edge_distance(const kf_view *edges, double *out) {
    if (kf_bad_view(edges) || !out) return KF_BAD_ARGUMENT;
    const int64_t height = edges->height, width = edges->width;
    if (height * height + width * width >= 1 << 30) return KF_BAD_ARGUMENT; /* distance_core.h */
    uint8_t *packed = kf_packed(edges, 0);
    uint16_t *depth = kf_room_for(height * width, sizeof(uint16_t));
    int32_t *scratch = kf_room_for(kf_distance_scratch(edges->width), sizeof(int32_t));
    const int failed = !packed || !depth || !scratch;
    if (!failed) {
        kf_distance_columns(packed, edges->height, edges->width, 0, edges->width, depth, kf_best_path());
        kf_distance_rows(depth, edges->width, 0, edges->height, scratch, out, kf_best_path());
    }
    free(packed);
    free(depth);
    free(scratch);
    return failed ? KF_NO_MEMORY : 0;
}

kf_options kf_default_options(int32_t height, int32_t width) {
    const double size = (double)height * width;
    const int32_t least = (int32_t)(KF_AREA_SHARE[0] * size);
    return (kf_options){8, least > 1 ? least : 1, (int32_t)(KF_AREA_SHARE[1] * size), 6, 0.4, 0.3, 0.6};
}

/* Median grey level, the lower of two. */
static int kf_median(const uint8_t *image, int64_t count) {
    int64_t levels[256] = {0}, below = 0;
    for (int64_t i = 0; i < count; i++) levels[image[i]]++;
    for (int level = 0; level < 256; level++)
        if (2 * (below += levels[level]) >= count) return level;
    return 255;
}

/* Choose among the regions of `image`, where chromosomes are dark; returns how many, or -1 without memory. */
static int64_t kf_choose(const kf_region_table *table, int field, const kf_options *options, kf_candidate *found,
                         double *above) {
    int64_t count = 0;
    for (int64_t at = table->count - 1; at >= 0; at--) { /* parents come after their children */
        const int32_t parent = table->parent[at], area = table->area[at], *box = table->box + 4 * at;
        const double mean = field - (double)table->grey[at] / area, edge = field - table->level[at];
        const double before = parent < 0 ? 0.0 : above[parent], ratio = mean > 0.0 ? edge / mean : 0.0;
        above[at] = ratio > before ? ratio : before;
        if (!(ratio >= options->fraction && before < options->fraction)) continue;
        if (area > options->max_area || 1 - table->euler[at] > options->holes) continue;
        found[count++] = (kf_candidate){box[0], box[1], box[2], box[3], area, table->euler[at], table->level[at], mean, 0.0};
    }
    return count;
}

static int kf_by_box(const void *one, const void *other) {
    const kf_candidate *a = one, *b = other;
    const int32_t left[4] = {a->top, a->left, a->height, a->width}, right[4] = {b->top, b->left, b->height, b->width};
    for (int k = 0; k < 4; k++)
        if (left[k] != right[k]) return left[k] < right[k] ? -1 : 1;
    return 0;
}

static int kf_by_height(const void *one, const void *other) {
    const double a = ((const kf_candidate *)one)->height_above, b = ((const kf_candidate *)other)->height_above;
    return (a > b) - (a < b);
}

/* Leave out what is fainter than `faintest` times the median height over all stain (pixels weighted by their height).
 * Returns how many stay. */
static int64_t kf_stained(kf_candidate *found, int64_t count, double faintest) {
    double stain = 0.0, below = 0.0;
    int64_t middle = 0, first = 0;
    qsort(found, (size_t)count, sizeof *found, kf_by_height);
    for (int64_t i = 0; i < count; i++) stain += found[i].area * found[i].height_above;
    while (middle + 1 < count && (below += found[middle].area * found[middle].height_above) < 0.5 * stain) middle++;
    while (first < middle && found[first].height_above < faintest * found[middle].height_above) first++;
    memmove(found, found + first, (size_t)(count - first) * sizeof *found);
    return count - first;
}

/* V of the candidates; those that are uneven within go. Returns how many stay, or an error. */
static int64_t kf_even(const kf_view *view, const kf_options *options, kf_candidate *found, int64_t count) {
    int32_t *box = kf_room_for(4 * count, sizeof(int32_t));
    double *variance = kf_room_for(count, sizeof(double));
    int64_t result = KF_NO_MEMORY;
    if (box && variance) {
        for (int64_t i = 0; i < count; i++) memcpy(box + 4 * i, &found[i].top, 4 * sizeof(int32_t));
        result = kf_two_class_variance(view, box, count, variance);
        for (int64_t i = 0; result >= 0 && i < count; i++) {
            const double spread = sqrt(variance[i] / ((double)found[i].height * found[i].width));
            if (spread > options->largest_spread * found[i].height_above) continue;
            found[i].variance = variance[i];
            found[result++] = found[i];
        }
    }
    free(box);
    free(variance);
    return result;
}

int64_t kf_candidates(const kf_view *view, enum kf_field field, const kf_options *options, kf_candidate **found) {
    if (!found || !options || kf_bad_view(view) || (field != KF_BRIGHT && field != KF_DARK) || options->min_area < 1 ||
        (options->connectivity != 4 && options->connectivity != 8))
        return KF_BAD_ARGUMENT;
    *found = NULL;
    kf_region_table table = {0};
    uint8_t *image = kf_packed(view, field == KF_DARK ? 255 : 0);
    int64_t count = KF_NO_MEMORY;
    if (image && !kf_regions_of(image, view, options->connectivity, 255, options->min_area, &table)) {
        double *above = kf_room_for(table.count, sizeof(double));
        *found = kf_room_for(table.count, sizeof(kf_candidate));
        if (above && *found) {
            const int64_t pixels = (int64_t)view->height * view->width;
            const kf_view packed = {image, view->height, view->width, view->width};
            count = kf_choose(&table, kf_median(image, pixels), options, *found, above);
            count = kf_stained(*found, count, options->faintest);
            qsort(*found, (size_t)count, sizeof **found, kf_by_box);
            count = kf_even(&packed, options, *found, count);
            for (int64_t i = 0; i < count; i++)
                if (field == KF_DARK) (*found)[i].level = 255 - (*found)[i].level;
        }
        free(above);
    }
    kf_free_regions(&table);
    free(image);
    if (count < 0) {
        free(*found);
        *found = NULL;
    }
    return count;
}
