/*
 * The student's self-attention relations follow the teacher's (MiniLMv2: Wang et al., 2021, "Multi-Head Self-Attention
 * Relation Distillation").
 *
 * Queries of a text, [n, A], are divided into R relation heads of A / R numbers, whatever the attention heads are. A head's
 * relation is softmax(x x^T / sqrt(A / R)), [n, n]. So for keys, and for values.
 *
 *     loss = weight * sum over queries, keys, values of the mean over relation heads and tokens of KL(teacher || student)
 *
 * Each text has its own relations; all tokens of a batch weigh the same.
 */
#ifndef LLMC_DISTILL_RELATIONS_H
#define LLMC_DISTILL_RELATIONS_H

#include "base/status.h"
#include "tensor/operations.h"

/* student [T, 3 A_s] and teacher [T, 3 A_t]: queries, keys, values; `heads` divides A_s and A_t. Adds to *loss, overwrites
 * gradient [T, 3 A_s] by scale * the gradient. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_distill_relations(struct llmc_ops *ops, const struct llmc_matrix *student,
                                   const struct llmc_matrix *teacher, const struct llmc_sequences *sequences,
                                   int32_t heads, double weight, double scale, float *gradient, double *loss);

#endif
