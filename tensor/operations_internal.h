/* How operations divide rows and scratch memory among threads. Inside tensor/ only. */
#ifndef LLMC_TENSOR_OPERATIONS_INTERNAL_H
#define LLMC_TENSOR_OPERATIONS_INTERNAL_H

#include "tensor/operations.h"

enum { SCRATCH_ROWS = 4, PARTIAL_ROWS = 3 };

/* One thread's share inside a parallel region: rows [begin, end), scratch rows of `width` numbers, and
 * partial sums of `width` numbers (llmc_clear_partials before, llmc_add_partials after the region). */
struct worker {
    int thread;
    int64_t begin, end;
    float *row[SCRATCH_ROWS];
    float *partial[PARTIAL_ROWS];
};

struct worker llmc_worker(struct llmc_ops *ops, int64_t rows, int64_t width);
void llmc_clear_partials(struct llmc_ops *ops);
/* sum [width] += partial sum number `partial` of every thread, in the order of the threads. */
void llmc_add_partials(struct llmc_ops *ops, int partial, int64_t width, float *sum);

/* The scale of row `row` of weights that are rounded; x [n]: its numbers. */
static inline float row_scale(const struct llmc_kernels *k, const struct llmc_rounding *rounding, int64_t row,
                              const float *x, size_t n)
{
    if (rounding->steps && rounding->steps[row] > 0)
        return rounding->steps[row];
    float scale = k->absmax(x, n) / rounding->limit;
    return scale > 0 ? scale : 1.0f;
}

#endif
