/*
 * The form in which a matrix goes into a product.
 *
 * Numbers of the operands   form on most processors   with AMX (LibTorch with MKL)
 *   F32                     F32                       F32
 *   BF16                    BF16                      BF16
 *   F16                     F32, widened              SPLIT
 *
 * SPLIT is an F16 number as the sum of two BF16 numbers: its upper 8 significant
 * bits and the rest (at most 3), so nothing is lost. Tile instructions multiply BF16
 * about six times as fast as vector instructions multiply F32, so that the three
 * products of parts that matter take half the time of one in F32 (the splitting is
 * that of Henry, Tang and Heinecke, 2019, "Leveraging the bfloat16 Artificial
 * Intelligence Datatype For Higher-Precision Computations").
 */
#ifndef LLMC_TENSOR_OPERAND_H
#define LLMC_TENSOR_OPERAND_H

#include "base/number.h"

#include <stddef.h>
#include <stdint.h>

enum llmc_operand_form { LLMC_OPERAND_F32, LLMC_OPERAND_BF16, LLMC_OPERAND_SPLIT };

/* A view: owns nothing. */
struct llmc_operand {
    void *data; /* [rows, cols]; SPLIT: [2, rows, cols], the upper parts first */
    enum llmc_operand_form form;
    enum llmc_number number; /* what the numbers were rounded to */
    int64_t rows, cols;
};

/* Bytes that one number takes. */
static inline size_t llmc_operand_nbytes(enum llmc_operand_form form)
{
    return form == LLMC_OPERAND_BF16 ? 2 : 4;
}

#endif
