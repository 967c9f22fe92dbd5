/*
 * What the stages that train share: the loop with its checkpoints and metrics. A stage brings its loss, and what it does
 * before and after a step.
 */
#ifndef LLMC_STAGE_TRAINING_H
#define LLMC_STAGE_TRAINING_H

#include "stage/stage.h"
#include "stage/state_file.h"
#include "train/loop.h"

/* The keys of all stages that train; the first thing in their settings, or part of them. */
struct llmc_train_settings {
    double epochs; /* fractions are fine */
    int32_t batch_size;
    double learning_rate, warmup, weight_decay, clip_norm, dropout;
};
#define LLMC_TRAIN_KEYS(struct_, field_, epochs_, learning_rate_, dropout_)                                             \
    LLMC_KEY_ABOVE("epochs", struct_, field_.epochs, NUMBER, epochs_, 0, 1000, "passes over the texts: behind logits over all that the teacher answered")        \
    LLMC_KEY("batch_size", struct_, field_.batch_size, INT, "32", 1, 4096, "texts a step")                              \
    LLMC_KEY_ABOVE("learning_rate", struct_, field_.learning_rate, NUMBER, learning_rate_, 0, 1, "at its peak")         \
    LLMC_KEY("warmup", struct_, field_.warmup, NUMBER, "0.1", 0, 1, "fraction of the steps in which the rate rises")    \
    LLMC_KEY("weight_decay", struct_, field_.weight_decay, NUMBER, "0.01", 0, 1, "of AdamW")                            \
    LLMC_KEY("clip_norm", struct_, field_.clip_norm, NUMBER, "1", 0, 1e6, "longest gradient; 0: any")                   \
    LLMC_KEY("dropout", struct_, field_.dropout, NUMBER, dropout_, 0, 0.9, "fraction of values zeroed in training")

struct llmc_train_stage;

/* What a stage lowers. */
struct llmc_train_loss {
    llmc_loss_fn run; /* called with the train stage as its context */
    /* Before the first step, when the model is there and before a checkpoint is read: may give train->training taps and
     * numbers that train beside the model. `close` follows in any case. NULL: nothing. */
    llmc_status (*open)(struct llmc_train_stage *train);
    void (*close)(struct llmc_train_stage *train);
};

struct llmc_train_stage {
    struct llmc_stage_work *work;
    const struct llmc_text_source *texts; /* to train on; NULL: those of the chain */
    const struct llmc_train_settings *settings;
    const struct llmc_train_loss *loss;
    const void *loss_settings;     /* of the loss */
    void *loss_state;              /* what `open` of the loss made */
    /* Called once, when the stage starts from the beginning: changes work->chain->state. NULL: nothing. */
    llmc_status (*begin)(struct llmc_train_stage *train);
    llmc_status (*before_step)(struct llmc_train_stage *train, int64_t step, int64_t steps);
    llmc_status (*after_backward)(struct llmc_train_stage *train, const struct llmc_gradients *gradients, double scale);
    llmc_status (*after_step)(struct llmc_train_stage *train, const struct llmc_gradients *gradients, double scale,
                              double learning_rate);
    /* Called after the last step. NULL: nothing. */
    llmc_status (*end)(struct llmc_train_stage *train);
    struct llmc_range *observed;   /* handed to forward; NULL: none */

    struct llmc_text_source joined; /* the texts in the ids of the model, where these are others */
    struct llmc_training *training; /* while it runs, for the functions above */
    struct llmc_stage_progress progress;
    double started;
    FILE *metrics;
    char *part_path, *metrics_path;
    double *scratch;               /* [2 L] for the loss */
    float *teacher;                /* [batch_size, L] for a loss against the teacher's logits */
};

/* Trains the chain's model, from the stage's part checkpoint if there is one that fits, and writes the finished
 * checkpoint to work->product_path. Errors: LLMC_ERR_INTERRUPTED after a stop, with the part saved; others as said by
 * the loop. */
llmc_status llmc_train_stage_run(struct llmc_train_stage *train);

/* Cross-entropy with the labels: the loss of a stage without a teacher. */
extern const struct llmc_train_loss llmc_train_stage_cross_entropy;

/* For the field `adopt` of a type that makes a model: the product is the model's checkpoint now. */
llmc_status llmc_stage_adopt_model(struct llmc_stage_work *work);

/* The names of the files in the stage's folder. */
#define LLMC_PART_FILE "part.h5"
#define LLMC_METRICS_FILE "metrics.jsonl"

#endif
