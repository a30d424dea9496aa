/* How broad things are, and how steep their rims.
 *
 * What is broad rests on the chamfer distance of 5 x 5 (Borgefors 1986) with OpenCV's weights, and gives its bits: two passes,
 * each of which takes the least of what the rows before say, which the compiler makes vectors of, then of what the pixel
 * before says. They visit only runs of pixels that are on: of a metaphase nine tenths are off. O(pixels) time; memory: 5
 * bytes a pixel of the picture, or of the largest box. The convex hull of a mask is that of the ends of its rows, which come
 * sorted (Andrew 1979); its holes are parts of runs that are off, joined by a union-find forest. */
#include "shape_core.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "cpu.h"
#include "memory.h"

enum { KF_RIM = 2 };             /* free pixels around a canvas of distances: a knight's step */
enum { KF_FAR = INT32_MAX / 4 }; /* what lies beyond a picture, and the greatest depth: no step more overflows */
enum { KF_SKIP = 64 };           /* pixels that are passed over together */
enum { KF_GRAIN = 3 << 15 };     /* 1.5 px */

/* Pixels [first, last) of a row of the canvas, places on it. */
typedef struct {
    int64_t first, last;
} kf_run;

static inline int32_t kf_least(int32_t one, int32_t other) { return one < other ? one : other; }

#define BODY "shape.inc"
#include "each_path.inc"

/* The steps of a path. */
typedef struct {
    void (*from_rows)(const int32_t *up, const int32_t *up2, int64_t count, int32_t *into);
    void (*greys)(const float *height, int64_t pixels, float scale, uint8_t *grey);
} kf_steps;

static kf_steps kf_steps_of(int path) {
#ifdef KF_X86_PATHS
    if (path == KF_AVX512) return (kf_steps){kf_from_rows_avx512, kf_greys_avx512};
    if (path == KF_AVX2) return (kf_steps){kf_from_rows_avx2, kf_greys_avx2};
#endif
    (void)path;
    return (kf_steps){kf_from_rows_portable, kf_greys_portable};
}

/* Distance to the nearest pixel that is off. `canvas`: 0 where a pixel is off, KF_FAR where it is on or there is none. */
static void kf_chamfer(const kf_steps *steps, const kf_run *run, int64_t runs, int64_t stride, int32_t *canvas) {
    for (int64_t number = 0; number < runs; number++) {
        int32_t *here = canvas + run[number].first;
        const int64_t count = run[number].last - run[number].first;
        steps->from_rows(here - stride, here - 2 * stride, count, here);
        for (int64_t at = 0; at < count; at++) here[at] = kf_least(here[at], here[at - 1] + KF_CHAMFER_SIDE);
    }
    for (int64_t number = runs - 1; number >= 0; number--) {
        int32_t *here = canvas + run[number].first;
        const int64_t count = run[number].last - run[number].first;
        steps->from_rows(here + stride, here + 2 * stride, count, here);
        for (int64_t at = count - 1; at >= 0; at--) here[at] = kf_least(here[at], here[at + 1] + KF_CHAMFER_SIDE);
    }
}

/* How often each grey level occurs. */
static void kf_count(const uint8_t *grey, int64_t pixels, int64_t *often) {
    const int64_t most = UINT32_MAX;
    memset(often, 0, 256 * sizeof *often);
    for (int64_t begin = 0; begin < pixels; begin += most) {
        kf_counts counts = {{{0}}};
        kf_count_greys(&counts, grey + begin, pixels - begin < most ? pixels - begin : most);
        for (int level = 0; level < 256; level++) often[level] += kf_counted(&counts, level);
    }
}

/* Otsu's threshold (1979): the first level of those at which the classes' means lie farthest apart; as OpenCV's. */
static int kf_otsu(const int64_t *often, int64_t pixels) {
    const double each = 1.0 / (double)pixels;
    double mean = 0, below = 0, share = 0, widest = 0;
    int found = 0;
    for (int level = 0; level < 256; level++) mean += level * (double)often[level];
    mean *= each;
    for (int level = 0; level < 256; level++) {
        const double own = (double)often[level] * each;
        below *= share;
        share += own;
        const double rest = 1.0 - share;
        if (!(share >= FLT_EPSILON && rest >= FLT_EPSILON)) continue; /* one class has next to nothing */
        below = (below + level * own) / share;
        const double above = (mean - share * below) / rest, apart = share * rest * (below - above) * (below - above);
        if (apart > widest) widest = apart, found = level;
    }
    return found;
}

/* Runs of a row above `level` into `run`, as places from `place` on, KF_FAR on the canvas; returns their number. */
static int64_t kf_runs_of(const uint8_t *grey, int64_t cols, int level, int64_t place, int32_t *canvas, kf_run *run) {
    int64_t runs = 0, at = 0;
    while (at < cols) {
        if (at + KF_SKIP <= cols) {
            uint8_t highest = 0;
            for (int k = 0; k < KF_SKIP; k++) highest = grey[at + k] > highest ? grey[at + k] : highest;
            if (highest <= level) {
                at += KF_SKIP;
                continue;
            }
        }
        const int64_t end = at + KF_SKIP < cols ? at + KF_SKIP : cols;
        while (at < end) {
            while (at < end && grey[at] <= level) at++;
            if (at == end) break;
            const int64_t first = at;
            while (at < cols && grey[at] > level) at++; /* a run may go on past the block */
            run[runs++] = (kf_run){place + first, place + at};
            for (int64_t on = place + first; on < place + at; on++) canvas[on] = KF_FAR;
        }
    }
    return runs;
}

static inline float kf_pixels(int32_t distance) { return (float)distance * (1.0f / 65536); }

/* Depths at least as great as all around them and above 1.5 px: below that is grain, not a ridge. */
static int64_t kf_crests(const kf_run *run, int64_t runs, int64_t stride, const int32_t *canvas, float *out) {
    int64_t found = 0;
    for (int64_t number = 0; number < runs; number++)
        for (int64_t place = run[number].first; place < run[number].last; place++) {
            const int32_t *at = canvas + place, own = *at;
            if (own <= KF_GRAIN || own < at[-1] || own < at[1] || own < at[-stride] || own < at[stride]) continue;
            if (own < at[-stride - 1] || own < at[-stride + 1] || own < at[stride - 1] || own < at[stride + 1]) continue;
            out[found++] = kf_pixels(own);
        }
    return found;
}

int64_t kf_ridge_depths(const float *height, int64_t rows, int64_t cols, float top, float *out, int path) {
    const kf_steps steps = kf_steps_of(path);
    const int64_t stride = cols + 2 * KF_RIM, pixels = rows * cols, area = (rows + 2 * KF_RIM) * stride;
    int64_t often[256], runs = 0, off = 0, found = -1;
    int level = 0;
    uint8_t *grey = kf_room_for(pixels, 1);
    int32_t *canvas = kf_room_for(area, sizeof *canvas);
    kf_run *run = NULL;
    if (grey && canvas) {
        steps.greys(height, pixels, top > 0 ? (float)(255.0 / top) : 0, grey);
        kf_count(grey, pixels, often);
        level = kf_otsu(often, pixels);
        for (int at = 0; at <= level; at++) off += often[at];
        run = kf_room_for((cols / 2 + 1) * rows, sizeof *run); /* as many as there can be; few of them are touched */
    }
    if (run && !off) {
        found = 0;
    } else if (run) {
        memset(canvas, 0, (size_t)area * sizeof *canvas);
        for (int64_t at = 0; at < KF_RIM * stride; at++) canvas[at] = canvas[area - 1 - at] = KF_FAR;
        for (int64_t row = 0; row < rows; row++) {
            const int64_t place = (row + KF_RIM) * stride + KF_RIM;
            for (int k = 1; k <= KF_RIM; k++) canvas[place - k] = canvas[place + cols - 1 + k] = KF_FAR;
            runs += kf_runs_of(grey + row * cols, cols, level, place, canvas, run + runs);
        }
        kf_chamfer(&steps, run, runs, stride, canvas);
        for (int64_t row = 0; row < rows; row++) { /* what lies beyond the picture is on no ridge */
            const int64_t place = (row + KF_RIM) * stride + KF_RIM;
            canvas[place - 1] = canvas[place + cols] = 0;
        }
        memset(canvas + stride, 0, (size_t)stride * sizeof *canvas);
        memset(canvas + area - 2 * stride, 0, (size_t)stride * sizeof *canvas);
        found = kf_crests(run, runs, stride, canvas, out);
    }
    free(grey);
    free(canvas);
    free(run);
    return found;
}

/* The row of a place; per_row: 1 / width, since a division of whole numbers takes ten times as long. */
static inline int64_t kf_row_of(int64_t place, double per_row) { return (int64_t)(((double)place + 0.5) * per_row); }

/* A region on its canvas. */
typedef struct {
    int32_t *canvas;
    uint8_t *on; /* which pixels of the canvas are its own */
    kf_run *run;
    int64_t runs, stride;
    int64_t sums[5]; /* over its pixels: row, column, their squares and product */
} kf_body;

/* Put a region on its canvas, 0 all around; returns 0, or KF_OUTSIDE. */
static int kf_put(const kf_bodies *bodies, int64_t number, kf_body *body) {
    const int32_t *box = bodies->box + 4 * number, *pixel = bodies->order + bodies->start[number];
    const int64_t stride = body->stride = (int64_t)box[3] + 2 * KF_RIM, area = ((int64_t)box[2] + 2 * KF_RIM) * stride;
    memset(body->canvas, 0, (size_t)area * sizeof *body->canvas);
    memset(body->on, 0, (size_t)area);
    memset(body->sums, 0, sizeof body->sums);
    const double per_row = 1.0 / (double)bodies->width;
    for (int64_t at = 0; at < bodies->area[number]; at++) {
        const int64_t row = kf_row_of(pixel[at], per_row), col = pixel[at] - row * bodies->width;
        if (row < box[0] || col < box[1] || row >= (int64_t)box[0] + box[2] || col >= (int64_t)box[1] + box[3])
            return KF_OUTSIDE;
        const int64_t place = (row - box[0] + KF_RIM) * stride + col - box[1] + KF_RIM;
        body->on[place] = 1;
        body->sums[0] += row, body->sums[1] += col;
        body->sums[2] += row * row, body->sums[3] += col * col, body->sums[4] += row * col;
    }
    body->runs = 0;
    for (int64_t row = KF_RIM; row < box[2] + KF_RIM; row++) {
        const int64_t place = row * stride + KF_RIM;
        body->runs += kf_runs_of(body->on + place, box[3], 0, place, body->canvas, body->run + body->runs);
    }
    return 0;
}

/* Share of the rim's pixels that vote for the ellipse with the region's moments; `aspect` gets the ratio of its axes.
 * `box`: of the region. A rim pixel has one of its eight neighbours outside. */
static double kf_vote(const kf_body *body, const int32_t *box, double pixels, double bin, double *aspect) {
    const double row = (double)body->sums[0] / pixels, col = (double)body->sums[1] / pixels;
    /* 1/12: a pixel's own extent */
    const double down = (double)body->sums[2] / pixels - row * row + 1.0 / 12;
    const double across = (double)body->sums[3] / pixels - col * col + 1.0 / 12;
    const double mixed = (double)body->sums[4] / pixels - row * col;
    const double half = (down + across) / 2, apart = hypot((down - across) / 2, mixed);
    const double product = down * across - mixed * mixed;
    int64_t voters = 0, votes = 0;
    for (int64_t number = 0; number < body->runs; number++)
        for (int64_t place = body->run[number].first; place < body->run[number].last; place++) {
            const uint8_t *at = body->on + place;
            const int64_t s = body->stride;
            if (at[-s - 1] & at[-s] & at[-s + 1] & at[-1] & at[1] & at[s - 1] & at[s] & at[s + 1]) continue;
            const double y = (double)(place / s - KF_RIM + box[0]) - row, x = (double)(place % s - KF_RIM + box[1]) - col;
            const double square = across * y * y + down * x * x - 2 * mixed * y * x;
            const double scale = sqrt(square / product) / 2; /* a solid ellipse ends at 2 sigma */
            voters++;
            votes += fabs(scale - 1) <= bin;
        }
    *aspect = sqrt((half + apart) / (half - apart));
    return (double)votes / (double)voters;
}

int kf_outlines(const kf_bodies *bodies, double bin, double *disk, double *aspect, double *votes, int path) {
    const kf_steps steps = kf_steps_of(path);
    int64_t largest = 0, longest = 0;
    for (int64_t number = 0; number < bodies->count; number++) {
        const int32_t *box = bodies->box + 4 * number;
        const int64_t rows = (int64_t)box[2] + 2 * KF_RIM, cols = (int64_t)box[3] + 2 * KF_RIM;
        largest = rows * cols > largest ? rows * cols : largest;
        longest = bodies->area[number] > longest ? bodies->area[number] : longest;
    }
    kf_body body = {kf_room_for(largest, sizeof *body.canvas), kf_room_for(largest, 1),
                    kf_room_for(longest, sizeof *body.run), 0, 0, {0}};
    int failed = body.canvas && body.on && body.run ? 0 : -1;
    for (int64_t number = 0; number < bodies->count && !failed; number++) {
        failed = kf_put(bodies, number, &body);
        if (failed) break;
        kf_chamfer(&steps, body.run, body.runs, body.stride, body.canvas);
        int32_t deepest = 0;
        for (int64_t at = 0; at < body.runs; at++)
            for (int64_t place = body.run[at].first; place < body.run[at].last; place++)
                deepest = body.canvas[place] > deepest ? body.canvas[place] : deepest;
        disk[number] = 2.0 * kf_pixels(deepest);
        votes[number] = kf_vote(&body, bodies->box + 4 * number, bodies->area[number], bin, &aspect[number]);
    }
    free(body.canvas);
    free(body.on);
    free(body.run);
    return failed;
}

int kf_masks(const kf_bodies *bodies, uint8_t *out) {
    const double per_row = 1.0 / (double)bodies->width;
    for (int64_t number = 0; number < bodies->count; number++) {
        const int32_t *box = bodies->box + 4 * number, *pixel = bodies->order + bodies->start[number];
        for (int64_t at = 0; at < bodies->area[number]; at++) {
            const int64_t row = kf_row_of(pixel[at], per_row), down = row - box[0];
            const int64_t across = pixel[at] - row * bodies->width - box[1];
            if (down < 0 || across < 0 || down >= box[2] || across >= box[3]) return KF_OUTSIDE;
            out[down * box[3] + across] = 1;
        }
        out += (int64_t)box[2] * box[3];
    }
    return 0;
}

int kf_rim_steps(const uint16_t *image, int64_t rows, const kf_bodies *bodies, int64_t pixels, double *out) {
    const int64_t width = bodies->width, last = rows * width;
    const double per_row = 1.0 / (double)width;
    int64_t *before = kf_room_for(pixels, sizeof *before), sum = 0; /* sums up to each place of order: ranges may be nested */
    if (!before) return -1;
    for (int64_t at = 0; at < pixels; at++) {
        const int64_t place = bodies->order[at], col = place - kf_row_of(place, per_row) * width;
        const int32_t own = image[place];
        before[at] = sum;
        sum += (place >= width ? image[place - width] : own) + (place + width < last ? image[place + width] : own) +
               (col > 0 ? image[place - 1] : own) + (col + 1 < width ? image[place + 1] : own) - 4 * own;
    }
    before[pixels] = sum;
    for (int64_t number = 0; number < bodies->count; number++) {
        const int64_t first = bodies->start[number];
        out[number] = (double)(before[first + bodies->area[number]] - before[first]);
    }
    free(before);
    return 0;
}
