/*
 * A matrix as operations see it: a view of numbers in row-major memory. A view
 * owns nothing.
 */
#ifndef LLMC_TENSOR_MATRIX_H
#define LLMC_TENSOR_MATRIX_H

#include "base/number.h"

struct llmc_matrix {
    void *data; /* [rows, cols], rows one after the other */
    enum llmc_number number; /* LLMC_F32, LLMC_F16, LLMC_BF16 */
    int64_t rows, cols;
};

static inline struct llmc_matrix llmc_matrix(void *data, enum llmc_number number, int64_t rows, int64_t cols)
{
    struct llmc_matrix matrix = {data, number, rows, cols};
    return matrix;
}

/* The address of a row. */
static inline void *llmc_matrix_row(const struct llmc_matrix *matrix, int64_t row)
{
    return (char *)matrix->data + (size_t)(row * matrix->cols) * llmc_number_nbytes(matrix->number);
}

#endif
