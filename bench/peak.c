#include "bench/peak.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

enum { REPEATS = 12, NUMBERS = 8 << 20 };

llmc_status llmc_peak_gemm(struct llmc_ops *ops, enum llmc_number number, double *flops_per_second)
{
    static const int64_t shapes[][3] = {{512, 384, 384}, {512, 1536, 384}, {1024, 1024, 1024}, {2048, 1536, 384}};
    llmc_status status = LLMC_OK;
    float *ones = NULL;
    enum llmc_operand_form form = llmc_gemm_operand_form(&ops->gemm, number);
    *flops_per_second = 0;
    LLMC_TRY(llmc_alloc(&ones, 2 * 2048 * 2048, sizeof *ones)); /* zeros: products take the same time */
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        int64_t m = shapes[s][0], n = shapes[s][1], depth = shapes[s][2];
        struct llmc_operand a = llmc_operand(ones, form, number, m, depth);
        struct llmc_operand b = llmc_operand(ones + 2048 * 2048, form, number, n, depth);
        struct llmc_matrix product;
        for (int i = 0; i < REPEATS; i++) {
            double start = llmc_clock();
            LLMC_TRY(llmc_gemm_run(&ops->gemm, LLMC_GEMM_NT, &a, &b, &product));
            double rate = 2.0 * (double)m * (double)n * (double)depth / (llmc_clock() - start);
            *flops_per_second = rate > *flops_per_second ? rate : *flops_per_second;
        }
    }
exit:
    free(ones);
    return status;
}

llmc_status llmc_peak_memory(struct llmc_ops *ops, double *bytes_per_second)
{
    llmc_status status = LLMC_OK;
    float *arrays[4] = {0};
    *bytes_per_second = 0;
    LLMC_TRY(llmc_ops_reserve(ops, 1024, 1, 1));
    for (int i = 0; i < 4; i++)
        LLMC_TRY(llmc_alloc(&arrays[i], NUMBERS, sizeof *arrays[i]));
    struct llmc_update update = {
        .settings = {1e-4f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.1f, 0.001f, 1},
        .p = arrays[0],
        .m = arrays[1],
        .v = arrays[2],
        .g = arrays[3],
        .rows = NUMBERS / 1024,
        .cols = 1024,
    };
    for (int i = 0; i < REPEATS; i++) {
        double start = llmc_clock();
        llmc_op_update(ops, &update, 1);
        double rate = 7.0 * 4.0 * NUMBERS / (llmc_clock() - start);
        *bytes_per_second = rate > *bytes_per_second ? rate : *bytes_per_second;
    }
exit:
    for (int i = 0; i < 4; i++)
        free(arrays[i]);
    return status;
}
