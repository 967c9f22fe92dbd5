/*
 * One training step: a batch of chosen rows through forward, loss, backward and
 * optimiser, in memory that is reused from step to step.
 */
#ifndef LLMC_TRAIN_STEP_H
#define LLMC_TRAIN_STEP_H

#include "train/training.h"

/* Where a step's time went, in seconds; products and attention are in forward and backward too. */
struct llmc_step_times {
    double data, forward, backward, optimizer;
};

/* Zeroed is empty. */
struct llmc_step_memory {
    struct llmc_batch batch;
    struct llmc_activations activations;
    struct llmc_gradients gradients;
    float *logits, *dlogits; /* [batch_size, L] */
    struct llmc_step_times times; /* summed over the steps */
};

llmc_status llmc_step_memory_init(struct llmc_step_memory *memory, const struct llmc_training *training);
void llmc_step_memory_release(struct llmc_step_memory *memory);

/* Trains on texts `rows[0..count-1]`, count at most training->batch_size, at metrics->learning_rate; fills in
 * the rest of metrics but step, steps and seconds. The model's compute copies must be prepared, and are again behind
 * the step. */
llmc_status llmc_step_run(struct llmc_training *training, struct llmc_step_memory *memory, const int64_t *rows,
                          int32_t count, struct llmc_step_metrics *metrics);

#endif
