/*
 * A narrower student starts from its teacher instead of at random: it works on the principal directions of the wide model's
 * hidden states (project.h, principal.h), found over some batches of the texts.
 *
 * A norm takes the mean off its numbers. So that nothing is lost by that, P has the H' - 1 first directions, spread over H'
 * numbers by the rows of the discrete cosine transform that sum to zero; spread also makes the numbers alike in size.
 *
 * Norms do not commute with P. Each number of the student's norms gets the weight and bias that, over the batches, come
 * nearest to what P^T makes of the wide model's norm: a line by least squares, norm after norm, with what the student then
 * has below. Where P only reorders the numbers, this is exact.
 */
#ifndef LLMC_DISTILL_PROJECTED_START_H
#define LLMC_DISTILL_PROJECTED_START_H

#include "architecture/parameters.h"
#include "tensor/operations.h"
#include "text/source.h"

struct llmc_projected_start {
    struct llmc_ops *ops;
    const struct llmc_text_source *texts;
    uint64_t seed;
    int32_t batch_size, batches; /* of texts at equal distances; few texts are all taken */
};

/* Fills `narrow`, which has the layers, vocabulary and labels of `wide` and a smaller `hidden`. All of it in FP32.
 * Errors: LLMC_ERR_MEMORY, LLMC_ERR_TORCH, those of the texts. */
llmc_status llmc_projected_start(const struct llmc_projected_start *start, const struct llmc_parameters *wide,
                                 struct llmc_parameters *narrow);

/* The second half of it, with a given projection: parameters and fitted norms. */
llmc_status llmc_projected_fit(const struct llmc_projected_start *start, const float *p,
                               const struct llmc_parameters *wide, struct llmc_parameters *narrow);

#endif
