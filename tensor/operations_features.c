#include "tensor/operations_internal.h"

#include "base/memory.h"

#include <omp.h>
#include <stdlib.h>

void llmc_op_difference(struct llmc_ops *ops, const struct llmc_matrix *x, const struct llmc_matrix *y, float factor,
                        const struct llmc_matrix *out, double *squares)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, x->rows, x->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(x, t), x->number, w.row[0], n);
            k->widen(llmc_matrix_row(y, t), y->number, w.row[1], n);
            for (size_t i = 0; i < n; i++)
                w.row[0][i] -= w.row[1][i];
            squares[t] = k->sum_squares(w.row[0], n);
            for (size_t i = 0; i < n; i++)
                w.row[0][i] *= factor;
            k->narrow(w.row[0], out->number, llmc_matrix_row(out, t), n);
        }
    }
}

/* The columns of one head in the tokens of one sequence. */
static struct llmc_head_rows rows_at(const struct llmc_matrix *matrix, int32_t token, int64_t column)
{
    char *data = (char *)matrix->data + (size_t)(token * matrix->cols + column) * llmc_number_nbytes(matrix->number);
    return (struct llmc_head_rows){data, matrix->number, (size_t)matrix->cols};
}

llmc_status llmc_op_relations(struct llmc_ops *ops, const struct llmc_matrix *student, const struct llmc_matrix *teacher,
                              const struct llmc_sequences *sequences, int32_t heads, float factor,
                              const struct llmc_matrix *gradient, double *losses)
{
    int32_t size = (int32_t)(student->cols / 3 / heads), teacher_size = (int32_t)(teacher->cols / 3 / heads), longest = 1;
    llmc_status status = LLMC_OK;
    float *work = NULL;
    for (int32_t s = 0; s < sequences->count; s++) {
        int32_t length = sequences->offsets[s + 1] - sequences->offsets[s];
        longest = length > longest ? length : longest;
    }
    size_t width = llmc_relation_work(longest, size, teacher_size);
    LLMC_TRY(llmc_alloc_unset(&work, (size_t)ops->threads * width, sizeof *work));
#pragma omp parallel for schedule(dynamic)
    for (int32_t s = 0; s < sequences->count; s++) {
        int32_t first = sequences->offsets[s];
        losses[s] = 0;
        for (int32_t h = 0; h < 3 * heads; h++) { /* those of queries, then of keys, then of values */
            struct llmc_relation_head head = {
                .length = sequences->offsets[s + 1] - first,
                .student_size = size,
                .teacher_size = teacher_size,
                .student = rows_at(student, first, (int64_t)h * size),
                .teacher = rows_at(teacher, first, (int64_t)h * teacher_size),
                .work = work + (size_t)omp_get_thread_num() * width,
            };
            struct llmc_head_rows out = rows_at(gradient, first, (int64_t)h * size);
            losses[s] += ops->kernels->relation(&head, factor, &out);
        }
    }
exit:
    free(work);
    return status;
}
