/*
 * A loaded model: what the runtime's files share.
 */
#ifndef LLMC_RUNTIME_MODEL_H
#define LLMC_RUNTIME_MODEL_H

#include "architecture/architecture.h"
#include "base/number.h"
#include "formats/checkpoint/compressed.h"
#include "runtime/kernels/kernels.h"
#include "runtime/table.h"
#include "text/tokenizer.h"

#include <stdbool.h>

/* A linear layer, packed for the kernels. */
struct llmc_rt_linear {
    bool integer;
    int32_t inputs, outputs, panels;
    struct llmc_rt_quantiser input; /* integer only */
    struct llmc_rt_weights_i8 i8;
    struct llmc_rt_weights_f32 f32;
    void *memory[4]; /* what the weights point at */
};

struct llmc_rt_norm {
    float *weight, *bias;
};

struct llmc_rt_layer {
    int32_t heads;          /* without unused ones, as the neurons of the ffn (runtime/unused.h) */
    struct llmc_rt_linear qkv; /* outputs: query, key, value of all heads, each in panels of its own */
    struct llmc_rt_linear attention_output;
    struct llmc_rt_norm attention_norm;
    struct llmc_rt_linear intermediate;
    struct llmc_rt_linear output;
    struct llmc_rt_norm output_norm;
};

enum { LLMC_RT_WORD_ZERO = 128 };

#define LLMC_NO_PAIRS "this model has one token type: it was not made for pairs of texts"

struct llmc_model {
    struct llmc_source source; /* of packed rows */
    char *name;                /* of the source */
    struct llmc_architecture architecture;
    int32_t tokens_max;
    const struct llmc_rt_kernels *kernels;
    struct llmc_tokenizer *tokenizer;
    char **labels;
    struct llmc_rt_table words, positions, types;
    struct llmc_rt_linear projection; /* of words, where architecture.embedding_rank is above 0; bias 0 */
    struct llmc_rt_norm embedding_norm;
    struct llmc_rt_layer *layers;
    struct llmc_rt_linear pooler, classifier;
};

/* Packs `count` weights of one shape that see the same input, with their biases, into one layer with
 * all their outputs; those of each weight begin with a new panel. The tensors stay the caller's.
 * Errors: LLMC_ERR_MEMORY; *out is then to be released all the same. */
llmc_status llmc_rt_linear_pack(struct llmc_rt_linear *out, const struct llmc_compressed_tensor *weights,
                                const struct llmc_compressed_tensor *biases, int count);
void llmc_rt_linear_release(struct llmc_rt_linear *linear);

#endif
