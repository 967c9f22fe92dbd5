/*
 * Weights as integers: exactly those that fake quantisation simulates
 * (llmc_op_cast_weight): scale = the row's step, or its absmax / limit where it has
 * none, integer = clamp(rint(weight / scale), -limit, limit), limit =
 * llmc_integer_limit(bits).
 */
#ifndef LLMC_QUANTIZE_PACK_H
#define LLMC_QUANTIZE_PACK_H

#include <stdint.h>

/* weights [rows, cols] -> integers [rows, cols], scales [rows]; steps [rows], 0 or NULL: none. A row of zeros without a step
 * has scale 1. */
void llmc_pack_rows(const float *weights, int64_t rows, int64_t cols, int bits, const float *steps, int8_t *integers,
                    float *scales);

#endif
