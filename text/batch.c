#include "base/memory.h"
#include "text/dataset.h"

#include <stdlib.h>
#include <string.h>

static llmc_status grow_tokens(struct llmc_batch *batch, int32_t tokens)
{
    llmc_status status = LLMC_OK;
    if (tokens <= batch->tokens_max)
        return LLMC_OK;
    batch->tokens_max = 0;
    free(batch->ids);
    free(batch->types);
    batch->ids = NULL;
    batch->types = NULL;
    LLMC_TRY(llmc_alloc(&batch->ids, (size_t)tokens, sizeof *batch->ids));
    LLMC_TRY(llmc_alloc(&batch->types, (size_t)tokens, sizeof *batch->types));
    batch->tokens_max = tokens;
exit:
    return status;
}

static llmc_status grow_sequences(struct llmc_batch *batch, int32_t sequences)
{
    llmc_status status = LLMC_OK;
    if (batch->offsets && sequences <= batch->sequences_max)
        return LLMC_OK;
    batch->sequences_max = 0;
    free(batch->offsets);
    free(batch->label);
    free(batch->rows);
    batch->offsets = NULL;
    batch->label = NULL;
    batch->rows = NULL;
    LLMC_TRY(llmc_alloc(&batch->offsets, (size_t)sequences + 1, sizeof *batch->offsets));
    LLMC_TRY(llmc_alloc(&batch->label, (size_t)sequences, sizeof *batch->label));
    LLMC_TRY(llmc_alloc(&batch->rows, (size_t)sequences, sizeof *batch->rows));
    batch->sequences_max = sequences;
exit:
    return status;
}

llmc_status llmc_batch_gather(struct llmc_batch *batch, const struct llmc_dataset *dataset, const int64_t *rows,
                              int32_t count)
{
    llmc_status status = LLMC_OK;
    int64_t tokens = 0;
    batch->sequences = 0;
    batch->tokens = 0;
    if (count < 0)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "a batch of %d rows", count);
    for (int32_t i = 0; i < count; i++) {
        if (rows[i] < 0 || (uint64_t)rows[i] >= dataset->count)
            LLMC_FAIL(LLMC_ERR_ARGUMENT, "row %lld is not in the dataset of %zu rows", (long long)rows[i],
                      dataset->count);
        tokens += dataset->offsets[rows[i] + 1] - dataset->offsets[rows[i]];
    }
    if (tokens > INT32_MAX)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "a batch of %lld tokens; at most %d are possible", (long long)tokens, INT32_MAX);
    LLMC_TRY(grow_sequences(batch, count));
    LLMC_TRY(grow_tokens(batch, (int32_t)tokens));

    int32_t at = 0;
    for (int32_t i = 0; i < count; i++) {
        int64_t start = dataset->offsets[rows[i]];
        size_t length = (size_t)(dataset->offsets[rows[i] + 1] - start);
        memcpy(batch->ids + at, dataset->ids + start, length * sizeof *batch->ids);
        memcpy(batch->types + at, dataset->types + start, length);
        batch->offsets[i] = at;
        batch->label[i] = dataset->label[rows[i]];
        batch->rows[i] = rows[i];
        at += (int32_t)length;
    }
    batch->offsets[count] = at;
    batch->sequences = count;
    batch->tokens = at;
exit:
    return status;
}

void llmc_batch_release(struct llmc_batch *batch)
{
    free(batch->ids);
    free(batch->types);
    free(batch->offsets);
    free(batch->label);
    free(batch->rows);
    *batch = (struct llmc_batch){0};
}
