#include "bench/int8_peak.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define MEASURED_SECONDS 0.005 /* of one measurement at least */

enum { ROUNDS = 4, ROWS = 256, WIDEST = 1536 };

static const struct shape {
    int32_t inputs, outputs;
} shapes[] = {{384, 384}, {768, 768}, {1536, 384}};

/* A product for each thread: rows and results of its own, one weight. */
struct product {
    uint8_t *x, *y; /* [threads, ROWS, WIDEST] */
    int8_t *panels;
    int32_t *start;
    float *scale, *bias;
};

static llmc_status product_init(struct product *product, int threads)
{
    llmc_status status = LLMC_OK;
    size_t rows = (size_t)threads * ROWS;
    memset(product, 0, sizeof *product);
    LLMC_TRY(llmc_alloc(&product->x, rows, WIDEST));
    LLMC_TRY(llmc_alloc(&product->y, rows, WIDEST));
    LLMC_TRY(llmc_alloc(&product->panels, WIDEST, WIDEST));
    LLMC_TRY(llmc_alloc(&product->start, WIDEST, sizeof *product->start));
    LLMC_TRY(llmc_alloc(&product->scale, WIDEST, sizeof *product->scale));
    LLMC_TRY(llmc_alloc(&product->bias, WIDEST, sizeof *product->bias));
    for (size_t i = 0; i < rows * WIDEST; i++)
        product->x[i] = (uint8_t)(i * 37 % 251);
    for (size_t i = 0; i < (size_t)WIDEST * WIDEST; i++)
        product->panels[i] = (int8_t)(i * 29 % 255 - 127);
    for (size_t i = 0; i < WIDEST; i++)
        product->scale[i] = 1e-4f;
exit:
    return status;
}

static void product_release(struct product *product)
{
    free(product->x), free(product->y), free(product->panels);
    free(product->start), free(product->scale), free(product->bias);
}

static void multiply(const struct llmc_rt_kernels *kernels, const struct product *product, const struct shape *shape,
                     int thread)
{
    size_t first = (size_t)thread * ROWS * WIDEST;
    struct llmc_rt_weights_i8 weights = {shape->inputs / 4, shape->outputs, product->panels, product->start,
                                      product->scale, product->bias};
    struct llmc_rt_target target = {.u8 = product->y + first, .stride = WIDEST, .quantiser = {10.0f, 128}};
    kernels->linear_i8(&weights, 0, shape->outputs / LLMC_PANEL, product->x + first, WIDEST, ROWS, &target);
}

static void raise(double *best, double rate)
{
    *best = rate > *best ? rate : *best;
}

/* As many turns as take long enough to be measured. */
static double product_rate(const struct llmc_rt_kernels *kernels, const struct product *product,
                           const struct shape *shape,
                           int threads)
{
    double seconds = 0;
    int64_t turns = 1;
    for (; seconds < MEASURED_SECONDS; turns *= 2) {
        double start = llmc_clock();
#pragma omp parallel for num_threads(threads) schedule(static, 1)
        for (int thread = 0; thread < threads; thread++)
            for (int64_t turn = 0; turn < turns; turn++)
                multiply(kernels, product, shape, thread);
        seconds = llmc_clock() - start;
    }
    return 2.0 * ROWS * shape->inputs * shape->outputs * threads * (double)(turns / 2) / seconds;
}

static double instruction_rate(const struct llmc_rt_kernels *kernels, int threads)
{
    double seconds = 0, operations = 0;
    for (int64_t turns = 1; seconds < MEASURED_SECONDS; turns *= 2) {
        double start = llmc_clock();
        operations = 0;
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(+ : operations)
        for (int thread = 0; thread < threads; thread++)
            operations += (double)kernels->spin_i8(turns);
        seconds = llmc_clock() - start;
    }
    return operations / seconds;
}

llmc_status llmc_int8_peak(const struct llmc_rt_kernels *kernels, int threads, struct llmc_int8_peak *peak)
{
    llmc_status status = LLMC_OK;
    struct product product;
    LLMC_TRY(product_init(&product, threads));
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            raise(&peak->product, product_rate(kernels, &product, &shapes[i], threads));
        raise(&peak->instruction, instruction_rate(kernels, threads));
    }
exit:
    product_release(&product);
    return status;
}
