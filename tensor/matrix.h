/*
 * A matrix as operations see it: a view of numbers in row-major memory. A view
 * owns nothing.
 */
#ifndef LLMC_TENSOR_MATRIX_H
#define LLMC_TENSOR_MATRIX_H

#include "base/number.h"

/* oneDNN makes code for every shape that a product has, which takes longer than a small product, and keeps that of the last
 * 1024. Batches have other numbers of tokens each time; products of matrices with room go on to a multiple of this. */
enum { LLMC_ROWS_STEP = 32 };

struct llmc_matrix {
    void *data; /* [rows, cols], rows one after the other */
    enum llmc_number number; /* LLMC_F32, LLMC_F16, LLMC_BF16 */
    int64_t rows, cols;
    int64_t room; /* rows that the memory has: numbers behind `rows` may be read, and set to zero, by products */
};

/* A matrix without room. */
static inline struct llmc_matrix llmc_matrix(void *data, enum llmc_number number, int64_t rows, int64_t cols)
{
    struct llmc_matrix matrix = {data, number, rows, cols, rows};
    return matrix;
}

static inline int64_t llmc_rows_with_room(int64_t rows)
{
    return (rows + LLMC_ROWS_STEP - 1) / LLMC_ROWS_STEP * LLMC_ROWS_STEP;
}

/* At most as many rows and columns, in the memory of another. */
static inline struct llmc_matrix llmc_matrix_within(const struct llmc_matrix *other, int64_t rows, int64_t cols)
{
    struct llmc_matrix matrix = *other;
    matrix.rows = rows;
    matrix.cols = cols;
    return matrix;
}

/* The address of a row. */
static inline void *llmc_matrix_row(const struct llmc_matrix *matrix, int64_t row)
{
    return (char *)matrix->data + (size_t)(row * matrix->cols) * llmc_number_nbytes(matrix->number);
}

#endif
