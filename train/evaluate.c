#include "train/evaluate.h"

#include "train/loop.h"

/* Large enough for the products' full speed, small enough for the caches. */
enum { TOKENS_PER_BATCH = 2048 };

llmc_status llmc_evaluate(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_text_source *texts,
                          float *logits, llmc_progress_fn progress, void *progress_context,
                          const volatile sig_atomic_t *stop)
{
    llmc_status status = LLMC_OK;
    struct llmc_batch batch = {0};
    struct llmc_activations activations = {0};
    int32_t labels = model->parameters.architecture.labels;
    int64_t row = 0;
    while (row < texts->count) {
        int64_t first = row;
        LLMC_TRY(llmc_batch_begin(&batch, 0));
        while (row < texts->count && batch.tokens < TOKENS_PER_BATCH)
            LLMC_TRY(texts->add(texts->context, row++, &batch));
        struct llmc_pass pass = {.batch = llmc_step_tokens(&batch)};
        LLMC_TRY(llmc_bert_forward(model, ops, &pass, &activations, logits + first * labels));
        if (progress)
            progress(progress_context, "answering", row, texts->count, NULL);
        if (stop && *stop)
            LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped after %lld of %lld texts", (long long)row, (long long)texts->count);
    }
exit:
    llmc_batch_release(&batch);
    llmc_activations_release(&activations);
    return status;
}
