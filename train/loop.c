#include "train/loop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Streams of random numbers that a seed gives. */
enum { STREAM_ORDER = 1, STREAM_DROPOUT = 2 };

struct llmc_tokens llmc_batch_tokens(const struct llmc_batch *batch)
{
    struct llmc_tokens tokens = {batch->sequences, batch->tokens, batch->ids, batch->types, batch->offsets};
    return tokens;
}

void llmc_epoch_order(uint64_t seed, int64_t epoch, size_t count, int64_t *out)
{
    uint64_t key = llmc_random_key(seed, STREAM_ORDER, (uint64_t)epoch);
    for (size_t i = 0; i < count; i++)
        out[i] = (int64_t)i;
    for (size_t i = count; i > 1; i--) { /* Fisher and Yates */
        size_t j = (size_t)(llmc_random_u64(key, i) % i);
        int64_t kept = out[i - 1];
        out[i - 1] = out[j];
        out[j] = kept;
    }
}

static int64_t steps_per_epoch(const struct llmc_training *t)
{
    return ((int64_t)t->data->count + t->batch_size - 1) / t->batch_size;
}

int64_t llmc_training_steps(const struct llmc_training *t)
{
    int64_t steps = (int64_t)ceil(t->epochs * (double)steps_per_epoch(t));
    return steps > 0 ? steps : 1;
}

/* Memory of a run. */
struct loop {
    int64_t *order; /* [data->count] of `epoch` */
    int64_t epoch;
    struct llmc_batch batch;
    struct llmc_activations activations;
    struct llmc_gradients gradients;
    float *logits, *dlogits; /* [batch_size, L] */
};

static llmc_status loop_init(struct loop *loop, const struct llmc_training *t)
{
    size_t logits = (size_t)t->batch_size * (size_t)t->model->parameters.architecture.labels;
    llmc_status status = LLMC_OK;
    loop->epoch = -1;
    LLMC_TRY(llmc_alloc(&loop->order, t->data->count, sizeof *loop->order));
    LLMC_TRY(llmc_alloc(&loop->logits, logits, sizeof *loop->logits));
    LLMC_TRY(llmc_alloc(&loop->dlogits, logits, sizeof *loop->dlogits));
    LLMC_TRY(llmc_gradients_init(&loop->gradients, &t->model->parameters));
exit:
    return status;
}

static void loop_release(struct loop *loop)
{
    free(loop->order);
    free(loop->logits);
    free(loop->dlogits);
    llmc_batch_release(&loop->batch);
    llmc_activations_release(&loop->activations);
    llmc_gradients_release(&loop->gradients);
}

static llmc_status next_batch(struct loop *loop, const struct llmc_training *t)
{
    int64_t epoch = t->step / steps_per_epoch(t);
    int64_t first = t->step % steps_per_epoch(t) * t->batch_size;
    int64_t left = (int64_t)t->data->count - first;
    if (epoch != loop->epoch) {
        llmc_epoch_order(t->seed, epoch, t->data->count, loop->order);
        loop->epoch = epoch;
    }
    return llmc_batch_gather(&loop->batch, t->data, loop->order + first,
                             (int32_t)(left < t->batch_size ? left : t->batch_size));
}

static llmc_status one_step(struct llmc_training *t, struct loop *loop, struct llmc_step_metrics *metrics)
{
    llmc_status status = LLMC_OK;
    int32_t labels = t->model->parameters.architecture.labels;
    struct llmc_step_result result;
    LLMC_TRY(next_batch(loop, t));
    struct llmc_pass pass = {
        .batch = llmc_batch_tokens(&loop->batch),
        .dropout = t->dropout,
        .dropout_key = llmc_random_key(t->seed, STREAM_DROPOUT, (uint64_t)t->step),
        .keep = true,
        .observed = t->observed,
    };
    LLMC_TRY(llmc_bert_forward(t->model, t->ops, &pass, &loop->activations, loop->logits));
    struct llmc_loss_input input = {loop->logits, &loop->batch, labels, (double)t->optimizer.scale};
    memset(loop->dlogits, 0, (size_t)loop->batch.sequences * (size_t)labels * sizeof *loop->dlogits);
    metrics->loss = 0;
    metrics->scale = (double)t->optimizer.scale;
    metrics->tokens = loop->batch.tokens;
    LLMC_TRY(t->loss(t->context, &input, &metrics->loss, loop->dlogits));
    LLMC_TRY(llmc_bert_backward(t->model, t->ops, &pass, &loop->activations, loop->dlogits, &loop->gradients));
    LLMC_TRY(llmc_optimizer_step(&t->optimizer, t->ops, &t->model->parameters, &loop->gradients,
                                 (float)metrics->learning_rate, &result));
    metrics->gradient_norm = result.gradient_norm;
    metrics->skipped = result.skipped;
    if (t->after_step && !result.skipped)
        LLMC_TRY(t->after_step(t->context, &loop->gradients, metrics->scale, metrics->learning_rate));
    LLMC_TRY(llmc_bert_prepare(t->model, t->ops));
exit:
    return status;
}

static void report_progress(const struct llmc_training *t, const struct llmc_step_metrics *metrics, double *loss)
{
    char extra[64];
    *loss = *loss < 0 ? metrics->loss : 0.98 * *loss + 0.02 * metrics->loss;
    snprintf(extra, sizeof extra, "loss %.4f  lr %.1e", *loss, metrics->learning_rate);
    if (t->progress)
        t->progress(t->progress_context, "training", t->step, metrics->steps, extra);
}

llmc_status llmc_training_run(struct llmc_training *t)
{
    llmc_status status = LLMC_OK;
    struct loop loop = {0};
    int64_t steps = llmc_training_steps(t);
    double saved = llmc_clock(), smooth = -1;
    LLMC_TRY(loop_init(&loop, t));
    LLMC_TRY(llmc_bert_prepare(t->model, t->ops));
    while (t->step < steps) {
        double start = llmc_clock();
        struct llmc_step_metrics metrics = {.step = t->step, .steps = steps};
        metrics.learning_rate = llmc_learning_rate(t->peak_learning_rate, t->warmup, t->step, steps);
        if (t->before_step)
            LLMC_TRY(t->before_step(t->context, t->step, steps));
        LLMC_TRY(one_step(t, &loop, &metrics));
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
exit:
    loop_release(&loop);
    return status;
}
