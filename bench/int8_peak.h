/* What the integer layers of the runtime are measured against: this machine's best with the same kernels. */
#ifndef LLMC_BENCH_INT8_PEAK_H
#define LLMC_BENCH_INT8_PEAK_H

#include "base/status.h"
#include "runtime/kernels/kernels.h"

/* Integer operations a second; a multiply-add is two. */
struct llmc_int8_peak {
    double product;     /* of the fastest of several products of matrices, with shapes as the caches like them: integers
                           in and out, no activation function */
    double instruction; /* of the product instruction alone, from registers to registers */
};

/* Measures for about a tenth of a second on `threads` threads, and raises *peak where it is faster.
 * Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_int8_peak(const struct llmc_rt_kernels *kernels, int threads, struct llmc_int8_peak *peak);

#endif
