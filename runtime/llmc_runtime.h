/*
 * llmc_runtime: answers from a compressed checkpoint, with no LibTorch.
 *
 *     struct llmc_model *model;
 *     if (llmc_model_open(&model, "model.llmc") != LLMC_OK)
 *         ... llmc_error_message() ...
 *     struct llmc_predictor *predictor;
 *     llmc_predictor_create(&predictor, model, 2);
 *     const char *text = "a gripping film";
 *     float probabilities[2];
 *     llmc_predict(predictor, &text, NULL, 1, probabilities);
 *
 * A model is read-only once open: any number of predictors may share it, each
 * used by one thread at a time. Results do not depend on how texts are grouped
 * into calls, nor on the number of threads.
 */
#ifndef LLMC_RUNTIME_H
#define LLMC_RUNTIME_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct llmc_model;
struct llmc_predictor;

/* Loads, checks and packs a compressed checkpoint. Errors: as llmc_compressed_read. */
llmc_status llmc_model_open(struct llmc_model **out, const char *path);
void llmc_model_free(struct llmc_model *model); /* NULL ok; after its predictors */

int32_t llmc_model_label_count(const struct llmc_model *model);
/* The name of a label; owned by the model; NULL when out of range. */
const char *llmc_model_label(const struct llmc_model *model, int32_t label);
/* The kernels in use: "avx512_vnni", "avx_vnni", "avx2", "portable". */
const char *llmc_model_kernels(const struct llmc_model *model);

/* `threads` at least 1; 0: all processors. The model stays the caller's. */
llmc_status llmc_predictor_create(struct llmc_predictor **out, const struct llmc_model *model, int threads);
void llmc_predictor_free(struct llmc_predictor *predictor); /* NULL ok */
/* How many threads it works with, at least 1. */
int llmc_predictor_threads(const struct llmc_predictor *predictor);

/* Probabilities (softmax) or logits of `count` texts: out [count, labels].
 * pairs: [count] second texts, or NULL. Texts are zero-terminated UTF-8 and may
 * be of any length (cut to the model's tokens_max). Any count: work memory grows
 * with the largest call up to a fixed number of tokens and is reused.
 * Errors: LLMC_ERR_MEMORY, LLMC_ERR_ARGUMENT. */
llmc_status llmc_predict(struct llmc_predictor *predictor, const char *const *texts, const char *const *pairs,
                         size_t count, float *out);
llmc_status llmc_predict_logits(struct llmc_predictor *predictor, const char *const *texts,
                                const char *const *pairs, size_t count, float *out);

/* "0.1.0" */
const char *llmc_runtime_version(void);

#endif
