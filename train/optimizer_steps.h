/*
 * The optimiser's part that moves the steps of integers, by their gradient (Esser
 * et al., 2020, "Learned Step Size Quantization") with Adam on their logarithms, as
 * the scales of inputs are (quantize/ranges.h): one learning rate then serves rows
 * of all sizes, and the paper's factor 1 / sqrt(n limit) on the gradient, which
 * balances weights and steps under SGD, has no effect. Steps of words catch up with
 * their rows (optimizer.h). They are no part of the gradient's norm.
 */
#ifndef LLMC_TRAIN_OPTIMIZER_STEPS_H
#define LLMC_TRAIN_OPTIMIZER_STEPS_H

#include "model/bert.h"

/* The learning rate of the logarithms of steps, in times that of the weights. */
#define LLMC_OPTIMIZER_STEP_RATE 10.0

/* First and second moments of the logarithms [step_count]; NULL: the model has no steps. */
struct llmc_step_moments {
    float *m, *v;
};

/* One Adam step on the steps that have gradients: those of the batch's words, and all others. settings: those of the
 * weights, of the same step; loss_scale: a factor in the gradients. Gradients that are not finite move nothing. */
void llmc_optimizer_move_steps(struct llmc_step_moments *moments, struct llmc_parameters *parameters,
                               const struct llmc_gradients *gradients, const struct llmc_adamw *settings,
                               float loss_scale);

/* What the steps of the optimiser that the word `row` missed do to its step. */
void llmc_optimizer_catch_up_step(struct llmc_step_moments *moments, struct llmc_parameters *parameters, int64_t row,
                                  const struct llmc_missed_steps *missed);

#endif
