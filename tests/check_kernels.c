/* The C cores against the plainest loops, without Python: for sanitizers and for other processors under emulation.
 * `make sanitize` and `make aarch64` build and run it. Prints "N passed, N failed". */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assign_core.h"
#include "axis_core.h"
#include "cpu.h"
#include "distance_core.h"
#include "field_core.h"
#include "karyofast.h"
#include "lifted_core.h"
#include "opening_core.h"
#include "relevance_core.h"
#include "ridge_core.h"
#include "shape_core.h"
#include "solid_core.h"
#include "tree_core.h"
#include "variance_core.h"
#include "zones_core.h"

static int passed, failed;
static uint64_t state = 46;

static uint32_t draw(uint32_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static void say(const char *what, int path, int right) {
    if (right) {
        passed++;
    } else {
        failed++;
        printf("wrong: %s, path %d\n", what, path);
    }
}

/* Mark the component of `seed` in {image <= level}; returns its area. */
static int32_t spread(const uint16_t *image, int32_t height, int32_t width, int connectivity, int32_t seed, int level,
                      uint8_t *mark) {
    int32_t *wait = malloc(sizeof(int32_t) * (size_t)height * width), waiting = 0, area = 0;
    wait[waiting++] = seed;
    mark[seed] = 1;
    while (waiting) {
        const int32_t at = wait[--waiting], row = at / width, col = at % width;
        area++;
        for (int down = -1; down <= 1; down++)
            for (int across = -1; across <= 1; across++) {
                const int32_t r = row + down, c = col + across;
                if (connectivity == 4 && down && across) continue;
                if (r < 0 || c < 0 || r >= height || c >= width) continue;
                if (mark[r * width + c] || image[r * width + c] > level) continue;
                mark[r * width + c] = 1;
                wait[waiting++] = r * width + c;
            }
    }
    free(wait);
    return area;
}

/* Perimeter and Euler number of a marked region of `area` px by counting pairs, quads and corners. */
static void count_shape(const uint8_t *mark, int32_t height, int32_t width, int connectivity, int32_t area,
                        int32_t *perimeter, int32_t *euler) {
    int32_t pairs = 0, quads = 0, corners = 0;
    for (int32_t row = -1; row < height; row++)
        for (int32_t col = -1; col < width; col++) {
            const int a = row >= 0 && col >= 0 && mark[row * width + col];
            const int b = row >= 0 && col + 1 < width && mark[row * width + col + 1];
            const int c = row + 1 < height && col >= 0 && mark[(row + 1) * width + col];
            const int d = row + 1 < height && col + 1 < width && mark[(row + 1) * width + col + 1];
            pairs += (a & b) + (a & c);
            quads += a & b & c & d;
            corners += a | b | c | d;
        }
    *perimeter = 4 * area - 2 * pairs;
    *euler = connectivity == 4 ? area - pairs + quads : corners - (4 * area - pairs) + area;
}

static int region_right(const kf_picture *picture, const uint16_t *image, const kf_regions *regions, int64_t at) {
    const int32_t height = picture->height, width = picture->width, *order = regions->order, *box = regions->box + 4 * at;
    const int32_t start = regions->start[at], area = regions->area[at], level = regions->level[at];
    uint8_t *mark = calloc((size_t)height * width, 1);
    int right = spread(image, height, width, picture->connectivity, order[start], level, mark) == area;
    int64_t sum[KF_MOMENTS] = {0}, greys = 0, greys2 = 0;
    int32_t top = height, left = width, bottom = 0, beyond = 0, perimeter, euler, highest = 0;
    for (int32_t i = start; i < start + area; i++) {
        const int64_t row = order[i] / width, col = order[i] % width, grey = image[order[i]];
        right &= mark[order[i]];
        const int64_t add[KF_MOMENTS] = {row, col, row * row, col * col, row * col};
        for (int k = 0; k < KF_MOMENTS; k++) sum[k] += add[k];
        greys += grey;
        greys2 += grey * grey;
        top = row < top ? (int32_t)row : top;
        left = col < left ? (int32_t)col : left;
        bottom = row >= bottom ? (int32_t)row + 1 : bottom;
        beyond = col >= beyond ? (int32_t)col + 1 : beyond;
        highest = grey > highest ? (int32_t)grey : highest;
    }
    count_shape(mark, height, width, picture->connectivity, area, &perimeter, &euler);
    for (int k = 0; k < KF_MOMENTS; k++) right &= sum[k] == regions->moments[KF_MOMENTS * at + k];
    right &= greys == regions->grey[at] && greys2 == regions->grey2[at];
    right &= highest == level && perimeter == regions->perimeter[at] && euler == regions->euler[at];
    right &= box[0] == top && box[1] == left && box[2] == bottom - top && box[3] == beyond - left;
    free(mark);
    return right && area >= picture->min_area;
}

static void check_tree(int path, int bytes) {
    const int32_t height = 1 + (int32_t)draw(19), width = 1 + (int32_t)draw(150), levels = 1 + (int32_t)draw(9);
    const size_t size = (size_t)height * width;
    uint16_t *image = malloc(size * sizeof *image);
    uint8_t *narrow = malloc(size);
    const uint32_t lowest = draw(2) ? 0 : (bytes == 1 ? 256 : 65536) - (uint32_t)levels;
    for (size_t i = 0; i < size; i++) image[i] = (uint16_t)(lowest + draw((uint32_t)levels)), narrow[i] = (uint8_t)image[i];
    const int connectivity = draw(2) ? 4 : 8;
    if (levels > 1 && !draw(5)) /* as many minima as there can be: all that are not side by side */
        for (int32_t i = 0; i < height * width; i++) {
            const int32_t row = i / width, col = i % width, odd = connectivity == 4 ? (row + col) & 1 : (row | col) & 1;
            image[i] = (uint16_t)(lowest + (odd ? 1 + draw((uint32_t)levels - 1) : 0)), narrow[i] = (uint8_t)image[i];
        }
    const int32_t bound = draw(3) ? (bytes == 1 ? 255 : 65535) : (int32_t)lowest + levels / 2;
    const kf_picture picture = {bytes == 1 ? (void *)narrow : (void *)image, height, width, bytes, connectivity, bound,
                                1 + (int32_t)(draw(2) * draw(30)), path};
    kf_tree tree;
    int right = kf_tree_build(&picture, &tree) == 0;
    const size_t count = (size_t)tree.count;
    int32_t *order = malloc(sizeof(int32_t) * ((size_t)tree.kept + 1)), *ints = malloc(sizeof(int32_t) * 10 * (count + 1));
    int64_t *sums = malloc(sizeof(int64_t) * (KF_MOMENTS + 2) * (count + 1));
    const kf_regions regions = {order,
                                ints,
                                ints + count,
                                ints + 2 * count,
                                ints + 3 * count,
                                ints + 4 * count,
                                ints + 5 * count,
                                ints + 6 * count,
                                sums,
                                sums + KF_MOMENTS * count,
                                sums + (KF_MOMENTS + 1) * count};
    right &= kf_tree_write(&picture, &tree, &regions) == 0;
    for (int64_t at = 0; at < tree.count && right; at++) {
        right &= region_right(&picture, image, &regions, at);
        const int32_t parent = regions.parent[at];
        right &= parent == -1 || (parent > at && regions.level[parent] > regions.level[at]);
    }
    say(bytes == 1 ? "tree, 8 bit" : "tree, 16 bit", path, right);
    kf_tree_free(&tree);
    free(image);
    free(narrow);
    free(order);
    free(ints);
    free(sums);
}

static void check_distance(int path) {
    const int32_t height = 1 + (int32_t)draw(40), width = 1 + (int32_t)draw(200), rare = 1 + (int32_t)draw(400);
    uint8_t *edges = malloc((size_t)height * width);
    uint16_t *depth = malloc(sizeof(uint16_t) * (size_t)height * width);
    double *out = malloc(sizeof(double) * (size_t)height * width);
    int32_t *scratch = malloc(sizeof(int32_t) * (size_t)kf_distance_scratch(width));
    for (int32_t i = 0; i < height * width; i++) edges[i] = draw((uint32_t)rare) == 0;
    kf_distance_columns(edges, height, width, 0, width / 2, depth, path);
    kf_distance_columns(edges, height, width, width / 2, width, depth, path);
    kf_distance_rows(depth, width, 0, height / 3, scratch, out, path);
    kf_distance_rows(depth, width, height / 3, height, scratch, out, path);
    int right = 1;
    for (int32_t i = 0; i < height * width; i++) {
        double nearest = INFINITY;
        for (int32_t j = 0; j < height * width; j++) {
            const double down = i / width - j / width, across = i % width - j % width;
            if (edges[j] && down * down + across * across < nearest) nearest = down * down + across * across;
        }
        right &= out[i] == sqrt(nearest);
    }
    say("distance", path, right);
    free(edges);
    free(depth);
    free(out);
    free(scratch);
}

static void check_relevance(int path) {
    enum { POINTS = 145, MOST = 200 };
    const int SEEDS = draw(2) ? 7 : 140 + (int)draw(60), span = draw(2) ? 30 : 300;
    double point[2 * POINTS], gradient[2 * POINTS], seed[2 * MOST], value[POINTS];
    int64_t best[POINTS];
    int32_t order[2 * POINTS];
    double scratch[KF_SCRATCH * MOST];
    for (int i = 0; i < 2 * POINTS; i++) point[i] = draw((uint32_t)span), gradient[i] = (int)draw(5) - 2;
    for (int i = 0; i < 2 * SEEDS; i++) seed[i] = draw((uint32_t)span) + 0.5 * draw(2);
    const double weight = draw(11) / 10.0;
    const kf_cluster cluster = {point, gradient, seed, POINTS, SEEDS, weight};
    kf_relevance(&cluster, scratch, order, best, value, path);
    int right = 1;
    for (int i = 0; i < POINTS; i++) {
        double highest = -1.0;
        int at = -1;
        for (int k = 0; k < SEEDS; k++) {
            const double down = seed[2 * k] - point[2 * i], across = seed[2 * k + 1] - point[2 * i + 1];
            const double length = sqrt(gradient[2 * i] * gradient[2 * i] + gradient[2 * i + 1] * gradient[2 * i + 1]);
            const double distance = sqrt(down * down + across * across), scale = length * distance;
            const double div = scale > 0 ? (gradient[2 * i] * down + gradient[2 * i + 1] * across) / scale : 0.0;
            const double found = (1.0 - weight) / (1.0 + distance) + weight * (div + 1.0) / 2.0;
            if (found > highest) highest = found, at = k;
        }
        right &= best[i] == at && fabs(value[i] - highest) <= 1e-12;
    }
    say("relevance", path, right);
}

/* Twice squared distance to the mean of a class, summed and times its pixels, by pairs: no mean is needed. */
static double pair_squares(const uint8_t *grey, int count, int cut, int above) {
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            if ((grey[i] >= cut) == above && (grey[j] >= cut) == above) sum += ((double)grey[i] - grey[j]) * ((double)grey[i] - grey[j]);
    return sum;
}

/* First level of the upper class from the definition. */
static int cut_of(const int *histogram) {
    int best = 0, second = 0, best_at = -1, second_at = -1;
    for (int level = 0; level < 256; level++) {
        int end = level;
        if (level > 0 && histogram[level - 1] >= histogram[level]) continue;
        while (end < 255 && histogram[end + 1] == histogram[level]) end++;
        if ((end < 255 ? histogram[end + 1] : 0) >= histogram[level]) continue;
        if (histogram[level] > best) {
            second = best, second_at = best_at, best = histogram[level], best_at = level;
        } else if (histogram[level] > second) {
            second = histogram[level], second_at = level;
        }
    }
    return second_at < 0 ? best_at + 1 : (best_at + second_at) / 2 + 1;
}

static void check_variance(int path) {
    enum { SIDE = 23, BOXES = 12 };
    uint8_t image[SIDE * SIDE], inside[SIDE * SIDE];
    int64_t box[4 * BOXES], rank[BOXES];
    double out[BOXES];
    const uint32_t levels = 1 + draw(draw(2) ? 6 : 256);
    for (int i = 0; i < SIDE * SIDE; i++) image[i] = (uint8_t)(256 - levels + draw(levels));
    for (int i = 0; i < BOXES; i++) {
        int64_t *one = box + 4 * i;
        one[0] = draw(SIDE), one[1] = draw(SIDE);
        one[2] = 1 + draw((uint32_t)(SIDE - one[0])), one[3] = 1 + draw((uint32_t)(SIDE - one[1]));
        rank[i] = BOXES - 1 - i;
    }
    kf_variance(image, SIDE, box, rank, BOXES, out, path);
    int right = 1;
    for (int i = 0; i < BOXES; i++) {
        int histogram[256] = {0}, count = 0;
        for (int64_t row = box[4 * i]; row < box[4 * i] + box[4 * i + 2]; row++)
            for (int64_t col = box[4 * i + 1]; col < box[4 * i + 1] + box[4 * i + 3]; col++)
                histogram[inside[count++] = image[row * SIDE + col]]++;
        const int cut = cut_of(histogram);
        const double v = (pair_squares(inside, count, cut, 0) + pair_squares(inside, count, cut, 1)) / count;
        right &= fabs(out[i] - v) <= 1e-12 * (1.0 + v);
    }
    say("variance", path, right);
}

/* The library: regions are the tree's, candidates disjoint and within their limits; a view has rows of any stride. */
static void check_library(int path) {
    const int32_t height = 1 + (int32_t)draw(30), width = 1 + (int32_t)draw(60), stride = width + (int32_t)draw(9);
    uint8_t *image = malloc((size_t)height * (size_t)stride);
    for (int32_t i = 0; i < height * stride; i++) image[i] = (uint8_t)(draw(3) ? 200 : 20 + draw(60));
    const kf_view view = {image, height, width, stride};
    kf_region_table table;
    int right = kf_extremal_regions(&view, draw(2) ? 4 : 8, 255, 1, &table) == 0;
    right &= table.kept == (int64_t)height * width && table.area[table.count - 1] == height * width;
    int64_t grey = 0;
    for (int64_t i = 0; i < table.kept; i++) grey += image[table.order[i] / width * stride + table.order[i] % width];
    right &= grey == table.grey[table.count - 1];
    kf_free_regions(&table);
    kf_options options = kf_default_options(height, width);
    kf_candidate *found;
    options.max_area = height * width;
    options.min_area = 1 + (int32_t)draw(4);
    const int64_t count = kf_candidates(&view, draw(2) ? KF_BRIGHT : KF_DARK, &options, &found);
    int64_t covered = 0;
    for (int64_t i = 0; i < count; i++) covered += found[i].area;
    for (int64_t i = 0; i < count; i++)
        right &= found[i].area >= options.min_area && found[i].top + found[i].height <= height && found[i].height_above > 0;
    right &= count >= 0 && covered <= (int64_t)height * width;
    double *distance = malloc(sizeof(double) * (size_t)height * (size_t)width);
    right &= kf_edge_distance(&view, distance) == 0 && distance[0] == 0.0; /* no level is 0: all are edges */
    right &= kf_two_class_variance(&view, (const int32_t[4]){0, 0, height + 1, 1}, 1, distance) == KF_BAD_ARGUMENT;
    right &= kf_extremal_regions(&view, 6, 255, 1, &table) == KF_BAD_ARGUMENT;
    say("library", path, right);
    free(found);
    free(distance);
    free(image);
}

/* The thinning with a list of waiting pixels that is searched through for each. */
static void check_ridge(void) {
    const int32_t height = 3 + (int32_t)draw(20), width = 3 + (int32_t)draw(20), size = height * width;
    const int32_t step[8] = {-width, -width + 1, 1, width + 1, width, width - 1, -1, -width - 1};
    const double least = draw(4);
    uint8_t *left = calloc(3, (size_t)size), *plain = left + size, *waits = plain + size;
    double *radius = calloc(2, (size_t)size * sizeof(double)), *bare = radius + size;
    for (int32_t i = 0; i < size; i++) {
        const int inside = i / width % (height - 1) && i % width % (width - 1);
        left[i] = plain[i] = waits[i] = inside && draw(4);
        radius[i] = draw(6);
        if (inside) bare[(i / width - 1) * (width - 2) + i % width - 1] = radius[i];
    }
    for (;;) {
        int32_t at = -1, count = 0, holes = 0;
        for (int32_t i = 0; i < size; i++)
            if (waits[i] && (at < 0 || radius[i] < radius[at])) at = i;
        if (at < 0) break;
        waits[at] = 0;
        for (int side = 0; side < 8; side++) count += plain[at + step[side]];
        for (int side = 0; side < 8; side += 2)
            holes += !plain[at + step[side]] && (plain[at + step[side + 1]] || plain[at + step[(side + 2) % 8]]);
        if (holes != 1 || (count == 1 && radius[at] >= least)) continue;
        plain[at] = 0;
        for (int side = 0; side < 8; side++) {
            const int32_t next = at + step[side];
            waits[next] |= plain[next] && radius[next] <= radius[at];
        }
    }
    say("ridge", KF_PORTABLE, kf_ridge(left, bare, height, width, least) == 0 && !memcmp(left, plain, (size_t)size));
    free(left);
    free(radius);
}

/* Number the 8-connected parts of `on` by their first blocks of 2 x 2 pixels, from 1; returns one more than there are. */
static int32_t name_parts(const uint8_t *on, int32_t height, int32_t width, int32_t *label) {
    int32_t count = 1;
    memset(label, 0, sizeof *label * (size_t)(height * width));
    for (int32_t block = 0; block < (height + 1) / 2 * ((width + 1) / 2); block++)
        for (int k = 0; k < 4; k++) {
            const int32_t row = 2 * (block / ((width + 1) / 2)) + k / 2, col = 2 * (block % ((width + 1) / 2)) + k % 2;
            if (row >= height || col >= width || !on[row * width + col] || label[row * width + col]) continue;
            label[row * width + col] = count;
            for (int changed = 1; changed;) {
                changed = 0;
                for (int32_t i = 0; i < height * width; i++)
                    for (int32_t k2 = 0; k2 < height * width && on[i] && !label[i]; k2++)
                        if (label[k2] == count && abs(i / width - k2 / width) <= 1 && abs(i % width - k2 % width) <= 1)
                            label[i] = count, changed = 1;
            }
            count++;
        }
    return count;
}

/* Walks of lines that are labelled one after the other: each step is to the first neighbour that is left. */
static void check_ridge_paths(void) {
    enum { MOST = 12 * 12 };
    static const int32_t ring[8][2] = {{-1, 0}, {0, 1}, {1, 0}, {0, -1}, {-1, 1}, {1, 1}, {1, -1}, {-1, -1}};
    const int32_t height = 1 + (int32_t)draw(12), width = 1 + (int32_t)draw(12), size = height * width;
    uint8_t ridge[MOST], zones[MOST], rest[MOST], met[MOST] = {0};
    int32_t label[MOST], zone[MOST], near[2 * MOST];
    int64_t order[MOST], end[MOST];
    for (int32_t i = 0; i < size; i++) ridge[i] = !draw(3), zones[i] = !draw(9), rest[i] = ridge[i] && !zones[i];
    const int32_t count = name_parts(rest, height, width, label);
    name_parts(zones, height, width, zone);
    kf_paths paths = {order, end, near};
    int right = kf_ridge_paths(ridge, zones, height, width, &paths) == count - 1;
    int64_t first = 0;
    for (int32_t name = 1; name < count && right; first = end[name++ - 1]) {
        int32_t fewest = 9, start = 0;
        for (int32_t i = 0; i < size; i++) {
            int32_t around = 0;
            if (label[i] != name) continue;
            for (int32_t k = 0; k < size; k++)
                around += k != i && rest[k] && abs(i / width - k / width) <= 1 && abs(i % width - k % width) <= 1;
            if (around < fewest) fewest = around, start = i;
        }
        right &= end[name - 1] > first && order[first] == start;
        for (int64_t at = first; at < end[name - 1] && right; at++) {
            int64_t next = -1;
            met[order[at]] = 1;
            for (int side = 7; side >= 0; side--) {
                const int64_t row = order[at] / width + ring[side][0], col = order[at] % width + ring[side][1];
                if (row < 0 || col < 0 || row >= height || col >= width) continue;
                if (label[row * width + col] == name && !met[row * width + col]) next = row * width + col;
            }
            right &= next == (at + 1 < end[name - 1] ? order[at + 1] : -1);
        }
        for (int k = 0; k < 2 && right; k++) {
            const int64_t at = order[k ? end[name - 1] - 1 : first];
            int32_t most = 0;
            for (int32_t i = 0; i < size; i++)
                if (labs(i / width - at / width) <= 1 && labs(i % width - at % width) <= 1 && zone[i] > most) most = zone[i];
            if (k && end[name - 1] - first == 1) most = 0;
            right &= near[2 * (name - 1) + k] == most - 1;
        }
    }
    say("ridge paths", KF_PORTABLE, right);
}

/* Relax every step until none shortens a way: distances from `start`, by length or by depth. */
static void relax(const kf_shape *shape, const double *depth, int64_t start, double *distance) {
    const int64_t size = shape->height * shape->width;
    for (int64_t i = 0; i < size; i++) distance[i] = INFINITY;
    distance[start] = 0.0;
    for (int changed = 1; changed;) {
        changed = 0;
        for (int64_t at = 0; at < size * 9; at++) {
            const int64_t here = at / 9, down = at % 9 / 3 - 1, right = at % 3 - 1;
            const int64_t next = here + down * shape->width + right;
            const int64_t row = here / shape->width + down, col = here % shape->width + right;
            if (row < 0 || col < 0 || row >= shape->height || col >= shape->width || next == here) continue;
            if (!shape->mask[here] || !shape->mask[next] || distance[here] == INFINITY) continue;
            double step = down && right ? sqrt(2.0) : 1.0;
            if (depth) step /= 0.25 * (depth[here] + depth[next]) * (depth[here] + depth[next]);
            if (distance[here] + step < distance[next]) distance[next] = distance[here] + step, changed = 1;
        }
    }
}

static double farthest_of(const double *distance, int64_t size, int64_t *at) {
    double most = -1.0;
    for (int64_t i = 0; i < size; i++)
        if (distance[i] < INFINITY && distance[i] > most) most = distance[i], *at = i;
    return most;
}

/* The way inside against plain relaxation: its ends, its length by depth, and that each step is one. */
static void check_inner_path(void) {
    const int64_t height = 1 + draw(12), width = 1 + draw(12), size = height * width;
    uint8_t *mask = malloc((size_t)size);
    double *depth = malloc(sizeof(double) * 2 * (size_t)size), *distance = depth + size, reach = 0.0;
    int64_t *way = malloc(sizeof(int64_t) * (size_t)size), start = 0, end = 0;
    for (int64_t i = 0; i < size; i++) mask[i] = draw(4) > 0, depth[i] = 1.0 + draw(3);
    mask[draw((uint32_t)size)] = 1;
    const kf_shape shape = {mask, height, width};
    const int64_t count = kf_inner_path(&shape, depth, way, &reach);
    while (!mask[start]) start++;
    relax(&shape, NULL, start, distance);
    farthest_of(distance, size, &start);
    relax(&shape, NULL, start, distance);
    int right = count > 0 && fabs(farthest_of(distance, size, &end) - reach) < 1e-9;
    relax(&shape, depth, start, distance);
    double length = 0.0;
    for (int64_t i = 0; right && i + 1 < count; i++) {
        const int64_t down = way[i] / width - way[i + 1] / width, across = way[i] % width - way[i + 1] % width;
        const double middle = 0.5 * (depth[way[i]] + depth[way[i + 1]]);
        right &= llabs(down) <= 1 && llabs(across) <= 1 && (down || across) && mask[way[i]];
        length += sqrt((double)(down * down + across * across)) / (middle * middle);
    }
    right &= right && way[0] == end && way[count - 1] == start && fabs(length - distance[end]) < 1e-9;
    say("inner path", KF_PORTABLE, right);
    free(mask);
    free(depth);
    free(way);
}

/* A curve through a bar lies along its middle, out of both ends, with its points in equal steps; rows across it keep the
 * bar alone. */
static void check_curve(int path) {
    const int64_t height = 12 + draw(9), width = 40 + draw(40), top = 3 + draw(3), tall = 5, size = height * width;
    const int64_t first = 4 + draw(6), last = width - 5 - draw(6), points = tall * (last - first + 1);
    uint8_t *mask = calloc((size_t)size, 1);
    double *point = malloc(sizeof(double) * 4 * (size_t)points), *weight = point + 2 * points, *square = weight + points;
    double *at = malloc(sizeof(double) * (size_t)points);
    for (int64_t i = 0; i < points; i++) {
        const int64_t row = top + i / (last - first + 1), col = first + i % (last - first + 1);
        mask[row * width + col] = 1;
        point[2 * i] = (double)row;
        point[2 * i + 1] = (double)col;
        weight[i] = 1.0 + draw(2);
    }
    const kf_shape shape = {mask, height, width};
    const kf_pixels pixels = {point, weight, points, points};
    const kf_fit fit = {.reach = 0.9, .bends = 0.7, .stiffness = 1e-4, .rounds = 3, .most_bends = draw(6), .out = 2};
    kf_line line = {malloc(sizeof(double) * 6), 3, 3};
    for (int64_t i = 0; i < 3; i++) {
        line.at[2 * i] = (double)top + draw(5);
        line.at[2 * i + 1] = (double)first + (double)(i * (last - first)) / 2.0;
    }
    int right = kf_principal_curve(&shape, &pixels, &fit, &line, path) == 0 && line.count > 3;
    kf_nearest(line.at, line.count, point, points, at, square, path);
    for (int64_t i = 0; i < points; i++) {
        double least = INFINITY;
        int64_t found = 0;
        for (int64_t j = 0; j < line.count; j++) {
            const double down = point[2 * i] - line.at[2 * j], across = point[2 * i + 1] - line.at[2 * j + 1];
            if (down * down + across * across < least) least = down * down + across * across, found = j;
        }
        right &= at[i] == (double)found && square[i] == least;
    }
    const double outer = fabs(line.at[2 * line.count - 1] - line.at[1]);
    right &= fabs(outer - (double)(last - first) - 4.0) < 3.0;
    for (int64_t i = 0; i < line.count; i++) right &= fabs(line.at[2 * i] - (double)(top + 2)) < 2.5;
    const int64_t across = 17;
    float *rows = malloc(sizeof(float) * 4 * (size_t)(line.count * across)), *cols = rows + line.count * across;
    float *soft = cols + line.count * across, *body = soft + line.count * across;
    for (int64_t i = 0; i < line.count * across; i++) {
        rows[i] = (float)line.at[2 * (i / across)] + (float)(i % across - across / 2);
        cols[i] = (float)line.at[2 * (i / across) + 1];
        soft[i] = (float)draw(3) / 2.0f;
    }
    kf_own_run(line.at, line.count, across, rows, cols, soft, 1e9, 0.05f, body);
    for (int64_t i = 0; i < line.count; i++) {
        int64_t runs = 0;
        for (int64_t j = i * across; j < (i + 1) * across; j++) {
            right &= body[j] == 0.0f || body[j] == soft[j];
            runs += body[j] > 0.0f && (j == i * across || body[j - 1] == 0.0f);
        }
        right &= runs <= 1 && (soft[i * across + across / 2] == 0.0f || body[i * across + across / 2] > 0.0f);
    }
    say("curve", path, right);
    free(mask);
    free(point);
    free(at);
    free(line.at);
    free(rows);
}

/* The least sum over all ways to give the rows from `row` on columns that are not `taken`. */
static double cheapest(const double *cost, int rows, int columns, int row, uint32_t taken) {
    double least = row < rows ? INFINITY : 0.0;
    for (int at = 0; row < rows && at < columns; at++)
        if (!(taken >> at & 1))
            least = fmin(least, cost[row * columns + at] + cheapest(cost, rows, columns, row + 1, taken | 1u << at));
    return least;
}

static void check_assign(void) {
    enum { MOST = 6 };
    const int columns = 1 + (int)draw(MOST), rows = (int)draw((uint32_t)columns + 1);
    double cost[MOST * MOST], sum = 0.0;
    int64_t column_of[MOST];
    uint32_t taken = 0;
    for (int i = 0; i < rows * columns; i++) cost[i] = (int)draw(9) - 4;
    int right = kf_assign(cost, rows, columns, column_of) == 0;
    for (int row = 0; row < rows && right; row++) {
        right = column_of[row] >= 0 && column_of[row] < columns && !(taken >> column_of[row] & 1);
        if (!right) break;
        taken |= 1u << column_of[row];
        sum += cost[row * columns + column_of[row]];
    }
    say("assign", KF_PORTABLE, right && sum == cheapest(cost, rows, columns, 0, 0));
}

/* Give `label` to what is on around pixel `at` of a plane; returns how many pixels there are. */
static int flood(const float *value, int *label, int rows, int columns, int at, int name) {
    if (value[at] <= 0.5f || label[at] == name) return 0;
    label[at] = name;
    int count = 1;
    for (int down = -1; down <= 1; down++)
        for (int across = -1; across <= 1; across++) {
            const int row = at / columns + down, column = at % columns + across;
            if (row >= 0 && row < rows && column >= 0 && column < columns)
                count += flood(value, label, rows, columns, row * columns + column, name);
        }
    return count;
}

static void check_lifted(void) {
    enum { PLANES = 4, SIDE = 9, BROAD = 70 };
    const int planes = 1 + (int)draw(PLANES), rows = 1 + (int)draw(SIDE), columns = 1 + (int)draw(BROAD);
    const int size = rows * columns, least = (int)draw(4), rare = 2 + (int)draw(8);
    float value[PLANES * SIDE * BROAD];
    uint8_t crossed[SIDE * BROAD];
    int label[PLANES * SIDE * BROAD], name = 0;
    const int some = (int)draw(2);
    for (int i = 0; i < size; i++) crossed[i] = some && draw(3) == 0;
    for (int i = 0; i < planes * size; i++) value[i] = draw((uint32_t)rare) == 0;
    memset(label, -1, sizeof label);
    for (int i = 0; i < planes * size; i++) {
        if (label[i] >= 0 || value[i] <= 0.5f) continue;
        const int plane = i / size * size;
        if (flood(value + plane, label + plane, rows, columns, i - plane, name) >= least)
            name++;
        else
            for (int at = plane; at < plane + size; at++)
                if (label[at] == name) label[at] = -1, value[at] = 0.0f;
    }
    for (int changed = 1; changed;) { /* the lower name wins until nothing changes */
        changed = 0;
        for (int i = 0; i < planes * size; i++) {
            const int other = (i + size) % (planes * size);
            if (label[i] < 0 || label[other] < 0 || label[i] == label[other] || crossed[i % size]) continue;
            const int low = label[i] < label[other] ? label[i] : label[other], high = label[i] + label[other] - low;
            for (int at = 0; at < planes * size; at++)
                if (label[at] == high) label[at] = low;
            changed = 1;
        }
    }
    kf_cores found;
    int right = kf_lifted_cores(value, planes, rows, columns, 0.5f, least, some ? crossed : NULL, &found) == 0;
    int64_t core = 0, place = 0;
    for (int one = 0; one < name && right; one++) { /* names rise with the first pixel, as cores do */
        int any = 0;
        for (int at = 0; at < size; at++) {
            int mine = 0;
            for (int plane = 0; plane < planes; plane++) mine |= label[plane * size + at] == one;
            if (mine && !any) right = core < found.count && found.start[core++] == place;
            any |= mine;
            if (mine && right) right = place < found.start[core] && found.pixels[place++] == at;
        }
        if (any && right) right = found.start[core] == place && found.score[core - 1] == 1.0;
    }
    say("lifted", KF_PORTABLE, right && core == found.count);
    kf_free_cores(&found);
}

/* Chamfer distance of a step of `down` and `across`, in closed form. */
static int64_t chamfer(int32_t down, int32_t across) {
    const int64_t one = abs(down), other = abs(across), more = one > other ? one : other, less = one + other - more;
    return 2 * less <= more ? 143976 * less + 65536 * (more - 2 * less)
                            : 143976 * (more - less) + 91750 * (2 * less - more);
}

/* Gaps between zones from the distance of every pixel to every pixel of a zone. */
static void check_zones(int path) {
    enum { MOST = 400, ZONES = 4 };
    const int32_t height = 1 + (int32_t)draw(20), width = 1 + (int32_t)draw(20), size = height * width;
    int32_t zones[MOST], owner[MOST];
    int64_t near[MOST], gap[ZONES * ZONES], plain[ZONES * ZONES];
    const uint32_t rare = 1 + draw(40);
    for (int32_t i = 0; i < size; i++) zones[i] = draw(rare) ? 0 : 1 + (int32_t)draw(ZONES);
    for (int i = 0; i < ZONES * ZONES; i++) plain[i] = INT64_MAX;
    for (int32_t i = 0; i < size; i++) {
        near[i] = INT64_MAX, owner[i] = 0;
        for (int32_t k = 0; k < size; k++) {
            const int64_t away = chamfer(i / width - k / width, i % width - k % width);
            if (!zones[k] || away > near[i] || (away == near[i] && zones[k] > owner[i])) continue;
            near[i] = away, owner[i] = zones[k];
        }
    }
    for (int32_t i = 0; i < size; i++)
        for (int down = 0; down < 2; down++) {
            const int32_t k = i + (down ? width : 1);
            if ((down ? k >= size : k % width == 0) || !owner[i] || owner[i] == owner[k]) continue;
            int64_t *to = plain + (owner[i] - 1) * ZONES + owner[k] - 1;
            int64_t *back = plain + (owner[k] - 1) * ZONES + owner[i] - 1;
            if (near[i] + near[k] < *to) *to = *back = near[i] + near[k];
        }
    say("zones", path, kf_zone_gaps(zones, height, width, ZONES, gap, path) == 0 && !memcmp(gap, plain, sizeof gap));
}

/* The deepest pixel of a mask and, where it asks for them, the depths of its ridge, from the distance of every pixel to every
 * pixel that is off, the picture's surroundings included where `framed`. Returns how many. */
static int64_t depths(const uint8_t *on, int32_t height, int32_t width, int framed, int64_t *deepest, float *ridge) {
    int64_t *depth = malloc(sizeof(int64_t) * (size_t)(height * width)), found = 0;
    *deepest = 0;
    for (int32_t i = 0; i < height * width; i++) {
        depth[i] = INT64_MAX;
        for (int32_t row = -1; row <= height; row++)
            for (int32_t col = -1; col <= width; col++) {
                const int inside = row >= 0 && col >= 0 && row < height && col < width;
                if (inside ? on[row * width + col] : !framed) continue;
                const int64_t away = chamfer(i / width - row, i % width - col);
                depth[i] = away < depth[i] ? away : depth[i];
            }
        *deepest = depth[i] > *deepest ? depth[i] : *deepest;
    }
    for (int32_t i = 0; i < height * width && ridge; i++) {
        int crest = on[i] && depth[i] > 98304;
        for (int32_t k = 0; k < height * width; k++)
            crest &= abs(i / width - k / width) > 1 || abs(i % width - k % width) > 1 || depth[k] <= depth[i];
        if (crest) ridge[found++] = (float)depth[i] / 65536;
    }
    free(depth);
    return found;
}

/* Depths on ridges of a picture of two heights, of which the threshold is known. */
static void check_ridge_depths(int path) {
    enum { MOST = 20 * 90 };
    const int32_t height = 1 + (int32_t)draw(20), width = 1 + (int32_t)draw(90), size = height * width;
    float heights[MOST], out[MOST], plain[MOST];
    uint8_t on[MOST];
    const uint32_t rare = 2 + draw(30);
    int32_t above = 0;
    for (int32_t i = 0; i < size; i++) above += on[i] = draw(rare) != 0, heights[i] = on[i] ? 7.5f : -(float)draw(2);
    int64_t deepest, count = above == size || above == 0 ? 0 : depths(on, height, width, 0, &deepest, plain);
    const int64_t found = kf_ridge_depths(heights, height, width, above ? 7.5f : 0.0f, out, path);
    say("ridge depths", path, found == count && !memcmp(out, plain, sizeof *out * (size_t)count));
}

/* Disk, votes, solidity, holes and rim of one body in a picture, each from its definition. */
static void check_body(int path) {
    enum { MOST = 14 * 14 };
    const int32_t height = 1 + (int32_t)draw(14), width = 1 + (int32_t)draw(14), size = height * width;
    uint8_t on[MOST], filled[MOST];
    uint16_t image[MOST];
    int32_t order[MOST], box[4] = {height, width, 0, 0}, start = 0, area = 0;
    const uint32_t rare = 1 + draw(8);
    for (int32_t i = 0; i < size; i++) {
        image[i] = (uint16_t)draw(65536);
        filled[i] = on[i] = draw(rare) != 0 || i == 0;
        if (!on[i]) continue;
        order[area++] = i;
        box[0] = i / width < box[0] ? i / width : box[0], box[1] = i % width < box[1] ? i % width : box[1];
        box[2] = i / width + 1 > box[2] ? i / width + 1 : box[2], box[3] = i % width + 1 > box[3] ? i % width + 1 : box[3];
    }
    box[2] -= box[0], box[3] -= box[1];
    const kf_bodies bodies = {order, &start, &area, box, 1, width};
    double disk, aspect, votes, steps, share, sums = 0;
    int64_t deepest;
    depths(on, height, width, 1, &deepest, NULL);
    int right = kf_outlines(&bodies, 0.12, &disk, &aspect, &votes, path) == 0 && disk == 2.0 * (double)deepest / 65536;
    right &= aspect >= 1 - 1e-9 && votes >= 0 && votes <= 1;
    for (int32_t at = 0; at < area; at++) { /* the steps across each side of the rim, seen from inside */
        const int32_t row = order[at] / width, col = order[at] % width;
        const int32_t beside[4][2] = {{row - 1, col}, {row + 1, col}, {row, col - 1}, {row, col + 1}};
        for (int k = 0; k < 4; k++) {
            if (beside[k][0] < 0 || beside[k][1] < 0 || beside[k][0] >= height || beside[k][1] >= width) continue;
            const int32_t there = beside[k][0] * width + beside[k][1];
            if (!on[there]) sums += image[there] - image[order[at]];
        }
    }
    right &= kf_rim_steps(image, height, &bodies, area, &steps) == 0 && steps == sums;
    uint8_t mask[MOST] = {0};
    right &= kf_masks(&bodies, mask) == 0;
    for (int32_t i = 0; i < box[2] * box[3]; i++) right &= mask[i] == on[(box[0] + i / box[3]) * width + box[1] + i % box[3]];
    say("outlines", path, right);

    double hull = 0, rim = 0; /* edges of the hull: all other pixels lie on one side, or between */
    for (int32_t i = 0; i < area; i++)
        for (int32_t k = 0; k < area; k++) {
            const int64_t row = order[i] / width, col = order[i] % width;
            const int64_t down = order[k] / width - row, across = order[k] % width - col;
            int edge = i != k;
            for (int32_t at = 0; at < area && edge; at++) {
                const int64_t y = order[at] / width - row, x = order[at] % width - col, turn = down * x - across * y;
                const int64_t along = down * y + across * x;
                edge = turn > 0 || (turn == 0 && along >= 0 && along <= down * down + across * across);
            }
            if (edge) hull += (double)(row * across - col * down) / 2, rim += hypot((double)down, (double)across);
        }
    const int64_t place[4] = {box[0], box[1], box[2], box[3]};
    right = kf_solidities(on, width, place, 1, &share) == 0;
    say("solidities", KF_PORTABLE, right && fabs(share - area / (fabs(hull) + rim / 2 + 1)) < 1e-9);

    int32_t label[MOST], count = 1;
    const double most = draw(4);
    memset(label, 0, sizeof label);
    for (int32_t first = 0; first < size; first++) {
        if (on[first] || label[first]) continue;
        int32_t pixels = 1, outside = 0;
        label[first] = count;
        for (int changed = 1; changed;) {
            changed = 0;
            for (int32_t i = 0; i < size; i++) {
                const int near = (i >= width && label[i - width] == count) || (i + width < size && label[i + width] == count) ||
                                 (i % width && label[i - 1] == count) || ((i + 1) % width && label[i + 1] == count);
                if (!on[i] && !label[i] && near) label[i] = count, pixels++, changed = 1;
            }
        }
        for (int32_t i = 0; i < size; i++)
            outside |= label[i] == count && (i < width || i + width >= size || i % width == 0 || (i + 1) % width == 0);
        for (int32_t i = 0; i < size && !outside && pixels <= most; i++) filled[i] |= label[i] == count;
        count++;
    }
    right = kf_fill_holes(on, height, width, most) >= 0;
    say("holes", KF_PORTABLE, right && !memcmp(on, filled, (size_t)size));
}

/* The opening pixel by pixel. */
static void check_opening(int path) {
    enum { MOST = 16 * 40 };
    static const int32_t reaches[3][7] = {{0}, {0, 1, 0}, {0, 2, 3, 3, 3, 2, 0}};
    const int32_t height = 1 + (int32_t)draw(16), width = 1 + (int32_t)draw(40), size = height * width, of = (int32_t)draw(3);
    const kf_element element = {reaches[of], of == 0 ? 1 : of == 1 ? 3 : 7};
    float image[2][MOST], out[MOST];
    for (int32_t i = 0; i < size; i++) image[0][i] = (float)draw(9) - 4.0f;
    int right = kf_opening(image[0], height, width, &element, out, path) == 0;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < size; i++) {
            float least = pass ? -9.0f : 9.0f;
            for (int32_t k = 0; k < size; k++) {
                const int32_t down = k / width - i / width + (int32_t)element.size / 2, across = abs(k % width - i % width);
                if (down < 0 || down >= element.size || across > element.reach[down]) continue;
                if (pass ? image[1][k] > least : image[0][k] < least) least = image[pass][k];
            }
            if (pass)
                right &= out[i] == least;
            else
                image[1][i] = least;
        }
    say("opening", path, right);
}

/* Means of cells by the sixteenths of a pixel that they cover, and a surface drawn pixel by pixel. */
static void check_field(int path) {
    enum { MOST = 12 * 40 };
    const int32_t height = 1 + (int32_t)draw(12), width = 1 + (int32_t)draw(40), size = height * width;
    const int32_t rows = 1 + (int32_t)draw((uint32_t)height), cols = 1 + (int32_t)draw((uint32_t)width);
    const kf_grid grid = {height, width, rows, cols};
    float image[MOST], mean[MOST], field[MOST], above[MOST];
    uint16_t level[MOST];
    for (int32_t i = 0; i < size; i++) image[i] = (float)draw(200);
    int right = kf_cell_means(image, &grid, mean, path) == 0;
    for (int32_t cell = 0; cell < rows * cols; cell++) {
        double sum = 0;
        for (int32_t i = 0; i < size; i++) { /* sides in rows-ths and cols-ths of a pixel */
            const int32_t top = cell / cols * height, left = cell % cols * width, y = i / width * rows, x = i % width * cols;
            const int32_t down = (y + rows < top + height ? y + rows : top + height) - (y > top ? y : top);
            const int32_t across = (x + cols < left + width ? x + cols : left + width) - (x > left ? x : left);
            if (down > 0 && across > 0) sum += (double)image[i] * down * across;
        }
        right &= fabs(sum / size - mean[cell]) < 1e-3;
    }
    right &= kf_above_field(image, &grid, mean, field, above, path) == 0;
    for (int32_t i = 0; i < size; i++) {
        double y = (i / width + 0.5) * rows / height - 0.5, x = (i % width + 0.5) * cols / width - 0.5;
        y = y < 0 ? 0 : y > rows - 1 ? rows - 1 : y, x = x < 0 ? 0 : x > cols - 1 ? cols - 1 : x;
        const int32_t row = (int32_t)y, col = (int32_t)x, below = row + 1 < rows ? row + 1 : row, beside = col + 1 < cols ? col + 1 : col;
        const double one = mean[row * cols + col] * (1 - (x - col)) + mean[row * cols + beside] * (x - col);
        const double other = mean[below * cols + col] * (1 - (x - col)) + mean[below * cols + beside] * (x - col);
        const double drawn = one * (1 - (y - row)) + other * (y - row);
        right &= fabs(field[i] - (drawn < image[i] ? drawn : image[i])) < 1e-3 && above[i] == image[i] - field[i];
    }
    kf_count_down(image, size, 0.25f, 30, level, path);
    for (int32_t i = 0; i < size; i++) {
        const int32_t steps = ((int32_t)image[i] + 2) / 4;
        right &= level[i] == (steps > 30 ? 0 : 30 - steps);
    }
    say("field", path, right);
}

/* Points near a line, one after the other. */
static void check_beside(void) {
    double line[2 * 5], point[2 * 30];
    uint8_t chosen[30];
    float out[2 * 30];
    const int64_t count = 1 + draw(5), points = 1 + draw(30), broad = 1 + draw(8);
    const double reach = draw(5);
    int64_t found = 0;
    int bent = 0, right = 1;
    for (int64_t i = 0; i < 2 * count; i++) line[i] = draw(9) / 2.0;
    for (int64_t i = 0; i < points; i++) {
        point[2 * i] = draw(9), point[2 * i + 1] = draw((uint32_t)broad);
        chosen[i] = draw(3) > 0;
    }
    const int64_t got = kf_beside(line, count, point, chosen, points, reach, out);
    for (int64_t i = 0; i < points; i++) {
        int near = 0;
        for (int64_t k = 0; k < count; k++)
            near |= hypot(point[2 * i] - line[2 * k], point[2 * i + 1] - line[2 * k + 1]) <= reach;
        if (!near || !chosen[i]) continue;
        right &= out[2 * found] == (float)point[2 * i + 1] && out[2 * found + 1] == (float)point[2 * i];
        found++;
    }
    for (int64_t i = 2; i < found; i++) /* of points that may be equal the second tells the way */
        bent |= (out[2 * i] - out[0]) * (out[3] - out[1]) != (out[2 * i + 1] - out[1]) * (out[2] - out[0]);
    say("beside", KF_PORTABLE, right && got == (bent ? found : -1 - found));
}

int main(void) {
    for (int round = 0; round < 400; round++) check_lifted();
    for (int round = 0; round < 200; round++) check_inner_path();
    for (int round = 0; round < 200; round++) check_ridge(), check_ridge_paths();
    for (int round = 0; round < 200; round++) check_beside();
    for (int round = 0; round < 200; round++) check_assign();
    for (int path = KF_PORTABLE; path <= KF_AVX512; path++) {
        if (!kf_path_there(path)) continue;
        for (int round = 0; round < 60; round++) {
            check_tree(path, 1);
            check_tree(path, 2);
            check_distance(path);
            check_relevance(path);
            check_variance(path);
            check_library(path);
            check_curve(path);
            check_zones(path);
            check_opening(path);
            check_field(path);
            check_ridge_depths(path);
            check_body(path);
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
