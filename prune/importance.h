/*
 * How much the loss would change without a head or a neuron: each has a gate that is 1, and the gradient of the loss by
 * that gate says it. A head's or a neuron's output is read by the weight W behind it alone, in its own columns j, so
 * that the gradient by its gate is the sum of W[:, j] * dW[:, j]: nothing of the model has to change.
 *
 *     taylor   mean over batches of |g|  (Molchanov et al., 2019)
 *     fisher   mean over batches of g^2, the diagonal of the empirical Fisher information (Kwon et al., 2022); the
 *              model is near a minimum, where the first order vanishes
 *
 * Importances are kept as sums in one array, which a part checkpoint holds: the number of batches, then of each layer its
 * heads and its neurons.
 */
#ifndef LLMC_PRUNE_IMPORTANCE_H
#define LLMC_PRUNE_IMPORTANCE_H

#include "model/bert.h"

enum llmc_importance_kind { LLMC_IMPORTANCE_FISHER, LLMC_IMPORTANCE_TAYLOR };

/* Numbers in the array. */
int64_t llmc_importance_count(const struct llmc_architecture *architecture);

/* Where those of layer `layer` begin: [heads], then [ffn]. */
int64_t llmc_importance_place(const struct llmc_architecture *architecture, int32_t layer);

/* Adds a batch: gradients of `scale` times its loss, taken with the parameters as they are. */
void llmc_importance_add(float *importance, const struct llmc_parameters *parameters,
                         const struct llmc_gradients *gradients, double scale, enum llmc_importance_kind kind);

#endif
