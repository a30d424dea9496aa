/* Shortest augmenting paths (Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on
 * Aerospace and Electronic Systems 52(4), 2016): rows come in one by one, each by a Dijkstra search over the columns to
 * a free one, at costs that the duals of rows and columns make non-negative.
 *
 * Columns wait in falling order and of equally near ones a free one is taken, else the first that waits: the choice among
 * equally cheap assignments is then SciPy's. Time O(rows^2 columns), memory 48 bytes a column. */
#include "assign_core.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    const double *cost;
    int64_t columns;
    double *of_row, *of_column; /* duals */
    double *reached;            /* cost of the shortest path to each column */
    int64_t *from;              /* the row before a column on its path */
    int64_t *row_of, *column_of; /* -1: free */
    int64_t *waiting;
    int64_t *settled; /* columns in the order in which they were settled */
} kf_search;

/* Settle columns from `row` on until a free one; returns it, with the length of its path and how many were settled. */
static int64_t search(const kf_search *s, int64_t row, double *length, int64_t *count) {
    for (int64_t at = 0; at < s->columns; at++) {
        s->waiting[at] = s->columns - at - 1;
        s->reached[at] = INFINITY;
    }
    double least = 0.0;
    *count = 0;
    for (int64_t left = s->columns; left > 0;) {
        const double *cost = s->cost + row * s->columns;
        double nearest = INFINITY;
        int64_t best = 0;
        for (int64_t at = 0; at < left; at++) {
            const int64_t column = s->waiting[at];
            const double here = least + cost[column] - s->of_row[row] - s->of_column[column];
            if (here < s->reached[column]) {
                s->reached[column] = here;
                s->from[column] = row;
            }
            const double now = s->reached[column];
            if (now < nearest || (now == nearest && s->row_of[column] < 0)) {
                nearest = now;
                best = at;
            }
        }
        least = nearest;
        const int64_t column = s->waiting[best];
        s->settled[(*count)++] = column;
        if (s->row_of[column] < 0) {
            *length = least;
            return column;
        }
        row = s->row_of[column];
        s->waiting[best] = s->waiting[--left];
    }
    return -1; /* not with as many columns as rows */
}

static void add(const kf_search *s, int64_t row) {
    double length = 0.0;
    int64_t count = 0, column = search(s, row, &length, &count);
    s->of_row[row] += length;
    for (int64_t at = 0; at < count; at++) {
        const int64_t settled = s->settled[at];
        const double spare = length - s->reached[settled];
        if (s->row_of[settled] >= 0) s->of_row[s->row_of[settled]] += spare;
        s->of_column[settled] -= spare;
    }
    for (int64_t on_path = -1; on_path != row;) {
        on_path = s->from[column];
        s->row_of[column] = on_path;
        const int64_t before = s->column_of[on_path];
        s->column_of[on_path] = column;
        column = before;
    }
}

int kf_assign(const double *cost, int64_t rows, int64_t columns, int64_t *column_of) {
    double *numbers = calloc((size_t)(rows + 2 * columns) + 1, sizeof(double));
    int64_t *places = malloc(((size_t)columns * 4 + 1) * sizeof(int64_t));
    if (numbers && places) {
        const kf_search s = {cost, columns, numbers, numbers + rows, numbers + rows + columns, places, places + columns,
                             column_of, places + 2 * columns, places + 3 * columns};
        for (int64_t at = 0; at < columns; at++) s.row_of[at] = -1;
        for (int64_t at = 0; at < rows; at++) column_of[at] = -1;
        for (int64_t row = 0; row < rows; row++) add(&s, row);
    }
    const int failed = !numbers || !places;
    free(numbers);
    free(places);
    return failed ? -1 : 0;
}
