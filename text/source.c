#include "text/source.h"

static llmc_status add_from_dataset(void *context, int64_t row, struct llmc_batch *batch)
{
    const struct llmc_dataset *dataset = context;
    int64_t start = dataset->offsets[row];
    return llmc_batch_add(batch, row, dataset->label[row], dataset->ids + start, dataset->types + start,
                          (int32_t)(dataset->offsets[row + 1] - start));
}

struct llmc_text_source llmc_dataset_source(const struct llmc_dataset *dataset)
{
    return (struct llmc_text_source){
        .count = (int64_t)dataset->count,
        .tokens_max = dataset->tokens_max,
        .context = (void *)(uintptr_t)dataset, /* only read */
        .add = add_from_dataset,
    };
}

void llmc_text_source_close(struct llmc_text_source *source)
{
    if (source->close)
        source->close(source->context);
    *source = (struct llmc_text_source){0};
}

llmc_status llmc_batch_gather(struct llmc_batch *batch, const struct llmc_text_source *source, const int64_t *rows,
                              int32_t count)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_batch_begin(batch, count));
    for (int32_t i = 0; i < count; i++) {
        if (rows[i] < 0 || rows[i] >= source->count)
            LLMC_FAIL(LLMC_ERR_ARGUMENT, "row %lld is not among the %lld texts", (long long)rows[i],
                      (long long)source->count);
        LLMC_TRY(source->add(source->context, rows[i], batch));
    }
exit:
    if (status != LLMC_OK)
        batch->sequences = batch->tokens = 0;
    return status;
}
