/*
 * Operations of a transformer on packed batches: kernels (kernels.h) spread over
 * threads, fused with what stands before and after each product. Matrices may be
 * F32, F16 or BF16 in memory; arithmetic is FP32.
 *
 * Every sum over rows (bias and norm gradients) is taken in parts, one per
 * thread, that are added in the order of the threads: equal thread counts give
 * equal bits.
 *
 * Letters: T tokens of the batch, H hidden, F ffn, N any width. `d` marks a
 * gradient. `product` is what llmc_gemm_run left.
 */
#ifndef LLMC_TENSOR_OPERATIONS_H
#define LLMC_TENSOR_OPERATIONS_H

#include "architecture/architecture.h"
#include "base/status.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "base/threads.h"
#include "tensor/matrix.h"

#include <stdbool.h>

/* What operations work with: kernels, product scratch, per-thread scratch. */
struct llmc_ops {
    const struct llmc_kernels *kernels;
    struct llmc_gemm gemm;
    int threads;
    float *scratch;      /* [threads, scratch_width] */
    size_t scratch_width;
    float *partials;     /* [threads, partial_width] */
    size_t partial_width;
    double attention_seconds; /* spent in attention, summed by whoever calls it; gemm has its own sums */
};

/* threads: size of the calling thread's OpenMP team, for our kernels and LibTorch's; 0: all that the
 * process may use (base/threads.h). At most LLMC_THREADS_MAX are used; ops->threads tells how many. */
llmc_status llmc_ops_init(struct llmc_ops *ops, int threads);
void llmc_ops_release(struct llmc_ops *ops);

/* Makes room for rows of up to `width` numbers and sequences of up to `length`
 * tokens with heads of `head` numbers. Call it before the operations below,
 * which then cannot fail. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_ops_reserve(struct llmc_ops *ops, int64_t width, int32_t length, int32_t head);

/* Dropout of one place in the network; threshold 0: none. */
struct llmc_dropout {
    uint32_t key;
    uint32_t threshold; /* p * 2^32 */
    float scale;        /* 1 / (1 - p) */
};

struct llmc_norm {
    const float *weight, *bias; /* [H] */
    float epsilon;
};

/* out = product + bias;  bias [N]. */
void llmc_op_bias(struct llmc_ops *ops, const struct llmc_matrix *product, const float *bias,
                  const struct llmc_matrix *out);

/* y += x, x [T, N] FP32; rounded to y's number format. */
void llmc_op_add(struct llmc_ops *ops, const float *x, const struct llmc_matrix *y);

/* before = product + bias, kept for backward, or NULL; after = activation(product + bias). */
void llmc_op_bias_activation(struct llmc_ops *ops, const struct llmc_matrix *product, const float *bias,
                             enum llmc_activation kind, const struct llmc_matrix *before,
                             const struct llmc_matrix *after);

/* y = norm(dropout(product + bias) + residual); normalised (or NULL) and rstd [T] are kept for backward. */
void llmc_op_residual_norm(struct llmc_ops *ops, const struct llmc_matrix *product, const float *bias,
                           const struct llmc_dropout *dropout, const struct llmc_matrix *residual,
                           const struct llmc_norm *norm, const struct llmc_matrix *normalised, float *rstd,
                           const struct llmc_matrix *y);

/* The backward of llmc_op_residual_norm. Its input gradient is dy_product + dy_residual (the second may be
 * NULL). dsum = gradient of the residual; dbranch = dropout'(dsum), the gradient of product + bias, may be the
 * same matrix as dsum when there is no dropout. dweight, dbias [H] and dbranch_bias [H] are added to;
 * dbranch_bias may be NULL. */
void llmc_op_residual_norm_backward(struct llmc_ops *ops, const struct llmc_matrix *dy_product,
                                    const struct llmc_matrix *dy_residual, const struct llmc_matrix *normalised,
                                    const float *rstd, const struct llmc_norm *norm,
                                    const struct llmc_dropout *dropout, const struct llmc_matrix *dsum,
                                    const struct llmc_matrix *dbranch, float *dweight, float *dbias,
                                    float *dbranch_bias);

/* dbefore = product * activation'(before); dbias [F] is added to. */
void llmc_op_activation_backward(struct llmc_ops *ops, const struct llmc_matrix *product,
                                 const struct llmc_matrix *before, enum llmc_activation kind,
                                 const struct llmc_matrix *dbefore, float *dbias);

/* sum [cols] += the rows of x. */
void llmc_op_sum_rows(struct llmc_ops *ops, const struct llmc_matrix *x, float *sum);

/* The sequences of a batch: sequence s has tokens offsets[s] .. offsets[s + 1] - 1. */
struct llmc_sequences {
    int32_t count;
    const int32_t *offsets; /* [count + 1] */
};

/* qkv [T, 3H], queries, keys, values side by side -> context [T, H]; lse [heads, T]. */
void llmc_op_attention(struct llmc_ops *ops, const struct llmc_matrix *qkv, const struct llmc_sequences *sequences,
                       int32_t heads, const struct llmc_dropout *dropout, const struct llmc_matrix *context,
                       float *lse);

/* dqkv is overwritten; dcontext [T, H] is a product, or FP32. */
void llmc_op_attention_backward(struct llmc_ops *ops, const struct llmc_matrix *qkv,
                                const struct llmc_sequences *sequences, int32_t heads,
                                const struct llmc_dropout *dropout, const float *lse,
                                const struct llmc_matrix *dcontext, const struct llmc_matrix *dqkv);

/* How rows of weights become integers in [-limit, limit], one scale a row: the row's step, or where that is 0 or there
 * are none, its largest magnitude / limit (1 where that is 0). */
struct llmc_rounding {
    float limit;        /* 0: they are not rounded */
    const float *steps; /* [rows] or NULL */
};

/* Embedding tables, FP32: words [V, H], positions [P, H], types [Y, H], and how rows of the first two are
 * fake-quantised. */
struct llmc_embeddings {
    const float *words, *positions, *types;
    struct llmc_rounding words_rounding, positions_rounding;
    bool by_token; /* words are [T, H], one for each token, not for each id */
};

/* out [count, cols] = rows ids[i] of a table [V, cols], rounded. */
void llmc_op_gather(struct llmc_ops *ops, const float *table, const struct llmc_rounding *rounding, const int32_t *ids,
                    int32_t count, int64_t cols, float *out);

/* y = dropout(norm(words[ids] + positions[place in the sequence] + types[types])); normalised and rstd as above. */
void llmc_op_embed(struct llmc_ops *ops, const struct llmc_embeddings *tables, const int32_t *ids,
                   const uint8_t *types, const struct llmc_sequences *sequences, const struct llmc_norm *norm,
                   const struct llmc_dropout *dropout, const struct llmc_matrix *normalised, float *rstd,
                   const struct llmc_matrix *y);

/* The backward of llmc_op_embed down to the sum of the three rows: dsum [T, H]. The gradient of y is
 * dy_product + dy_residual. dweight, dbias [H] of the norm are added to. */
void llmc_op_embed_backward(struct llmc_ops *ops, const struct llmc_matrix *dy_product,
                            const struct llmc_matrix *dy_residual, const struct llmc_matrix *normalised,
                            const float *rstd, const struct llmc_norm *norm, const struct llmc_dropout *dropout,
                            const struct llmc_matrix *dsum, float *dweight, float *dbias);

/* out [groups, N] = for each group the sum of the rows order[starts[g]] .. order[starts[g + 1] - 1] of x, in
 * that order. */
void llmc_op_sum_groups(struct llmc_ops *ops, const struct llmc_matrix *x, const int32_t *order,
                        const int32_t *starts, int32_t groups, float *out);

/* Rows of x picked by index, row i of out [*, N] (as x, or FP32) from row rows[i]. */
void llmc_op_pick_rows(struct llmc_ops *ops, const struct llmc_matrix *x, const int32_t *rows,
                       const struct llmc_matrix *out);

/* out [T, N] (FP32) = zeros, with row i of `rows` at row places[i]. */
void llmc_op_place_rows(struct llmc_ops *ops, const struct llmc_matrix *rows, const int32_t *places, int32_t count,
                        const struct llmc_matrix *out);

/* x = tanh(x); y = dropout(x). All FP32 [S, H]. And backward from the gradient of y. */
void llmc_op_tanh_dropout(struct llmc_ops *ops, const struct llmc_matrix *x, const struct llmc_dropout *dropout,
                          const struct llmc_matrix *y);
void llmc_op_tanh_dropout_backward(struct llmc_ops *ops, const struct llmc_matrix *product,
                                   const struct llmc_matrix *tanh_values, const struct llmc_dropout *dropout,
                                   const struct llmc_matrix *dx);

/* out = factor * (x - y); squares [T] = the sum of (x - y)^2 of each row. */
void llmc_op_difference(struct llmc_ops *ops, const struct llmc_matrix *x, const struct llmc_matrix *y, float factor,
                        const struct llmc_matrix *out, double *squares);

/* Self-attention relations (kernels.h) of queries, of keys and of values in every sequence, each divided into `heads`
 * relation heads: student [T, 3A] and teacher [T, 3B], heads divides A and B. losses [sequences] = the sums over tokens,
 * heads and the three; gradient [T, 3A] = factor * the gradient of all of it, overwritten. Same bits for any number of
 * threads. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_op_relations(struct llmc_ops *ops, const struct llmc_matrix *student, const struct llmc_matrix *teacher,
                              const struct llmc_sequences *sequences, int32_t heads, float factor,
                              const struct llmc_matrix *gradient, double *losses);

/* Fake quantisation of a linear layer's input (kernels.h): y = fake(x). */
void llmc_op_fake_input(struct llmc_ops *ops, const struct llmc_quantizer *quantizer, const struct llmc_matrix *x,
                        const struct llmc_matrix *y);
/* product (the gradient of y) becomes the gradient of x, in place; *dscale += the gradient of the scale. */
void llmc_op_fake_input_backward(struct llmc_ops *ops, const struct llmc_quantizer *quantizer,
                                 const struct llmc_matrix *x, const struct llmc_matrix *product, double *dscale);
/* Widens [*min, *max] by the numbers in x. */
void llmc_op_min_max(struct llmc_ops *ops, const struct llmc_matrix *x, float *min, float *max);

/* Where the compute copy of a weight lies: rows first_row onward of an operand. Of a PACKED one first_row and the
 * weight's rows and columns are multiples of LLMC_TILES_PANEL. */
struct llmc_weight_copy {
    struct llmc_operand operand; /* data NULL: there is no copy */
    int64_t first_row;
    struct llmc_rounding rounding; /* fake quantisation; its steps are those of the weight's rows */
};

/* Makes the compute copy of a weight [rows, cols]: rounded to the operand's number format, in its form. */
void llmc_op_cast_weight(struct llmc_ops *ops, const float *weight, int64_t rows, const struct llmc_weight_copy *copy);

/* The backward of rounding by steps, in place: `dweight` [count, cols], the gradient of rounded rows, becomes that of the
 * rows, and dsteps [count] that of their steps. weight: of all rows; rows [count]: which of them, NULL: all from the
 * first on. Rows without a step keep their gradient, and get 0. */
void llmc_op_rounding_backward(struct llmc_ops *ops, const struct llmc_rounding *rounding, const float *weight,
                               const int32_t *rows, int64_t count, int64_t cols, float *dweight, float *dsteps);

/* The sum of squares of n numbers, for clipping; inf or NaN where one is. */
double llmc_op_sum_squares(struct llmc_ops *ops, const float *x, int64_t n);

/* What a step of the optimiser does to one parameter [rows, cols]. */
struct llmc_update {
    struct llmc_adamw settings;
    float *p, *m, *v;    /* FP32 master weights, first and second moments */
    const float *g;
    const uint8_t *mask; /* weights that are 0 here become zero; NULL: none */
    int64_t rows, cols;
    struct llmc_weight_copy copy;
};

/* AdamW, mask and compute copy in one pass over memory. */
void llmc_op_update(struct llmc_ops *ops, const struct llmc_update *updates, int32_t count);

/* The steps that a row of [cols] numbers missed. */
struct llmc_missed_row {
    struct llmc_missed_steps missed;
    float *p, *m, *v;
    int64_t cols;
};

/* Makes up for missed steps, row by row. */
void llmc_op_catch_up(struct llmc_ops *ops, const struct llmc_missed_row *rows, int32_t count);

#endif
