/*
 * The training loop: batches in a seeded order, forward, loss, backward,
 * optimiser, and places where stages hook in. It can stop after any step and go
 * on later: all that it depends on is the step number and the saved state.
 */
#ifndef LLMC_TRAIN_LOOP_H
#define LLMC_TRAIN_LOOP_H

#include "train/training.h"

/* Steps that `epochs` take. */
int64_t llmc_training_steps(const struct llmc_training *training);

/* Runs from training->step to the end. The model's compute copies are made anew first. When it ends well, the whole
 * word embedding has caught up; it has not after an error or a stop. */
llmc_status llmc_training_run(struct llmc_training *training);

/* Lets the training go on with the selected parts of its model (architecture/select.h): parameters and the optimiser's
 * state follow, compute copies and the memory of a step are made anew before the next one. For before_step, and for the
 * time after the last step. The model's inputs must not be quantised where layers are selected. Errors: those of
 * llmc_parameters_select. */
llmc_status llmc_training_select(struct llmc_training *training, const struct llmc_selection *selection);

/* The texts in the order of epoch `epoch`: out [count]. */
void llmc_epoch_order(uint64_t seed, int64_t epoch, size_t count, int64_t *out);

#endif
