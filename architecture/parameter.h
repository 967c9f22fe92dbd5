/*
 * The parameters that a model has: names (those of Hugging Face's state dict),
 * order and shapes, which follow from its encoder's table and its architecture.
 * One list for the arena of training and for the compressed checkpoint.
 */
#ifndef LLMC_ARCHITECTURE_PARAMETER_H
#define LLMC_ARCHITECTURE_PARAMETER_H

#include "architecture/encoder.h"

#include <stdbool.h>

#define LLMC_PARAMETER_NAME_NBYTES 96

/* Index in the order of parameter `which` of layer `layer`; of the head. */
int32_t llmc_layer_parameter(int32_t layer, int32_t which);
int32_t llmc_head_parameter(const struct llmc_architecture *architecture, int32_t which);

/* The row of the encoder's table that parameter `index` is made by, and its layer (the embeddings' -1, the head's: behind
 * the last); NULL past the last parameter. */
const struct llmc_parameter_row *llmc_parameter_row(const struct llmc_architecture *architecture, int32_t index,
                                                    int32_t *layer);

/* How many parameters there are. */
int32_t llmc_parameter_count(const struct llmc_architecture *architecture);

/* Name, kind and shape (vectors: 1 row) of parameter `index`; false past the last one. */
bool llmc_parameter_describe(const struct llmc_architecture *architecture, int32_t index,
                             char name[LLMC_PARAMETER_NAME_NBYTES], enum llmc_parameter_kind *kind, int64_t *rows,
                             int64_t *cols);

/* Whether parameters of this kind may be integers. Where they are not, they are the ones that checkpoints hold in
 * FP16. */
bool llmc_parameter_takes_bits(enum llmc_parameter_kind kind);

/* How many inputs of linear layers quantisation works on: those of layer l are l * LLMC_LAYER_SITES and following, the
 * pooler's is the last. And the site whose input the linear weight at `index` sees, or -1. */
int32_t llmc_site_count(const struct llmc_architecture *architecture);
int32_t llmc_site_of_parameter(const struct llmc_architecture *architecture, int32_t index);

#endif
