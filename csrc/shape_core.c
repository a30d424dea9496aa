/* How broad and how solid things are.
 *
 * What is broad rests on the chamfer distance of 5 x 5 (Borgefors 1986) with OpenCV's weights, and gives its bits: two passes,
 * each of which takes the least of what the rows before say, which the compiler makes vectors of, then of what the pixel
 * before says. They visit only runs of pixels that are on: of a metaphase nine tenths are off. O(pixels) time; memory: 5
 * bytes a pixel of the picture, or of the largest box. The convex hull of a mask is that of the ends of its rows, which come
 * sorted (Andrew 1979); its holes are parts of runs that are off, joined by a union-find forest. */
#include "shape_core.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "memory.h"

enum { KF_RIM = 2 };                  /* free pixels around a canvas of distances: a knight's step */
enum { KF_FAR = INT32_MAX / 4 };      /* what lies beyond a picture, and the greatest depth: no step more overflows */
enum { KF_TABLES = 8, KF_SKIP = 64 }; /* that greys are counted in; pixels that are passed over together */
enum { KF_GRAIN = 3 << 15 };          /* 1.5 px */

/* Pixels [first, last) of a row of the canvas, places on it. */
typedef struct {
    int64_t first, last;
} kf_run;

static inline int32_t kf_least(int32_t one, int32_t other) { return one < other ? one : other; }

/* What the two rows on one side say of a run; `up` and `up2` are where its first pixel lies in them. */
static void kf_from_rows(const int32_t *up, const int32_t *up2, int64_t count, int32_t *restrict into) {
    for (int64_t at = 0; at < count; at++) {
        int32_t least = up[at] + KF_CHAMFER_SIDE;
        least = kf_least(least, kf_least(up[at - 1], up[at + 1]) + KF_CHAMFER_CORNER);
        const int32_t knights = kf_least(kf_least(up[at - 2], up[at + 2]), kf_least(up2[at - 1], up2[at + 1]));
        least = kf_least(least, knights + KF_CHAMFER_KNIGHT);
        into[at] = kf_least(into[at], least);
    }
}

/* Distance to the nearest pixel that is off. `canvas`: 0 where a pixel is off, KF_FAR where it is on or there is none. */
static void kf_chamfer(const kf_run *run, int64_t runs, int64_t stride, int32_t *canvas) {
    for (int64_t number = 0; number < runs; number++) {
        int32_t *here = canvas + run[number].first;
        const int64_t count = run[number].last - run[number].first;
        kf_from_rows(here - stride, here - 2 * stride, count, here);
        for (int64_t at = 0; at < count; at++) here[at] = kf_least(here[at], here[at - 1] + KF_CHAMFER_SIDE);
    }
    for (int64_t number = runs - 1; number >= 0; number--) {
        int32_t *here = canvas + run[number].first;
        const int64_t count = run[number].last - run[number].first;
        kf_from_rows(here + stride, here + 2 * stride, count, here);
        for (int64_t at = count - 1; at >= 0; at--) here[at] = kf_least(here[at], here[at + 1] + KF_CHAMFER_SIDE);
    }
}

/* Heights as grey levels of which `top` is 255, and how often each occurs. */
static void kf_greys(const float *restrict height, int64_t pixels, float top, uint8_t *restrict grey, int64_t *often) {
    const float scale = top > 0 ? (float)(255.0 / top) : 0;
    for (int64_t at = 0; at < pixels; at++) {
        const float above = height[at] > 0 ? height[at] * scale : 0;
        grey[at] = (uint8_t)(int32_t)above;
    }
    uint32_t table[KF_TABLES][256]; /* neighbours are alike: one table would wait for itself */
    memset(often, 0, 256 * sizeof *often);
    for (int64_t begin = 0; begin < pixels;) {
        const int64_t end = pixels - begin > UINT32_MAX ? begin + UINT32_MAX / KF_TABLES * KF_TABLES : pixels;
        memset(table, 0, sizeof table);
        int64_t at = begin;
        for (; at + KF_TABLES <= end; at += KF_TABLES)
            for (int k = 0; k < KF_TABLES; k++) table[k][grey[at + k]]++;
        for (; at < end; at++) table[0][grey[at]]++;
        for (int level = 0; level < 256; level++)
            for (int k = 0; k < KF_TABLES; k++) often[level] += table[k][level];
        begin = end;
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

/* Runs of a row above `level`, as places from `place` on, KF_FAR on the canvas; `run` NULL: they are counted only. */
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
            if (run) {
                run[runs] = (kf_run){place + first, place + at};
                for (int64_t on = place + first; on < place + at; on++) canvas[on] = KF_FAR;
            }
            runs++;
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

int64_t kf_ridge_depths(const float *height, int64_t rows, int64_t cols, float top, float *out) {
    const int64_t stride = cols + 2 * KF_RIM, pixels = rows * cols, area = (rows + 2 * KF_RIM) * stride;
    int64_t often[256], runs = 0, off = 0, found = -1;
    int level = 0;
    uint8_t *grey = kf_room_for(pixels, 1);
    int32_t *canvas = kf_room_for(area, sizeof *canvas);
    kf_run *run = NULL;
    if (grey && canvas) {
        kf_greys(height, pixels, top, grey, often);
        level = kf_otsu(often, pixels);
        for (int at = 0; at <= level; at++) off += often[at];
        for (int64_t row = 0; row < rows; row++) runs += kf_runs_of(grey + row * cols, cols, level, 0, NULL, NULL);
        run = kf_room_for(runs, sizeof *run);
    }
    if (run && !off) {
        found = 0;
    } else if (run) {
        memset(canvas, 0, (size_t)area * sizeof *canvas);
        for (int64_t at = 0; at < KF_RIM * stride; at++) canvas[at] = canvas[area - 1 - at] = KF_FAR;
        runs = 0;
        for (int64_t row = 0; row < rows; row++) {
            const int64_t place = (row + KF_RIM) * stride + KF_RIM;
            for (int k = 1; k <= KF_RIM; k++) canvas[place - k] = canvas[place + cols - 1 + k] = KF_FAR;
            runs += kf_runs_of(grey + row * cols, cols, level, place, canvas, run + runs);
        }
        kf_chamfer(run, runs, stride, canvas);
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
    const double per_row = 1.0 / (double)bodies->width; /* a division of whole numbers takes ten times as long */
    for (int64_t at = 0; at < bodies->area[number]; at++) {
        const int64_t row = (int64_t)((pixel[at] + 0.5) * per_row), col = pixel[at] - row * bodies->width;
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

int kf_outlines(const kf_bodies *bodies, double bin, double *disk, double *aspect, double *votes) {
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
        kf_chamfer(body.run, body.runs, body.stride, body.canvas);
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

int kf_rim_steps(const uint16_t *image, int64_t rows, const kf_bodies *bodies, int64_t pixels, double *out) {
    const int64_t width = bodies->width, last = rows * width;
    const double per_row = 1.0 / (double)width;
    int64_t *before = kf_room_for(pixels, sizeof *before), sum = 0; /* sums up to each place of order: ranges may be nested */
    if (!before) return -1;
    for (int64_t at = 0; at < pixels; at++) {
        const int64_t place = bodies->order[at], col = place - (int64_t)((double)place * per_row + 0.5 * per_row) * width;
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

typedef struct {
    int64_t row, col;
} kf_place;

/* Which way the turn from one to other to next goes: positive, negative or, in line, 0. */
static inline int64_t kf_turn(kf_place one, kf_place other, kf_place next) {
    return (other.row - one.row) * (next.col - one.col) - (other.col - one.col) * (next.row - one.row);
}

/* The corners of the hull of places that rise by row, then column, into `hull` (room for twice as many); their number. */
static int64_t kf_hull(const kf_place *place, int64_t count, kf_place *hull) {
    int64_t corners = 0;
    for (int64_t at = 0; at < count; hull[corners++] = place[at++])
        while (corners > 1 && kf_turn(hull[corners - 2], hull[corners - 1], place[at]) <= 0) corners--;
    const int64_t there = corners;
    for (int64_t at = count - 2; at >= 0; hull[corners++] = place[at--])
        while (corners > there && kf_turn(hull[corners - 2], hull[corners - 1], place[at]) <= 0) corners--;
    return count > 1 ? corners - 1 : corners; /* the first stands at the end once more */
}

/* Pixels over those of the hull: it joins their centres, so half its rim is missing from its area. */
static double kf_solidity(int64_t pixels, const kf_place *hull, int64_t corners) {
    int64_t twice = 0;
    double rim = 0;
    for (int64_t at = 0; at < corners; at++) {
        const kf_place one = hull[at], next = hull[at + 1 < corners ? at + 1 : 0];
        const double down = (double)(next.row - one.row), across = (double)(next.col - one.col);
        twice += one.row * next.col - one.col * next.row;
        rim += sqrt(down * down + across * across);
    }
    return (double)pixels / ((double)(twice < 0 ? -twice : twice) / 2 + rim / 2 + 1.0);
}

int kf_solidities(const uint8_t *mask, int64_t width, const int64_t *box, int64_t count, double *out) {
    int64_t highest = 0;
    for (int64_t number = 0; number < count; number++)
        highest = box[4 * number + 2] > highest ? box[4 * number + 2] : highest;
    kf_place *end = kf_room_for(6 * highest, sizeof *end), *hull = end + 2 * highest;
    if (!end) return -1;
    for (int64_t number = 0; number < count; number++) {
        const int64_t *of = box + 4 * number;
        int64_t pixels = 0, ends = 0;
        for (int64_t row = 0; row < of[2]; row++) {
            const uint8_t *line = mask + (of[0] + row) * width + of[1], *first = memchr(line, 1, (size_t)of[3]);
            if (!first) continue;
            int64_t last = of[3] - 1;
            while (!line[last]) last--;
            end[ends++] = (kf_place){row, first - line};
            if (first - line < last) end[ends++] = (kf_place){row, last};
            for (int64_t col = 0; col < of[3]; col++) pixels += line[col];
        }
        out[number] = ends ? kf_solidity(pixels, hull, kf_hull(end, ends, hull)) : 0;
    }
    free(end);
    return 0;
}

/* Pixels of a row that are off, and their part: the place of another run in it, itself at the root. */
typedef struct {
    int32_t first, last, part, row;
    int64_t pixels; /* of the part, at its root; -1 where it reaches the rim */
} kf_gap;

static int32_t kf_root(kf_gap *gap, int32_t at) {
    while (gap[at].part != at) at = gap[at].part = gap[gap[at].part].part;
    return at;
}

static void kf_join_gaps(kf_gap *gap, int32_t one, int32_t other) {
    const int32_t first = kf_root(gap, one), second = kf_root(gap, other);
    if (first == second) return;
    const int outside = gap[first].pixels < 0 || gap[second].pixels < 0;
    gap[first].pixels = outside ? -1 : gap[first].pixels + gap[second].pixels;
    gap[second].part = first;
}

/* The runs of 0 of a row into `gap`, or only their number where that is NULL. */
static int64_t kf_gaps_of(const uint8_t *line, int32_t row, int64_t height, int64_t width, kf_gap *gap, int32_t number) {
    int64_t count = 0;
    for (const uint8_t *at = line, *end = line + width; (at = memchr(at, 0, (size_t)(end - at)));) {
        const uint8_t *on = memchr(at, 1, (size_t)(end - at)), *stop = on ? on : end;
        const int outside = row == 0 || row == height - 1 || at == line || stop == end;
        if (gap)
            gap[count] = (kf_gap){(int32_t)(at - line), (int32_t)(stop - line), number + (int32_t)count, row,
                                  outside ? -1 : stop - at};
        count++;
        at = stop;
        if (at == end) break;
    }
    return count;
}

int64_t kf_fill_holes(uint8_t *mask, int64_t height, int64_t width, double most) {
    int64_t gaps = 0, filled = 0;
    for (int64_t row = 0; row < height; row++) gaps += kf_gaps_of(mask + row * width, 0, height, width, NULL, 0);
    kf_gap *gap = kf_room_for(gaps, sizeof *gap);
    if (!gap) return -1;
    int32_t count = 0, above = 0;
    for (int64_t row = 0; row < height; row++) {
        const int32_t first = count;
        count += (int32_t)kf_gaps_of(mask + row * width, (int32_t)row, height, width, gap + count, count);
        for (int32_t at = first, up = above; at < count && up < first;) {
            if (gap[at].first < gap[up].last && gap[up].first < gap[at].last) kf_join_gaps(gap, at, up);
            if (gap[up].last < gap[at].last)
                up++;
            else
                at++;
        }
        above = first;
    }
    for (int32_t at = 0; at < count; at++) {
        const int64_t pixels = gap[kf_root(gap, at)].pixels;
        if (pixels < 0 || (double)pixels > most) continue;
        filled += gap[at].part == at;
        memset(mask + gap[at].row * width + gap[at].first, 1, (size_t)(gap[at].last - gap[at].first));
    }
    free(gap);
    return filled;
}
