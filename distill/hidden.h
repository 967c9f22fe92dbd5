/*
 * The student's hidden states follow the teacher's: the mean squared error behind a learned projection (FitNets: Romero et
 * al., 2015; TinyBERT: Jiao et al., 2020).
 *
 *     loss = weight * mean over T tokens and H_t numbers of (student W^T - teacher)^2,   W [H_t, H_s]
 *
 * Products take operands in the number format of the activations, W rounded to it; sums of the loss are in double.
 */
#ifndef LLMC_DISTILL_HIDDEN_H
#define LLMC_DISTILL_HIDDEN_H

#include "base/status.h"
#include "tensor/operations.h"

struct llmc_hidden_pair {
    struct llmc_matrix student; /* [T, H_s] of one number format */
    struct llmc_matrix teacher; /* [T, H_t] of the same */
    const float *projection;    /* W */
    float *dstudent;            /* [T, H_s] overwritten by scale * the gradient */
    float *dprojection;         /* [H_t, H_s] so too */
};

/* Memory that is reused from batch to batch; zeroed is empty. */
struct llmc_hidden_memory {
    void *difference, *projection; /* operands [T, H_t] and [H_t, H_s] */
    double *squares;               /* [T] */
    int64_t numbers, tokens, weights;
};
void llmc_hidden_memory_release(struct llmc_hidden_memory *memory);

/* Adds to *loss. Errors: LLMC_ERR_MEMORY, LLMC_ERR_TORCH. */
llmc_status llmc_distill_hidden(struct llmc_ops *ops, const struct llmc_hidden_pair *pair, double weight, double scale,
                                struct llmc_hidden_memory *memory, double *loss);

/* Where W starts: the identity where the widths are equal, else numbers as those of torch.nn.Linear, uniform within
 * 1 / sqrt(H_s). */
void llmc_hidden_start(float *projection, int32_t teacher_hidden, int32_t student_hidden, uint64_t key);

#endif
