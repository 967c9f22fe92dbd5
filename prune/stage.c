#include "prune/stage.h"

#include "distill/against_teacher.h"
#include "prune/magnitude.h"
#include "stage/measure.h"

/* Weights are chosen anew every so many steps while the sparsity rises. */
enum { PRUNE_INTERVAL = 16 };

struct settings {
    struct llmc_train_settings train;
    struct llmc_distill_settings distill;
    double sparsity, ramp;
};

static const struct llmc_config_key keys[] = {
    LLMC_TRAIN_KEYS(struct settings, train, "2", "5e-5", "0")
    LLMC_DISTILL_KEYS(struct settings, distill)
    LLMC_KEY("sparsity", struct settings, sparsity, NUMBER, "0.5", 0, 0.99, "of the linear layers' weights at the end")
    LLMC_KEY("ramp", struct settings, ramp, NUMBER, "0.5", 0, 1, "fraction of the steps over which the sparsity rises")
};

static const struct settings *settings_of(const struct llmc_train_stage *train)
{
    return train->work->stage->settings;
}

static llmc_status prepare(const struct llmc_stage_work *work)
{
    const struct settings *settings = work->stage->settings;
    return llmc_distill_check(work, &settings->distill);
}

static llmc_status begin(struct llmc_train_stage *train)
{
    train->progress.initial_sparsity = llmc_sparsity(&train->work->chain->state.model.parameters);
    return LLMC_OK;
}

static llmc_status before_step(struct llmc_train_stage *train, int64_t step, int64_t steps)
{
    struct llmc_bert *model = &train->work->chain->state.model;
    if (step % PRUNE_INTERVAL != 0)
        return LLMC_OK;
    double sparsity = llmc_prune_schedule(train->progress.initial_sparsity, settings_of(train)->sparsity,
                                          settings_of(train)->ramp, step, steps);
    llmc_status status = llmc_prune_to(&model->parameters, sparsity);
    return status == LLMC_OK ? llmc_bert_prepare(model, train->work->ops) : status;
}

/* The schedule may end between two choices. */
static llmc_status end(struct llmc_train_stage *train)
{
    return llmc_prune_to(&train->work->chain->state.model.parameters, settings_of(train)->sparsity);
}

static llmc_status run(struct llmc_stage_work *work)
{
    const struct settings *settings = work->stage->settings;
    struct llmc_train_stage train = {.work = work, .settings = &settings->train, .loss = &llmc_distill_loss,
                                     .loss_settings = &settings->distill, .begin = begin, .before_step = before_step,
                                     .end = end};
    return llmc_train_stage_run(&train);
}

const struct llmc_stage_type llmc_prune_stage = {
    .kind = {.name = "prune", .does = "sets small weights of the linear layers to zero while training",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .needs = LLMC_THING_LOGITS, .makes = LLMC_THING_STUDENT, .ends = LLMC_THING_FILE},
    .product = "model.h5",
    .suffix = ".h5",
    .works_on_model = true,
    .makes_model = true,
    .engine = "libtorch",
    .prepare = prepare,
    .run = run,
    .adopt = llmc_stage_adopt_model,
    .measure = llmc_stage_measure_model,
};
