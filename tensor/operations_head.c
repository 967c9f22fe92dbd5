#include "tensor/operations_internal.h"

#include <math.h>
#include <string.h>

/* The head works on one row a text: too little to be worth threads. */

void llmc_op_tanh_dropout(struct llmc_ops *ops, const struct llmc_matrix *x, const struct llmc_dropout *dropout,
                          const struct llmc_matrix *y)
{
    float *tanh_values = x->data, *out = y->data;
    int64_t count = x->rows * x->cols;
    for (int64_t i = 0; i < count; i++)
        out[i] = tanh_values[i] = tanhf(tanh_values[i]);
    if (dropout->threshold)
        ops->kernels->dropout(out, dropout->key, 0, dropout->threshold, dropout->scale, (size_t)count);
}

void llmc_op_tanh_dropout_backward(struct llmc_ops *ops, const struct llmc_matrix *product,
                                   const struct llmc_matrix *tanh_values, const struct llmc_dropout *dropout,
                                   const struct llmc_matrix *dx)
{
    const float *values = tanh_values->data;
    float *out = dx->data;
    int64_t count = product->rows * product->cols;
    memcpy(out, product->data, (size_t)count * sizeof *out);
    if (dropout->threshold)
        ops->kernels->dropout(out, dropout->key, 0, dropout->threshold, dropout->scale, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        out[i] *= 1.0f - values[i] * values[i];
}

void llmc_op_place_rows(struct llmc_ops *ops, const struct llmc_matrix *rows, const int32_t *places, int32_t count,
                        const struct llmc_matrix *out)
{
    size_t n = (size_t)out->cols;
    memset(out->data, 0, (size_t)out->rows * n * llmc_number_nbytes(out->number));
    for (int32_t i = 0; i < count; i++)
        ops->kernels->widen(llmc_matrix_row(rows, i), rows->number, llmc_matrix_row(out, places[i]), n);
}
