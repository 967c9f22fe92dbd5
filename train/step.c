#include "train/step.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

llmc_status llmc_step_memory_init(struct llmc_step_memory *memory, const struct llmc_training *t)
{
    size_t logits = (size_t)t->batch_size * (size_t)t->model->parameters.architecture.labels;
    llmc_status status = LLMC_OK;
    memset(memory, 0, sizeof *memory);
    LLMC_TRY(llmc_alloc(&memory->logits, logits, sizeof *memory->logits));
    LLMC_TRY(llmc_alloc(&memory->dlogits, logits, sizeof *memory->dlogits));
    LLMC_TRY(llmc_gradients_init(&memory->gradients, &t->model->parameters));
exit:
    if (status != LLMC_OK)
        llmc_step_memory_release(memory);
    return status;
}

void llmc_step_memory_release(struct llmc_step_memory *memory)
{
    free(memory->logits);
    free(memory->dlogits);
    llmc_batch_release(&memory->batch);
    llmc_activations_release(&memory->activations);
    llmc_gradients_release(&memory->gradients);
    memset(memory, 0, sizeof *memory);
}

/* Adds the time since *since to *sum, and begins anew. */
static void lap(double *since, double *sum)
{
    double now = llmc_clock();
    *sum += now - *since;
    *since = now;
}

llmc_status llmc_step_run(struct llmc_training *t, struct llmc_step_memory *memory, const int64_t *rows, int32_t count,
                          struct llmc_step_metrics *metrics)
{
    llmc_status status = LLMC_OK;
    int32_t labels = t->model->parameters.architecture.labels;
    struct llmc_step_result result;
    double since = llmc_clock();
    LLMC_TRY(llmc_batch_gather(&memory->batch, t->texts, rows, count));
    lap(&since, &memory->times.data);

    struct llmc_pass pass = {
        .batch = llmc_step_tokens(&memory->batch),
        .dropout = t->dropout,
        .dropout_key = llmc_random_key(t->seed, LLMC_STREAM_DROPOUT, (uint64_t)t->step),
        .keep = true,
        .observed = t->observed,
        .taps = t->taps,
        .tap_count = t->tap_count,
    };
    llmc_optimizer_catch_up(&t->optimizer, t->ops, t->model, &pass.batch);
    lap(&since, &memory->times.optimizer);
    LLMC_TRY(llmc_bert_forward(t->model, t->ops, &pass, &memory->activations, memory->logits));
    struct llmc_loss_input input = {memory->logits, &memory->batch, t->model->task, labels, (double)t->optimizer.scale};
    memset(memory->dlogits, 0, (size_t)count * (size_t)labels * sizeof *memory->dlogits);
    metrics->loss = 0;
    metrics->scale = (double)t->optimizer.scale;
    metrics->tokens = memory->batch.tokens;
    LLMC_TRY(t->loss(t->context, &input, &metrics->loss, memory->dlogits));
    lap(&since, &memory->times.forward);
    LLMC_TRY(llmc_bert_backward(t->model, t->ops, &pass, &memory->activations, memory->dlogits, &memory->gradients));
    lap(&since, &memory->times.backward);

    if (t->after_backward && isfinite(memory->gradients.squares))
        LLMC_TRY(t->after_backward(t->context, &memory->gradients, metrics->scale));
    LLMC_TRY(llmc_optimizer_step(&t->optimizer, t->ops, t->model, &memory->gradients, (float)metrics->learning_rate,
                                 &result));
    metrics->gradient_norm = result.gradient_norm;
    metrics->skipped = result.skipped;
    if (t->after_step && !result.skipped)
        LLMC_TRY(t->after_step(t->context, &memory->gradients, metrics->scale, metrics->learning_rate));
    lap(&since, &memory->times.optimizer);
exit:
    return status;
}
