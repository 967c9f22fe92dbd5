#include "tensor/operations_internal.h"

void llmc_op_fake_input(struct llmc_ops *ops, const struct llmc_quantizer *quantizer, const struct llmc_matrix *x,
                        const struct llmc_matrix *y)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, x->rows, x->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(x, t), x->number, w.row[0], n);
            k->fake_input(quantizer, w.row[0], w.row[0], n);
            k->narrow(w.row[0], y->number, llmc_matrix_row(y, t), n);
        }
    }
}

void llmc_op_fake_input_backward(struct llmc_ops *ops, const struct llmc_quantizer *quantizer,
                                 const struct llmc_matrix *x, const struct llmc_matrix *product, double *dscale)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
    double sums[LLMC_THREADS_MAX] = {0};
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, x->rows, x->cols);
        double sum = 0;
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(x, t), x->number, w.row[0], n);
            k->widen(llmc_matrix_row(product, t), product->number, w.row[1], n);
            sum += k->fake_input_backward(quantizer, w.row[0], w.row[1], w.row[1], n);
            k->narrow(w.row[1], product->number, llmc_matrix_row(product, t), n);
        }
        sums[w.thread] = sum;
    }
    for (int thread = 0; thread < ops->threads; thread++)
        *dscale += sums[thread];
}

void llmc_op_min_max(struct llmc_ops *ops, const struct llmc_matrix *x, float *min, float *max)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
    float low = *min, high = *max;
#pragma omp parallel reduction(min : low) reduction(max : high)
    {
        struct worker w = llmc_worker(ops, x->rows, x->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(x, t), x->number, w.row[0], n);
            k->min_max(w.row[0], &low, &high, n);
        }
    }
    *min = low;
    *max = high;
}

/* Row `row` of an operand = values, rounded to its number format; half is scratch for a row. */
static void store_operand_row(const struct llmc_kernels *k, const struct llmc_operand *out, int64_t row,
                              const float *values, uint16_t *half)
{
    size_t n = (size_t)out->cols, first = (size_t)row * n;
    uint16_t *upper = out->data;
    if (out->number != LLMC_F16) {
        k->narrow(values, out->number, (char *)out->data + first * llmc_number_nbytes(out->number), n);
        return;
    }
    k->narrow(values, LLMC_F16, half, n);
    if (out->form == LLMC_OPERAND_SPLIT)
        k->split(half, upper + first, upper + (size_t)out->rows * n + first, n);
    else
        k->widen(half, LLMC_F16, (float *)out->data + first, n);
}

void llmc_op_cast_weight(struct llmc_ops *ops, const float *weight, float integer_limit,
                         const struct llmc_operand *out)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)out->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, out->rows, out->cols);
        for (int64_t row = w.begin; row < w.end; row++) {
            const float *values = weight + row * out->cols;
            if (integer_limit > 0) {
                float scale = k->absmax(values, n) / integer_limit;
                k->fake_weight(values, scale > 0 ? scale : 1.0f, integer_limit, w.row[0], n);
                values = w.row[0];
            }
            store_operand_row(k, out, row, values, (uint16_t *)w.row[1]);
        }
    }
}

/* Flat arrays are divided in blocks of this size, so that every thread count cuts at aligned places. */
enum { FLAT = 4096 };

double llmc_op_sum_squares(struct llmc_ops *ops, const float *x, int64_t n)
{
    int64_t blocks = (n + FLAT - 1) / FLAT;
    double total = 0;
    double sums[LLMC_THREADS_MAX] = {0};
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, blocks, 1);
        double sum = 0;
        for (int64_t block = w.begin; block < w.end; block++) {
            int64_t first = block * FLAT;
            sum += ops->kernels->sum_squares(x + first, (size_t)(n - first < FLAT ? n - first : FLAT));
        }
        sums[w.thread] = sum;
    }
    for (int thread = 0; thread < ops->threads; thread++)
        total += sums[thread];
    return total;
}

void llmc_op_adamw(struct llmc_ops *ops, const struct llmc_adamw *settings, float *p, float *m, float *v,
                   const float *g, int64_t n)
{
    int64_t blocks = (n + FLAT - 1) / FLAT;
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < blocks; block++) {
        int64_t first = block * FLAT;
        ops->kernels->adamw(settings, p + first, m + first, v + first, g + first,
                            (size_t)(n - first < FLAT ? n - first : FLAT));
    }
}
