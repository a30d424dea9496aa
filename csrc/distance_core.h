/* Exact Euclidean distance transform. See distance_core.c. */
#ifndef KARYOFAST_DISTANCE_CORE_H
#define KARYOFAST_DISTANCE_CORE_H

#include <stdint.h>

/* Stands for no edge in the column. Squared distances stay below its square while height^2 + width^2 < 2^30, and its
 * square plus that of a step along the row fits 31 bits. */
enum { KF_FAR = 32768 };

/* Distance down each column to its nearest edge pixel, KF_FAR where there is none: columns begin .. end of `depth`
 * (height * width). height^2 + width^2 < 2^30 here and below. */
void kf_distance_columns(const uint8_t *edges, int32_t height, int32_t width, int32_t begin, int32_t end,
                         uint16_t *depth, int path);

/* From the depths the distances, px, of rows begin .. end into `out`; infinite where there is no edge.
 * scratch: kf_distance_scratch(width) of int32_t, own to this call. */
void kf_distance_rows(const uint16_t *depth, int32_t width, int32_t begin, int32_t end, int32_t *scratch, double *out,
                      int path);

int64_t kf_distance_scratch(int32_t width);

#endif
