/*
 * The integer products inside predictions: how many multiply-adds, and how long. While a model is watched, a clock
 * stands around the kernel of its integer layers, which costs some 50 ns a call.
 */
#ifndef LLMC_EXPERIMENTS_BENCH_PRODUCTS_H
#define LLMC_EXPERIMENTS_BENCH_PRODUCTS_H

#include "runtime/model.h"

struct llmc_products {
    double seconds;       /* summed over all threads, with what the kernel does to its sums: scale, bias, GELU */
    double multiply_adds; /* of real tokens, inputs and outputs: padding does not count */
};

/* One model at a time, while nothing predicts with it. */
void llmc_products_watch(struct llmc_model *model);
struct llmc_products llmc_products_unwatch(struct llmc_model *model);

#endif
