#include "distill/hidden.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void llmc_hidden_memory_release(struct llmc_hidden_memory *memory)
{
    free(memory->difference);
    free(memory->projection);
    free(memory->squares);
    memset(memory, 0, sizeof *memory);
}

/* *array of at least `count` numbers of `nbytes`; *room: how many it has. Batches differ: it grows in few steps. */
static llmc_status grow(void *array, int64_t *room, int64_t count, size_t nbytes)
{
    void **place = array;
    if (count <= *room)
        return LLMC_OK;
    free(*place);
    *place = NULL;
    *room = 0;
    llmc_status status = llmc_alloc_unset(place, (size_t)(count + count / 4), nbytes);
    if (status == LLMC_OK)
        *room = count + count / 4;
    return status;
}

llmc_status llmc_distill_hidden(struct llmc_ops *ops, const struct llmc_hidden_pair *pair, double weight, double scale,
                                struct llmc_hidden_memory *memory, double *loss)
{
    llmc_status status = LLMC_OK;
    int64_t tokens = pair->student.rows, cols = pair->teacher.cols, hidden = pair->student.cols;
    double factor = weight / (double)(tokens * cols), sum = 0;
    struct llmc_operand student, projection, difference;
    struct llmc_matrix product;
    LLMC_TRY(llmc_ops_reserve(ops, cols > hidden ? cols : hidden, 1, 1));
    LLMC_TRY(grow(&memory->difference, &memory->numbers, tokens * cols, sizeof(float)));
    LLMC_TRY(grow(&memory->projection, &memory->weights, cols * hidden, sizeof(float)));
    LLMC_TRY(grow(&memory->squares, &memory->tokens, tokens, sizeof *memory->squares));
    struct llmc_matrix rounded = llmc_matrix(memory->projection, pair->student.number, cols, hidden);
    struct llmc_matrix d = llmc_matrix(memory->difference, pair->student.number, tokens, cols);
    ops->kernels->narrow(pair->projection, rounded.number, rounded.data, (size_t)(cols * hidden));

    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &pair->student, &student));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, &rounded, &projection));
    LLMC_TRY(llmc_gemm_run(&ops->gemm, LLMC_GEMM_NT, &student, &projection, &product));
    llmc_op_difference(ops, &product, &pair->teacher, (float)(2 * factor * scale), &d, memory->squares);
    for (int64_t t = 0; t < tokens; t++)
        sum += memory->squares[t];
    *loss += factor * sum;

    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &d, &difference));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, &rounded, &projection));
    LLMC_TRY(llmc_gemm_store(&ops->gemm, LLMC_GEMM_NN, &difference, &projection, pair->dstudent));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, &pair->student, &student));
    LLMC_TRY(llmc_gemm_store(&ops->gemm, LLMC_GEMM_TN, &difference, &student, pair->dprojection));
exit:
    return status;
}

void llmc_hidden_start(float *projection, int32_t teacher_hidden, int32_t student_hidden, uint64_t key)
{
    double bound = 1 / sqrt((double)student_hidden);
    for (int32_t row = 0; row < teacher_hidden; row++)
        for (int32_t col = 0; col < student_hidden; col++) {
            int64_t place = (int64_t)row * student_hidden + col;
            projection[place] = teacher_hidden == student_hidden
                                    ? (float)(row == col)
                                    : (float)(bound * (2 * llmc_random_uniform(key, (uint64_t)place) - 1));
        }
}
