#include "quantize/stage.h"

#include "base/memory.h"
#include "distill/against_teacher.h"
#include "quantize/allot.h"
#include "quantize/calibrate.h"
#include "quantize/sensitivity.h"
#include "quantize/steps.h"
#include "stage/measure.h"

#include <stdlib.h>
#include <string.h>

/* A batch counts 1 % of an averaged range. */
#define RANGE_MOMENTUM 0.99

enum range_mode { RANGES_LEARNED, RANGES_AVERAGED };
static const char *const range_modes[] = {[RANGES_LEARNED] = "learned", [RANGES_AVERAGED] = "averaged", NULL};

enum step_mode { STEPS_ABSMAX, STEPS_LEARNED };
static const char *const step_modes[] = {[STEPS_ABSMAX] = "absmax", [STEPS_LEARNED] = "learned", NULL};

struct settings {
    struct llmc_train_settings train;
    struct llmc_distill_settings distill;
    int32_t weight_bits, embedding_bits, bytes;
    enum step_mode steps;
    enum range_mode ranges;
    int32_t calibration_batches;
};

static const struct llmc_config_key keys[] = {
    LLMC_TRAIN_KEYS(struct settings, train, "1", "5e-5", "0")
    LLMC_DISTILL_KEYS(struct settings, distill)
    LLMC_KEY("weight_bits", struct settings, weight_bits, INT, "8", 2, 8, "integers of the linear layers")
    LLMC_KEY("embedding_bits", struct settings, embedding_bits, INT, "8", 2, 8,
             "integers of the word and position embeddings")
    LLMC_KEY("bytes", struct settings, bytes, INT, "0", 0, INT32_MAX,
             "of `model.llmc`, about: each weight and embedding gets bits of its own, at most those of the two keys; 0: all "
             "have these")
    LLMC_KEY_ONE_OF("steps", struct settings, steps, step_modes, "learned",
                    "of the integers below 8 bits: by the largest magnitude of a row, or learned")
    LLMC_KEY_ONE_OF("ranges", struct settings, ranges, range_modes, "learned",
                    "of the activations, after their calibration")
    LLMC_KEY("calibration_batches", struct settings, calibration_batches, INT, "32", 1, 10000,
             "batches that calibrate the ranges")
};

/* One line a number of bits would be long: the bits in the order of the parameters, and what they are of. */
static void tell_bits(const struct llmc_stage_work *work, const struct llmc_parameters *p, double bytes)
{
    char list[768];
    int length = 0;
    for (int32_t i = 0; i < p->count && length < (int)sizeof list - 8; i++) {
        if (p->table[i].kind == LLMC_PARAMETER_LINEAR)
            length += snprintf(list + length, sizeof list - (size_t)length, " %d", p->table[i].bits);
    }
    list[length] = '\0';
    llmc_stage_message(work, "bits for about %.0f bytes: words %d, positions %d, query, key, value, attention output, "
                       "intermediate and output of each layer, pooler:%s", bytes, p->table[LLMC_WORDS].bits,
                       p->table[LLMC_POSITIONS].bits, list);
}

static llmc_status allot_bits(struct llmc_stage_work *work, const struct llmc_calibration *calibration)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = work->stage->settings;
    struct llmc_state *state = &work->chain->state;
    struct llmc_parameters *p = &state->model.parameters;
    size_t texts_nbytes;
    float *squares = NULL;
    double bytes;
    llmc_tokenizer_vocabulary(state->tokenizer, &texts_nbytes);
    for (int32_t i = 0; i < state->labels.count; i++)
        texts_nbytes += strlen(state->labels.names[i]) + 1;
    LLMC_TRY(llmc_alloc(&squares, (size_t)p->total, sizeof *squares));
    llmc_parameters_set_bits(p, 0, 0);
    LLMC_TRY(llmc_quantize_sensitivity(&state->model, work->ops, calibration, squares));
    const struct llmc_allotment allotment = {settings->bytes, llmc_quantize_other_bytes(p, texts_nbytes),
                                             settings->weight_bits, settings->embedding_bits,
                                             settings->steps == STEPS_LEARNED, squares};
    LLMC_TRY(llmc_quantize_allot(p, &allotment, &bytes));
    tell_bits(work, p, bytes);
exit:
    free(squares);
    return status;
}

static llmc_status prepare(const struct llmc_stage_work *work)
{
    const struct settings *settings = work->stage->settings;
    return llmc_distill_check(work, &settings->distill);
}

static llmc_status begin(struct llmc_train_stage *train)
{
    llmc_status status = LLMC_OK;
    struct llmc_stage_work *work = train->work;
    const struct settings *settings = work->stage->settings;
    struct llmc_state *state = &work->chain->state;
    struct llmc_text_source joined = {0};
    struct llmc_calibration calibration = {NULL, work->config->seed, settings->train.batch_size,
                                           settings->calibration_batches};
    LLMC_TRY(llmc_stage_texts(work, NULL, &joined, &calibration.texts));
    llmc_parameters_set_bits(&state->model.parameters, settings->weight_bits, settings->embedding_bits);
    if (settings->bytes)
        LLMC_TRY(allot_bits(work, &calibration));
    if (settings->steps == STEPS_LEARNED)
        LLMC_TRY(llmc_quantize_start_steps(&state->model.parameters));
    LLMC_TRY(llmc_calibrate(&state->model, work->ops, &calibration, &state->ranges));
    llmc_state_apply(state);
    if (settings->ranges == RANGES_LEARNED)
        state->ranges.step = 0; /* from here on it counts Adam's steps */
exit:
    llmc_text_source_close(&joined);
    return status;
}

static llmc_status clear_observed(struct llmc_train_stage *train, int64_t step, int64_t steps)
{
    (void)step, (void)steps;
    llmc_calibrate_clear(train->observed, train->work->chain->state.ranges.count);
    return LLMC_OK;
}

static llmc_status average_ranges(struct llmc_train_stage *train, const struct llmc_gradients *gradients, double scale,
                                  double learning_rate)
{
    (void)gradients, (void)scale, (void)learning_rate;
    llmc_calibrate_average(&train->work->chain->state.ranges, train->observed, RANGE_MOMENTUM);
    return LLMC_OK;
}

static llmc_status learn_ranges(struct llmc_train_stage *train, const struct llmc_gradients *gradients, double scale,
                                double learning_rate)
{
    llmc_calibrate_learn(&train->work->chain->state.ranges, gradients->dscales, scale, LLMC_RANGE_RATE * learning_rate);
    return LLMC_OK;
}

static llmc_status run(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = work->stage->settings;
    struct llmc_train_stage train = {.work = work, .settings = &settings->train, .loss = &llmc_distill_loss,
                                     .loss_settings = &settings->distill, .begin = begin, .after_step = learn_ranges};
    if (settings->ranges == RANGES_AVERAGED) {
        int32_t sites = llmc_site_count(&work->chain->state.model.parameters.architecture);
        LLMC_TRY(llmc_alloc(&train.observed, (size_t)sites, sizeof *train.observed));
        train.before_step = clear_observed;
        train.after_step = average_ranges;
    }
    LLMC_TRY(llmc_train_stage_run(&train));
exit:
    free(train.observed);
    return status;
}

const struct llmc_stage_type llmc_qat_stage = {
    .kind = {.name = "qat", .does = "trains with the rounding that integers will do",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .needs = LLMC_THING_LOGITS, .makes = LLMC_THING_STUDENT | LLMC_THING_RANGES, .ends = LLMC_THING_FILE},
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
