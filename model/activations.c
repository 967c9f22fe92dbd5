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
    struct llmc_matrix matrix = {NULL, number, rows, cols, llmc_rows_with_room(rows)};
    matrix.data = take(cursor, (size_t)(matrix.room * cols), llmc_number_nbytes(number));
    return matrix;
}

static float *take_floats(struct cursor *cursor, int64_t count)
{
    return take(cursor, (size_t)count, sizeof(float));
}

static struct llmc_layer_activations lay_layer(struct cursor *cursor, const struct llmc_architecture *a,
                                               enum llmc_number number, const struct llmc_tokens *batch,
                                               struct llmc_layer_shape shape, int64_t rows)
{
    int64_t tokens = batch->tokens, hidden = a->hidden, attention = (int64_t)shape.heads * a->head_width;
    struct llmc_layer_activations layer = {
        .qkv = take_matrix(cursor, number, tokens, 3 * attention),
        .context = take_matrix(cursor, number, tokens, attention),
        .middle_norm = take_matrix(cursor, number, rows, hidden),
        .middle = take_matrix(cursor, number, rows, hidden),
        .before = take_matrix(cursor, number, rows, shape.ffn),
        .after = take_matrix(cursor, number, rows, shape.ffn),
        .out_norm = take_matrix(cursor, number, rows, hidden),
        .out = take_matrix(cursor, number, rows, hidden),
        .lse = take_floats(cursor, tokens * shape.heads),
        .middle_rstd = take_floats(cursor, rows),
        .out_rstd = take_floats(cursor, rows),
    };
    return layer;
}

static struct llmc_common_activations lay_common(struct cursor *cursor, const struct llmc_architecture *a,
                                                 enum llmc_number number, const struct llmc_tokens *batch, bool keep)
{
    int64_t tokens = batch->tokens, sequences = batch->sequences, hidden = a->hidden;
    int64_t ffn = llmc_architecture_widest(a).ffn;
    int64_t attention = (int64_t)llmc_architecture_widest(a).heads * a->head_width;
    int64_t widest_input = ffn > hidden ? ffn : hidden;
    widest_input = attention > widest_input ? attention : widest_input;
    struct llmc_common_activations common = {
        .embedded_norm = take_matrix(cursor, number, tokens, hidden),
        .embedded = take_matrix(cursor, number, tokens, hidden),
        .embedded_rstd = take_floats(cursor, tokens),
        .words = take_matrix(cursor, LLMC_F32, a->embedding_rank ? tokens : 0, a->embedding_rank),
        .projected = take_matrix(cursor, LLMC_F32, a->embedding_rank ? tokens : 0, hidden),
        .fake = take_matrix(cursor, number, tokens, widest_input),
        .first_input = take_matrix(cursor, number, sequences, hidden),
        .first_context = take_matrix(cursor, number, sequences, llmc_architecture_attention(a, a->layers - 1)),
        .first = take_matrix(cursor, LLMC_F32, sequences, hidden),
        .first_fake = take_matrix(cursor, LLMC_F32, sequences, hidden),
        .pooled = take_matrix(cursor, LLMC_F32, sequences, hidden),
        .pooled_tanh = take_matrix(cursor, LLMC_F32, sequences, hidden),
    };
    if (keep) {
        common.dsum = take_matrix(cursor, number, tokens, hidden);
        common.dbranch = take_matrix(cursor, number, tokens, hidden);
        common.dmiddle_sum = take_matrix(cursor, number, tokens, hidden);
        common.dwide = take_matrix(cursor, number, tokens, 3 * attention > ffn ? 3 * attention : ffn);
        common.dinput = take_matrix(cursor, LLMC_F32, tokens, hidden);
        common.dcontext = take_matrix(cursor, LLMC_F32, tokens, llmc_architecture_attention(a, a->layers - 1));
        common.dpooled = take_matrix(cursor, LLMC_F32, sequences, hidden);
    }
    return common;
}

void llmc_activations_release(struct llmc_activations *activations)
{
    free(activations->memory);
    memset(activations, 0, sizeof *activations);
}

/* Rows of a layer behind its attention. */
static int64_t rows_of(const struct llmc_activations *activations, const struct llmc_architecture *a,
                       const struct llmc_tokens *batch, int32_t layer)
{
    return activations->first_only && layer + 1 == a->layers ? batch->sequences : batch->tokens;
}

/* With keep, layers lie one after the other; else two blocks, each large enough for any layer. */
static size_t layers_nbytes(const struct llmc_activations *activations, const struct llmc_architecture *a,
                            const struct llmc_tokens *batch, int32_t count)
{
    struct cursor cursor = {NULL, 0};
    for (int32_t i = 0; i < count; i++)
        lay_layer(&cursor, a, activations->number, batch, activations->keep ? a->layer[i] : llmc_architecture_widest(a),
                  activations->keep ? rows_of(activations, a, batch, i) : batch->tokens);
    return cursor.used;
}

static int32_t blocks_of(const struct llmc_activations *activations, const struct llmc_architecture *a)
{
    return activations->keep ? a->layers : 2;
}

/* Behind all else, where layers share blocks. */
static struct llmc_matrix lay_tap(struct cursor *cursor, const struct llmc_architecture *a, enum llmc_number number,
                                  const struct llmc_pass *pass, int32_t index)
{
    const struct llmc_tap *tap = &pass->taps[index];
    int64_t cols = tap->place == LLMC_TAP_QKV ? 3 * llmc_architecture_attention(a, tap->layer) : a->hidden;
    return take_matrix(cursor, number, pass->batch.tokens, cols);
}

llmc_status llmc_activations_reserve(struct llmc_activations *activations, const struct llmc_architecture *a,
                                     enum llmc_number number, const struct llmc_pass *pass)
{
    activations->number = number;
    activations->keep = pass->keep;
    activations->first_only = true;
    for (int32_t i = 0; i < pass->tap_count; i++)
        if ((pass->taps[i].place == LLMC_TAP_HIDDEN || pass->taps[i].place == LLMC_TAP_MIDDLE) &&
            pass->taps[i].layer + 1 == a->layers)
            activations->first_only = false;
    struct cursor all = {NULL, layers_nbytes(activations, a, &pass->batch, blocks_of(activations, a))};
    lay_common(&all, a, number, &pass->batch, pass->keep);
    for (int32_t i = 0; i < pass->tap_count && !pass->keep; i++)
        lay_tap(&all, a, number, pass, i);
    size_t nbytes = all.used;
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
    int32_t block = activations->keep ? layer : layer % 2;
    struct cursor cursor = {activations->memory, layers_nbytes(activations, a, batch, block)};
    return lay_layer(&cursor, a, activations->number, batch, a->layer[layer], rows_of(activations, a, batch, layer));
}

struct llmc_common_activations llmc_activations_common(const struct llmc_activations *activations,
                                                       const struct llmc_architecture *a,
                                                       const struct llmc_tokens *batch)
{
    struct cursor cursor = {activations->memory, layers_nbytes(activations, a, batch, blocks_of(activations, a))};
    return lay_common(&cursor, a, activations->number, batch, activations->keep);
}

void llmc_activations_tap(const struct llmc_activations *activations, const struct llmc_architecture *a,
                          const struct llmc_pass *pass, enum llmc_tap_place place, int32_t layer,
                          const struct llmc_matrix *matrix)
{
    if (pass->tap_count == 0)
        return;
    struct cursor cursor = {activations->memory,
                            layers_nbytes(activations, a, &pass->batch, blocks_of(activations, a))};
    lay_common(&cursor, a, activations->number, &pass->batch, activations->keep);
    for (int32_t i = 0; i < pass->tap_count; i++) {
        struct llmc_tap *tap = &pass->taps[i];
        struct llmc_matrix copy = activations->keep ? *matrix : lay_tap(&cursor, a, activations->number, pass, i);
        if (tap->place != place || (place != LLMC_TAP_EMBEDDING && tap->layer != layer))
            continue;
        tap->values = copy;
        if (copy.data != matrix->data)
            memcpy(copy.data, matrix->data, (size_t)(copy.rows * copy.cols) * llmc_number_nbytes(copy.number));
    }
}
