/* The stage structure: removes heads, neurons of the feed-forward parts and layers while it trains. */
#include "base/memory.h"
#include "distill/against_teacher.h"
#include "prune/importance.h"
#include "prune/layer_times.h"
#include "prune/magnitude.h"
#include "prune/stage.h"
#include "prune/structure.h"
#include "stage/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const importances[] = {
    [LLMC_IMPORTANCE_FISHER] = "fisher", [LLMC_IMPORTANCE_TAYLOR] = "taylor", NULL};

struct settings {
    struct llmc_train_settings train;
    struct llmc_distill_settings distill;
    double keep, time; /* 0: not given */
    int32_t bytes, bits;
    enum llmc_importance_kind importance;
    int32_t rounds;
    double ramp;
};

static const struct llmc_config_key keys[] = {
    LLMC_TRAIN_KEYS(struct settings, train, "3", "5e-5", "0")
    LLMC_DISTILL_KEYS(struct settings, distill)
    LLMC_KEY("keep", struct settings, keep, NUMBER, "0", 0, 1,
             "share of the layers' linear weights that stays; one of `keep`, `time` and `bytes` is to be given")
    LLMC_KEY("time", struct settings, time, NUMBER, "0", 0, 1,
             "share that stays of the layers' time in the runtime, measured on this machine")
    LLMC_KEY("bytes", struct settings, bytes, INT, "0", 0, 2147483647,
             "that the layers' linear weights may take with `bits` bits each, before compression")
    LLMC_KEY("bits", struct settings, bits, INT, "8", 2, 32, "of a weight, for `bytes`")
    LLMC_KEY_ONE_OF("importance", struct settings, importance, importances, "fisher",
                    "of heads and neurons, from the gradients of the loss")
    LLMC_KEY("rounds", struct settings, rounds, INT, "8", 1, 1000, "in which heads, neurons and layers go")
    LLMC_KEY_ABOVE("ramp", struct settings, ramp, NUMBER, "0.5", 0, 1, "fraction of the steps in which the rounds lie")
};

/* The stage under way. */
struct pruning {
    struct llmc_train_stage train; /* first: its functions are given it */
    const struct settings *settings;
    struct llmc_costs costs;
    double start, budget; /* cost of the model when the stage began, and at its end */
};

static const struct settings *settings_of(const struct llmc_stage_work *work)
{
    return work->stage->settings;
}

/* Blames a key of the stage: "FILE:LINE: stages.4.KEY: ...". */
static llmc_status refuse(const struct llmc_stage_work *work, const char *key, const char *text)
{
    const struct llmc_config_origin origin = {work->config->path, work->stage->line, NULL};
    char name[48];
    snprintf(name, sizeof name, "stages.%d.%s", (int)(work->stage - work->config->stages) + 1, key);
    return llmc_config_error(&origin, name, "%s", text);
}

/* The budget, where a whole model costs `start`. */
static double budget_of(const struct settings *settings, double start)
{
    if (settings->bytes > 0)
        return settings->bytes * 8.0 / settings->bits;
    return start * (settings->time > 0 ? settings->time : settings->keep);
}

static llmc_status check_budget(const struct llmc_stage_work *work, const struct llmc_architecture *a,
                                const struct llmc_costs *costs)
{
    const struct settings *settings = settings_of(work);
    double start = llmc_cost_of(costs, a), least = llmc_cost_least(costs, a);
    char text[160];
    if (least <= budget_of(settings, start))
        return LLMC_OK;
    if (settings->bytes > 0)
        snprintf(text, sizeof text, "is %d; allowed are %.0f and more: one layer with one head and %d neurons",
                 settings->bytes, ceil(least * settings->bits / 8), LLMC_NEURON_GROUP);
    else
        snprintf(text, sizeof text, "is %g; allowed are %.4f and more: one layer with one head and %d neurons",
                 settings->time > 0 ? settings->time : settings->keep, ceil(least / start * 1e4) / 1e4,
                 LLMC_NEURON_GROUP);
    return refuse(work, settings->bytes > 0 ? "bytes" : settings->time > 0 ? "time" : "keep", text);
}

/* The model that the stage will get, as far as the configuration says it: no smaller than it will be. */
static struct llmc_architecture planned(const struct llmc_stage_work *work)
{
    const struct llmc_config *config = work->config;
    struct llmc_architecture a = work->data->teacher;
    struct llmc_layer_shape widest = llmc_architecture_widest(&a);
    int32_t heads = config->student.heads ? config->student.heads : widest.heads;
    a.hidden = config->student.hidden ? config->student.hidden : a.hidden;
    if (config->student.hidden || config->student.heads)
        a.head_width = a.hidden / heads;
    a.layers = config->student.layers ? config->student.layers : a.layers;
    for (int32_t i = 0; i < a.layers; i++)
        a.layer[i] = (struct llmc_layer_shape){heads, config->student.ffn ? config->student.ffn : widest.ffn};
    return a;
}

static llmc_status prepare(const struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = settings_of(work);
    const struct llmc_architecture a = planned(work);
    struct llmc_costs costs = {0};
    if ((settings->keep > 0) + (settings->time > 0) + (settings->bytes > 0) != 1)
        LLMC_TRY(refuse(work, "keep", "one of keep, time and bytes says how much stays; allowed is one above 0"));
    if (settings->distill.features.hidden_weight > 0 || settings->distill.features.embedding_weight > 0 ||
        settings->distill.features.relations_weight > 0)
        LLMC_TRY(refuse(work, "hidden_weight", "hidden_weight, embedding_weight and relations_weight compare layers, and "
                                               "this stage removes some; allowed are 0, and stages before and after it"));
    LLMC_TRY(llmc_distill_check(work, &settings->distill));
    if (settings->time > 0)
        return LLMC_OK; /* it is measured later */
    LLMC_TRY(llmc_costs_init(&costs, &a));
    llmc_costs_of_weights(&costs, &a);
    LLMC_TRY(check_budget(work, &a, &costs));
exit:
    llmc_costs_release(&costs);
    return status;
}

/* The costs of the model in the chain. */
static llmc_status make_costs(const struct llmc_stage_work *work, struct llmc_costs *costs)
{
    llmc_status status = LLMC_OK;
    const struct llmc_state *state = &work->chain->state;
    const struct llmc_architecture *a = &state->model.parameters.architecture;
    struct llmc_text_lengths lengths;
    bool measured = false;
    LLMC_TRY(llmc_costs_init(costs, a));
    if (settings_of(work)->time > 0) {
        LLMC_TRY(llmc_data_dev_lengths(work->data, state->tokenizer, state->tokens_max, &lengths));
        LLMC_TRY(llmc_costs_of_times(costs, a, (int32_t)fmax(rint(lengths.tokens), 1), work->host->runs_folder,
                                     &measured));
    } else
        llmc_costs_of_weights(costs, a);
    if (measured)
        llmc_stage_message(work, "measured the time of layers in the runtime");
exit:
    return status;
}

/* What is removed for time depends on the times. */
static llmc_status identify(const struct llmc_stage_work *work, struct llmc_hash *hash)
{
    llmc_status status = LLMC_OK;
    struct llmc_costs costs = {0};
    if (!(settings_of(work)->time > 0))
        return LLMC_OK;
    LLMC_TRY(llmc_stage_load_model(work));
    LLMC_TRY(make_costs(work, &costs));
    for (int i = 0; i < 2; i++) {
        const struct llmc_layer_costs *layer = i ? &costs.last : &costs.inner;
        llmc_hash_update(hash, layer->heads, ((size_t)costs.heads_max + 1) * sizeof *layer->heads);
        llmc_hash_update(hash, layer->neurons, ((size_t)costs.neurons_max + 1) * sizeof *layer->neurons);
    }
exit:
    llmc_costs_release(&costs);
    return status;
}

static const struct llmc_architecture *architecture_of(const struct llmc_train_stage *train)
{
    return &train->work->chain->state.model.parameters.architecture;
}

/* Importances of the model as it is now, none taken yet. */
static llmc_status clear_importance(struct llmc_train_stage *train)
{
    struct llmc_stage_progress *progress = &train->progress;
    free(progress->numbers);
    progress->number_count = llmc_importance_count(architecture_of(train));
    return llmc_alloc(&progress->numbers, (size_t)progress->number_count, sizeof *progress->numbers);
}

static void tell_structure(const struct pruning *pruning)
{
    const struct llmc_architecture *a = architecture_of(&pruning->train);
    char shapes[256] = "";
    for (int32_t i = 0; i < a->layers && strlen(shapes) + 32 < sizeof shapes; i++)
        snprintf(shapes + strlen(shapes), 32, "%s%d/%d", i ? ", " : "", a->layer[i].heads, a->layer[i].ffn);
    llmc_stage_message(pruning->train.work, "%.1f %% of the layers' %s stay; heads/neurons: %s",
                       100 * llmc_cost_of(&pruning->costs, a) / pruning->start,
                       pruning->settings->time > 0 ? "time" : "weights", shapes);
}

static llmc_status remove_to(struct pruning *pruning, double budget)
{
    llmc_status status = LLMC_OK;
    struct llmc_train_stage *train = &pruning->train;
    struct llmc_structure structure = {0};
    if (train->progress.number_count != llmc_importance_count(architecture_of(train)))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: training/numbers are not the importances of this model", train->part_path);
    LLMC_TRY(llmc_structure_choose(&structure, architecture_of(train), train->progress.numbers, &pruning->costs, budget));
    LLMC_TRY(llmc_training_select(train->training, &structure.selection));
    LLMC_TRY(clear_importance(train));
    tell_structure(pruning);
exit:
    llmc_structure_release(&structure);
    return status;
}

/* Rounds are evenly spaced; each removes to what the schedule allows, as soon as a step has shown gradients. */
static llmc_status before_step(struct llmc_train_stage *train, int64_t step, int64_t steps)
{
    struct pruning *pruning = (struct pruning *)train;
    int32_t rounds = pruning->settings->rounds;
    int64_t round = (int64_t)fmin(floor(rounds * (double)step / (pruning->settings->ramp * (double)steps)), rounds);
    double budget = llmc_prune_schedule(pruning->start, pruning->budget, 1, round, rounds);
    if (llmc_cost_of(&pruning->costs, architecture_of(train)) <= budget || !(train->progress.numbers[0] > 0))
        return LLMC_OK;
    return remove_to(pruning, budget);
}

/* Not where nothing will be removed any more. */
static llmc_status after_backward(struct llmc_train_stage *train, const struct llmc_gradients *gradients, double scale)
{
    const struct pruning *pruning = (const struct pruning *)train;
    if (llmc_cost_of(&pruning->costs, architecture_of(train)) > pruning->budget)
        llmc_importance_add(train->progress.numbers, &train->work->chain->state.model.parameters, gradients, scale,
                            pruning->settings->importance);
    return LLMC_OK;
}

/* The last round may lie at the end. */
static llmc_status end(struct llmc_train_stage *train)
{
    struct pruning *pruning = (struct pruning *)train;
    if (llmc_cost_of(&pruning->costs, architecture_of(train)) <= pruning->budget)
        return LLMC_OK;
    return remove_to(pruning, pruning->budget);
}

static llmc_status run(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = settings_of(work);
    const struct llmc_architecture *a = &work->chain->state.model.parameters.architecture;
    struct pruning pruning = {
        .train = {.work = work, .settings = &settings->train, .loss = &llmc_distill_loss, .loss_settings = &settings->distill,
                  .begin = clear_importance, .before_step = before_step, .after_backward = after_backward, .end = end},
        .settings = settings};
    LLMC_TRY(make_costs(work, &pruning.costs));
    LLMC_TRY(check_budget(work, a, &pruning.costs));
    pruning.start = llmc_cost_of(&pruning.costs, a); /* before a part checkpoint is read */
    pruning.budget = budget_of(settings, pruning.start);
    LLMC_TRY(llmc_train_stage_run(&pruning.train));
exit:
    llmc_costs_release(&pruning.costs);
    return status;
}

const struct llmc_stage_type llmc_structure_stage = {
    .kind = {.name = "structure", .does = "removes attention heads, ffn neurons and whole layers while training",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .needs = LLMC_THING_LOGITS, .makes = LLMC_THING_STUDENT, .ends = LLMC_THING_FILE,
             .refuses = LLMC_THING_RANGES},
    .product = "model.h5",
    .suffix = ".h5",
    .works_on_model = true,
    .makes_model = true,
    .engine = "libtorch",
    .prepare = prepare,
    .identify = identify,
    .run = run,
    .adopt = llmc_stage_adopt_model,
    .measure = llmc_stage_measure_model,
};
