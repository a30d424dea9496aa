/* How solid masks are: their share of the convex hull, and their holes.
 *
 * The convex hull of a mask is that of the ends of its rows, which come sorted (Andrew 1979); its holes are parts of runs that
 * are off, joined by a union-find forest. O(pixels) time; memory: a run each. */
#include "solid_core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

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
