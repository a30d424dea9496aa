/* The field that objects stand on.
 *
 * A mean over a cell of the grid weighs each pixel with the share of the cell that it covers: the rows of a cell are added up
 * first, which the compiler makes vectors of, then, in double precision, the columns of the sum. A coarse surface is drawn
 * between the middles of its cells, as a picture is enlarged: each of its rows is drawn out to the picture's width once, and
 * every row of the picture lies between two of those. Products and sums are not fused, and added in one order: every path
 * gives the same bits. O(pixels) time; memory: a few rows. */
#include "field_core.h"

#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "memory.h"

#define BODY "field.inc"
#include "each_path.inc"

/* The steps of a path. */
typedef struct {
    void (*add_row)(const float *row, int64_t width, float share, float *sum);
    void (*stand_above)(const float *image, const float *one, const float *other, int64_t width, float share, float *field,
                        float *height);
    void (*count_down)(const float *height, int64_t pixels, float scale, int32_t top, uint16_t *out);
} kf_steps;

static kf_steps kf_steps_of(int path) {
#ifdef KF_X86_PATHS
    if (path == KF_AVX512) return (kf_steps){kf_add_row_avx512, kf_stand_above_avx512, kf_count_row_down_avx512};
    if (path == KF_AVX2) return (kf_steps){kf_add_row_avx2, kf_stand_above_avx2, kf_count_row_down_avx2};
#endif
    (void)path;
    return (kf_steps){kf_add_row_portable, kf_stand_above_portable, kf_count_row_down_portable};
}

/* Which pixels a cell of an axis covers, and what of it the first, each between and the last are. */
typedef struct {
    int64_t first, last;
    float head, body, tail;
} kf_cell;

static kf_cell kf_cell_at(int64_t cell, int64_t cells, int64_t pixels) {
    /* ends in cells-ths of a pixel: whole numbers */
    const int64_t begin = cell * pixels, end = begin + pixels;
    kf_cell found = {begin / cells, (end - 1) / cells, 0, (float)((double)cells / (double)pixels), 0};
    const int64_t head = (found.first + 1) * cells, tail = found.last * cells;
    found.head = (float)((double)((head < end ? head : end) - begin) / (double)pixels);
    found.tail = (float)((double)(end - (tail > begin ? tail : begin)) / (double)pixels);
    return found;
}

static inline float kf_share_of(const kf_cell *cell, int64_t pixel) {
    return pixel == cell->first ? cell->head : pixel == cell->last ? cell->tail : cell->body;
}

int kf_cell_means(const float *image, const kf_grid *grid, float *out, int path) {
    const kf_steps steps = kf_steps_of(path);
    const int64_t width = grid->width;
    float *sum = kf_room_for(width, sizeof *sum);
    kf_cell *cell = kf_room_for(grid->cols, sizeof *cell);
    const int failed = !sum || !cell;
    for (int64_t col = 0; col < grid->cols && !failed; col++) cell[col] = kf_cell_at(col, grid->cols, width);
    for (int64_t row = 0; row < grid->rows && !failed; row++) {
        const kf_cell rows = kf_cell_at(row, grid->rows, grid->height);
        memset(sum, 0, (size_t)width * sizeof *sum);
        for (int64_t at = rows.first; at <= rows.last; at++) steps.add_row(image + at * width, width, kf_share_of(&rows, at), sum);
        for (int64_t col = 0; col < grid->cols; col++) {
            const kf_cell *here = cell + col;
            double mean = (double)sum[here->first] * here->head, between = 0;
            for (int64_t at = here->first + 1; at < here->last; at++) between += sum[at];
            mean += between * here->body;
            if (here->last > here->first) mean += (double)sum[here->last] * here->tail;
            out[row * grid->cols + col] = (float)mean;
        }
    }
    free(sum);
    free(cell);
    return failed ? -1 : 0;
}

/* Between which cells the middle of a pixel lies, and how far on the way to the second. */
typedef struct {
    int32_t one, other;
    float share;
} kf_between;

static kf_between kf_between_cells(int64_t pixel, int64_t pixels, int64_t cells) {
    const double place = ((double)pixel + 0.5) * ((double)cells / (double)pixels) - 0.5;
    const int64_t one = place < 0 ? 0 : (int64_t)place;
    if (place < 0 || one >= cells - 1) return (kf_between){(int32_t)one, (int32_t)one, 0};
    return (kf_between){(int32_t)one, (int32_t)one + 1, (float)(place - (double)one)};
}

/* A row of the surface, drawn out to the picture's width. */
static void kf_draw_out(const float *coarse, const kf_between *across, int64_t width, float *line) {
    for (int64_t at = 0; at < width; at++) {
        const float one = coarse[across[at].one], other = coarse[across[at].other];
        line[at] = one + (other - one) * across[at].share;
    }
}

int kf_above_field(const float *image, const kf_grid *grid, const float *coarse, float *field, float *height, int path) {
    const kf_steps steps = kf_steps_of(path);
    const int64_t width = grid->width, cols = grid->cols;
    kf_between *across = kf_room_for(width, sizeof *across);
    float *lines = kf_room_for(2 * width, sizeof *lines);
    const int failed = !across || !lines;
    for (int64_t at = 0; at < width && !failed; at++) across[at] = kf_between_cells(at, width, cols);
    int64_t drawn = -1; /* the last row of the surface whose line is there; the one before it is in the other line */
    for (int64_t row = 0; row < grid->height && !failed; row++) {
        const kf_between down = kf_between_cells(row, grid->height, grid->rows);
        while (drawn < down.other) {
            drawn++;
            kf_draw_out(coarse + drawn * cols, across, width, lines + drawn % 2 * width);
        }
        const int64_t place = row * width;
        steps.stand_above(image + place, lines + down.one % 2 * width, lines + down.other % 2 * width, width, down.share,
                    field + place, height + place);
    }
    free(across);
    free(lines);
    return failed ? -1 : 0;
}

void kf_count_down(const float *height, int64_t pixels, float scale, uint16_t top, uint16_t *out, int path) {
    kf_steps_of(path).count_down(height, pixels, scale, top, out);
}
