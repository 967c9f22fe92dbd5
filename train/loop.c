#include "train/loop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "train/step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void llmc_epoch_order(uint64_t seed, int64_t epoch, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (int64_t)i;
    llmc_random_shuffle(llmc_random_key(seed, LLMC_STREAM_ORDER, (uint64_t)epoch), count, out);
}

static int64_t steps_per_epoch(const struct llmc_training *t)
{
    return (t->texts->count + t->batch_size - 1) / t->batch_size;
}

int64_t llmc_training_steps(const struct llmc_training *t)
{
    int64_t steps = (int64_t)ceil(t->epochs * (double)steps_per_epoch(t));
    return steps > 0 ? steps : 1;
}

/* The order of the epoch under way. */
struct order {
    int64_t *rows; /* [texts->count] */
    int64_t epoch;
};

/* *rows and *count = the rows of step t->step. */
static void next_rows(struct order *order, const struct llmc_training *t, const int64_t **rows, int32_t *count)
{
    int64_t epoch = t->step / steps_per_epoch(t);
    int64_t first = t->step % steps_per_epoch(t) * t->batch_size;
    int64_t left = t->texts->count - first;
    if (epoch != order->epoch) {
        llmc_epoch_order(t->seed, epoch, (size_t)t->texts->count, order->rows);
        order->epoch = epoch;
    }
    *rows = order->rows + first;
    *count = (int32_t)(left < t->batch_size ? left : t->batch_size);
}

static void report_progress(const struct llmc_training *t, const struct llmc_step_metrics *metrics, double *loss)
{
    char extra[64];
    *loss = *loss < 0 ? metrics->loss : 0.98 * *loss + 0.02 * metrics->loss;
    snprintf(extra, sizeof extra, "loss %.4f  lr %.1e", *loss, metrics->learning_rate);
    if (t->progress)
        t->progress(t->progress_context, "training", t->step, metrics->steps, extra);
}

llmc_status llmc_training_select(struct llmc_training *t, const struct llmc_selection *selection)
{
    llmc_status status = LLMC_OK;
    struct llmc_parameters selected = {0};
    LLMC_TRY(llmc_parameters_select(&selected, &t->model->parameters, selection));
    LLMC_TRY(llmc_optimizer_select(&t->optimizer, &selected, &t->model->parameters, selection));
    LLMC_TRY(llmc_bert_take(t->model, &selected));
    t->reshaped = true;
exit:
    llmc_parameters_release(&selected);
    return status;
}

/* The memory of a step and the compute copies, for the model as it is now. */
static llmc_status make_memory(struct llmc_training *t, struct llmc_step_memory *memory)
{
    llmc_step_memory_release(memory);
    llmc_status status = llmc_step_memory_init(memory, t);
    t->reshaped = false;
    return status == LLMC_OK ? llmc_bert_prepare(t->model, t->ops) : status;
}

llmc_status llmc_training_run(struct llmc_training *t)
{
    llmc_status status = LLMC_OK;
    struct llmc_step_memory memory = {0};
    struct order order = {.epoch = -1};
    int64_t steps = llmc_training_steps(t);
    double saved = llmc_clock(), smooth = -1;
    LLMC_TRY(llmc_alloc(&order.rows, (size_t)t->texts->count, sizeof *order.rows));
    LLMC_TRY(make_memory(t, &memory));
    while (t->step < steps) {
        double start = llmc_clock();
        struct llmc_step_metrics metrics = {.step = t->step, .steps = steps};
        metrics.learning_rate = llmc_learning_rate(t->peak_learning_rate, t->warmup, t->step, steps);
        if (t->before_step)
            LLMC_TRY(t->before_step(t->context, t->step, steps));
        if (t->reshaped)
            LLMC_TRY(make_memory(t, &memory));
        const int64_t *rows;
        int32_t count;
        next_rows(&order, t, &rows, &count);
        LLMC_TRY(llmc_step_run(t, &memory, rows, count, &metrics));
        t->step++;
        metrics.seconds = llmc_clock() - start;
        if (t->metrics)
            LLMC_TRY(t->metrics(t->context, &metrics));
        report_progress(t, &metrics, &smooth);
        bool stopped = t->stop && *t->stop;
        if (t->save && t->step < steps && (stopped || llmc_clock() - saved >= t->save_seconds)) {
            LLMC_TRY(t->save(t->context, t));
            saved = llmc_clock();
        }
        if (stopped && t->step < steps)
            LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped after step %lld of %lld; run the same command again to go on",
                      (long long)t->step, (long long)steps);
    }
    llmc_optimizer_catch_up(&t->optimizer, t->ops, t->model, NULL);
exit:
    llmc_step_memory_release(&memory);
    free(order.rows);
    return status;
}
