#include "model/activations.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Hands out aligned pieces; with base NULL it only counts. */
struct cursor {
    char *base;
    size_t used;
};

static void *take(struct cursor *cursor, size_t count, size_t size)
{
    void *piece = cursor->base ? cursor->base + cursor->used : NULL;
    cursor->used += (count * size + LLMC_ALIGNMENT - 1) / LLMC_ALIGNMENT * LLMC_ALIGNMENT;
    return piece;
}

static struct llmc_matrix take_matrix(struct cursor *cursor, enum llmc_number number, int64_t rows, int64_t cols)
{
    return llmc_matrix(take(cursor, (size_t)(rows * cols), llmc_number_nbytes(number)), number, rows, cols);
}

static float *take_floats(struct cursor *cursor, int64_t count)
{
    return take(cursor, (size_t)count, sizeof(float));
}

static struct llmc_layer_activations lay_layer(struct cursor *cursor, const struct llmc_architecture *a,
                                               enum llmc_number number, const struct llmc_tokens *batch)
{
    int64_t tokens = batch->tokens, hidden = a->hidden;
    struct llmc_layer_activations layer = {
        .qkv = take_matrix(cursor, number, tokens, 3 * hidden),
        .context = take_matrix(cursor, number, tokens, hidden),
        .middle_norm = take_matrix(cursor, number, tokens, hidden),
        .middle = take_matrix(cursor, number, tokens, hidden),
        .before = take_matrix(cursor, number, tokens, a->ffn),
        .after = take_matrix(cursor, number, tokens, a->ffn),
        .out_norm = take_matrix(cursor, number, tokens, hidden),
        .out = take_matrix(cursor, number, tokens, hidden),
        .lse = take_floats(cursor, tokens * a->heads),
        .middle_rstd = take_floats(cursor, tokens),
        .out_rstd = take_floats(cursor, tokens),
    };
    return layer;
}

static struct llmc_common_activations lay_common(struct cursor *cursor, const struct llmc_architecture *a,
                                                 enum llmc_number number, const struct llmc_tokens *batch, bool keep)
{
    int64_t tokens = batch->tokens, sequences = batch->sequences, hidden = a->hidden;
    int64_t wide = 3 * hidden > a->ffn ? 3 * hidden : a->ffn;
    struct llmc_common_activations common = {
        .embedded_norm = take_matrix(cursor, number, tokens, hidden),
        .embedded = take_matrix(cursor, number, tokens, hidden),
        .embedded_rstd = take_floats(cursor, tokens),
        .fake = take_matrix(cursor, number, tokens, a->ffn > hidden ? a->ffn : hidden),
        .first = take_matrix(cursor, LLMC_F32, sequences, hidden),
        .first_fake = take_matrix(cursor, LLMC_F32, sequences, hidden),
        .pooled = take_matrix(cursor, LLMC_F32, sequences, hidden),
        .pooled_tanh = take_matrix(cursor, LLMC_F32, sequences, hidden),
    };
    if (keep) {
        common.dsum = take_matrix(cursor, number, tokens, hidden);
        common.dbranch = take_matrix(cursor, number, tokens, hidden);
        common.dmiddle_sum = take_matrix(cursor, number, tokens, hidden);
        common.dwide = take_matrix(cursor, number, tokens, wide);
        common.dinput = take_matrix(cursor, LLMC_F32, tokens, hidden);
        common.dpooled = take_matrix(cursor, LLMC_F32, sequences, hidden);
    }
    return common;
}

void llmc_activations_release(struct llmc_activations *activations)
{
    free(activations->memory);
    memset(activations, 0, sizeof *activations);
}

llmc_status llmc_activations_reserve(struct llmc_activations *activations, const struct llmc_architecture *a,
                                     enum llmc_number number, const struct llmc_tokens *batch, bool keep)
{
    struct cursor layer = {NULL, 0}, common = {NULL, 0};
    lay_layer(&layer, a, number, batch);
    lay_common(&common, a, number, batch, keep);
    size_t blocks = keep ? (size_t)a->layers : 2;
    size_t nbytes = blocks * layer.used + common.used;
    activations->number = number;
    activations->layer_nbytes = layer.used;
    activations->keep = keep;
    if (nbytes <= activations->memory_nbytes)
        return LLMC_OK;
    free(activations->memory);
    activations->memory_nbytes = 0;
    nbytes += nbytes / 4; /* batches differ: grow in few steps */
    llmc_status status = llmc_alloc(&activations->memory, nbytes, 1);
    if (status == LLMC_OK)
        activations->memory_nbytes = nbytes;
    return status;
}

struct llmc_layer_activations llmc_activations_layer(const struct llmc_activations *activations,
                                                     const struct llmc_architecture *a,
                                                     const struct llmc_tokens *batch, int32_t layer)
{
    size_t block = (size_t)(activations->keep ? layer : layer % 2);
    struct cursor cursor = {activations->memory, block * activations->layer_nbytes};
    return lay_layer(&cursor, a, activations->number, batch);
}

struct llmc_common_activations llmc_activations_common(const struct llmc_activations *activations,
                                                       const struct llmc_architecture *a,
                                                       const struct llmc_tokens *batch)
{
    size_t blocks = activations->keep ? (size_t)a->layers : 2;
    struct cursor cursor = {activations->memory, blocks * activations->layer_nbytes};
    return lay_common(&cursor, a, activations->number, batch, activations->keep);
}
