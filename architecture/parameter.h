/*
 * The parameters that a BERT classifier has: names (those of Hugging Face's state
 * dict of BertForSequenceClassification), order and shapes. One table for the
 * arena of training and for the compressed checkpoint.
 */
#ifndef LLMC_ARCHITECTURE_PARAMETER_H
#define LLMC_ARCHITECTURE_PARAMETER_H

#include "architecture/architecture.h"

#include <stdbool.h>

enum llmc_parameter_kind {
    LLMC_PARAMETER_EMBEDDING,
    LLMC_PARAMETER_LINEAR,     /* weight of a linear layer inside the encoder, and the pooler's */
    LLMC_PARAMETER_CLASSIFIER, /* weight of the last layer: small, stays in FP32 */
    LLMC_PARAMETER_VECTOR,     /* biases and layer norms: no weight decay */
};

/* Places of parameters in the order. */
enum {
    LLMC_WORDS,
    LLMC_POSITIONS,
    LLMC_TYPES,
    LLMC_EMBEDDING_NORM_WEIGHT,
    LLMC_EMBEDDING_NORM_BIAS,
    LLMC_FIRST_LAYER, /* layer l starts at LLMC_FIRST_LAYER + l * LLMC_LAYER_PARAMETERS */
};
enum {
    LLMC_QUERY_WEIGHT,
    LLMC_KEY_WEIGHT,
    LLMC_VALUE_WEIGHT,
    LLMC_QUERY_BIAS,
    LLMC_KEY_BIAS,
    LLMC_VALUE_BIAS,
    LLMC_ATTENTION_OUTPUT_WEIGHT,
    LLMC_ATTENTION_OUTPUT_BIAS,
    LLMC_ATTENTION_NORM_WEIGHT,
    LLMC_ATTENTION_NORM_BIAS,
    LLMC_INTERMEDIATE_WEIGHT,
    LLMC_INTERMEDIATE_BIAS,
    LLMC_OUTPUT_WEIGHT,
    LLMC_OUTPUT_BIAS,
    LLMC_OUTPUT_NORM_WEIGHT,
    LLMC_OUTPUT_NORM_BIAS,
    LLMC_LAYER_PARAMETERS,
};
/* Behind the last layer. */
enum { LLMC_POOLER_WEIGHT, LLMC_POOLER_BIAS, LLMC_CLASSIFIER_WEIGHT, LLMC_CLASSIFIER_BIAS, LLMC_HEAD_PARAMETERS };

#define LLMC_PARAMETER_NAME_NBYTES 96

/* Index in the order of parameter `which` of layer `layer`; of the head. */
int32_t llmc_layer_parameter(int32_t layer, int32_t which);
int32_t llmc_head_parameter(const struct llmc_architecture *architecture, int32_t which);

/* Name, kind and shape (vectors: 1 row) of parameter `index`; false past the last one. */
bool llmc_parameter_describe(const struct llmc_architecture *architecture, int32_t index,
                             char name[LLMC_PARAMETER_NAME_NBYTES], enum llmc_parameter_kind *kind, int64_t *rows,
                             int64_t *cols);

#endif
