/*
 * Weights as integers: exactly those that fake quantisation simulates
 * (llmc_op_cast_weight): scale = absmax of the row / limit, integer =
 * clamp(rint(weight / scale), -limit, limit), limit = llmc_integer_limit(bits).
 */
#ifndef LLMC_QUANTIZE_PACK_H
#define LLMC_QUANTIZE_PACK_H

#include <stdint.h>

/* weights [rows, cols] -> integers [rows, cols], scales [rows]; a row of zeros has scale 1. */
void llmc_pack_rows(const float *weights, int64_t rows, int64_t cols, int bits, int8_t *integers, float *scales);

#endif
