/* Lines along a chromosome.
 *
 * The nearest point of a line: pixels that follow one another lie together, so a block of them is held against the box of each
 * stretch of the line first, and against its points only where those may be nearer than a few points of all stretches are.
 * O(points * line) at worst; of a chromosome's own line most stretches are passed over. Bounds are rounded as distances are,
 * so nothing that is as near is missed.
 * Principal curves (Hastie and Stuetzle 1989): Legendre polynomials in the place along the line, fitted to the means of
 * the pixels nearest to each of its points. O(rounds * points * line).
 * Sums are taken in the order of the reference, so that the compiled side gives its bits: a line one point longer
 * would be another result. */
#include "axis_core.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

enum { KF_BLOCK = 32 };       /* pixels at a time */
enum { KF_STRETCH = 8, KF_STRETCHES = 256, KF_FEW = 3 }; /* points of a stretch, more where there would be too many of them */
enum { KF_MOST_TERMS = 16 };  /* polynomials of a curve */
static const double KF_NO_LENGTH = 1e-9; /* px: a direction shorter than this is none */

#define BODY "axis.inc"
#include "each_path.inc"

static int make_room(kf_line *line, int64_t count) {
    if (count > line->room) {
        double *at = realloc(line->at, sizeof(double) * 2 * (size_t)count);
        if (!at) return -1;
        line->at = at;
        line->room = count;
    }
    line->count = count;
    return 0;
}

typedef void kf_scan_line_t(const double *line, int64_t begin, int64_t end, const double *rows, const double *cols,
                            double *at, double *square);

/* Stretches of a line, and the box of each: top, left, bottom, right. */
typedef struct {
    double box[KF_STRETCHES][4];
    int64_t count, points; /* stretches; points of each but the last */
} kf_stretches;

static void kf_stretch_out(const double *line, int64_t count, kf_stretches *made) {
    made->points = (count + KF_STRETCHES - 1) / KF_STRETCHES;
    if (made->points < KF_STRETCH) made->points = KF_STRETCH;
    made->count = (count + made->points - 1) / made->points;
    for (int64_t at = 0; at < count; at++) {
        double *box = made->box[at / made->points];
        const double row = line[2 * at], col = line[2 * at + 1];
        const int begins = at % made->points == 0;
        box[0] = begins || row < box[0] ? row : box[0];
        box[1] = begins || col < box[1] ? col : box[1];
        box[2] = begins || row > box[2] ? row : box[2];
        box[3] = begins || col > box[3] ? col : box[3];
    }
}

/* No pixel in one box is nearer to what lies in another, squared. */
static double kf_apart(const double *one, const double *other) {
    const double down = one[0] > other[2] ? one[0] - other[2] : other[0] > one[2] ? other[0] - one[2] : 0;
    const double across = one[1] > other[3] ? one[1] - other[3] : other[1] > one[3] ? other[1] - one[3] : 0;
    return down * down + across * across;
}

void kf_nearest(const double *line, int64_t count, const double *point, int64_t points, double *at, double *square,
                int path) {
    kf_scan_line_t *scan = kf_scan_line_portable;
#ifdef KF_X86_PATHS
    if (path == KF_AVX2) scan = kf_scan_line_avx2;
    if (path == KF_AVX512) scan = kf_scan_line_avx512;
#else
    (void)path;
#endif
    kf_stretches stretches;
    kf_stretch_out(line, count, &stretches);
    for (int64_t first = 0; first < points; first += KF_BLOCK) {
        const int64_t some = points - first < KF_BLOCK ? points - first : KF_BLOCK;
        double rows[KF_BLOCK], cols[KF_BLOCK], numbers[KF_BLOCK], squares[KF_BLOCK];
        double box[4] = {INFINITY, INFINITY, -INFINITY, -INFINITY}, worst = 0;
        for (int64_t i = 0; i < KF_BLOCK; i++) {
            const int64_t here = first + (i < some ? i : 0);
            rows[i] = point[2 * here];
            cols[i] = point[2 * here + 1];
            numbers[i] = 0.0;
            squares[i] = INFINITY;
            box[0] = rows[i] < box[0] ? rows[i] : box[0];
            box[1] = cols[i] < box[1] ? cols[i] : box[1];
            box[2] = rows[i] > box[2] ? rows[i] : box[2];
            box[3] = cols[i] > box[3] ? cols[i] : box[3];
        }
        /* of a short line all is looked at */
        for (int64_t on = stretches.points / 2; on < count && stretches.count > KF_FEW; on += stretches.points)
            scan(line, on, on + 1, rows, cols, numbers, squares);
        for (int64_t i = 0; i < KF_BLOCK; i++) {
            worst = squares[i] > worst ? squares[i] : worst;
            squares[i] = squares[i] * (1 + DBL_EPSILON) + DBL_MIN; /* it is found once more: the first of those as near */
        }
        for (int64_t number = 0; number < stretches.count; number++) {
            const int64_t begin = number * stretches.points, end = begin + stretches.points;
            if (kf_apart(box, stretches.box[number]) > worst) continue;
            scan(line, begin, end < count ? end : count, rows, cols, numbers, squares);
        }
        memcpy(at + first, numbers, sizeof(double) * (size_t)some);
        memcpy(square + first, squares, sizeof(double) * (size_t)some);
    }
}

int64_t kf_beside(const double *line, int64_t count, const double *point, const uint8_t *chosen, int64_t points,
                  double reach, float *out) {
    int64_t found = 0;
    int bent = 0;
    double first[2] = {0, 0}, way[2] = {0, 0};
    for (int64_t i = 0; i < points; i++) {
        const double *at = point + 2 * i;
        if (!chosen[i]) continue;
        double least = INFINITY;
        for (int64_t on = 0; on < count; on++) {
            const double down = at[0] - line[2 * on], across = at[1] - line[2 * on + 1];
            const double square = down * down + across * across;
            least = square < least ? square : least;
        }
        if (!(sqrt(least) <= reach)) continue;
        if (found == 0) memcpy(first, at, sizeof first);
        if (found == 1) way[0] = at[0] - first[0], way[1] = at[1] - first[1];
        bent |= (at[0] - first[0]) * way[1] != (at[1] - first[1]) * way[0];
        out[2 * found] = (float)at[1];
        out[2 * found++ + 1] = (float)at[0];
    }
    return bent ? found : -1 - found;
}

/* ---- lines ---- */

static double length_of(const double *line, int64_t count) {
    double length = 0.0;
    for (int64_t i = 1; i < count; i++)
        length += hypot(line[2 * i] - line[2 * i - 2], line[2 * i + 1] - line[2 * i - 1]);
    return length > 1.0 ? length : 1.0;
}

int kf_evenly(const double *line, int64_t count, kf_line *even) {
    double *along = malloc(sizeof(double) * (size_t)count);
    if (!along) return -1;
    along[0] = 0.0;
    for (int64_t i = 1; i < count; i++)
        along[i] = along[i - 1] + hypot(line[2 * i] - line[2 * i - 2], line[2 * i + 1] - line[2 * i - 1]);
    const double whole = along[count - 1], points = rint(whole) + 1.0;
    if (make_room(even, points > 3.0 ? (int64_t)points : 3)) {
        free(along);
        return -1;
    }
    const double step = whole / (double)(even->count - 1);
    for (int64_t i = 0, from = 0; i < even->count; i++) {
        const double at = i + 1 < even->count ? (double)i * step : whole;
        while (from + 1 < count && along[from + 1] <= at) from++;
        for (int axis = 0; axis < 2; axis++) {
            const double here = line[2 * from + axis];
            even->at[2 * i + axis] = here;
            if (from + 1 < count && along[from] != at) {
                const double slope = (line[2 * from + 2 + axis] - here) / (along[from + 1] - along[from]);
                even->at[2 * i + axis] = slope * (at - along[from]) + here;
            }
        }
    }
    free(along);
    return 0;
}

/* Steps of one px from `tip` away from `inner`, of at most `reach` those up to `out` beyond the mask; their number. */
static int64_t steps_out(const kf_shape *shape, const double *tip, const double *inner, int64_t reach, int64_t out,
                         double *way) {
    const double down = tip[0] - inner[0], across = tip[1] - inner[1], length = hypot(down, across);
    way[0] = down / (length > KF_NO_LENGTH ? length : KF_NO_LENGTH);
    way[1] = across / (length > KF_NO_LENGTH ? length : KF_NO_LENGTH);
    int64_t inside = 0;
    for (; inside < reach; inside++) {
        const double step = (double)(inside + 1);
        const double row = rint(tip[0] + step * way[0]), col = rint(tip[1] + step * way[1]);
        if (!(row >= 0.0 && col >= 0.0 && row < (double)shape->height && col < (double)shape->width)) break;
        if (!shape->mask[(int64_t)row * shape->width + (int64_t)col]) break;
    }
    return inside + out < reach ? inside + out : reach;
}

int kf_prolonged(const double *line, int64_t count, const kf_shape *shape, double width, int64_t out, kf_line *longer) {
    const int64_t reach = (int64_t)(2.0 * width) + 4;
    int64_t look = (int64_t)rint(0.7 * width);
    look = look < count - 1 ? look : count - 1;
    look = look > 2 ? look : 2;
    const double *last = line + 2 * (count - 1);
    double head[2], tail[2];
    const int64_t ahead = steps_out(shape, line, line + 2 * look, reach, out, head);
    const int64_t behind = steps_out(shape, last, last - 2 * look, reach, out, tail);
    if (make_room(longer, ahead + count + behind)) return -1;
    for (int axis = 0; axis < 2; axis++) {
        for (int64_t i = 0; i < ahead; i++)
            longer->at[2 * i + axis] = line[axis] + (double)(ahead - i) * head[axis];
        for (int64_t i = 0; i < behind; i++)
            longer->at[2 * (ahead + count + i) + axis] = last[axis] + (double)(i + 1) * tail[axis];
    }
    memcpy(longer->at + 2 * ahead, line, sizeof(double) * 2 * (size_t)count);
    return 0;
}

/* ---- principal curves ---- */

typedef struct {
    double moment[KF_MOST_TERMS][KF_MOST_TERMS], sum[KF_MOST_TERMS][2]; /* sum: then the solution */
    int64_t terms;
} kf_system;

static void legendre(double x, int64_t terms, double *value) {
    value[0] = 1.0;
    value[1] = x;
    for (int64_t i = 2; i < terms; i++)
        value[i] = (value[i - 1] * x * (double)(2 * i - 1) - value[i - 2] * (double)(i - 1)) / (double)i;
}

/* Where the i-th of `count` points from -1 to 1 lies. */
static inline double spaced(int64_t i, int64_t count) {
    return i + 1 < count ? (double)i * (2.0 / (double)(count - 1)) - 1.0 : 1.0;
}

/* Elimination without exchange of rows: the moments are positive definite. */
static void solve(kf_system *system) {
    const int64_t terms = system->terms;
    for (int64_t k = 0; k < terms; k++)
        for (int64_t i = k + 1; i < terms; i++) {
            const double factor = system->moment[i][k] / system->moment[k][k];
            for (int64_t j = k; j < terms; j++) system->moment[i][j] -= factor * system->moment[k][j];
            for (int axis = 0; axis < 2; axis++) system->sum[i][axis] -= factor * system->sum[k][axis];
        }
    for (int64_t k = terms - 1; k >= 0; k--)
        for (int axis = 0; axis < 2; axis++) {
            double rest = system->sum[k][axis];
            for (int64_t j = k + 1; j < terms; j++) rest -= system->moment[k][j] * system->sum[j][axis];
            system->sum[k][axis] = rest / system->moment[k][k];
        }
}

/* The curve through the means of the pixels, three sums for each of `count` points; 1 where too few points have any. */
static int fitted(const double *sums, int64_t count, const kf_fit *fit, double length, double width, kf_line *curve) {
    int64_t first = -1, last = -1, used = 0;
    double all = 0.0, value[KF_MOST_TERMS];
    for (int64_t i = 0; i < count; i++) {
        all += sums[3 * i];
        if (sums[3 * i] == 0.0) continue;
        first = first < 0 ? i : first;
        last = i;
        used++;
    }
    if (used < 3) return 1;
    int64_t bends = (int64_t)rint(fit->bends * length / width) - 1;
    bends = bends > 1 ? bends : 1;
    kf_system system = {.terms = 2 + (bends < fit->most_bends ? bends : fit->most_bends)};
    const int64_t terms = system.terms, points = last - first + 1;
    for (int64_t i = first; i <= last; i++) {
        if (sums[3 * i] == 0.0) continue;
        const double mass = sums[3 * i] / all;
        legendre(spaced(i - first, points), terms, value);
        for (int64_t a = 0; a < terms; a++) {
            const double part = value[a] * mass;
            for (int64_t b = 0; b < terms; b++) system.moment[a][b] += part * value[b];
            for (int axis = 0; axis < 2; axis++) system.sum[a][axis] += part * (sums[3 * i + 1 + axis] / sums[3 * i]);
        }
    }
    for (int64_t a = 0; a < terms; a++) {
        const double bend = (double)(a * (a - 1));
        system.moment[a][a] += fit->stiffness * (bend * bend);
    }
    solve(&system);
    if (make_room(curve, points)) return -1;
    for (int64_t i = 0; i < points; i++) {
        legendre(spaced(i, points), terms, value);
        for (int axis = 0; axis < 2; axis++) {
            double at = value[0] * system.sum[0][axis];
            for (int64_t a = 1; a < terms; a++) at += value[a] * system.sum[a][axis];
            curve->at[2 * i + axis] = at;
        }
    }
    return 0;
}

int kf_principal_curve(const kf_shape *shape, const kf_pixels *pixels, const kf_fit *fit, kf_line *line, int path) {
    const int64_t points = pixels->points;
    double *nearest = malloc(sizeof(double) * 2 * ((size_t)points + 1)), *square = nearest + points, *sums = NULL;
    kf_line curve = {NULL, 0, 0}, even = {NULL, 0, 0};
    int failed = nearest ? 0 : -1;
    for (int64_t round = 0; round < fit->rounds && !failed; round++) {
        const double length = length_of(line->at, line->count), width = (double)pixels->area / length;
        double *more = realloc(sums, sizeof(double) * 3 * (size_t)line->count);
        if (!more) {
            failed = -1;
            break;
        }
        sums = more;
        memset(sums, 0, sizeof(double) * 3 * (size_t)line->count);
        kf_nearest(line->at, line->count, pixels->point, points, nearest, square, path);
        for (int64_t i = 0; i < points; i++) {
            if (!(sqrt(square[i]) <= fit->reach * width)) continue;
            double *sum = sums + 3 * (int64_t)nearest[i];
            sum[0] += pixels->weight[i];
            sum[1] += pixels->weight[i] * pixels->point[2 * i];
            sum[2] += pixels->weight[i] * pixels->point[2 * i + 1];
        }
        failed = fitted(sums, line->count, fit, length, width, &curve);
        if (failed) break;
        int64_t cut = (int64_t)rint(0.5 * width);
        if (curve.count <= 2 * cut + 4) cut = 0;
        failed = kf_evenly(curve.at + 2 * cut, curve.count - 2 * cut, &even);
        if (!failed) failed = kf_prolonged(even.at, even.count, shape, 0.6 * width, fit->out, line);
    }
    free(nearest);
    free(sums);
    free(curve.at);
    free(even.at);
    return failed < 0 ? -1 : 0;
}

/* ---- rows across a line ---- */

/* Whether the point of `line` nearest to a sample of row `here` is at most `reach` rows away. A sample no farther from
 * its own point than half the way to every point beyond is nearer to its own: `beyond` is the square of that way. */
static int is_own(const double *line, int64_t count, int64_t here, double row, double col, double reach,
                  double beyond) {
    const double down = row - line[2 * here], across = col - line[2 * here + 1];
    if (4.000001 * (down * down + across * across) < beyond) return 1;
    double least = INFINITY;
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        const double far_down = row - line[2 * i], far_across = col - line[2 * i + 1];
        const double square = far_down * far_down + far_across * far_across;
        if (square < least) least = square, found = i;
    }
    return !((double)(found > here ? found - here : here - found) > reach);
}

void kf_own_run(const double *line, int64_t count, int64_t across, const float *rows, const float *cols,
                const float *soft, double reach, float least, float *body) {
    memset(body, 0, sizeof(float) * (size_t)count * (size_t)across);
    for (int64_t here = 0; here < count; here++) {
        double beyond = INFINITY;
        for (int64_t i = 0; i < count; i++) {
            const double down = line[2 * i] - line[2 * here], right = line[2 * i + 1] - line[2 * here + 1];
            const double square = down * down + right * right;
            if ((double)(i > here ? i - here : here - i) > reach && square < beyond) beyond = square;
        }
        const float *row = rows + here * across, *col = cols + here * across, *values = soft + here * across;
#define KF_ON(at) (values[at] > least && is_own(line, count, here, row[at], col[at], reach, beyond))
        const int64_t middle = across / 2;
        int64_t seed = -1;
        for (int64_t away = 0; away <= middle && seed < 0; away++) {
            if (KF_ON(middle - away)) seed = middle - away;
            else if (middle + away < across && KF_ON(middle + away)) seed = middle + away;
        }
        for (int64_t at = seed; at >= 0 && KF_ON(at); at--) body[here * across + at] = values[at];
        for (int64_t at = seed + 1; seed >= 0 && at < across && KF_ON(at); at++) body[here * across + at] = values[at];
#undef KF_ON
    }
}
