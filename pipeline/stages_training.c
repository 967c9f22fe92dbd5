/* The stages that train: teacher, distill, qat, prune. */
#include "base/memory.h"
#include "base/random.h"
#include "distill/student.h"
#include "pipeline/student_init.h"
#include "pipeline/train_stage.h"
#include "prune/magnitude.h"

#include <stdlib.h>
#include <string.h>

/* The streams of random numbers that stages draw. */
enum { STREAM_STUDENT = 101, STREAM_CALIBRATION = 102 };
/* Weights are chosen anew every so many steps while the sparsity rises. */
enum { PRUNE_INTERVAL = 16 };
/* A batch counts 1 % of an averaged range. */
#define RANGE_MOMENTUM 0.99
/* Adam on the log of a scale: its rate is this many times that of the weights. */
#define RANGE_RATE 10.0

/* Trains and saves the stage's checkpoint. */
static llmc_status train_and_save(struct llmc_train_stage *train)
{
    struct llmc_run *run = train->run;
    llmc_status status = llmc_train_stage_run(train);
    if (status != LLMC_OK)
        return status;
    run->stage_seconds = train->progress.seconds;
    return llmc_state_save(run->state_path, &run->state, run->fingerprint, NULL, NULL);
}

llmc_status llmc_stage_teacher(struct llmc_run *run, const struct llmc_stage_config *stage)
{
    llmc_status status = LLMC_OK;
    bool has_classifier = false;
    llmc_state_release(&run->state);
    if (run->teacher_path) /* a second teacher stage goes on with the first one's teacher */
        LLMC_TRY(llmc_state_load(run->teacher_path, LLMC_F32, &run->state));
    else
        LLMC_TRY(llmc_run_load_folder(run, LLMC_F32, &run->state, &has_classifier));
    if (!has_classifier && stage->epochs == 0)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s has no classifier (classifier.weight): put a teacher stage first",
                  run->teacher_folder);
    if (has_classifier) {
        llmc_run_message(run, "%s: %s has a classifier already, nothing to train", stage->name, run->teacher_folder);
        LLMC_TRY(llmc_state_save(run->state_path, &run->state, run->fingerprint, NULL, NULL));
    } else {
        struct llmc_train_stage train = {.run = run, .stage = stage};
        LLMC_TRY(train_and_save(&train));
    }
exit:
    return status;
}

static llmc_status begin_student(struct llmc_train_stage *train)
{
    struct llmc_run *run = train->run;
    const struct llmc_config *config = run->config;
    llmc_status status = LLMC_OK;
    struct llmc_state teacher = {0};
    struct llmc_parameters student = {0};
    if (run->is_student)
        return LLMC_OK; /* a second distillation goes on with the student */
    LLMC_TRY(llmc_state_load(run->teacher_path, LLMC_F32, &teacher));
    struct llmc_student_shape shape = llmc_run_student_shape(config);
    LLMC_TRY(llmc_student_init(&student, &teacher.model.parameters, &shape,
                               llmc_random_key(config->seed, STREAM_STUDENT, 0)));
    if (config->student_init[0])
        LLMC_TRY(llmc_run_load_init(run, &student));
    llmc_state_release(&run->state);
    LLMC_TRY(llmc_bert_init(&run->state.model, &student.architecture, llmc_precision_number(config->precision)));
    memcpy(run->state.model.parameters.values, student.values, (size_t)student.total * sizeof *student.values);
exit:
    llmc_parameters_release(&student);
    llmc_state_release(&teacher);
    return status;
}

llmc_status llmc_stage_distill(struct llmc_run *run, const struct llmc_stage_config *stage)
{
    struct llmc_train_stage train = {.run = run, .stage = stage, .against_teacher = true, .begin = begin_student};
    return train_and_save(&train);
}

/* Means of the inputs' ranges over calibration batches, with the weights already rounded. */
static llmc_status calibrate(struct llmc_train_stage *train)
{
    struct llmc_run *run = train->run;
    struct llmc_state *state = &run->state;
    const struct llmc_dataset *data = &run->train;
    int32_t labels = state->model.parameters.architecture.labels;
    llmc_status status = LLMC_OK;
    struct llmc_batch batch = {0};
    struct llmc_activations activations = {0};
    struct llmc_range *observed = NULL;
    int64_t *order = NULL;
    float *logits = NULL;
    LLMC_TRY(llmc_alloc(&observed, (size_t)state->ranges.count, sizeof *observed));
    LLMC_TRY(llmc_alloc(&order, data->count, sizeof *order));
    LLMC_TRY(llmc_alloc(&logits, (size_t)train->stage->batch_size * (size_t)labels, sizeof *logits));
    llmc_epoch_order(llmc_random_key(run->config->seed, STREAM_CALIBRATION, 0), 0, data->count, order);
    state->model.inputs = NULL;
    LLMC_TRY(llmc_bert_prepare(&state->model, &run->ops));
    for (int32_t i = 0; i < train->stage->calibration_batches; i++) {
        int64_t first = (int64_t)i * train->stage->batch_size, left = (int64_t)data->count - first;
        if (left <= 0)
            break;
        LLMC_TRY(llmc_batch_gather(&batch, data, order + first,
                                   (int32_t)(left < train->stage->batch_size ? left : train->stage->batch_size)));
        struct llmc_pass pass = {.batch = llmc_batch_tokens(&batch), .observed = observed};
        llmc_ranges_clear(observed, state->ranges.count);
        LLMC_TRY(llmc_bert_forward(&state->model, &run->ops, &pass, &activations, logits));
        llmc_ranges_average(&state->ranges, observed, 1.0);
    }
    llmc_state_apply(state);
exit:
    llmc_batch_release(&batch);
    llmc_activations_release(&activations);
    free(observed);
    free(order);
    free(logits);
    return status;
}

static llmc_status begin_qat(struct llmc_train_stage *train)
{
    struct llmc_state *state = &train->run->state;
    llmc_status status = LLMC_OK;
    llmc_ranges_release(&state->ranges);
    LLMC_TRY(llmc_ranges_init(&state->ranges, llmc_site_count(&state->model.parameters.architecture)));
    llmc_parameters_set_bits(&state->model.parameters, train->stage->weight_bits, train->stage->embedding_bits);
    llmc_state_apply(state);
    LLMC_TRY(calibrate(train));
    if (train->stage->ranges == LLMC_RANGES_LEARNED)
        state->ranges.step = 0; /* from here on it counts Adam's steps */
exit:
    return status;
}

static llmc_status clear_observed(struct llmc_train_stage *train, int64_t step, int64_t steps)
{
    (void)step, (void)steps;
    llmc_ranges_clear(train->observed, train->run->state.ranges.count);
    return LLMC_OK;
}

static llmc_status average_ranges(struct llmc_train_stage *train, const struct llmc_gradients *gradients, double scale,
                                  double learning_rate)
{
    (void)gradients, (void)scale, (void)learning_rate;
    llmc_ranges_average(&train->run->state.ranges, train->observed, RANGE_MOMENTUM);
    return LLMC_OK;
}

static llmc_status learn_ranges(struct llmc_train_stage *train, const struct llmc_gradients *gradients, double scale,
                                double learning_rate)
{
    llmc_ranges_learn(&train->run->state.ranges, gradients->dscales, scale, RANGE_RATE * learning_rate);
    return LLMC_OK;
}

llmc_status llmc_stage_qat(struct llmc_run *run, const struct llmc_stage_config *stage)
{
    llmc_status status = LLMC_OK;
    struct llmc_train_stage train = {.run = run, .stage = stage, .against_teacher = true, .begin = begin_qat,
                                     .after_step = learn_ranges};
    if (stage->ranges == LLMC_RANGES_AVERAGED) {
        LLMC_TRY(llmc_alloc(&train.observed, (size_t)llmc_site_count(&run->state.model.parameters.architecture),
                            sizeof *train.observed));
        train.before_step = clear_observed;
        train.after_step = average_ranges;
    }
    LLMC_TRY(train_and_save(&train));
exit:
    free(train.observed);
    return status;
}

static llmc_status begin_prune(struct llmc_train_stage *train)
{
    train->progress.initial_sparsity = llmc_sparsity(&train->run->state.model.parameters);
    return LLMC_OK;
}

static llmc_status prune_step(struct llmc_train_stage *train, int64_t step, int64_t steps)
{
    struct llmc_run *run = train->run;
    if (step % PRUNE_INTERVAL != 0)
        return LLMC_OK;
    double sparsity = llmc_prune_schedule(train->progress.initial_sparsity, train->stage->sparsity, train->stage->ramp,
                                          step, steps);
    llmc_status status = llmc_prune_to(&run->state.model.parameters, sparsity);
    return status == LLMC_OK ? llmc_bert_prepare(&run->state.model, &run->ops) : status;
}

/* The schedule may end between two choices. */
static llmc_status end_prune(struct llmc_train_stage *train)
{
    return llmc_prune_to(&train->run->state.model.parameters, train->stage->sparsity);
}

llmc_status llmc_stage_prune(struct llmc_run *run, const struct llmc_stage_config *stage)
{
    struct llmc_train_stage train = {.run = run, .stage = stage, .against_teacher = true, .begin = begin_prune,
                                     .before_step = prune_step, .end = end_prune};
    return train_and_save(&train);
}
