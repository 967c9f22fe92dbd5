/*
 * The shape of a BERT text classifier: what config.json of a Hugging Face folder
 * says, and what every file of ours records. All folders know it.
 */
#ifndef LLMC_ARCHITECTURE_ARCHITECTURE_H
#define LLMC_ARCHITECTURE_ARCHITECTURE_H

#include "base/status.h"

#include <stdint.h>

/* hidden_act of Hugging Face: "gelu" is x * Phi(x) by erf; "gelu_new" its tanh form. */
enum llmc_activation { LLMC_GELU, LLMC_GELU_TANH, LLMC_RELU };

struct llmc_architecture {
    int32_t vocabulary;      /* rows of the word embedding */
    int32_t positions;       /* rows of the position embedding: the longest text in tokens */
    int32_t types;           /* rows of the token type embedding */
    int32_t hidden;          /* width */
    int32_t layers;
    int32_t heads;           /* divides hidden */
    int32_t ffn;             /* width between the two feed-forward layers */
    int32_t labels;
    enum llmc_activation activation;
    float norm_epsilon;      /* of every layer norm */
};

/* Checks every field against the limits that the code is written for, and names
 * the first that breaks one. Errors: LLMC_ERR_FORMAT. */
llmc_status llmc_architecture_check(const struct llmc_architecture *architecture);

/* "gelu", "gelu_new", "relu"; and back. Errors: LLMC_ERR_UNSUPPORTED with the legal values. */
const char *llmc_activation_name(enum llmc_activation activation);
llmc_status llmc_activation_parse(const char *name, enum llmc_activation *activation);

#endif
