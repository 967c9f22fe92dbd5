#include "tensor/operations_internal.h"

#include <string.h>

/* row += row `index` of a table, rounded. */
static void add_row(const struct llmc_kernels *k, const float *table, const struct llmc_rounding *rounding,
                    int64_t index, float *work, float *row, size_t n)
{
    const float *table_row = table + (size_t)index * n;
    if (rounding->limit > 0) {
        k->fake_weight(table_row, row_scale(k, rounding, index, table_row, n), rounding->limit, work, n);
        table_row = work;
    }
    k->add(row, table_row, n);
}

void llmc_op_gather(struct llmc_ops *ops, const float *table, const struct llmc_rounding *rounding, const int32_t *ids,
                    int32_t count, int64_t cols, float *out)
{
    size_t n = (size_t)cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, count, cols);
        for (int64_t i = w.begin; i < w.end; i++) {
            memset(out + (size_t)i * n, 0, n * sizeof *out);
            add_row(ops->kernels, table, rounding, ids[i], w.row[0], out + (size_t)i * n, n);
        }
    }
}

void llmc_op_embed(struct llmc_ops *ops, const struct llmc_embeddings *tables, const int32_t *ids,
                   const uint8_t *types, const struct llmc_sequences *sequences, const struct llmc_norm *norm,
                   const struct llmc_dropout *dropout, const struct llmc_matrix *normalised, float *rstd,
                   const struct llmc_matrix *y)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)y->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, sequences->count, y->cols);
        for (int64_t s = w.begin; s < w.end; s++) {
            for (int32_t t = sequences->offsets[s]; t < sequences->offsets[s + 1]; t++) {
                memset(w.row[0], 0, n * sizeof *w.row[0]);
                add_row(k, tables->words, &tables->words_rounding, tables->by_token ? t : ids[t], w.row[1], w.row[0], n);
                add_row(k, tables->positions, &tables->positions_rounding, t - sequences->offsets[s], w.row[1],
                        w.row[0], n);
                k->add(w.row[0], tables->types + (size_t)types[t] * n, n);
                rstd[t] = k->norm(w.row[0], norm->weight, norm->bias, norm->epsilon, w.row[1], n);
                if (normalised)
                    k->narrow(w.row[0], normalised->number, llmc_matrix_row(normalised, t), n);
                if (dropout->threshold)
                    k->dropout(w.row[1], dropout->key, (uint32_t)t * (uint32_t)n, dropout->threshold,
                               dropout->scale, n);
                k->narrow(w.row[1], y->number, llmc_matrix_row(y, t), n);
            }
        }
    }
}

void llmc_op_embed_backward(struct llmc_ops *ops, const struct llmc_matrix *dy_product,
                            const struct llmc_matrix *dy_residual, const struct llmc_matrix *normalised,
                            const float *rstd, const struct llmc_norm *norm, const struct llmc_dropout *dropout,
                            const struct llmc_matrix *dsum, float *dweight, float *dbias)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)dsum->cols;
    llmc_clear_partials(ops);
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, dsum->rows, dsum->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->sum(llmc_matrix_row(dy_product, t), dy_product->number, llmc_matrix_row(dy_residual, t),
                   dy_residual->number, w.row[0], n);
            if (dropout->threshold)
                k->dropout(w.row[0], dropout->key, (uint32_t)t * (uint32_t)n, dropout->threshold, dropout->scale, n);
            k->widen(llmc_matrix_row(normalised, t), normalised->number, w.row[1], n);
            k->norm_backward(w.row[1], rstd[t], norm->weight, w.row[0], w.row[0], w.partial[0], w.partial[1], n);
            k->narrow(w.row[0], dsum->number, llmc_matrix_row(dsum, t), n);
        }
    }
    llmc_add_partials(ops, 0, dsum->cols, dweight);
    llmc_add_partials(ops, 1, dsum->cols, dbias);
}

void llmc_op_sum_groups(struct llmc_ops *ops, const struct llmc_matrix *x, const int32_t *order,
                        const int32_t *starts, int32_t groups, float *out)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, groups, x->cols);
        for (int64_t g = w.begin; g < w.end; g++) {
            float *sum = out + (size_t)g * n;
            k->widen(llmc_matrix_row(x, order[starts[g]]), x->number, sum, n);
            for (int32_t i = starts[g] + 1; i < starts[g + 1]; i++) {
                k->sum(sum, LLMC_F32, llmc_matrix_row(x, order[i]), x->number, sum, n);
            }
        }
    }
}

void llmc_op_pick_rows(struct llmc_ops *ops, const struct llmc_matrix *x, const int32_t *rows,
                       const struct llmc_matrix *out)
{
    size_t n = (size_t)x->cols;
    for (int64_t i = 0; i < out->rows; i++) {
        if (out->number == x->number)
            memcpy(llmc_matrix_row(out, i), llmc_matrix_row(x, rows[i]), n * llmc_number_nbytes(x->number));
        else
            ops->kernels->widen(llmc_matrix_row(x, rows[i]), x->number, llmc_matrix_row(out, i), n);
    }
}
