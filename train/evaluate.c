#include "train/evaluate.h"

#include "base/memory.h"
#include "train/training.h"

#include <stdlib.h>
#include <string.h>

/* Large enough for the products' full speed, small enough for the caches. */
enum { TOKENS_PER_BATCH = 2048 };

/* One batch's answers. */
struct answers {
    float *logits; /* [room] of a model, and in the end their mean */
    double *sums;  /* [room] over the models */
    size_t room;
    struct llmc_activations activations;
};

static llmc_status reserve(struct answers *answers, size_t count)
{
    llmc_status status = LLMC_OK;
    if (count <= answers->room)
        return LLMC_OK;
    free(answers->logits);
    free(answers->sums);
    answers->logits = NULL;
    answers->sums = NULL;
    answers->room = 0;
    LLMC_TRY(llmc_alloc(&answers->logits, count, sizeof *answers->logits));
    LLMC_TRY(llmc_alloc(&answers->sums, count, sizeof *answers->sums));
    answers->room = count;
exit:
    return status;
}

static llmc_status answer(const struct llmc_evaluation *e, struct llmc_ops *ops, const struct llmc_batch *batch,
                          struct answers *answers)
{
    llmc_status status = LLMC_OK;
    size_t count = (size_t)batch->sequences * (size_t)e->models[0]->parameters.architecture.labels;
    LLMC_TRY(reserve(answers, count));
    memset(answers->sums, 0, count * sizeof *answers->sums);
    for (int32_t model = 0; model < e->model_count; model++) {
        struct llmc_pass pass = {.batch = llmc_step_tokens(batch)};
        LLMC_TRY(llmc_bert_forward(e->models[model], ops, &pass, &answers->activations, answers->logits));
        for (size_t i = 0; i < count; i++)
            answers->sums[i] += (double)answers->logits[i];
    }
    for (size_t i = 0; i < count; i++)
        answers->logits[i] = (float)(answers->sums[i] / e->model_count);
exit:
    return status;
}

llmc_status llmc_evaluate(const struct llmc_evaluation *e, struct llmc_ops *ops)
{
    llmc_status status = LLMC_OK;
    const struct llmc_text_source *texts = e->texts;
    struct llmc_batch batch = {0};
    struct answers answers = {0};
    int64_t row = e->first;
    while (row < texts->count) {
        int64_t first = row;
        LLMC_TRY(llmc_batch_begin(&batch, 0));
        while (row < texts->count && batch.tokens < TOKENS_PER_BATCH)
            LLMC_TRY(texts->add(texts->context, row++, &batch));
        LLMC_TRY(answer(e, ops, &batch, &answers));
        LLMC_TRY(e->take(e->context, first, batch.sequences, answers.logits));
        if (e->progress)
            e->progress(e->progress_context, "answering", row, texts->count, NULL);
        if (e->stop && *e->stop && row < texts->count)
            LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped after %lld of %lld texts; run the same command again to go on",
                      (long long)row, (long long)texts->count);
    }
exit:
    llmc_batch_release(&batch);
    llmc_activations_release(&answers.activations);
    free(answers.logits);
    free(answers.sums);
    return status;
}
