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

/* Rows [row, row + count) of an operand = values, rounded to its number format; w has scratch rows. */
static void store_rows(const struct llmc_kernels *k, const struct llmc_weight_copy *copy, int64_t row, int64_t count,
                       const float *values, struct worker *w)
{
    const struct llmc_operand *out = &copy->operand;
    size_t n = (size_t)out->cols;
    uint16_t *half = (uint16_t *)w->row[1], *upper = out->data;
    for (int64_t end = row + count; row < end; row++, values += n) {
        size_t first = (size_t)row * n;
        const float *rounded = values;
        if (copy->integer_limit > 0) {
            float scale = k->absmax(values, n) / copy->integer_limit;
            k->fake_weight(values, scale > 0 ? scale : 1.0f, copy->integer_limit, w->row[0], n);
            rounded = w->row[0];
        }
        if (out->number != LLMC_F16) {
            k->narrow(rounded, out->number, (char *)out->data + first * llmc_number_nbytes(out->number), n);
            continue;
        }
        k->narrow(rounded, LLMC_F16, half, n);
        if (out->form == LLMC_OPERAND_SPLIT)
            k->split(half, upper + first, upper + (size_t)out->rows * n + first, n);
        else
            k->widen(half, LLMC_F16, (float *)out->data + first, n);
    }
}

void llmc_op_cast_weight(struct llmc_ops *ops, const float *weight, int64_t rows, const struct llmc_weight_copy *copy)
{
    const struct llmc_kernels *k = ops->kernels;
    int64_t cols = copy->operand.cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, rows, cols);
        store_rows(k, copy, copy->first_row + w.begin, w.end - w.begin, weight + w.begin * cols, &w);
    }
}

/* Rows that a thread updates at a time: they stay in its first cache until their copy is made (32 rows took a quarter
 * longer). */
enum { UPDATE_ROWS = 4 };

static int64_t update_blocks(const struct llmc_update *update)
{
    return (update->rows + UPDATE_ROWS - 1) / UPDATE_ROWS;
}

static void update_block(const struct llmc_kernels *k, const struct llmc_update *u, int64_t block, struct worker *w)
{
    int64_t row = block * UPDATE_ROWS, left = u->rows - row;
    int64_t count = left < UPDATE_ROWS ? left : UPDATE_ROWS, first = row * u->cols;
    size_t n = (size_t)(count * u->cols);
    k->adamw(&u->settings, u->p + first, u->m + first, u->v + first, u->g + first, n);
    if (u->mask)
        k->mask(u->p + first, u->mask + first, n);
    if (u->copy.operand.data)
        store_rows(k, &u->copy, u->copy.first_row + row, count, u->p + first, w);
}

void llmc_op_update(struct llmc_ops *ops, const struct llmc_update *updates, int32_t count)
{
    int64_t blocks = 0, widest = 1;
    for (int32_t i = 0; i < count; i++) {
        blocks += update_blocks(&updates[i]);
        widest = updates[i].copy.operand.data && updates[i].cols > widest ? updates[i].cols : widest;
    }
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, blocks, widest); /* blocks are numbered through all updates */
        int64_t first = 0;
        for (int32_t i = 0; i < count; i++) {
            int64_t own = update_blocks(&updates[i]);
            for (int64_t block = w.begin > first ? w.begin - first : 0; block < own && first + block < w.end; block++)
                update_block(ops->kernels, &updates[i], block, &w);
            first += own;
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
