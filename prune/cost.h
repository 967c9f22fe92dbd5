/*
 * What a layer costs by its number of heads and of neurons: weights, or the time that the runtime takes on this machine.
 * A layer costs what its two parts do, the model's layers what they do together; embeddings and head are left out. The
 * last layer has costs of its own: behind its keys and values the runtime computes it for the first tokens alone, so of
 * the time its neurons take next to nothing.
 */
#ifndef LLMC_PRUNE_COST_H
#define LLMC_PRUNE_COST_H

#include "architecture/architecture.h"
#include "base/status.h"

/* Neurons are removed in groups that leave a multiple of this: the runtime multiplies 16 outputs and 64 inputs at a time,
 * so that single ones would save nothing. */
#define LLMC_NEURON_GROUP 32

struct llmc_layer_costs {
    double *heads;   /* [heads_max + 1] of the attention part, 0 for none */
    double *neurons; /* [neurons_max + 1] of the feed-forward part, 0 for none */
};

struct llmc_costs {
    struct llmc_layer_costs inner, last;
    int32_t heads_max, neurons_max;
};

/* Zeroed costs for the widest layers of `architecture`. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_costs_init(struct llmc_costs *costs, const struct llmc_architecture *architecture);
void llmc_costs_release(struct llmc_costs *costs); /* empty ones are fine */

/* Fills them with the numbers of linear weights. */
void llmc_costs_of_weights(struct llmc_costs *costs, const struct llmc_architecture *architecture);

/* Of a layer; of all layers. */
double llmc_cost_of_layer(const struct llmc_layer_costs *costs, struct llmc_layer_shape shape);
double llmc_cost_of(const struct llmc_costs *costs, const struct llmc_architecture *architecture);

/* The least that llmc_structure_choose can reach: one layer, with one head and a group of neurons. */
double llmc_cost_least(const struct llmc_costs *costs, const struct llmc_architecture *architecture);

#endif
