/* The cheapest assignment of rows to columns. See assign_core.c. */
#ifndef KARYOFAST_ASSIGN_CORE_H
#define KARYOFAST_ASSIGN_CORE_H

#include <stdint.h>

/* Give each row of `cost` (rows * columns, finite, rows <= columns) a column of its own, so that their sum is least.
 * Returns 0, or -1 where there is no memory. */
int kf_assign(const double *cost, int64_t rows, int64_t columns, int64_t *column_of);

#endif
