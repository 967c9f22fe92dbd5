/*
 * What the training stages share: the loop with its checkpoints, metrics and
 * losses. A stage adds what it does before and after a step.
 */
#ifndef LLMC_PIPELINE_TRAIN_STAGE_H
#define LLMC_PIPELINE_TRAIN_STAGE_H

#include "pipeline/run.h"

struct llmc_train_stage {
    struct llmc_run *run;
    const struct llmc_stage_config *stage;
    bool against_teacher;          /* distillation loss by the stage's keys; else cross-entropy alone */
    /* Called once, when the stage starts from the beginning: changes run->state. NULL: nothing. */
    llmc_status (*begin)(struct llmc_train_stage *train);
    llmc_status (*before_step)(struct llmc_train_stage *train, int64_t step, int64_t steps);
    llmc_status (*after_step)(struct llmc_train_stage *train, const struct llmc_gradients *gradients, double scale,
                              double learning_rate);
    /* Called behind the last step. NULL: nothing. */
    llmc_status (*end)(struct llmc_train_stage *train);
    struct llmc_range *observed;   /* handed to forward; NULL: none */

    struct llmc_stage_progress progress;
    double started;
    FILE *metrics;
    char *part_path, *metrics_path;
    double *work;                  /* [2 L] of the losses */
    float *teacher;                /* [batch_size, L] the teacher's logits of a batch */
};

/* Trains run->state by `stage`, from its part checkpoint if there is one that fits, and leaves the result in
 * run->state. The finished checkpoint is written by the caller. */
llmc_status llmc_train_stage_run(struct llmc_train_stage *train);

#endif
