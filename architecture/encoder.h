/*
 * An encoder as data: which parameters it has, under which names, in which order
 * and shapes, and which of them see one input. A second encoder is another table
 * in encoder.c; the arena, checkpoints, exports and the runtime follow it.
 */
#ifndef LLMC_ARCHITECTURE_ENCODER_H
#define LLMC_ARCHITECTURE_ENCODER_H

#include "architecture/architecture.h"

enum llmc_parameter_kind {
    LLMC_PARAMETER_EMBEDDING,   /* of words and positions */
    LLMC_PARAMETER_TYPES,       /* the embedding of token types: a few rows, stay in FP32 */
    LLMC_PARAMETER_LINEAR,      /* weight of a linear layer inside the encoder, the pooler's and the words' projection */
    LLMC_PARAMETER_CLASSIFIER,  /* weight of the last layer: small, stays in FP32 */
    LLMC_PARAMETER_VECTOR,      /* biases and layer norms: no weight decay */
};

/* Shapes are products of these. */
enum llmc_extent {
    LLMC_EXTENT_ONE, /* of a vector: its row */
    LLMC_EXTENT_HIDDEN,
    LLMC_EXTENT_ATTENTION, /* heads * head_width of the layer */
    LLMC_EXTENT_FFN,       /* of the layer */
    LLMC_EXTENT_LABELS,
    LLMC_EXTENT_VOCABULARY,
    LLMC_EXTENT_WORD, /* of a row of the word embedding: its rank, or hidden */
    LLMC_EXTENT_POSITIONS,
    LLMC_EXTENT_TYPES,
};

/* Inputs of linear layers that quantisation works on: four per layer, then the pooler's. */
enum llmc_site {
    LLMC_SITE_NONE = -1,
    LLMC_SITE_QKV,
    LLMC_SITE_ATTENTION_OUTPUT,
    LLMC_SITE_INTERMEDIATE,
    LLMC_SITE_OUTPUT,
    LLMC_LAYER_SITES,
    LLMC_SITE_POOLER = 0, /* the only one of a head */
};

struct llmc_parameter_row {
    const char *name; /* behind the prefix of its part */
    enum llmc_parameter_kind kind;
    enum llmc_extent rows, cols;
    enum llmc_site site; /* what a linear weight is multiplied with */
};

/* Places of parameters in the order, which are those of the tables' rows. */
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
/* Behind the last layer; and the last of all where the word embedding is in factors: [hidden, rank]. */
enum { LLMC_POOLER_WEIGHT, LLMC_POOLER_BIAS, LLMC_CLASSIFIER_WEIGHT, LLMC_CLASSIFIER_BIAS, LLMC_HEAD_PARAMETERS };
enum { LLMC_WORD_PROJECTION = LLMC_HEAD_PARAMETERS };

struct llmc_encoder {
    const char *model_type;       /* in config.json of Hugging Face */
    const char *model;            /* transformers' class of it, before the task's (architecture/task.h) */
    const char *embedding_prefix; /* before the rows' names, as in Hugging Face's state dict */
    const char *layer_prefix;     /* before the layer's number and a dot */
    struct llmc_parameter_row embeddings[LLMC_FIRST_LAYER];
    struct llmc_parameter_row layer[LLMC_LAYER_PARAMETERS];
    struct llmc_parameter_row head[LLMC_HEAD_PARAMETERS + 1]; /* whole names */
};

/* BERT (Devlin et al., 2019), with the names of BertForSequenceClassification. */
extern const struct llmc_encoder llmc_encoder_bert;

#endif
