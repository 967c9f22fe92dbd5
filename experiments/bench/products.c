#include "experiments/bench/products.h"

#include "base/clock.h"

#include <stdatomic.h>

/* Kernels have no context, so what is watched is kept here. */
static const struct llmc_model *model_watched;
static const struct llmc_kernels *watched;
static struct llmc_kernels watching;
static atomic_llong nanoseconds, multiply_adds;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Packed weights do not tell how much of them is padding. */
static int64_t inputs_of(const struct llmc_weights_i8 *weights)
{
    const struct llmc_architecture *architecture = &model_watched->architecture;
    for (int32_t i = 0; i < architecture->layers; i++)
        if (weights == &model_watched->layers[i].output.i8)
            return architecture->ffn;
    return architecture->hidden;
}

static void linear_i8(const struct llmc_weights_i8 *weights, int32_t first, int32_t last, const uint8_t *x,
                      size_t stride, int64_t m, const struct llmc_target *target)
{
    int64_t outputs = least((int64_t)last * LLMC_PANEL, weights->n) - (int64_t)first * LLMC_PANEL;
    double start = llmc_clock();
    watched->linear_i8(weights, first, last, x, stride, m, target);
    atomic_fetch_add(&nanoseconds, (long long)(1e9 * (llmc_clock() - start)));
    atomic_fetch_add(&multiply_adds, (long long)(m * outputs * inputs_of(weights)));
}

void llmc_products_watch(struct llmc_model *model)
{
    model_watched = model;
    watched = model->kernels;
    watching = *watched;
    watching.linear_i8 = linear_i8;
    model->kernels = &watching;
    nanoseconds = multiply_adds = 0;
}

struct llmc_products llmc_products_unwatch(struct llmc_model *model)
{
    model->kernels = watched;
    return (struct llmc_products){1e-9 * (double)nanoseconds, (double)multiply_adds};
}
