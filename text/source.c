#include "text/source.h"

#include "base/memory.h"

#include <stdlib.h>

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

struct joined {
    struct llmc_text_source first, second;
};

static llmc_status add_from_joined(void *context, int64_t row, struct llmc_batch *batch)
{
    const struct joined *joined = context;
    if (row < joined->first.count)
        return joined->first.add(joined->first.context, row, batch);
    llmc_status status = joined->second.add(joined->second.context, row - joined->first.count, batch);
    if (status == LLMC_OK)
        batch->rows[batch->sequences - 1] = row;
    return status;
}

static void close_joined(void *context)
{
    struct joined *joined = context;
    llmc_text_source_close(&joined->first);
    llmc_text_source_close(&joined->second);
    free(joined);
}

llmc_status llmc_text_source_join(struct llmc_text_source *out, struct llmc_text_source first,
                                  struct llmc_text_source second)
{
    struct joined *joined;
    llmc_status status = llmc_alloc(&joined, 1, sizeof *joined);
    if (status != LLMC_OK) {
        llmc_text_source_close(&first);
        llmc_text_source_close(&second);
        *out = (struct llmc_text_source){0};
        return status;
    }
    *joined = (struct joined){first, second};
    *out = (struct llmc_text_source){
        .count = first.count + second.count,
        .tokens_max = first.tokens_max > second.tokens_max ? first.tokens_max : second.tokens_max,
        .context = joined,
        .add = add_from_joined,
        .close = close_joined,
    };
    return LLMC_OK;
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
