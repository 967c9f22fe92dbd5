#include "distill/relations.h"

#include "base/memory.h"

#include <stdlib.h>

llmc_status llmc_distill_relations(struct llmc_ops *ops, const struct llmc_matrix *student,
                                   const struct llmc_matrix *teacher, const struct llmc_sequences *sequences,
                                   int32_t heads, double weight, double scale, float *gradient, double *loss)
{
    llmc_status status = LLMC_OK;
    double *losses = NULL, factor = weight / ((double)heads * (double)student->rows);
    struct llmc_matrix out = llmc_matrix(gradient, LLMC_F32, student->rows, student->cols);
    LLMC_TRY(llmc_alloc(&losses, (size_t)sequences->count, sizeof *losses));
    LLMC_TRY(llmc_op_relations(ops, student, teacher, sequences, heads, (float)(factor * scale), &out, losses));
    for (int32_t s = 0; s < sequences->count; s++)
        *loss += factor * losses[s];
exit:
    free(losses);
    return status;
}
