/*
 * Several small integers in one byte, as digits of a number: bytes that deflate's code of whole bits suits better than
 * those of single integers (compressed.h). An integer of `bits` bits lies between -L and L, L = llmc_integer_limit(bits).
 */
#ifndef LLMC_FORMATS_CHECKPOINT_MIXED_H
#define LLMC_FORMATS_CHECKPOINT_MIXED_H

#include "base/status.h"

#include <stdint.h>

/* How many are in a byte: 5 of 2 bits, 2 of 3 or 4 bits, else 1. And the bytes of `count` of them. */
int64_t llmc_compressed_mixed_per_byte(int bits);
int64_t llmc_compressed_mixed_nbytes(int bits, int64_t count);

/* out [llmc_compressed_mixed_nbytes(bits, count)] of values [count], which must lie in the range of their bits. */
void llmc_compressed_mix(int bits, const int8_t *values, int64_t count, uint8_t *out);

/* The other way, of `rows` such rows: values [rows, cols], bytes [rows, llmc_compressed_mixed_nbytes(bits, cols)]. Errors:
 * LLMC_ERR_FORMAT: a byte that no values make, or digits behind the last value of a row that are not 0. */
llmc_status llmc_compressed_unmix(int bits, const uint8_t *bytes, int64_t rows, int64_t cols, int8_t *values);

#endif
