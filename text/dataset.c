#include "text/dataset.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_ROWS 512

/* The tokens of BLOCK_ROWS rows, encoded by one thread. */
struct block {
    size_t count, capacity;
    int32_t *ids;
    uint8_t *types;
};

static llmc_status reserve(struct block *block, size_t count)
{
    if (block->count + count <= block->capacity)
        return LLMC_OK;
    size_t capacity = 2 * (block->count + count);
    int32_t *ids = realloc(block->ids, capacity * sizeof *ids);
    if (ids)
        block->ids = ids;
    uint8_t *types = realloc(block->types, capacity);
    if (types)
        block->types = types;
    if (!ids || !types)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate memory for %zu tokens", capacity);
    block->capacity = capacity;
    return LLMC_OK;
}

/* Encodes rows first..end-1; offsets[i + 1] receives the tokens of row i. */
static llmc_status encode_block(struct block *block, const struct llmc_rows *rows, size_t first, size_t end,
                                const struct llmc_tokenizer *tokenizer, int32_t tokens_max, int64_t *offsets)
{
    llmc_status status = LLMC_OK;
    for (size_t i = first; i < end; i++) {
        const char *text = rows->texts[i], *pair = rows->pairs ? rows->pairs[i] : NULL;
        int32_t count;
        LLMC_TRY(reserve(block, (size_t)tokens_max));
        LLMC_TRY(llmc_tokenizer_encode(tokenizer, text, strlen(text), pair, pair ? strlen(pair) : 0, tokens_max,
                                       block->ids + block->count, block->types + block->count, &count));
        block->count += (size_t)count;
        offsets[i + 1] = count;
    }
exit:
    return status;
}

static void sum_offsets(struct llmc_dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->offsets[i + 1] > dataset->tokens_max)
            dataset->tokens_max = (int32_t)dataset->offsets[i + 1];
        dataset->offsets[i + 1] += dataset->offsets[i];
    }
}

llmc_status llmc_dataset_encode(struct llmc_dataset *out, const struct llmc_rows *rows,
                                const struct llmc_tokenizer *tokenizer, int32_t tokens_max)
{
    llmc_status status = LLMC_OK;
    size_t blocks_count = (rows->count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    struct block *blocks = NULL;
    int32_t tokens_min = rows->pairs ? 4 : 3;
    *out = (struct llmc_dataset){.count = rows->count};
    if (tokens_max < tokens_min)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "at most %d tokens a row: must be at least %d", tokens_max, tokens_min);
    LLMC_TRY(llmc_alloc(&blocks, blocks_count, sizeof *blocks));
    LLMC_TRY(llmc_alloc(&out->offsets, rows->count + 1, sizeof *out->offsets));
    LLMC_TRY(llmc_alloc(&out->label, rows->count, sizeof *out->label));
    for (size_t i = 0; i < rows->count; i++)
        out->label[i] = rows->label ? rows->label[i] : -1;

    llmc_status failed = LLMC_OK;
#pragma omp parallel for schedule(dynamic)
    for (size_t b = 0; b < blocks_count; b++) {
        size_t first = b * BLOCK_ROWS;
        size_t end = first + BLOCK_ROWS < rows->count ? first + BLOCK_ROWS : rows->count;
        llmc_status result = encode_block(&blocks[b], rows, first, end, tokenizer, tokens_max, out->offsets);
        if (result != LLMC_OK) {
#pragma omp atomic write
            failed = result;
        }
    }
    /* The message stayed in the thread that failed; memory is all that can fail there. */
    if (failed != LLMC_OK)
        LLMC_FAIL(failed, "cannot encode %zu rows: out of memory", rows->count);

    sum_offsets(out);
    LLMC_TRY(llmc_alloc(&out->ids, (size_t)out->offsets[out->count], sizeof *out->ids));
    LLMC_TRY(llmc_alloc(&out->types, (size_t)out->offsets[out->count], sizeof *out->types));
    for (size_t b = 0; b < blocks_count; b++) {
        int64_t start = out->offsets[b * BLOCK_ROWS];
        memcpy(out->ids + start, blocks[b].ids, blocks[b].count * sizeof *out->ids);
        memcpy(out->types + start, blocks[b].types, blocks[b].count);
    }
exit:
    for (size_t b = 0; blocks && b < blocks_count; b++) {
        free(blocks[b].ids);
        free(blocks[b].types);
    }
    free(blocks);
    if (status != LLMC_OK)
        llmc_dataset_release(out);
    return status;
}

void llmc_dataset_release(struct llmc_dataset *dataset)
{
    free(dataset->offsets);
    free(dataset->ids);
    free(dataset->types);
    free(dataset->label);
    *dataset = (struct llmc_dataset){0};
}
