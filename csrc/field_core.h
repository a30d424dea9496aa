/* The field that objects stand on: means on a coarse grid, and what stands above a coarse surface. See field_core.c. */
#ifndef KARYOFAST_FIELD_CORE_H
#define KARYOFAST_FIELD_CORE_H

#include <stdint.h>

/* Sides of a picture and of a coarser grid over it: at least 1, the grid's no longer than the picture's. */
typedef struct {
    int64_t height, width, rows, cols;
} kf_grid;

/* Means of `image` over the cells of the grid into `out` (rows * cols). Returns 0, or -1 without memory. */
int kf_cell_means(const float *image, const kf_grid *grid, float *out, int path);

/* `coarse` (rows * cols), drawn bilinearly over the picture and nowhere above `image`, into `field`, and how far `image` stands
 * above that into `height`. Returns 0, or -1 without memory. */
int kf_above_field(const float *image, const kf_grid *grid, const float *coarse, float *field, float *height, int path);

/* `top` less the nearest whole number of each height * scale, which is kept in 0 .. top, into `out`. */
void kf_count_down(const float *height, int64_t pixels, float scale, uint16_t top, uint16_t *out, int path);

#endif
