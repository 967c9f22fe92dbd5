/* How `llmc bench train` shows a pass: as a table, a roofline in words, or as JSON. */
#ifndef LLMC_CLI_BENCH_TRAIN_OUTPUT_H
#define LLMC_CLI_BENCH_TRAIN_OUTPUT_H

#include "bench/peak.h"
#include "bench/train_work.h"

#include <jansson.h>

/* Measured on this machine. */
struct llmc_bench_peaks {
    double gemm_flops_per_second; /* in the precision of the work */
    double bytes_per_second;
};

/* losses: [pass->steps], or NULL. The caller drops the reference; NULL when out of memory. */
json_t *llmc_bench_pass_json(const struct llmc_bench_work *work, const struct llmc_bench_pass *pass,
                             const struct llmc_bench_peaks *peaks, const double *losses);

void llmc_bench_print_pass(const struct llmc_bench_work *work, const struct llmc_bench_pass *pass,
                           const struct llmc_bench_peaks *peaks);

#endif
