/*
 * A model of another width: the parameters of a narrower model that works on y = P^T x where the wide one works on x, as
 * SliceGPT (Ashkboos et al., 2024) slices a model after rotating it. BERT's norms stand behind each sum, so that they do not
 * commute with P; they are fitted (projected_start.h).
 *
 * What reads x gets W P, and the bias that the mean of x needs which P loses; what writes it gets P^T W and P^T b. Heads and
 * ffn neurons stay. Behind the pooler each number is squashed by itself: the H' numbers stay that the classifier weighs most.
 *
 * P may have dependent columns, as where their sum is zero; x is then about P y all the same.
 */
#ifndef LLMC_DISTILL_PROJECT_H
#define LLMC_DISTILL_PROJECT_H

#include "architecture/parameters.h"
#include "tensor/operations.h"

struct llmc_projection {
    int32_t from, to;   /* H and H' */
    const float *p;     /* [H, H'] */
    const double *means; /* [2 layers + 1, H] of x behind each norm: of the embeddings, then two of each layer */
};

/* `to`: parameters of the same layers, vocabulary and labels as `from`, of width H' and no more positions. Fills all but the
 * norms, which become 1 and 0. Errors: LLMC_ERR_MEMORY, LLMC_ERR_TORCH. */
llmc_status llmc_project_parameters(struct llmc_ops *ops, const struct llmc_projection *projection,
                                    const struct llmc_parameters *from, struct llmc_parameters *to);

#endif
