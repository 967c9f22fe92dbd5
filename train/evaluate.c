#include "train/evaluate.h"

#include "train/loop.h"

/* Large enough for the products' full speed, small enough for the caches. */
enum { TOKENS_PER_BATCH = 2048 };

llmc_status llmc_evaluate(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_dataset *data,
                          float *logits, llmc_progress_fn progress, void *progress_context,
                          const volatile sig_atomic_t *stop)
{
    llmc_status status = LLMC_OK;
    struct llmc_batch batch = {0};
    struct llmc_activations activations = {0};
    int64_t rows[TOKENS_PER_BATCH];
    int32_t labels = model->parameters.architecture.labels;
    size_t row = 0;
    while (row < data->count) {
        int32_t count = 0;
        int64_t tokens = 0;
        do {
            tokens += data->offsets[row + (size_t)count + 1] - data->offsets[row + (size_t)count];
            rows[count] = (int64_t)row + count;
            count++;
        } while (row + (size_t)count < data->count && count < TOKENS_PER_BATCH && tokens < TOKENS_PER_BATCH);
        LLMC_TRY(llmc_batch_gather(&batch, data, rows, count));
        struct llmc_pass pass = {.batch = llmc_step_tokens(&batch)};
        LLMC_TRY(llmc_bert_forward(model, ops, &pass, &activations, logits + (int64_t)row * labels));
        row += (size_t)count;
        if (progress)
            progress(progress_context, "answering", (int64_t)row, (int64_t)data->count, NULL);
        if (stop && *stop)
            LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped after %zu of %zu texts", row, data->count);
    }
exit:
    llmc_batch_release(&batch);
    llmc_activations_release(&activations);
    return status;
}
