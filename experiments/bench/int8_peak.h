/* What the integer products of the runtime are measured against: this machine's best, at the same instructions. */
#ifndef LLMC_EXPERIMENTS_BENCH_INT8_PEAK_H
#define LLMC_EXPERIMENTS_BENCH_INT8_PEAK_H

/* Integer operations a second (a multiply-add is two) of `threads` threads that do nothing but the product instruction
 * of the kernels of this name (kernels.h), from registers to registers. 0 where the name has no such instruction:
 * "portable". Takes about 20 ms. */
double llmc_int8_peak(const char *kernels, int threads);

#endif
