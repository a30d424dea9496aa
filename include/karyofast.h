/* The kernels of karyofast for C, without Python: extremal regions with their attributes, two-class variance, exact
 * distance, and chromosome candidates by area, Euler number and variance.
 *
 *     kf_view view = {pixels, height, width, width};
 *     kf_options options = kf_default_options(height, width);
 *     kf_candidate *found;
 *     int64_t count = kf_candidates(&view, KF_BRIGHT, &options, &found);
 *     free(found);
 *
 * Rows go before columns, lengths are px, memory is the caller's to free with free(). No globals: calls may run side by
 * side. The fastest instructions that the processor has are taken by themselves; all give the same bits. What fails
 * returns a negative number of kf_error. */
#ifndef KARYOFAST_H
#define KARYOFAST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum kf_error { KF_NO_MEMORY = -1, KF_BAD_ARGUMENT = -2 };

/* A grey picture of 8 bit. */
typedef struct {
    const uint8_t *pixels;
    int32_t height, width;
    int64_t stride; /* pixels from row to row, at least `width` */
} kf_view;

/* The field around the chromosomes: bright (Giemsa) or dark (quinacrine, DAPI). */
enum kf_field { KF_BRIGHT, KF_DARK };

/* Connected components of {image <= level}, children before their parents: `count` rows a column. */
typedef struct {
    int64_t count, kept;
    int32_t *order;   /* [kept] row-major indices; the pixels of region i are order[start[i] .. start[i] + area[i]] */
    int32_t *level, *parent, *start, *area, *euler, *perimeter; /* parent: -1 at a root */
    int32_t *box;     /* [count][4] top, left, height, width */
    int64_t *moments; /* [count][5] sums of row, column, row^2, column^2, row * column */
    int64_t *grey, *grey2; /* sums of grey level and of its square */
} kf_region_table;

/* The extremal regions of at least `min_area` px up to `max_level` (255: all). connectivity: 4 or 8. Free with
 * kf_free_regions. Returns 0 or an error. As karyofast.kernels.component_tree. */
int kf_extremal_regions(const kf_view *view, int connectivity, int max_level, int32_t min_area, kf_region_table *table);
void kf_free_regions(kf_region_table *table);

/* V of `count` boxes (top, left, height, width, inside the picture, none empty) into `out`. Returns 0 or an error. As
 * karyofast.kernels.two_class_variance. */
int kf_two_class_variance(const kf_view *view, const int32_t *box, int64_t count, double *out);

/* Distance of each pixel to the nearest one that is not 0, px, into out[height][width]; infinite where all are 0.
 * Returns 0 or an error. As karyofast.kernels.edge_distance. */
int kf_edge_distance(const kf_view *edges, double *out);

typedef struct {
    int connectivity;      /* 4 or 8 */
    int32_t min_area, max_area; /* px */
    int holes;             /* that a candidate may enclose */
    double fraction;       /* of its mean height above the field at which a candidate's edge lies at least, 0..1 */
    double faintest;       /* mean height over the median height of all stain */
    double largest_spread; /* of sqrt(V / pixels of the box) over the mean height */
} kf_options;

/* A share of the picture as limits of the area, the rest as `karyofast detect` has it. */
kf_options kf_default_options(int32_t height, int32_t width);

typedef struct {
    int32_t top, left, height, width, area, euler;
    int32_t level;   /* grey level of its edge in the picture as given */
    double height_above; /* mean difference to the field, grey levels */
    double variance; /* V of its box */
} kf_candidate;

/* Candidates from top to bottom, disjoint, into a new array; returns how many, or an error.
 *
 * Of each chain of nested extremal regions the largest stays whose edge is at least `fraction` of its mean height above
 * the field, which is the picture's median. What has not the area, encloses too many holes, is too faint or is uneven
 * within (V) is left out. This is `karyofast.detect` without its flattened background, widths, ellipse votes and choice of
 * the cell. */
int64_t kf_candidates(const kf_view *view, enum kf_field field, const kf_options *options, kf_candidate **found);

#ifdef __cplusplus
}
#endif

#endif
