/*
 * What reference tests written in Python call through ctypes: a model, a pass, a
 * step, with plain pointers. Every call returns 0, or -1 with harness_error().
 */
#ifndef LLMC_TESTS_HARNESS_H
#define LLMC_TESTS_HARNESS_H

#include <stdint.h>

struct harness;

const char *harness_error(void);

/* architecture: vocabulary, positions, types, hidden, layers, head width, labels, activation, embedding rank. layers: heads and ffn of
 * each. number: enum llmc_number. */
int harness_create(struct harness **out, const int32_t architecture[9], const int32_t *layers, float norm_epsilon, int number, int threads);
void harness_free(struct harness *h);

/* Parameter `index`: its name, place and shape; the arena (writable) and its size. */
int harness_parameter(struct harness *h, int index, char name[96], int64_t *offset, int64_t *rows, int64_t *cols);
float *harness_values(struct harness *h, int64_t *total, int64_t *dense_begin);
int harness_site_count(struct harness *h);

/* Fake quantisation: bits of each parameter (0: off), quantisers [sites] as scale and zero point (NULL: off). */
int harness_fake(struct harness *h, const int32_t *bits, const float *scales, const float *zero_points);

/* The steps [rows] of parameter `index`, made for all where there are none; NULL without memory or bits. And after
 * backward their gradients [rows], those of words spread out. */
float *harness_steps(struct harness *h, int index);
void harness_dsteps(struct harness *h, int index, float *dsteps);

/* One pass over a packed batch: logits [S, L]. With keep and an optimiser, the batch's words catch up first. */
int harness_forward(struct harness *h, int32_t sequences, const int32_t *ids, const uint8_t *types,
                    const int32_t *offsets, float dropout, uint64_t key, int keep, float *logits);
/* Taps of the next passes (enum llmc_tap_place, layer), and their values [T, cols] in FP32 after forward; gradient
 * [T, cols], borrowed until backward, or NULL. */
int harness_taps(struct harness *h, int32_t count, const int32_t *places, const int32_t *layers);
int harness_tap_values(struct harness *h, int32_t tap, float *values);
void harness_tap_gradient(struct harness *h, int32_t tap, float *gradient);
/* After forward with keep: gradients of the whole arena [total], word rows spread out; dscales [sites]. */
int harness_backward(struct harness *h, const float *dlogits, float *gradients, double *dscales);

/* Cross-entropy (weight w) plus kl or mse (weight 1 - w) with gradient times scale. loss_kind 0 kl, 1 mse, 2 none. */
double harness_loss(int loss_kind, const float *logits, const float *teacher, const int32_t *label, int32_t sequences,
                    int32_t labels, double temperature, double weight, double scale, float *dlogits);

/* Losses of features, with the kernels' version `version` of llmc_kernels_list, on matrices that are rounded to `number`:
 * student [T, cols] and teacher [T, teacher_cols] -> *loss and gradients in FP32. */
int harness_versions(void);
int harness_hidden(struct harness *h, int version, int number, int64_t tokens, int64_t cols, int64_t teacher_cols,
                   const float *student, const float *teacher, const float *projection, double weight, double scale,
                   float *dstudent, float *dprojection, double *loss);
int harness_relations(struct harness *h, int version, int number, int32_t sequences, const int32_t *offsets, int64_t cols,
                      int64_t teacher_cols, const float *student, const float *teacher, int32_t heads, double weight,
                      double scale, float *dstudent, double *loss);

/* Principal directions [count, n], and the parameters of `narrow` from those of `wide` over texts (offsets [texts + 1]): by
 * p [H, H'], or by principal directions where p is NULL. */
int harness_principal(const double *covariance, int32_t n, int32_t count, uint64_t key, double *directions);
int harness_project(struct harness *wide, struct harness *narrow, const float *p, int32_t texts, const int32_t *ids,
                    const uint8_t *types, const int64_t *offsets, uint64_t seed);

/* An optimiser step with the gradients of the last backward. */
int harness_optimizer(struct harness *h, float weight_decay, float clip_norm, int scaling, float scale);
int harness_step(struct harness *h, float learning_rate, int *skipped, double *norm, float *scale);
/* As after the last step: all words catch up. */
void harness_catch_up(struct harness *h);
void harness_growth_interval(struct harness *h, int32_t steps);
/* The first (0) or second (1) moments [total]; valid until the next harness_optimizer. */
float *harness_moments(struct harness *h, int second);
double harness_learning_rate(double peak, double warmup, int64_t step, int64_t steps);

/* A word embedding [vocabulary, hidden] in factors: rows [vocabulary, rank], projection [hidden, rank]. */
int harness_factor_words(const float *words, int32_t vocabulary, int32_t hidden, int32_t rank, const int64_t *counts,
                         float *rows, float *projection);

/* Pruning: makes the mask [total - dense_begin]; NULL without memory. */
uint8_t *harness_mask(struct harness *h);
int harness_prune(struct harness *h, double sparsity);

/* Structured pruning: numbers in the importances; adds those of the last backward, of `scale` times the loss (kind 0
 * fisher, 1 taylor); keeps what they say at `keep` of the linear weights, told in kept [1 + layers + their numbers]: the
 * number of layers, then of each its old place, its heads (number, places) and neurons (likewise). */
int64_t harness_importance_count(struct harness *h);
void harness_importance(struct harness *h, double scale, int kind, float *importance);
int harness_keep(struct harness *h, const float *importance, double keep, int32_t *kept);

/* Quantisation of weights: packed integers and scales, and the compute copy that fake quantisation makes. */
void harness_pack_rows(const float *weights, int64_t rows, int64_t cols, int bits, const float *steps,
                       int8_t *integers, float *scales);
int harness_cast_weight(struct harness *h, const float *weight, float limit, const float *steps, int64_t rows,
                        int64_t cols, float *out);
/* Sensitivity of all numbers [total], from all texts (packed as in harness_forward) in batches of so many. */
int harness_sensitivity(struct harness *h, int32_t texts, const int32_t *ids, const uint8_t *types, const int32_t *offsets,
                        int32_t batch_size, float *squares);
/* The steps that learning starts from. */
void harness_best_steps(const float *weights, int64_t rows, int64_t cols, int bits, float *steps);
/* Fake quantisation of an input [rows, cols]: y, and from the gradient dy of y: dx and the scale's. */
int harness_fake_input(struct harness *h, float scale, float zero_point, int64_t rows, int64_t cols, const float *x,
                       float *y);
int harness_fake_input_backward(struct harness *h, float scale, float zero_point, int64_t rows, int64_t cols,
                                const float *x, const float *dy, float *dx, double *dscale);

#endif
