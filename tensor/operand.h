/*
 * The form in which a matrix goes into a product.
 *
 * Numbers of the operands   form on most processors   with tiles (tiles.h)   weights with tiles
 *   F32                     F32                       F32                    F32
 *   BF16                    BF16                      BF16                   PACKED
 *   F16                     F32, widened              F16                    PACKED
 */
#ifndef LLMC_TENSOR_OPERAND_H
#define LLMC_TENSOR_OPERAND_H

#include "base/number.h"

#include <stddef.h>
#include <stdint.h>

enum llmc_operand_form { LLMC_OPERAND_F32, LLMC_OPERAND_BF16, LLMC_OPERAND_F16, LLMC_OPERAND_PACKED };

/* A view: owns nothing. */
struct llmc_operand {
    void *data; /* [rows, cols] row by row; PACKED: as struct llmc_tiles_weight tells */
    enum llmc_operand_form form;
    enum llmc_number number; /* what the numbers were rounded to */
    int64_t rows, cols;
    int64_t room; /* as of struct llmc_matrix */
};

/* One without room. */
static inline struct llmc_operand llmc_operand(void *data, enum llmc_operand_form form, enum llmc_number number, int64_t rows,
                                               int64_t cols)
{
    struct llmc_operand operand = {data, form, number, rows, cols, rows};
    return operand;
}

/* Bytes of an operand's memory. */
size_t llmc_operand_nbytes(const struct llmc_operand *operand);

#endif
