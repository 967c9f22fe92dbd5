/*
 * The content of a compressed checkpoint in memory: what must be in it, and its
 * checks, which writer and reader share.
 */
#include "base/memory.h"
#include "formats/checkpoint/mixed.h"
#include "formats/checkpoint/private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct llmc_envelope llmc_compressed_envelope = {"LLMC", 1, "compressed checkpoint", LLMC_COMPRESSED_VERSION};

static llmc_status check_floats(const char *name, const char *what, const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return llmc_error(LLMC_ERR_FORMAT, "tensor %s: %s %lld is not finite", name, what, (long long)i);
    return LLMC_OK;
}

static llmc_status check_halves(const char *name, const uint16_t *halves, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if ((halves[i] & 0x7c00) == 0x7c00)
            return llmc_error(LLMC_ERR_FORMAT, "tensor %s: value %lld is not finite", name, (long long)i);
    return LLMC_OK;
}

static llmc_status check_integers(const char *name, int bits, const int8_t *values, int64_t count)
{
    int limit = llmc_integer_limit(bits);
    int8_t lowest = 0, highest = 0;
    for (int64_t i = 0; i < count; i++) {
        lowest = values[i] < lowest ? values[i] : lowest;
        highest = values[i] > highest ? values[i] : highest;
    }
    if (lowest < -limit || highest > limit)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: integers from %d to %d; %d bits hold -%d to %d", name, lowest,
                          highest, bits, limit, limit);
    return LLMC_OK;
}

static llmc_status check_values(const char *name, enum llmc_number number, int bits, const void *values, int64_t count)
{
    return number == LLMC_I8 ? check_integers(name, bits, values, count)
         : number == LLMC_F16 ? check_halves(name, values, count)
                              : check_floats(name, "value", values, count);
}

static llmc_status check_scales(const struct llmc_compressed_tensor *tensor)
{
    if (!tensor->scales)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: no scales", tensor->name);
    for (int64_t row = 0; row < tensor->rows; row++)
        if (!(tensor->scales[row] > 0 && isfinite(tensor->scales[row])))
            return llmc_error(LLMC_ERR_FORMAT, "tensor %s: scale %lld is %g; allowed are finite numbers above 0",
                              tensor->name, (long long)row, (double)tensor->scales[row]);
    return LLMC_OK;
}

static llmc_status check_format(const struct llmc_compressed_tensor *tensor)
{
    if (!tensor->data && tensor->packed.chunks.count == 0)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: no values", tensor->name);
    if (tensor->number == LLMC_I8 && (tensor->bits < 2 || tensor->bits > 8))
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: bits is %d; allowed are 2 to 8", tensor->name, tensor->bits);
    if (tensor->number != LLMC_I8 && tensor->bits != 0)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: bits is %d, but its numbers are no integers", tensor->name,
                          tensor->bits);
    if (tensor->number != LLMC_I8 && tensor->number != LLMC_F32 && tensor->number != LLMC_F16)
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: number format %d; allowed are F32, F16, I8", tensor->name,
                          (int)tensor->number);
    return LLMC_OK;
}

llmc_status llmc_compressed_check_numbers(const struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(check_format(tensor));
    if (tensor->number == LLMC_I8)
        LLMC_TRY(check_scales(tensor));
    if (tensor->data)
        LLMC_TRY(check_values(tensor->name, tensor->number, tensor->bits, tensor->data, tensor->rows * tensor->cols));
exit:
    return status;
}

llmc_status llmc_compressed_unpack_rows(const struct llmc_compressed_rows *packed, const char *name, int64_t index,
                                        void *rows)
{
    llmc_status status = LLMC_OK;
    const struct llmc_h5_chunks *chunks = &packed->chunks;
    int64_t count = llmc_h5_chunk_rows(chunks, index);
    uint8_t *bytes = NULL;
    if (!packed->mixed) {
        LLMC_TRY(llmc_h5_unpack_chunk(chunks, index, rows));
    } else {
        LLMC_TRY(llmc_alloc_unset(&bytes, (size_t)count, chunks->row_nbytes));
        LLMC_TRY(llmc_h5_unpack_chunk(chunks, index, bytes));
        LLMC_TRY(llmc_compressed_unmix(packed->bits, bytes, count, packed->cols, rows));
    }
    LLMC_TRY(check_values(name, packed->number, packed->bits, rows, count * packed->cols));
exit:
    free(bytes);
    if (status != LLMC_OK && !strstr(llmc_error_message(), name))
        status = llmc_error_prefix(status, "tensor %s", name);
    return status;
}

static llmc_status check_input(const struct llmc_compressed *content, int32_t index)
{
    const struct llmc_compressed_tensor *tensor = &content->tensors[index];
    if (!tensor->has_input)
        return LLMC_OK;
    if (llmc_site_of_parameter(&content->architecture, index) < 0)
        return llmc_error(LLMC_ERR_FORMAT, "input %s: only linear layers of encoder and pooler have one",
                          tensor->name);
    if (tensor->number != LLMC_I8)
        return llmc_error(LLMC_ERR_FORMAT, "input %s: its weights are no integers", tensor->name);
    /* The arithmetic multiplies by 1 / scale, which must be a number too. */
    if (!(tensor->input_scale > 0 && isfinite(tensor->input_scale) && isfinite(1.0f / tensor->input_scale)))
        return llmc_error(LLMC_ERR_FORMAT, "input %s: scale is %g; allowed are finite numbers above 0 with a finite inverse",
                          tensor->name, (double)tensor->input_scale);
    if (tensor->input_zero_point < 0 || tensor->input_zero_point > 255)
        return llmc_error(LLMC_ERR_FORMAT, "input %s: zero_point is %d; allowed are 0 to 255", tensor->name,
                          tensor->input_zero_point);
    return LLMC_OK;
}

/* Query, key and value see one input, which is quantised once. */
static llmc_status check_shared_inputs(const struct llmc_compressed *content)
{
    for (int32_t layer = 0; layer < content->architecture.layers; layer++) {
        const struct llmc_compressed_tensor *query = &content->tensors[llmc_layer_parameter(layer, LLMC_QUERY_WEIGHT)];
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

llmc_status llmc_compressed_check_structure(const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    int64_t rows, cols;
    int32_t count = 0;
    LLMC_TRY(llmc_architecture_check(&content->architecture));
    if (content->tokens_max < 3 || content->tokens_max > content->architecture.positions)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tokens_max is %d; allowed are 3 to the number of positions, %d",
                  content->tokens_max, content->architecture.positions);
    LLMC_TRY(check_texts(content));
    for (; llmc_parameter_describe(&content->architecture, count, name, &kind, &rows, &cols); count++) {
        if (count >= content->tensor_count)
            LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: missing", name);
        const struct llmc_compressed_tensor *tensor = &content->tensors[count];
        if (!tensor->name || strcmp(tensor->name, name) != 0)
            LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: missing, %s stands in its place", name,
                      tensor->name ? tensor->name : "a nameless one");
        if (tensor->rows != rows || tensor->cols != cols)
            LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: [%lld, %lld] instead of [%lld, %lld]", name,
                      (long long)tensor->rows, (long long)tensor->cols, (long long)rows, (long long)cols);
        LLMC_TRY(check_input(content, count));
    }
    if (content->tensor_count != count)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: not part of this architecture", content->tensors[count].name);
    LLMC_TRY(check_shared_inputs(content));
exit:
    return status;
}

void llmc_tensor_row(const struct llmc_compressed_tensor *tensor, int64_t row, float *out)
{
    size_t start = (size_t)(row * tensor->cols);
    if (tensor->number == LLMC_F32) {
        memcpy(out, (const float *)tensor->data + start, (size_t)tensor->cols * sizeof *out);
    } else if (tensor->number == LLMC_F16) {
        const uint16_t *halves = (const uint16_t *)tensor->data + start;
        for (int64_t i = 0; i < tensor->cols; i++)
            out[i] = llmc_f32_from_f16(halves[i]);
    } else {
        const int8_t *integers = (const int8_t *)tensor->data + start;
        for (int64_t i = 0; i < tensor->cols; i++)
            out[i] = (float)integers[i] * tensor->scales[row];
    }
}

llmc_status llmc_compressed_check(const struct llmc_compressed *content)
{
    llmc_status status = llmc_compressed_check_structure(content);
    for (int32_t i = 0; status == LLMC_OK && i < content->tensor_count; i++)
        status = llmc_compressed_check_numbers(&content->tensors[i]);
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
        llmc_h5_chunks_release(&content->tensors[i].packed.chunks);
    }
    free(content->labels);
    free(content->tensors);
    free(content->vocabulary);
    free(content->origin);
    memset(content, 0, sizeof *content);
}
