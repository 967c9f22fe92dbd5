/*
 * The content of a compressed checkpoint in memory: what must be in it, and its
 * checks, which writer and reader share.
 */
#include "formats/compressed_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct llmc_envelope llmc_compressed_envelope = {"LLMC", LLMC_COMPRESSED_VERSION, "compressed checkpoint"};

/* How rows and columns of a parameter follow from the architecture. */
enum size_of { ONE, VOCABULARY, POSITIONS, TYPES, HIDDEN, FFN, LABELS };

struct expected {
    const char *name;
    enum size_of rows, cols;
};

static const struct expected before[] = {
    {"bert.embeddings.word_embeddings.weight", VOCABULARY, HIDDEN},
    {"bert.embeddings.position_embeddings.weight", POSITIONS, HIDDEN},
    {"bert.embeddings.token_type_embeddings.weight", TYPES, HIDDEN},
    {"bert.embeddings.LayerNorm.weight", ONE, HIDDEN},
    {"bert.embeddings.LayerNorm.bias", ONE, HIDDEN},
};

static const struct expected in_layer[] = {
    {"attention.self.query.weight", HIDDEN, HIDDEN},
    {"attention.self.key.weight", HIDDEN, HIDDEN},
    {"attention.self.value.weight", HIDDEN, HIDDEN},
    {"attention.self.query.bias", ONE, HIDDEN},
    {"attention.self.key.bias", ONE, HIDDEN},
    {"attention.self.value.bias", ONE, HIDDEN},
    {"attention.output.dense.weight", HIDDEN, HIDDEN},
    {"attention.output.dense.bias", ONE, HIDDEN},
    {"attention.output.LayerNorm.weight", ONE, HIDDEN},
    {"attention.output.LayerNorm.bias", ONE, HIDDEN},
    {"intermediate.dense.weight", FFN, HIDDEN},
    {"intermediate.dense.bias", ONE, FFN},
    {"output.dense.weight", HIDDEN, FFN},
    {"output.dense.bias", ONE, HIDDEN},
    {"output.LayerNorm.weight", ONE, HIDDEN},
    {"output.LayerNorm.bias", ONE, HIDDEN},
};

static const struct expected behind[] = {
    {"bert.pooler.dense.weight", HIDDEN, HIDDEN},
    {"bert.pooler.dense.bias", ONE, HIDDEN},
    {"classifier.weight", LABELS, HIDDEN},
    {"classifier.bias", ONE, LABELS},
};

enum {
    BEFORE = sizeof before / sizeof before[0],
    IN_LAYER = sizeof in_layer / sizeof in_layer[0],
    BEHIND = sizeof behind / sizeof behind[0],
};

static int64_t size_in(const struct llmc_architecture *architecture, enum size_of size)
{
    switch (size) {
    case VOCABULARY:
        return architecture->vocabulary;
    case POSITIONS:
        return architecture->positions;
    case TYPES:
        return architecture->types;
    case HIDDEN:
        return architecture->hidden;
    case FFN:
        return architecture->ffn;
    case LABELS:
        return architecture->labels;
    case ONE:
        break;
    }
    return 1;
}

bool llmc_compressed_expected(const struct llmc_architecture *architecture, int32_t index, char name[128],
                              int64_t *rows, int64_t *cols)
{
    const struct expected *expected;
    int32_t layered = index - BEFORE;
    int32_t last = layered - architecture->layers * IN_LAYER;
    if (index < 0 || last >= BEHIND)
        return false;
    if (index < BEFORE) {
        expected = &before[index];
        snprintf(name, 128, "%s", expected->name);
    } else if (last < 0) {
        expected = &in_layer[layered % IN_LAYER];
        snprintf(name, 128, "bert.encoder.layer.%d.%s", layered / IN_LAYER, expected->name);
    } else {
        expected = &behind[last];
        snprintf(name, 128, "%s", expected->name);
    }
    *rows = size_in(architecture, expected->rows);
    *cols = size_in(architecture, expected->cols);
    return true;
}

bool llmc_compressed_may_have_input(const char *name)
{
    return strstr(name, ".dense.weight") || strstr(name, ".attention.self.query.weight") ||
           strstr(name, ".attention.self.key.weight") || strstr(name, ".attention.self.value.weight");
}

static llmc_status check_floats(const char *name, const char *what, const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return llmc_error(LLMC_ERR_FORMAT, "tensor %s: %s %lld is not finite", name, what, (long long)i);
    return LLMC_OK;
}

static llmc_status check_integers(const struct llmc_compressed_tensor *tensor)
{
    if (tensor->bits < 2 || tensor->bits > 8)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: bits is %d; legal are 2 to 8", tensor->name, tensor->bits);
    if (!tensor->scales)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: no scales", tensor->name);
    for (int64_t row = 0; row < tensor->rows; row++)
        if (!(tensor->scales[row] > 0 && isfinite(tensor->scales[row])))
            return llmc_error(LLMC_ERR_FORMAT, "tensor %s: scale %lld is %g; legal are finite numbers above 0",
                              tensor->name, (long long)row, (double)tensor->scales[row]);
    const int8_t *values = tensor->data;
    int limit = (1 << (tensor->bits - 1)) - 1;
    int lowest = 0, highest = 0;
    for (int64_t i = 0; i < tensor->rows * tensor->cols; i++) {
        lowest = values[i] < lowest ? values[i] : lowest;
        highest = values[i] > highest ? values[i] : highest;
    }
    if (lowest < -limit || highest > limit)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: integers from %d to %d; %d bits hold -%d to %d", tensor->name,
                          lowest, highest, tensor->bits, limit, limit);
    return LLMC_OK;
}

static llmc_status check_tensor(const struct llmc_compressed_tensor *tensor)
{
    int64_t count = tensor->rows * tensor->cols;
    if (!tensor->data)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: no values", tensor->name);
    if (tensor->number == LLMC_I8)
        return check_integers(tensor);
    if (tensor->bits != 0)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: bits is %d, but its numbers are no integers", tensor->name,
                          tensor->bits);
    if (tensor->number == LLMC_F32)
        return check_floats(tensor->name, "value", tensor->data, count);
    if (tensor->number != LLMC_F16)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: number format %d; legal are F32, F16, I8", tensor->name,
                          (int)tensor->number);
    const uint16_t *halves = tensor->data;
    for (int64_t i = 0; i < count; i++)
        if ((halves[i] & 0x7c00) == 0x7c00)
            return llmc_error(LLMC_ERR_FORMAT, "tensor %s: value %lld is not finite", tensor->name, (long long)i);
    return LLMC_OK;
}

static llmc_status check_input(const struct llmc_compressed_tensor *tensor)
{
    if (!tensor->has_input)
        return LLMC_OK;
    if (!llmc_compressed_may_have_input(tensor->name))
        return llmc_error(LLMC_ERR_FORMAT, "input %s: only linear layers of encoder and pooler have one",
                          tensor->name);
    if (tensor->number != LLMC_I8)
        return llmc_error(LLMC_ERR_FORMAT, "input %s: its weights are no integers", tensor->name);
    /* The arithmetic multiplies by 1 / scale, which must be a number too. */
    if (!(tensor->input_scale > 0 && isfinite(tensor->input_scale) && isfinite(1.0f / tensor->input_scale)))
        return llmc_error(LLMC_ERR_FORMAT, "input %s: scale is %g; legal are finite numbers above 0 with a finite inverse",
                          tensor->name, (double)tensor->input_scale);
    if (tensor->input_zero_point < 0 || tensor->input_zero_point > 255)
        return llmc_error(LLMC_ERR_FORMAT, "input %s: zero_point is %d; legal are 0 to 255", tensor->name,
                          tensor->input_zero_point);
    return LLMC_OK;
}

/* Query, key and value see one input, which is quantised once. */
static llmc_status check_shared_inputs(const struct llmc_compressed *content)
{
    for (int32_t layer = 0; layer < content->architecture.layers; layer++) {
        const struct llmc_compressed_tensor *query = &content->tensors[BEFORE + layer * IN_LAYER];
        for (int other = 1; other <= 2; other++) {
            const struct llmc_compressed_tensor *tensor = query + other;
            if (tensor->has_input != query->has_input ||
                (query->has_input && (tensor->input_scale != query->input_scale ||
                                      tensor->input_zero_point != query->input_zero_point)))
                return llmc_error(LLMC_ERR_FORMAT, "input %s: differs from that of %s; the three of a layer share one",
                                  tensor->name, query->name);
        }
    }
    return LLMC_OK;
}

static llmc_status check_texts(const struct llmc_compressed *content)
{
    const char *vocabulary = content->vocabulary;
    size_t nbytes = content->vocabulary_nbytes;
    int64_t pieces = 0;
    if (!vocabulary || nbytes == 0 || vocabulary[nbytes - 1] != '\n')
        return llmc_error(LLMC_ERR_FORMAT, "vocabulary: empty, or its last word piece has no line end");
    for (size_t i = 0; i < nbytes; i++)
        pieces += vocabulary[i] == '\n';
    if (pieces > content->architecture.vocabulary)
        return llmc_error(LLMC_ERR_FORMAT, "vocabulary: %lld word pieces for %d rows of the word embedding",
                          (long long)pieces, content->architecture.vocabulary);
    for (int32_t i = 0; i < content->architecture.labels; i++)
        if (!content->labels || !content->labels[i] || !content->labels[i][0] || strchr(content->labels[i], '\n'))
            return llmc_error(LLMC_ERR_FORMAT, "labels: label %d is missing, empty or holds a line end", i);
    if (!content->origin)
        return llmc_error(LLMC_ERR_FORMAT, "origin: missing");
    return LLMC_OK;
}

llmc_status llmc_compressed_check(const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char name[128];
    int64_t rows, cols;
    int32_t count = 0;
    LLMC_TRY(llmc_architecture_check(&content->architecture));
    if (content->tokens_max < 3 || content->tokens_max > content->architecture.positions)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tokens_max is %d; legal are 3 to the number of positions, %d",
                  content->tokens_max, content->architecture.positions);
    LLMC_TRY(check_texts(content));
    for (; llmc_compressed_expected(&content->architecture, count, name, &rows, &cols); count++) {
        if (count >= content->tensor_count)
            LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: missing", name);
        const struct llmc_compressed_tensor *tensor = &content->tensors[count];
        if (!tensor->name || strcmp(tensor->name, name) != 0)
            LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: missing, %s stands in its place", name,
                      tensor->name ? tensor->name : "a nameless one");
        if (tensor->rows != rows || tensor->cols != cols)
            LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: [%lld, %lld] instead of [%lld, %lld]", name,
                      (long long)tensor->rows, (long long)tensor->cols, (long long)rows, (long long)cols);
        LLMC_TRY(check_tensor(tensor));
        LLMC_TRY(check_input(tensor));
    }
    if (content->tensor_count != count)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: not part of this architecture", content->tensors[count].name);
    LLMC_TRY(check_shared_inputs(content));
exit:
    return status;
}

void llmc_compressed_release(struct llmc_compressed *content)
{
    if (!content)
        return;
    for (int32_t i = 0; content->labels && i < content->architecture.labels; i++)
        free(content->labels[i]);
    for (int32_t i = 0; content->tensors && i < content->tensor_count; i++) {
        free(content->tensors[i].name);
        free(content->tensors[i].data);
        free(content->tensors[i].scales);
    }
    free(content->labels);
    free(content->tensors);
    free(content->vocabulary);
    free(content->origin);
    memset(content, 0, sizeof *content);
}
