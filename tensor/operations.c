#include "tensor/operations.h"

#include "base/memory.h"
#include "tensor/operations_internal.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

llmc_status llmc_ops_init(struct llmc_ops *ops, int threads)
{
    memset(ops, 0, sizeof *ops);
    threads = threads ? threads : llmc_threads_all();
    ops->threads = threads < LLMC_THREADS_MAX ? threads : LLMC_THREADS_MAX;
    ops->kernels = llmc_kernels_best();
    omp_set_dynamic(0);
    omp_set_num_threads(ops->threads);
    return llmc_gemm_init(&ops->gemm, ops->kernels);
}

void llmc_ops_release(struct llmc_ops *ops)
{
    llmc_gemm_release(&ops->gemm);
    free(ops->scratch);
    free(ops->partials);
    memset(ops, 0, sizeof *ops);
}

static size_t pad64(size_t count)
{
    return (count + 15) / 16 * 16;
}

llmc_status llmc_ops_reserve(struct llmc_ops *ops, int64_t width, int32_t length, int32_t head)
{
    llmc_status status = LLMC_OK;
    size_t rows = SCRATCH_ROWS * pad64((size_t)width);
    size_t heads = pad64(llmc_attention_work(length, head));
    size_t scratch = rows > heads ? rows : heads;
    size_t partial = PARTIAL_ROWS * pad64((size_t)width);
    if (scratch > ops->scratch_width) {
        free(ops->scratch);
        ops->scratch_width = 0;
        LLMC_TRY(llmc_alloc(&ops->scratch, scratch * (size_t)ops->threads, sizeof *ops->scratch));
        ops->scratch_width = scratch;
    }
    if (partial > ops->partial_width) {
        free(ops->partials);
        ops->partial_width = 0;
        LLMC_TRY(llmc_alloc(&ops->partials, partial * (size_t)ops->threads, sizeof *ops->partials));
        ops->partial_width = partial;
    }
exit:
    return status;
}

struct worker llmc_worker(struct llmc_ops *ops, int64_t rows, int64_t width)
{
    struct worker worker;
    worker.thread = omp_get_thread_num();
    int team = omp_get_num_threads();
    worker.begin = rows * worker.thread / team;
    worker.end = rows * (worker.thread + 1) / team;
    float *scratch = ops->scratch + (size_t)worker.thread * ops->scratch_width;
    for (int i = 0; i < SCRATCH_ROWS; i++)
        worker.row[i] = scratch + (size_t)i * pad64((size_t)width);
    float *partials = ops->partials + (size_t)worker.thread * ops->partial_width;
    for (int i = 0; i < PARTIAL_ROWS; i++)
        worker.partial[i] = partials + (size_t)i * pad64((size_t)width);
    return worker;
}

void llmc_add_partials(struct llmc_ops *ops, int partial, int64_t width, float *sum)
{
    for (int thread = 0; thread < ops->threads; thread++)
        ops->kernels->add(sum, ops->partials + (size_t)thread * ops->partial_width + (size_t)partial * pad64((size_t)width),
                          (size_t)width);
}

void llmc_clear_partials(struct llmc_ops *ops)
{
    memset(ops->partials, 0, (size_t)ops->threads * ops->partial_width * sizeof *ops->partials);
}

void llmc_op_bias(struct llmc_ops *ops, const struct llmc_matrix *product, const float *bias,
                  const struct llmc_matrix *out)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)product->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, product->rows, product->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->sum(llmc_matrix_row(product, t), product->number, bias, LLMC_F32, w.row[0], n);
            k->narrow(w.row[0], out->number, llmc_matrix_row(out, t), n);
        }
    }
}

void llmc_op_add(struct llmc_ops *ops, const float *x, const struct llmc_matrix *y)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)y->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, y->rows, y->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->sum(llmc_matrix_row(y, t), y->number, x + t * y->cols, LLMC_F32, w.row[0], n);
            k->narrow(w.row[0], y->number, llmc_matrix_row(y, t), n);
        }
    }
}

void llmc_op_bias_activation(struct llmc_ops *ops, const struct llmc_matrix *product, const float *bias,
                             enum llmc_activation kind, const struct llmc_matrix *before,
                             const struct llmc_matrix *after)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)product->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, product->rows, product->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->sum(llmc_matrix_row(product, t), product->number, bias, LLMC_F32, w.row[0], n);
            if (before)
                k->narrow(w.row[0], before->number, llmc_matrix_row(before, t), n);
            k->activation(kind, w.row[0], n);
            k->narrow(w.row[0], after->number, llmc_matrix_row(after, t), n);
        }
    }
}

void llmc_op_residual_norm(struct llmc_ops *ops, const struct llmc_matrix *product, const float *bias,
                           const struct llmc_dropout *dropout, const struct llmc_matrix *residual,
                           const struct llmc_norm *norm, const struct llmc_matrix *normalised, float *rstd,
                           const struct llmc_matrix *y)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)product->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, product->rows, product->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->sum(llmc_matrix_row(product, t), product->number, bias, LLMC_F32, w.row[0], n);
            if (dropout->threshold)
                k->dropout(w.row[0], dropout->key, (uint32_t)(t * product->cols), dropout->threshold, dropout->scale, n);
            k->sum(w.row[0], LLMC_F32, llmc_matrix_row(residual, t), residual->number, w.row[0], n);
            rstd[t] = k->norm(w.row[0], norm->weight, norm->bias, norm->epsilon, w.row[1], n);
            if (normalised)
                k->narrow(w.row[0], normalised->number, llmc_matrix_row(normalised, t), n);
            k->narrow(w.row[1], y->number, llmc_matrix_row(y, t), n);
        }
    }
}

void llmc_op_residual_norm_backward(struct llmc_ops *ops, const struct llmc_matrix *dy_product,
                                    const struct llmc_matrix *dy_residual, const struct llmc_matrix *normalised,
                                    const float *rstd, const struct llmc_norm *norm,
                                    const struct llmc_dropout *dropout, const struct llmc_matrix *dsum,
                                    const struct llmc_matrix *dbranch, float *dweight, float *dbias,
                                    float *dbranch_bias)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)normalised->cols;
    llmc_clear_partials(ops);
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, normalised->rows, normalised->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            if (dy_residual)
                k->sum(llmc_matrix_row(dy_product, t), dy_product->number, llmc_matrix_row(dy_residual, t),
                       dy_residual->number, w.row[0], n);
            else
                k->widen(llmc_matrix_row(dy_product, t), dy_product->number, w.row[0], n);
            k->widen(llmc_matrix_row(normalised, t), normalised->number, w.row[1], n);
            k->norm_backward(w.row[1], rstd[t], norm->weight, w.row[0], w.row[0], w.partial[0], w.partial[1], n);
            k->narrow(w.row[0], dsum->number, llmc_matrix_row(dsum, t), n);
            if (dropout->threshold) {
                k->dropout(w.row[0], dropout->key, (uint32_t)(t * normalised->cols), dropout->threshold,
                           dropout->scale, n);
                k->narrow(w.row[0], dbranch->number, llmc_matrix_row(dbranch, t), n);
            }
            k->add(w.partial[2], w.row[0], n);
        }
    }
    llmc_add_partials(ops, 0, normalised->cols, dweight);
    llmc_add_partials(ops, 1, normalised->cols, dbias);
    if (dbranch_bias)
        llmc_add_partials(ops, 2, normalised->cols, dbranch_bias);
}

void llmc_op_activation_backward(struct llmc_ops *ops, const struct llmc_matrix *product,
                                 const struct llmc_matrix *before, enum llmc_activation kind,
                                 const struct llmc_matrix *dbefore, float *dbias)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)product->cols;
    llmc_clear_partials(ops);
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, product->rows, product->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(product, t), product->number, w.row[0], n);
            k->widen(llmc_matrix_row(before, t), before->number, w.row[1], n);
            k->activation_backward(kind, w.row[1], w.row[0], w.row[0], n);
            k->narrow(w.row[0], dbefore->number, llmc_matrix_row(dbefore, t), n);
            k->add(w.partial[0], w.row[0], n);
        }
    }
    llmc_add_partials(ops, 0, product->cols, dbias);
}

void llmc_op_sum_rows(struct llmc_ops *ops, const struct llmc_matrix *x, float *sum)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
    llmc_clear_partials(ops);
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, x->rows, x->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(x, t), x->number, w.row[0], n);
            k->add(w.partial[0], w.row[0], n);
        }
    }
    llmc_add_partials(ops, 0, x->cols, sum);
}
