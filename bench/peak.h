/* What this machine can do at best, measured: the ceilings of a roofline (Williams, Waterman and Patterson, 2009). */
#ifndef LLMC_BENCH_PEAK_H
#define LLMC_BENCH_PEAK_H

#include "base/status.h"
#include "tensor/operations.h"

/* Floating-point operations a second of the fastest of several products of operands of `number`, with shapes as large as
 * the caches like them, on the threads of `ops`. Takes about a tenth of a second. */
llmc_status llmc_peak_gemm(struct llmc_ops *ops, enum llmc_number number, double *flops_per_second);

/* Bytes a second of AdamW's pass over 32 million bytes an array: reads 4 arrays, writes 3. */
llmc_status llmc_peak_memory(struct llmc_ops *ops, double *bytes_per_second);

#endif
