/*
 * AdamW on FP32 master weights (Loshchilov and Hutter, 2019), with gradient
 * clipping by global norm and dynamic loss scaling (Micikevicius et al., 2018).
 *
 * All parameters follow torch.optim.AdamW. Biases, layer norms and the word
 * embedding do not decay. A row of the word embedding moves on by its moments
 * when a batch does not have it, as in AdamW, but only for 50 steps: then nearly
 * nothing is left of its first moment, and it rests, so that a step does not
 * walk through the whole vocabulary. torch.optim.SparseAdam would move the rows
 * of the batch only: a word that one batch has goes an eighth of AdamW's way.
 */
#ifndef LLMC_TRAIN_OPTIMIZER_H
#define LLMC_TRAIN_OPTIMIZER_H

#include "base/status.h"
#include "model/bert.h"

#include <stdbool.h>

struct llmc_optimizer {
    float *m, *v;      /* [total] first and second moments, offsets of the parameters */
    int32_t *word_step; /* [vocabulary] the last step whose batch had this row of the word embedding; 0: none had */
    int64_t step;      /* steps that changed the weights */
    float beta1, beta2, epsilon, weight_decay, clip_norm; /* clip_norm 0: no clipping */

    /* Loss scaling: the loss is multiplied by `scale` before backward. A step whose gradients are not finite
     * is skipped and halves it; after `growth_interval` good steps it doubles. */
    bool scaling;
    float scale;
    int32_t good_steps, growth_interval;

    struct llmc_update *updates; /* scratch of a step: what happens to each parameter, or row of word embeddings */
    int32_t updates_max;
    float *no_gradient; /* [H] zeros */
};

/* beta 0.9 and 0.999, epsilon 1e-8, scale 2^16 when `scaling`, else 1. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_optimizer_init(struct llmc_optimizer *optimizer, const struct llmc_parameters *parameters,
                                float weight_decay, float clip_norm, bool scaling);
void llmc_optimizer_release(struct llmc_optimizer *optimizer);

struct llmc_step_result {
    bool skipped;         /* gradients were not finite */
    double gradient_norm; /* unscaled, before clipping */
};

/* One step with gradients of scale * loss; masked weights stay zero. The model's compute copies, prepared once before,
 * follow its weights. Errors: LLMC_ERR_DATA where gradients are not finite and the scale cannot fall further (training
 * has diverged), LLMC_ERR_MEMORY. */
llmc_status llmc_optimizer_step(struct llmc_optimizer *optimizer, struct llmc_ops *ops, struct llmc_bert *model,
                                const struct llmc_gradients *gradients, float learning_rate,
                                struct llmc_step_result *result);

/* The learning rate at `step` of `steps`: rises linearly to `peak` over the first `warmup` fraction, then falls
 * linearly to 0 (transformers' get_linear_schedule_with_warmup). */
double llmc_learning_rate(double peak, double warmup, int64_t step, int64_t steps);

#endif
