/* Components in (direction, row, column), by runs of pixels that are on.
 *
 * Union-find over runs, whose root is the first run of a piece: those of a row and the row above that touch, then, once
 * small pieces are empty, those of one row in two neighbouring directions that overlap. A core is numbered where its
 * first run comes. Its pixels are marked on a scratch picture by all its runs, and read back in order.
 *
 * Time O(planes * pixels), and the boxes of the cores; memory 48 bytes a run, a byte a pixel of the picture, and what is
 * found. Most of a picture is off: SKIP pixels at once, in a loop that the compiler turns into vectors. */
#include "lifted_core.h"

#include <string.h>

#include "memory.h"

enum { SKIP = 32 };

typedef struct {
    int64_t row, first, last; /* the columns first to last - 1; an empty one is none */
} kf_run;

typedef struct {
    kf_run *run;
    int64_t *parent;
    int64_t *plane; /* planes + 1: where the runs of each begin */
    int64_t count, room;
} kf_runs;

static int64_t root_of(int64_t *parent, int64_t at) {
    while (parent[at] != at) at = parent[at] = parent[parent[at]];
    return at;
}

static void join(int64_t *parent, int64_t one, int64_t other) {
    one = root_of(parent, one);
    other = root_of(parent, other);
    if (one < other)
        parent[other] = one;
    else
        parent[one] = other;
}

static int add(kf_runs *r, kf_run added) {
    if (r->count == r->room) {
        const size_t room = 2 * (size_t)r->room + 64;
        kf_run *run = realloc(r->run, room * sizeof(kf_run));
        if (!run) return -1;
        r->run = run;
        int64_t *parent = realloc(r->parent, room * sizeof(int64_t));
        if (!parent) return -1;
        r->parent = parent;
        r->room = (int64_t)room;
    }
    r->parent[r->count] = r->count;
    r->run[r->count++] = added;
    return 0;
}

/* The first column from `at` on that is on, or `columns`. */
static int64_t next_on(const float *line, int64_t at, int64_t columns, float threshold) {
    for (; at + SKIP <= columns; at += SKIP) {
        int any = 0;
        for (int64_t next = 0; next < SKIP; next++) any |= line[at + next] > threshold;
        if (any) break;
    }
    while (at < columns && !(line[at] > threshold)) at++;
    return at;
}

/* The runs of one plane, those of a row joined with those of the row above that touch, corners included. */
static int find_runs(kf_runs *r, const float *line, int64_t rows, int64_t columns, float threshold) {
    int64_t above = r->count, above_end = r->count;
    for (int64_t row = 0; row < rows; row++, line += columns) {
        const int64_t begin = r->count;
        for (int64_t at = 0; (at = next_on(line, at, columns, threshold)) < columns;) {
            const int64_t first = at;
            while (at < columns && line[at] > threshold) at++;
            if (add(r, (kf_run){row, first, at})) return -1;
        }
        for (int64_t here = begin; here < r->count && above < above_end;) {
            const kf_run one = r->run[here], other = r->run[above];
            if (one.first <= other.last && other.first <= one.last) join(r->parent, here, above);
            if (one.last < other.last)
                here++;
            else
                above++;
        }
        above = begin;
        above_end = r->count;
    }
    return 0;
}

/* Empty the runs of pieces of fewer than `least` pixels. */
static int empty_small(kf_runs *r, int64_t least) {
    int64_t *size = calloc((size_t)r->count + 1, sizeof(int64_t));
    if (!size) return -1;
    for (int64_t at = 0; at < r->count; at++) size[root_of(r->parent, at)] += r->run[at].last - r->run[at].first;
    for (int64_t at = 0; at < r->count; at++)
        if (size[root_of(r->parent, at)] < least) r->run[at].last = r->run[at].first;
    free(size);
    return 0;
}

/* Whether one and the other, of one row, share a pixel that is not crossed; `line` is that row, or NULL. */
static int share(kf_run one, kf_run other, const uint8_t *line) {
    int64_t at = one.first > other.first ? one.first : other.first;
    const int64_t last = one.last < other.last ? one.last : other.last;
    while (line && at < last && line[at]) at++;
    return at < last;
}

/* Join the runs of two planes that share a pixel which is not crossed. */
static void join_planes(kf_runs *r, int64_t one_plane, int64_t other_plane, int64_t columns, const uint8_t *crossed) {
    int64_t here = r->plane[one_plane], there = r->plane[other_plane];
    const int64_t here_end = r->plane[one_plane + 1], there_end = r->plane[other_plane + 1];
    while (here < here_end && there < there_end) {
        const kf_run one = r->run[here], other = r->run[there];
        if (one.row == other.row && share(one, other, crossed ? crossed + one.row * columns : NULL))
            join(r->parent, here, there);
        if (one.row < other.row || (one.row == other.row && one.last < other.last))
            here++;
        else
            there++;
    }
}

/* Give the core of each run, -1 for an empty one, in place of its parent, and the score of each core. */
static int number(kf_runs *r, const float *values, int64_t planes, int64_t rows, int64_t columns, kf_cores *found) {
    int64_t *core = malloc(((size_t)r->count + 1) * sizeof(int64_t));
    if (!core) return -1;
    for (int64_t at = 0; at < r->count; at++) {
        const int64_t root = root_of(r->parent, at);
        core[at] = r->run[at].first == r->run[at].last ? -1 : root == at ? found->count++ : core[root];
    }
    free(r->parent);
    r->parent = core;
    const size_t room = (size_t)found->count + 1;
    double *sum = calloc(room, sizeof(double));
    int64_t *pixels = calloc(2 * room, sizeof(int64_t)), *in = pixels + room; /* of this plane; planes with any */
    found->score = calloc(room, sizeof(double));
    const int failed = !sum || !pixels || !found->score;
    for (int64_t plane = 0; plane < planes && !failed; plane++) {
        const float *picture = values + plane * rows * columns;
        for (int64_t at = r->plane[plane]; at < r->plane[plane + 1]; at++) {
            const kf_run run = r->run[at];
            for (int64_t column = run.first; column < run.last; column++)
                sum[r->parent[at]] += picture[run.row * columns + column];
            if (run.first < run.last) pixels[r->parent[at]] += run.last - run.first;
        }
        for (int64_t at = r->plane[plane]; at < r->plane[plane + 1]; at++) {
            const int64_t mine = r->parent[at];
            if (mine < 0 || !pixels[mine]) continue; /* counted with an earlier run */
            found->score[mine] += sum[mine] / (double)pixels[mine];
            in[mine]++;
            sum[mine] = 0.0;
            pixels[mine] = 0;
        }
    }
    for (int64_t mine = 0; mine < found->count && !failed; mine++) found->score[mine] /= (double)in[mine];
    free(sum);
    free(pixels);
    return failed ? -1 : 0;
}

/* The pixels of each core, each once, in order. `by_core` are the runs of each, as `first_run` tells. */
static void gather(const kf_runs *r, const int64_t *by_core, const int64_t *first_run, int64_t columns, uint8_t *seen,
                   kf_cores *found) {
    int64_t *to = found->pixels;
    for (int64_t core = 0; core < found->count; core++) {
        kf_run box = r->run[by_core[first_run[core]]];
        int64_t bottom = box.row;
        for (int64_t at = first_run[core]; at < first_run[core + 1]; at++) {
            const kf_run run = r->run[by_core[at]];
            memset(seen + run.row * columns + run.first, 1, (size_t)(run.last - run.first));
            box.first = run.first < box.first ? run.first : box.first;
            box.last = run.last > box.last ? run.last : box.last;
            box.row = run.row < box.row ? run.row : box.row;
            bottom = run.row > bottom ? run.row : bottom;
        }
        found->start[core] = to - found->pixels;
        for (int64_t row = box.row; row <= bottom; row++)
            for (int64_t place = row * columns + box.first; place < row * columns + box.last; place++)
                if (seen[place]) {
                    seen[place] = 0;
                    *to++ = place;
                }
    }
    found->start[found->count] = to - found->pixels;
}

static int collect(const kf_runs *r, int64_t rows, int64_t columns, kf_cores *found) {
    int64_t total = 0;
    int64_t *by_core = malloc(((size_t)r->count + 1) * sizeof(int64_t));
    int64_t *first_run = calloc((size_t)found->count + 2, sizeof(int64_t));
    uint8_t *seen = calloc((size_t)(rows * columns) + 1, 1);
    for (int64_t at = 0; at < r->count; at++) total += r->run[at].last - r->run[at].first;
    found->start = malloc(((size_t)found->count + 1) * sizeof(int64_t));
    found->pixels = kf_room_for(total, sizeof(int64_t));
    const int failed = !by_core || !first_run || !seen || !found->start || !found->pixels;
    if (!failed) {
        /* counted two places on, so that laying the runs out moves each entry to where it belongs */
        for (int64_t at = 0; at < r->count; at++)
            if (r->parent[at] >= 0) first_run[r->parent[at] + 2]++;
        for (int64_t core = 2; core <= found->count; core++) first_run[core] += first_run[core - 1];
        for (int64_t at = 0; at < r->count; at++)
            if (r->parent[at] >= 0) by_core[first_run[r->parent[at] + 1]++] = at;
        gather(r, by_core, first_run, columns, seen, found);
    }
    free(by_core);
    free(first_run);
    free(seen);
    return failed ? -1 : 0;
}

int kf_lifted_cores(const float *values, int64_t planes, int64_t rows, int64_t columns, float threshold, int64_t least,
                    const uint8_t *crossed, kf_cores *found) {
    kf_runs r = {NULL, NULL, calloc((size_t)planes + 1, sizeof(int64_t)), 0, 0};
    int failed = !r.plane;
    *found = (kf_cores){0, NULL, NULL, NULL};
    for (int64_t plane = 0; plane < planes && !failed; plane++) {
        failed = find_runs(&r, values + plane * rows * columns, rows, columns, threshold);
        r.plane[plane + 1] = r.count;
    }
    failed = failed || empty_small(&r, least);
    for (int64_t plane = 0; plane < planes && !failed; plane++) 
        join_planes(&r, plane, (plane + 1) % planes, columns, crossed);
    failed = failed || number(&r, values, planes, rows, columns, found) || collect(&r, rows, columns, found);
    if (failed) kf_free_cores(found);
    free(r.run);
    free(r.parent);
    free(r.plane);
    return failed ? -1 : 0;
}

void kf_free_cores(kf_cores *found) {
    free(found->start);
    free(found->pixels);
    free(found->score);
    *found = (kf_cores){0, NULL, NULL, NULL};
}
