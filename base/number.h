/*
 * Number formats, and their plain conversions.
 */
#ifndef LLMC_BASE_NUMBER_H
#define LLMC_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Formats of numbers in memory and in files. The values are written into files:
 * never reuse one, add at the end. */
enum llmc_number {
    LLMC_F32 = 0,
    LLMC_F16 = 1,  /* IEEE 754 half */
    LLMC_BF16 = 2, /* the upper half of an F32 */
    LLMC_I8 = 3,
    LLMC_U8 = 4,
    LLMC_I32 = 5,
    LLMC_I64 = 6,
};

/* "F32" ..., and the bytes of one number. */
const char *llmc_number_name(enum llmc_number number);
size_t llmc_number_nbytes(enum llmc_number number);

/* One number each way, rounded to nearest even; overflow gives infinity, NaN stays NaN.
 * The plain versions: fallback and oracle of the vector kernels. */
uint16_t llmc_f16_from_f32(float value);
float llmc_f32_from_f16(uint16_t value);
uint16_t llmc_bf16_from_f32(float value);
float llmc_f32_from_bf16(uint16_t value);

/* The largest of signed integers of 2 to 8 bits, of which the lowest is the negative: 127 for 8 bits, 7 for 4; 0 for
 * 0 bits, which stand for no integers. */
int32_t llmc_integer_limit(int32_t bits);

#endif
