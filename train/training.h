/*
 * What a training is made of: the model, the texts and the functions of a stage. The loop (train/loop.h) runs it, a
 * step (train/step.h) at a time.
 */
#ifndef LLMC_TRAIN_TRAINING_H
#define LLMC_TRAIN_TRAINING_H

#include "base/progress.h"
#include "base/status.h"
#include "model/bert.h"
#include "text/source.h"
#include "train/optimizer.h"

#include <signal.h>

/* What a loss sees of a batch, for the model's task. */
struct llmc_loss_input {
    const float *logits;       /* [S, L] */
    const struct llmc_batch *batch; /* labels and the texts' numbers */
    const struct llmc_task *task;
    int32_t labels;
    double scale;              /* factor on the gradient */
};
/* Returns the loss in *loss and writes scale * gradient into dlogits [S, L] (zeroed on entry), and into the training's
 * taps, whose values forward has set; numbers trained beside the model get theirs too. */
typedef llmc_status (*llmc_loss_fn)(void *context, const struct llmc_loss_input *input, double *loss, float *dlogits);

/* One line of metrics.jsonl. */
struct llmc_step_metrics {
    int64_t step, steps;
    double loss, learning_rate, gradient_norm, scale;
    bool skipped;
    int64_t tokens;
    double seconds;
};

struct llmc_training {
    /* set by the caller */
    struct llmc_bert *model;
    struct llmc_ops *ops;
    const struct llmc_text_source *texts;
    uint64_t seed;
    double epochs, peak_learning_rate, warmup;
    int32_t batch_size;
    float dropout;
    double save_seconds;       /* between two calls of `save` */
    const volatile sig_atomic_t *stop; /* set by a signal: save and return LLMC_ERR_INTERRUPTED; NULL ok */
    void *context;             /* of all functions below; each but `loss` may be NULL */
    llmc_loss_fn loss;
    llmc_status (*before_step)(void *context, int64_t step, int64_t steps);
    /* before the optimiser's step, while the weights are those of the gradients; not for steps that will be skipped */
    llmc_status (*after_backward)(void *context, const struct llmc_gradients *gradients, double scale);
    /* behind the optimiser's step, not for skipped steps; gradients are scaled by `scale`. */
    llmc_status (*after_step)(void *context, const struct llmc_gradients *gradients, double scale,
                              double learning_rate);
    /* between steps: rows of the word embedding may be behind (train/optimizer.h) */
    llmc_status (*save)(void *context, const struct llmc_training *training);
    llmc_status (*metrics)(void *context, const struct llmc_step_metrics *metrics);
    llmc_progress_fn progress;
    void *progress_context;
    struct llmc_range *observed; /* handed to forward; NULL: none */
    bool reshaped;             /* by llmc_training_select: the loop then makes its memory anew */
    struct llmc_tap *taps;       /* [tap_count] handed to forward and backward, for the loss */
    int32_t tap_count;

    /* state that a checkpoint keeps */
    struct llmc_optimizer optimizer;
    int64_t step; /* the next step */
};

/* The view of a batch that the model takes. */
struct llmc_tokens llmc_step_tokens(const struct llmc_batch *batch);

#endif
