/*
 * The BERT encoder with a classification head (Devlin et al., 2019; the
 * arithmetic of Hugging Face's BertForSequenceClassification): forward and
 * backward written out on packed batches.
 *
 * Letters: T tokens and S sequences of the batch, H hidden, L labels; of a layer: A = heads * head_width, F ffn.
 */
#ifndef LLMC_MODEL_BERT_H
#define LLMC_MODEL_BERT_H

#include "base/status.h"
#include "architecture/parameters.h"
#include "architecture/task.h"
#include "tensor/operations.h"

#include <stdbool.h>

/* A packed batch: sequence s has tokens offsets[s] .. offsets[s + 1] - 1, [CLS] first. Borrowed. */
struct llmc_tokens {
    int32_t sequences, tokens;
    const int32_t *ids;     /* [T] */
    const uint8_t *types;   /* [T] */
    const int32_t *offsets; /* [S + 1] */
};


struct llmc_range {
    float min, max;
};

/* Compute copies of a layer's weights. */
struct llmc_layer_weights {
    struct llmc_operand qkv;              /* [3A, H] */
    struct llmc_operand attention_output; /* [H, A] */
    struct llmc_operand intermediate;     /* [F, H] */
    struct llmc_operand output;           /* [H, F] */
};

/* Compute copies of the linear weights in the number format of the operands, made anew
 * whenever the master weights have changed. */
struct llmc_bert_weights {
    enum llmc_number number;
    struct llmc_layer_weights *layers; /* [layers] views of `memory` */
    void *memory;                      /* NULL: not prepared */
    size_t memory_nbytes;
    float *pooler; /* [H, H] */
    float *projection; /* [H, rank] of a word embedding in factors */
};

/* The forward pass simulates the integers that weights and embeddings become: those with bits in the table of
 * parameters. And those of the inputs: */
struct llmc_bert {
    const struct llmc_task *task;
    struct llmc_parameters parameters;
    const struct llmc_quantizer *inputs; /* [llmc_site_count] borrowed, used where weights have bits; NULL: none */
    struct llmc_bert_weights weights;
};

/* Makes a model with zeroed parameters and weights of number format `number`. */
llmc_status llmc_bert_init(struct llmc_bert *model, const struct llmc_architecture *architecture,
                           enum llmc_number number);
void llmc_bert_release(struct llmc_bert *model);

/* Gives the model other parameters of the same width `hidden` (some of its own: architecture/select.h), which it owns
 * then; the compute copies must be prepared anew. `inputs` stay: they must fit. Errors: LLMC_ERR_MEMORY; the parameters
 * are the caller's still. */
llmc_status llmc_bert_take(struct llmc_bert *model, struct llmc_parameters *parameters);

/* Changes the number format of the compute copies, which must then be prepared. */
void llmc_bert_set_number(struct llmc_bert *model, enum llmc_number number);

/* The quantiser of a site's input; NULL where it is not rounded. */
const struct llmc_quantizer *llmc_bert_site_quantizer(const struct llmc_bert *model, int32_t site);

/* Where the compute copy of parameter `index` lies; operand.data NULL: it has none, or is not prepared. */
struct llmc_weight_copy llmc_bert_weight_copy(const struct llmc_bert *model, int32_t index);

/* Writes the compute copies from the master weights. Call after every change of either. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_bert_prepare(struct llmc_bert *model, struct llmc_ops *ops);

/* What forward leaves for backward; memory is reused from batch to batch. Zeroed is empty. */
struct llmc_activations {
    enum llmc_number number;
    char *memory;
    size_t memory_nbytes;
    bool keep; /* whether backward follows: without it, layers share two blocks in turn */
    bool first_only; /* behind its attention, the last layer works for the first token of each text alone */
};
void llmc_activations_release(struct llmc_activations *activations);

/* Activations that losses beyond the logits look at. `values` are in the number format of the operands (FP32, FP16, BF16),
 * those that the next layer reads, dropout and fake quantisation of weights included. */
enum llmc_tap_place {
    LLMC_TAP_EMBEDDING, /* [T, H] the input of layer 0 */
    LLMC_TAP_HIDDEN,    /* [T, H] the output of `layer` */
    LLMC_TAP_MIDDLE,    /* [T, H] between the attention and the feed-forward part of `layer` */
    LLMC_TAP_QKV,       /* [T, 3A] queries, keys and values of `layer`, side by side */
};
struct llmc_tap {
    enum llmc_tap_place place;
    int32_t layer;
    struct llmc_matrix values; /* set by forward: lies in its activations, until their next pass */
    float *gradient;           /* as large, for backward: the gradient that joins the one from above, scaled as dlogits are;
                                * NULL: none */
};

/* A pass over one batch. */
struct llmc_pass {
    struct llmc_tokens batch;
    float dropout;         /* probability; 0 in evaluation */
    uint64_t dropout_key;  /* differs from step to step */
    bool keep;             /* backward follows */
    struct llmc_range *observed; /* [llmc_site_count] widened by the inputs' ranges, or NULL */
    struct llmc_tap *taps;       /* [tap_count] of layers that the model has */
    int32_t tap_count;
};

/* logits [S, L]; NULL: not wanted. They depend on the first token of the last layer alone: without a tap on what the others
 * become behind its attention, that is not computed, and backward has nothing to do for it.
 * The batch must respect the architecture (ids, types, lengths): checked, LLMC_ERR_DATA.
 * Other errors: LLMC_ERR_MEMORY, LLMC_ERR_TORCH. */
llmc_status llmc_bert_forward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                              struct llmc_activations *activations, float *logits);

/* Gradients of a batch: dense ones in an arena with the parameters' offsets, and the word embedding's by
 * the rows that the batch touches. */
struct llmc_gradients {
    float *dense;      /* [total - dense_begin] */
    int32_t *rows;     /* [row_count] distinct word ids, rising */
    float *row_values; /* [row_count, H, or the embedding's rank] */
    int32_t row_count;
    double squares;    /* sum of the squares of all of them, taken while they are near; inf or NaN where one is */
    double *dscales;   /* [llmc_site_count] gradients of the input scales */
    float *dsteps;     /* [step_count] gradients of the steps of all but the word embedding; where it has steps */
    float *row_dsteps; /* [row_count] of those of the words */
    int32_t *order, *starts, *keys; /* scratch: tokens grouped by an embedding's row */
    int32_t capacity;  /* tokens that the arrays have room for */
};
llmc_status llmc_gradients_init(struct llmc_gradients *gradients, const struct llmc_parameters *parameters);
void llmc_gradients_release(struct llmc_gradients *gradients);

/* Overwrites `gradients` with those of sum(dlogits * logits), dlogits [S, L], and of the same sums over the taps. `pass` and `activations` are
 * those of the forward pass just before, with keep set. Errors: LLMC_ERR_MEMORY, LLMC_ERR_TORCH. */
llmc_status llmc_bert_backward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                               struct llmc_activations *activations, const float *dlogits,
                               struct llmc_gradients *gradients);

/* Multiply-adds of one text of `tokens` tokens: linear layers, attention, head; the last layer for the first token alone
 * behind its attention and, with `first_query`, within it, as in the runtime. */
double llmc_bert_macs(const struct llmc_architecture *architecture, double tokens, double tokens_squared,
                      bool first_query);

#endif
