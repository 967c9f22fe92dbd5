/* Where the activations of a pass lie in memory. Inside model/ only. */
#ifndef LLMC_MODEL_ACTIVATIONS_H
#define LLMC_MODEL_ACTIVATIONS_H

#include "model/bert.h"

/* One layer's activations. R: T; with first_only, S in the last layer. */
struct llmc_layer_activations {
    struct llmc_matrix qkv;          /* [T, 3A] */
    struct llmc_matrix context;      /* [T, A] of attention */
    struct llmc_matrix middle_norm;  /* [R, H] normalised, behind attention */
    struct llmc_matrix middle;       /* [R, H] input of the feed-forward part */
    struct llmc_matrix before;       /* [R, F] before the activation function */
    struct llmc_matrix after;        /* [R, F] */
    struct llmc_matrix out_norm;     /* [R, H] normalised, behind the feed-forward part */
    struct llmc_matrix out;          /* [R, H] output of the layer */
    float *lse;                      /* [heads, T] */
    float *middle_rstd, *out_rstd;   /* [R] */
};

/* What belongs to no layer. */
struct llmc_common_activations {
    struct llmc_matrix embedded_norm; /* [T, H] */
    struct llmc_matrix embedded;      /* [T, H] input of layer 0 */
    float *embedded_rstd;             /* [T] */
    struct llmc_matrix words;         /* [T, rank] FP32: rounded rows of a word embedding in factors */
    struct llmc_matrix projected;     /* [T, H] FP32: their product; in backward, its gradient */
    struct llmc_matrix fake;          /* [T, max(H, A, F)] a fake-quantised input */
    struct llmc_matrix first_input;   /* [S, H] with first_only: rows of the last layer's input */
    struct llmc_matrix first_context; /* [S, A] and of its context */
    struct llmc_matrix first;         /* [S, H] FP32: the [CLS] rows of the last layer's output */
    struct llmc_matrix first_fake;    /* [S, H] FP32 */
    struct llmc_matrix pooled;        /* [S, H] FP32, behind tanh and dropout */
    struct llmc_matrix pooled_tanh;   /* [S, H] FP32 */
    /* backward: */
    struct llmc_matrix dsum, dbranch; /* [T, H] */
    struct llmc_matrix dmiddle_sum;   /* [T, H] */
    struct llmc_matrix dwide;         /* [T, max(3A, F)] */
    struct llmc_matrix dinput;        /* [T, H] FP32: the gradient below the pooler; then, with first_only,
                                       * that of the last layer's input, but for its queries, keys and values */
    struct llmc_matrix dcontext;      /* [T, A] FP32 with first_only: of the last layer's context */
    struct llmc_matrix dpooled;       /* [S, H] FP32 */
};

/* Makes room for the pass. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_activations_reserve(struct llmc_activations *activations, const struct llmc_architecture *architecture,
                                     enum llmc_number number, const struct llmc_pass *pass);

/* Sets the values of the taps at `place` and `layer` to `matrix`: a view of it with keep, else a copy, as later layers
 * overwrite it. */
void llmc_activations_tap(const struct llmc_activations *activations, const struct llmc_architecture *architecture,
                          const struct llmc_pass *pass, enum llmc_tap_place place, int32_t layer,
                          const struct llmc_matrix *matrix);

/* Views for this batch; without keep, layers share two blocks in turn. */
struct llmc_layer_activations llmc_activations_layer(const struct llmc_activations *activations,
                                                     const struct llmc_architecture *architecture,
                                                     const struct llmc_tokens *batch, int32_t layer);
struct llmc_common_activations llmc_activations_common(const struct llmc_activations *activations,
                                                       const struct llmc_architecture *architecture,
                                                       const struct llmc_tokens *batch);

#endif
