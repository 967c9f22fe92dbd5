/*
 * AdamW on FP32 master weights (Loshchilov and Hutter, 2019), with gradient
 * clipping by global norm and dynamic loss scaling (Micikevicius et al., 2018).
 *
 * All parameters follow torch.optim.AdamW. Biases, layer norms and the word
 * embedding do not decay.
 *
 * AdamW moves a row of the word embedding on by its moments when a batch does
 * not have it. (torch.optim.SparseAdam lets it rest: a word that one batch has
 * goes an eighth of AdamW's way.) A step here touches the rows of its batch
 * only: a row makes up for the steps that it missed before the next forward
 * pass that reads it, and all rows do after the last step. Between, the weights
 * in memory are behind, as `word_step` says. Without a gradient, AdamW's step
 * t + j on moments m and v of step t is
 *
 *     p -= lr(t+j) b1^j / (1 - b1^(t+j)) * m / (sqrt(b2^j v / (1 - b2^(t+j))) + epsilon)
 *        = c_j m / (sqrt(v) + epsilon e_j),   e_j = sqrt((1 - b2^(t+j)) / b2^j),
 *                                             c_j = lr(t+j) b1^j / (1 - b1^(t+j)) * e_j,
 *
 * so that the missed steps together are C m / (sqrt(v) + epsilon E), C the sum
 * of the c_j and E the mean of the e_j, weighted by c_j. Only the place of
 * epsilon is not exact, and it is to first order in epsilon / sqrt(v): a number
 * with one gradient of 1e-6, at step 1, misses 2e-4 of its way, and 2e-5 at step
 * 100; a gradient of 1e-5 misses a hundredth of that. The sum ends after 128
 * steps, when 1.4e-6 of the way is left. A row that no batch had has no moments
 * and rests exactly.
 */
#ifndef LLMC_TRAIN_OPTIMIZER_H
#define LLMC_TRAIN_OPTIMIZER_H

#include "architecture/select.h"
#include "base/status.h"
#include "train/optimizer_steps.h"

#include <stdbool.h>

/* Numbers that train beside the model, such as the projection of a loss. Owned by whoever lends them; a checkpoint of
 * the training keeps values and moments. They do not decay. */
struct llmc_beside {
    float *values, *m, *v; /* [count] */
    float *gradients;      /* [count] of scale * loss, written by the loss of a step */
    int64_t count;
};

struct llmc_optimizer {
    float *m, *v;       /* [total] first and second moments, offsets of the parameters */
    struct llmc_step_moments steps;
    int32_t *word_step; /* [vocabulary] the step that this row of the word embedding, with its moments, is at; 0: no
                         * batch had it */
    int64_t step;       /* steps that changed the weights */
    float *learning_rates; /* [step] of each of them: a row that catches up may have missed any */
    int64_t learning_rates_max;
    float beta1, beta2, epsilon, weight_decay, clip_norm; /* clip_norm 0: no clipping */

    /* Loss scaling: the loss is multiplied by `scale` before backward. A step whose gradients are not finite
     * is skipped and halves it; after `growth_interval` good steps it doubles. */
    bool scaling;
    float scale;
    int32_t good_steps, growth_interval;

    struct llmc_beside *beside; /* clipped and moved with the model; NULL: none */

    struct llmc_update *updates; /* scratch of a step: what happens to each parameter, or row of word embeddings */
    int32_t updates_max;
};

/* beta 0.9 and 0.999, epsilon 1e-8, scale 2^16 when `scaling`, else 1. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_optimizer_init(struct llmc_optimizer *optimizer, const struct llmc_parameters *parameters,
                                float weight_decay, float clip_norm, bool scaling);
void llmc_optimizer_release(struct llmc_optimizer *optimizer);

/* Lets it go on with `to`, selected from the parameters `from` that it was for: moments and steps of words follow their
 * numbers. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_optimizer_select(struct llmc_optimizer *optimizer, const struct llmc_parameters *to,
                                  const struct llmc_parameters *from, const struct llmc_selection *selection);

struct llmc_step_result {
    bool skipped;         /* gradients were not finite */
    double gradient_norm; /* unscaled, before clipping */
};

/* Makes room for the learning rates of `steps` steps. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_optimizer_reserve(struct llmc_optimizer *optimizer, int64_t steps);

/* Brings rows of the word embedding up to optimizer->step: those of `batch`, before its forward pass; NULL: all rows,
 * before anyone else reads the weights. Ids that the vocabulary does not have are left to the forward pass, which
 * reports them. */
void llmc_optimizer_catch_up(struct llmc_optimizer *optimizer, struct llmc_ops *ops, struct llmc_bert *model,
                             const struct llmc_tokens *batch);

/* One step with gradients of scale * loss, whose batch has caught up; masked weights stay zero. The model's compute
 * copies, prepared once before, follow its weights. Errors: LLMC_ERR_DATA where gradients are not finite and the scale
 * cannot fall further (training has diverged), LLMC_ERR_MEMORY. */
llmc_status llmc_optimizer_step(struct llmc_optimizer *optimizer, struct llmc_ops *ops, struct llmc_bert *model,
                                const struct llmc_gradients *gradients, float learning_rate,
                                struct llmc_step_result *result);

/* The learning rate at `step` of `steps`: rises linearly to `peak` over the first `warmup` fraction, then falls
 * linearly to 0 (transformers' get_linear_schedule_with_warmup). */
double llmc_learning_rate(double peak, double warmup, int64_t step, int64_t steps);

#endif
