#include "base/memory.h"
#include "text/dataset.h"

#include <stdlib.h>
#include <string.h>

/* realloc of an array of `count` elements; the old one stays where that fails. */
static llmc_status resize(void **array, size_t count, size_t nbytes)
{
    void *grown = realloc(*array, count * nbytes);
    if (!grown)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate memory for a batch of %zu numbers", count);
    *array = grown;
    return LLMC_OK;
}

static llmc_status grow_tokens(struct llmc_batch *batch, int32_t tokens)
{
    llmc_status status = LLMC_OK;
    if (tokens <= batch->tokens_max)
        return LLMC_OK;
    int64_t doubled = 2 * (int64_t)batch->tokens_max;
    int32_t room = doubled < tokens || doubled > INT32_MAX ? tokens : (int32_t)doubled;
    LLMC_TRY(resize((void **)&batch->ids, (size_t)room, sizeof *batch->ids));
    LLMC_TRY(resize((void **)&batch->types, (size_t)room, sizeof *batch->types));
    batch->tokens_max = room;
exit:
    return status;
}

static llmc_status grow_sequences(struct llmc_batch *batch, int32_t sequences)
{
    llmc_status status = LLMC_OK;
    if (batch->offsets && sequences <= batch->sequences_max)
        return LLMC_OK;
    int64_t doubled = 2 * (int64_t)batch->sequences_max;
    int32_t room = doubled < sequences || doubled > INT32_MAX ? sequences : (int32_t)doubled;
    LLMC_TRY(resize((void **)&batch->offsets, (size_t)room + 1, sizeof *batch->offsets));
    LLMC_TRY(resize((void **)&batch->label, (size_t)room + 1, sizeof *batch->label));
    LLMC_TRY(resize((void **)&batch->rows, (size_t)room + 1, sizeof *batch->rows));
    batch->sequences_max = room;
exit:
    return status;
}

llmc_status llmc_batch_begin(struct llmc_batch *batch, int32_t sequences)
{
    batch->sequences = 0;
    batch->tokens = 0;
    if (sequences < 0)
        return llmc_error(LLMC_ERR_ARGUMENT, "a batch of %d rows", sequences);
    llmc_status status = grow_sequences(batch, sequences);
    if (status == LLMC_OK)
        batch->offsets[0] = 0;
    return status;
}

llmc_status llmc_batch_add(struct llmc_batch *batch, int64_t row, int32_t label, const int32_t *ids,
                           const uint8_t *types, int32_t count)
{
    llmc_status status = LLMC_OK;
    int64_t tokens = (int64_t)batch->tokens + count;
    if (tokens > INT32_MAX)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "a batch of %lld tokens; at most %d are possible", (long long)tokens, INT32_MAX);
    LLMC_TRY(grow_sequences(batch, batch->sequences + 1));
    LLMC_TRY(grow_tokens(batch, (int32_t)tokens));
    memcpy(batch->ids + batch->tokens, ids, (size_t)count * sizeof *ids);
    memcpy(batch->types + batch->tokens, types, (size_t)count);
    batch->label[batch->sequences] = label;
    batch->rows[batch->sequences] = row;
    batch->sequences++;
    batch->tokens = (int32_t)tokens;
    batch->offsets[batch->sequences] = batch->tokens;
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
