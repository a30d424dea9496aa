/* Greyscale opening by a disk.
 *
 * A row of the disk is a run, and the least of a run of 2 (v + s) + 1 pixels is the least of three of 2 v + 1, s apart, as
 * long as s <= 2 v + 1: so each row of the picture gives the runs of all breadths that the disk has in a few steps, one after
 * the other, and a pixel is the least of one run of each row around it. All steps are along rows, on whole numbers in the
 * order of the values, for which processors have a least (opening.inc). Only comparisons: exact. O(pixels * rows of the
 * disk) time, where every pixel of the disk would cost one; memory: a copy of the picture, and as many rows as the disk
 * has, of each breadth. */
#include "opening_core.h"

#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "memory.h"

#define BODY "opening.inc"
#include "each_path.inc"

/* The steps of a path. */
typedef struct {
    void (*keys)(const float *row, int64_t width, int32_t turned, int32_t *key);
    void (*values)(const int32_t *key, int64_t width, int32_t turned, float *row);
    void (*of_three)(const int32_t *line, int64_t count, int64_t apart, int32_t *next);
    void (*of_rows)(const int32_t *const *row, int64_t rows, int64_t width, int32_t *out);
} kf_steps;

static kf_steps kf_steps_of(int path) {
#ifdef KF_X86_PATHS
    if (path == KF_AVX512)
        return (kf_steps){kf_keys_avx512, kf_values_avx512, kf_least_of_three_avx512, kf_least_of_rows_avx512};
    if (path == KF_AVX2) return (kf_steps){kf_keys_avx2, kf_values_avx2, kf_least_of_three_avx2, kf_least_of_rows_avx2};
#endif
    (void)path;
    return (kf_steps){kf_keys_portable, kf_values_portable, kf_least_of_three_portable, kf_least_of_rows_portable};
}

/* Runs of the rows that the disk reaches, and how they are made. */
typedef struct {
    kf_steps steps;
    int32_t *line, *next;  /* a row with `most` keys beyond either end */
    int32_t *runs;         /* [size][breadths][width] by row, modulo size */
    const int32_t **under; /* [size] those under the disk at a row */
    int32_t *of, *reach;   /* [size] which breadth a row of the disk has; [breadths] rising */
    int64_t breadths, most;
} kf_runs;

/* The least of each run around each pixel of a row, by breadth. */
static void kf_take_row(const float *row, int64_t width, int32_t turned, kf_runs *made, int32_t *into) {
    const int64_t count = width + 2 * made->most;
    for (int64_t at = 0; at < made->most; at++) made->line[at] = made->line[count - 1 - at] = INT32_MAX;
    made->steps.keys(row, width, turned, made->line + made->most);
    int64_t reach = 0;
    for (int64_t breadth = 0; breadth < made->breadths; breadth++) {
        while (reach < made->reach[breadth]) {
            const int64_t left = made->reach[breadth] - reach, apart = left < 2 * reach + 1 ? left : 2 * reach + 1;
            made->steps.of_three(made->line, count, apart, made->next); /* near the ends stands what no later step reads */
            int32_t *was = made->line;
            made->line = made->next;
            made->next = was;
            reach += apart;
        }
        memcpy(into + breadth * width, made->line + made->most, (size_t)width * sizeof *into);
    }
}

/* The least under the disk at each pixel; `turned` -1: the greatest. */
static void kf_erode(const float *image, int64_t height, int64_t width, const kf_element *element, int32_t turned,
                     kf_runs *made, float *out) {
    const int64_t half = element->size / 2, row_size = made->breadths * width;
    for (int64_t taken = 0, row = 0; row < height; row++) {
        for (; taken < height && taken <= row + half; taken++)
            kf_take_row(image + taken * width, width, turned, made, made->runs + taken % element->size * row_size);
        int64_t rows = 0;
        for (int64_t from = row < half ? 0 : row - half; from < taken; from++)
            made->under[rows++] = made->runs + from % element->size * row_size + made->of[from - row + half] * width;
        made->steps.of_rows(made->under, rows, width, made->next);
        made->steps.values(made->next, width, turned, out + row * width);
    }
}

static int by_reach(const void *one, const void *other) { return *(const int32_t *)one - *(const int32_t *)other; }

int kf_opening(const float *image, int64_t height, int64_t width, const kf_element *element, float *out, int path) {
    const int64_t size = element->size;
    kf_runs made = {kf_steps_of(path), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0};
    int32_t *reach = kf_room_for(2 * size, sizeof *reach), *of = reach ? reach + size : NULL;
    if (!reach) return -1;
    memcpy(reach, element->reach, (size_t)size * sizeof *reach);
    qsort(reach, (size_t)size, sizeof *reach, by_reach);
    for (int64_t at = 0; at < size; at++)
        if (at == 0 || reach[at] != reach[made.breadths - 1]) reach[made.breadths++] = reach[at];
    for (int64_t at = 0; at < size; at++)
        for (of[at] = 0; reach[of[at]] != element->reach[at];) of[at]++;
    made.reach = reach, made.of = of, made.most = reach[made.breadths - 1];
    const int64_t count = width + 2 * made.most;
    int32_t *lines = kf_room_for(2 * count, sizeof *lines);
    made.runs = kf_room_for(size * made.breadths * width, sizeof *made.runs);
    made.under = kf_room_for(size, sizeof *made.under);
    float *eroded = kf_room_for(height * width, sizeof *eroded);
    const int failed = !lines || !made.runs || !made.under || !eroded;
    if (!failed) {
        made.line = lines, made.next = lines + count;
        memset(lines, 0, 2 * (size_t)count * sizeof *lines);
        kf_erode(image, height, width, element, 0, &made, eroded);
        kf_erode(eroded, height, width, element, -1, &made, out);
    }
    free(reach);
    free(lines);
    free(made.runs);
    free(made.under);
    free(eroded);
    return failed ? -1 : 0;
}
