/*
 * Structured pruning: which heads, neurons of the feed-forward parts and whole layers go, so that what stays costs no
 * more than a budget and as little importance as possible is lost. Each layer ends with widths of its own.
 *
 * A layer's heads, and its neurons, go from the least important one on. The greedy choice takes, again and again, that
 * piece whose importance per cost is the lowest: any number of a layer's next heads, any number of its next groups of
 * neurons, or the layer with all that is left of it. Costs may have steps (kernels work on whole blocks), so pieces of
 * several groups compete too; of what a piece saves, only what the budget still needs counts. Importances add up, as
 * Kwon et al. (2022) take them: what a sum says of parts that depend on one another is repaired by choosing in rounds,
 * with training and importances taken anew between them (cubic schedule, Zhu and Gupta, 2017).
 *
 * At least one layer stays; each keeps one head and LLMC_NEURON_GROUP neurons, or what it had.
 */
#ifndef LLMC_PRUNE_STRUCTURE_H
#define LLMC_PRUNE_STRUCTURE_H

#include "architecture/select.h"
#include "prune/cost.h"

/* A selection of parts with the arrays that it points at. */
struct llmc_structure {
    struct llmc_selection selection;
    struct llmc_layer_selection layers[LLMC_LAYERS_MAX];
    int32_t *places; /* heads and neurons */
};

/* Chooses from a model whose importances are as in prune/importance.h. The parts that stay are in their old order. Errors:
 * LLMC_ERR_CONFIG (the budget is below the least cost), LLMC_ERR_MEMORY; *out is empty then. */
llmc_status llmc_structure_choose(struct llmc_structure *out, const struct llmc_architecture *architecture,
                                  const float *importance, const struct llmc_costs *costs, double budget);
void llmc_structure_release(struct llmc_structure *structure);

#endif
