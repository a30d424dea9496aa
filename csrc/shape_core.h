/* How broad things are: depths on the ridges of a picture, and disks and ellipses in outlines. See shape_core.c. */
#ifndef KARYOFAST_SHAPE_CORE_H
#define KARYOFAST_SHAPE_CORE_H

#include <stdint.h>

/* Chamfer distances are in 65536ths of a pixel, with the weights of OpenCV's DIST_L2 of 5 x 5. */
enum { KF_CHAMFER_SIDE = 65536, KF_CHAMFER_CORNER = 91750, KF_CHAMFER_KNIGHT = 143976 };

/* Depths, px, at the ridge pixels of Otsu's mask of `height` (rows * cols, at least one, finite; `top` the greatest, what is
 * below 0 counts as 0) into `out` (room for rows * cols), in row-major order. `path`: of cpu.h. Returns their number, -1 without memory. */
int64_t kf_ridge_depths(const float *height, int64_t rows, int64_t cols, float top, float *out, int path);

/* Regions of a picture: pixels of region i are order[start[i] .. start[i] + area[i]], flat indices, at least one. */
typedef struct {
    const int32_t *order, *start, *area;
    const int32_t *box; /* [count][4]: top, left, height, width */
    int64_t count, width; /* width: of the picture */
} kf_bodies;

enum { KF_OUTSIDE = -2 };

/* Of each region the diameter of the largest disk inside, px, the ratio of the axes of the ellipse with its moments, and the
 * share of its rim's pixels that lie within `bin` of that ellipse's radius. Returns 0, -1 without memory, KF_OUTSIDE where
 * a pixel is not in its region's box. */
int kf_outlines(const kf_bodies *bodies, double bin, double *disk, double *aspect, double *votes, int path);

/* Masks of the regions, each of its box and row after row, one after the other into `out`, which holds 0 at first. Returns 0, or
 * KF_OUTSIDE. */
int kf_masks(const kf_bodies *bodies, uint8_t *out);

/* Of each region the sum over its pixels of the Laplacian of `image` (rows * width, as the regions' picture; 4 neighbours, at
 * the rim the pixel itself): the steps down across its rim, together. `pixels`: of order. Returns 0, or -1 without memory. */
int kf_rim_steps(const uint16_t *image, int64_t rows, const kf_bodies *bodies, int64_t pixels, double *out);

#endif
