/*
 * The shape of a BERT text classifier: what config.json of a Hugging Face folder
 * says, and what every file of ours records. All folders know it. Layers may
 * differ in their attention heads and in the width of their feed-forward part.
 */
#ifndef LLMC_ARCHITECTURE_ARCHITECTURE_H
#define LLMC_ARCHITECTURE_ARCHITECTURE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* hidden_act of Hugging Face: "gelu" is x * Phi(x) by erf; "gelu_new" its tanh form. */
enum llmc_activation { LLMC_GELU, LLMC_GELU_TANH, LLMC_RELU };

#define LLMC_LAYERS_MAX 128

/* What may differ from layer to layer. Each layer keeps at least one head and one number between the two feed-forward
 * layers: no product, array or kernel has to know matrices without rows. */
struct llmc_layer_shape {
    int32_t heads;
    int32_t ffn; /* width between the two feed-forward layers */
};

struct llmc_architecture {
    int32_t vocabulary;      /* rows of the word embedding */
    int32_t positions;       /* rows of the position embedding: the longest text in tokens */
    int32_t types;           /* rows of the token type embedding */
    int32_t hidden;          /* width of what goes from layer to layer */
    int32_t head_width;      /* of each head's query, key and value, in all layers */
    int32_t labels;
    enum llmc_activation activation;
    float norm_epsilon;      /* of every layer norm */
    int32_t layers;
    struct llmc_layer_shape layer[LLMC_LAYERS_MAX]; /* [layers], the others are zero */
    int32_t embedding_rank;  /* of the word embedding in factors, words [vocabulary, rank] times a projection to hidden (as
                              * ALBERT's, Lan et al., 2020); 0: in one piece */
};

/* Gives it `layers` equal layers, whose heads make up `hidden` (set before) together: head_width = hidden / heads.
 * Errors: LLMC_ERR_FORMAT, where a number breaks a limit or heads do not divide hidden. */
llmc_status llmc_architecture_set_layers(struct llmc_architecture *architecture, int32_t layers, int32_t heads,
                                         int32_t ffn);

/* Whether llmc_architecture_set_layers makes these layers: all that BertConfig can say. */
bool llmc_architecture_is_even(const struct llmc_architecture *architecture);

/* Width of a layer's queries, of its keys and of its values: heads * head_width. */
int32_t llmc_architecture_attention(const struct llmc_architecture *architecture, int32_t layer);

/* The most heads and the widest ffn of all layers. */
struct llmc_layer_shape llmc_architecture_widest(const struct llmc_architecture *architecture);

/* Checks every field against the limits that the code is written for, and names
 * the first that breaks one, with its layer. Errors: LLMC_ERR_FORMAT. */
llmc_status llmc_architecture_check(const struct llmc_architecture *architecture);

/* "gelu", "gelu_new", "relu"; and back. Errors: LLMC_ERR_UNSUPPORTED with the allowed values. */
const char *llmc_activation_name(enum llmc_activation activation);
llmc_status llmc_activation_parse(const char *name, enum llmc_activation *activation);

#endif
