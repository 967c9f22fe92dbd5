/*
 * The tensors of version 3 (compressed.h): few arrays, which hold all of them one behind the other.
 */
#include "base/memory.h"
#include "base/threads.h"
#include "formats/checkpoint/mixed.h"
#include "formats/checkpoint/private.h"
#include "formats/hdf5/file.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES, HALVES, FLOATS, ARRAYS };

static const struct {
    const char *name;
    enum llmc_number number;
} arrays[ARRAYS] = {{"bytes", LLMC_U8}, {"halves", LLMC_F16}, {"floats", LLMC_F32}};

/* A tensor's row of /tensors, and where its parts begin in the arrays. */
struct place {
    const int64_t *row;
    int64_t begin[ARRAYS], values[ARRAYS]; /* values: without mask, in `bytes`; without scales, in `floats` */
};

struct arrays {
    struct llmc_h5_chunks chunks[ARRAYS];
    void *memory[ARRAYS];
    int64_t count[ARRAYS];
    int64_t *table;
    struct place *places; /* one more than there are tensors: the ends */
};

static llmc_status check_names(struct llmc_compressed_reader *reader, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char *names = NULL, *line;
    int64_t nbytes;
    uint64_t stored = 0;
    LLMC_TRY(llmc_compressed_read_text(reader, "names", &names, &nbytes, &stored));
    line = names;
    for (int32_t i = 0; i < content->tensor_count; i++) {
        size_t length = strcspn(line, "\n");
        const char *expected = content->tensors[i].name;
        if (line[length] != '\n' || strlen(expected) != length || memcmp(line, expected, length) != 0)
            LLMC_FAIL(LLMC_ERR_FORMAT, "names: tensor %s: missing, \"%.*s\" stands in its place", expected,
                      length < LLMC_PARAMETER_NAME_NBYTES ? (int)length : LLMC_PARAMETER_NAME_NBYTES, line);
        line += length + 1;
    }
    if (line != names + nbytes)
        LLMC_FAIL(LLMC_ERR_FORMAT, "names: more than the %d tensors of this architecture", content->tensor_count);
exit:
    free(names);
    return status;
}

/* What a row of /tensors says of a tensor, whose shape is known. */
static llmc_status take_row(struct llmc_compressed_tensor *tensor, const int64_t *row, bool words)
{
    llmc_status status = LLMC_OK;
    int64_t count = tensor->rows * tensor->cols;
    int64_t number = row[LLMC_COMPRESSED_NUMBER], bits = row[LLMC_COMPRESSED_BITS], form = row[LLMC_COMPRESSED_FORM];
    int64_t stored = row[LLMC_COMPRESSED_STORED], zero_point = row[LLMC_COMPRESSED_ZERO_POINT];
    bool integers = number == LLMC_I8, sparse = form & LLMC_COMPRESSED_SPARSE;
    if (tensor->rows != row[LLMC_COMPRESSED_ROWS] || tensor->cols != row[LLMC_COMPRESSED_COLS])
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: [%lld, %lld] instead of [%lld, %lld]", tensor->name,
                  (long long)row[LLMC_COMPRESSED_ROWS], (long long)row[LLMC_COMPRESSED_COLS], (long long)tensor->rows,
                  (long long)tensor->cols);
    if (!integers && number != LLMC_F32 && number != LLMC_F16)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: number format %lld; allowed are %d, %d and %d", tensor->name,
                  (long long)number, LLMC_F32, LLMC_F16, LLMC_I8);
    if (integers ? bits < 2 || bits > 8 : bits != 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: bits is %lld; allowed are 2 to 8 for integers, else 0", tensor->name,
                  (long long)bits);
    if (form < 0 || form > (LLMC_COMPRESSED_MIXED | LLMC_COMPRESSED_SPARSE) ||
        (form & LLMC_COMPRESSED_MIXED && !integers) || (words && sparse))
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: form %lld", tensor->name, (long long)form);
    if (stored < 0 || stored > count || (!sparse && stored != count))
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: %lld values stored of %lld", tensor->name, (long long)stored,
                  (long long)count);
    if (zero_point < -1 || zero_point > 255)
        LLMC_FAIL(LLMC_ERR_FORMAT, "input %s: zero_point is %lld; allowed are 0 to 255, -1 without input", tensor->name,
                  (long long)zero_point);
    tensor->number = (enum llmc_number)number;
    tensor->bits = (int)bits;
    tensor->sparse = sparse;
    tensor->has_input = zero_point >= 0;
    tensor->input_zero_point = tensor->has_input ? (int32_t)zero_point : 0;
exit:
    return status;
}

/* Where the next tensor begins. */
static void step(const struct llmc_compressed_tensor *tensor, bool words, struct place *place, struct place *next)
{
    int64_t count = tensor->rows * tensor->cols, stored = place->row[LLMC_COMPRESSED_STORED];
    bool mixed = place->row[LLMC_COMPRESSED_FORM] & LLMC_COMPRESSED_MIXED;
    memcpy(place->values, place->begin, sizeof place->values);
    place->values[BYTES] += tensor->sparse ? (count + 7) / 8 : 0;
    memcpy(next->begin, place->values, sizeof next->begin);
    if (!words && tensor->number == LLMC_I8)
        next->begin[BYTES] += mixed ? llmc_compressed_mixed_nbytes(tensor->bits, stored) : stored;
    else if (!words)
        next->begin[tensor->number == LLMC_F16 ? HALVES : FLOATS] += stored;
    place->values[FLOATS] = next->begin[FLOATS];
    next->begin[FLOATS] += (tensor->number == LLMC_I8 ? tensor->rows : 0) + tensor->has_input;
}

static llmc_status read_table(struct llmc_compressed_reader *reader, struct llmc_compressed *content,
                              struct arrays *parts)
{
    llmc_status status = LLMC_OK;
    int64_t shape[2] = {content->tensor_count, LLMC_COMPRESSED_COLUMNS};
    LLMC_TRY(llmc_alloc(&parts->table, (size_t)content->tensor_count, LLMC_COMPRESSED_COLUMNS * sizeof *parts->table));
    LLMC_TRY(llmc_h5_read(reader->file, "tensors", LLMC_I64, 2, shape, parts->table));
    reader->arrays++;
    LLMC_TRY(llmc_alloc(&parts->places, (size_t)content->tensor_count + 1, sizeof *parts->places));
    for (int32_t i = 0; i < content->tensor_count; i++) {
        parts->places[i].row = parts->table + (int64_t)i * LLMC_COMPRESSED_COLUMNS;
        LLMC_TRY(take_row(&content->tensors[i], parts->places[i].row, i == LLMC_WORDS));
        step(&content->tensors[i], i == LLMC_WORDS, &parts->places[i], &parts->places[i + 1]);
    }
    memcpy(parts->count, parts->places[content->tensor_count].begin, sizeof parts->count);
exit:
    return status;
}

/* The word embedding's rows as they lie in the file. */
static llmc_status find_words(struct llmc_compressed_reader *reader, struct llmc_compressed_tensor *words, bool mixed)
{
    int64_t shape[2] = {words->rows, mixed ? llmc_compressed_mixed_nbytes(words->bits, words->cols) : words->cols};
    words->packed = (struct llmc_compressed_rows){
        .number = words->number, .bits = words->bits, .mixed = mixed, .cols = words->cols};
    return llmc_compressed_find(reader, "", "words", mixed ? LLMC_U8 : words->number, 2, shape, &words->packed.chunks,
                                &words->stored_nbytes);
}

static llmc_status find_arrays(struct llmc_compressed_reader *reader, struct llmc_compressed *content,
                               struct arrays *parts)
{
    llmc_status status = LLMC_OK;
    uint64_t stored = 0;
    for (int k = 0; k < ARRAYS; k++) {
        if (parts->count[k] == 0)
            continue;
        LLMC_TRY(llmc_compressed_find(reader, "", arrays[k].name, arrays[k].number, 1, &parts->count[k],
                                      &parts->chunks[k], &stored));
        /* Spreading reads one value behind the last. */
        LLMC_TRY(llmc_compressed_take_memory(reader, &parts->memory[k], parts->count[k] + 1,
                                             llmc_number_nbytes(arrays[k].number)));
        memset((char *)parts->memory[k] + (size_t)parts->count[k] * parts->chunks[k].row_nbytes, 0,
               parts->chunks[k].row_nbytes);
    }
    LLMC_TRY(find_words(reader, &content->tensors[LLMC_WORDS],
                        parts->places[LLMC_WORDS].row[LLMC_COMPRESSED_FORM] & LLMC_COMPRESSED_MIXED));
exit:
    return status;
}

/* Inflating is most of a start. */
static llmc_status unpack_arrays(struct llmc_compressed_reader *reader, struct arrays *parts)
{
    int64_t counts[ARRAYS], total = 0;
    for (int k = 0; k < ARRAYS; k++)
        total += counts[k] = parts->chunks[k].count;
#pragma omp parallel for num_threads(llmc_threads_all()) schedule(dynamic, 1) if (reader->parallel)
    for (int64_t i = 0; i < total; i++) {
        int64_t index = i;
        int k = 0;
        for (; index >= counts[k]; k++)
            index -= counts[k];
        const struct llmc_h5_chunks *chunks = &parts->chunks[k];
        char *to = (char *)parts->memory[k] + (size_t)(index * chunks->chunk_rows) * chunks->row_nbytes;
        llmc_status status = llmc_h5_unpack_chunk(chunks, index, to);
        if (status != LLMC_OK)
            status = llmc_error_prefix(status, "%s", arrays[k].name);
        llmc_failure_note(&reader->failure, i, status);
    }
    return llmc_failure_report(&reader->failure);
}

/* Integers stored at `bytes`: plain, or mixed. */
static llmc_status take_integers(int bits, bool mixed, const uint8_t *bytes, int64_t count, int8_t *out)
{
    if (mixed)
        return llmc_compressed_unmix(bits, bytes, 1, count, out);
    memcpy(out, bytes, (size_t)count);
    return LLMC_OK;
}

static llmc_status take_values(const struct arrays *parts, const struct place *place,
                               struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    int64_t count = tensor->rows * tensor->cols, stored = place->row[LLMC_COMPRESSED_STORED];
    size_t nbytes = llmc_number_nbytes(tensor->number);
    bool mixed = place->row[LLMC_COMPRESSED_FORM] & LLMC_COMPRESSED_MIXED;
    int k = tensor->number == LLMC_I8 ? BYTES : tensor->number == LLMC_F16 ? HALVES : FLOATS;
    int64_t begin = k == FLOATS ? place->begin[k] : place->values[k];
    const uint8_t *mask = (const uint8_t *)parts->memory[BYTES] + place->begin[BYTES];
    const char *values = (const char *)parts->memory[k] + (size_t)begin * nbytes;
    int8_t *unmixed = NULL;
    if (mixed && tensor->sparse) {
        LLMC_TRY(llmc_alloc(&unmixed, (size_t)stored + 1, 1));
        LLMC_TRY(llmc_compressed_unmix(tensor->bits, (const uint8_t *)values, 1, stored, unmixed));
        values = (const char *)unmixed;
    }
    if (tensor->sparse)
        status = llmc_compressed_spread(tensor->name, mask, values, stored, nbytes, count, tensor->data);
    else if (tensor->number == LLMC_I8)
        status = take_integers(tensor->bits, mixed, (const uint8_t *)values, count, tensor->data);
    else
        memcpy(tensor->data, values, (size_t)count * nbytes);
exit:
    free(unmixed);
    return status == LLMC_OK || strstr(llmc_error_message(), tensor->name)
               ? status
               : llmc_error_prefix(status, "tensor %s", tensor->name);
}

static llmc_status take_words(struct llmc_compressed_tensor *words)
{
    llmc_status status = LLMC_OK;
    size_t row_nbytes = (size_t)words->cols * llmc_number_nbytes(words->number);
    const struct llmc_compressed_rows *packed = &words->packed;
    for (int64_t i = 0; i < packed->chunks.count; i++)
        LLMC_TRY(llmc_compressed_unpack_rows(packed, words->name, i,
                                             (char *)words->data + (size_t)(i * packed->chunks.chunk_rows) * row_nbytes));
    llmc_h5_chunks_release(&words->packed.chunks);
exit:
    return status;
}

static llmc_status take_tensor(const struct arrays *parts, int32_t index, struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    const struct place *place = &parts->places[index];
    const float *scales = parts->memory[FLOATS];
    scales = scales ? scales + place->values[FLOATS] : NULL;
    if (tensor->scales)
        memcpy(tensor->scales, scales, (size_t)tensor->rows * sizeof *scales);
    if (tensor->has_input)
        tensor->input_scale = scales[tensor->scales ? tensor->rows : 0];
    if (index != LLMC_WORDS)
        LLMC_TRY(take_values(parts, place, tensor));
    else if (tensor->data)
        LLMC_TRY(take_words(tensor));
    status = llmc_compressed_check_numbers(tensor);
exit:
    return status;
}

/* The bytes of an array's first `count` numbers in the file: a chunk's are its numbers' in equal parts. */
static uint64_t stored_before(const struct llmc_h5_chunks *chunks, int64_t count)
{
    uint64_t nbytes = 0;
    for (int64_t i = 0; i < chunks->count && count > 0; i++) {
        int64_t rows = llmc_h5_chunk_rows(chunks, i), taken = count < rows ? count : rows;
        nbytes += (uint64_t)chunks->sizes[i] * (uint64_t)taken / (uint64_t)rows;
        count -= taken;
    }
    return nbytes;
}

static uint64_t stored_between(const struct llmc_h5_chunks *chunks, int64_t begin, int64_t end)
{
    return stored_before(chunks, end) - stored_before(chunks, begin);
}

static void count_stored(const struct arrays *parts, int32_t index, struct llmc_compressed_tensor *tensor)
{
    const struct place *place = &parts->places[index], *next = place + 1;
    tensor->stored_nbytes += stored_between(&parts->chunks[BYTES], place->begin[BYTES], next->begin[BYTES]) +
                             stored_between(&parts->chunks[HALVES], place->begin[HALVES], next->begin[HALVES]) +
                             stored_between(&parts->chunks[FLOATS], place->begin[FLOATS], place->values[FLOATS]);
    tensor->scales_stored_nbytes = stored_between(&parts->chunks[FLOATS], place->values[FLOATS], next->begin[FLOATS]);
}

llmc_status llmc_compressed_read_arrays(struct llmc_compressed_reader *reader, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    struct arrays parts = {0};
    LLMC_TRY(check_names(reader, content));
    LLMC_TRY(read_table(reader, content, &parts));
    LLMC_TRY(find_arrays(reader, content, &parts));
    LLMC_TRY(unpack_arrays(reader, &parts));
    for (int32_t i = 0; i < content->tensor_count; i++) {
        struct llmc_compressed_tensor *tensor = &content->tensors[i];
        count_stored(&parts, i, tensor);
        if (i != LLMC_WORDS || !reader->keep_packed)
            LLMC_TRY(llmc_compressed_take_memory(reader, &tensor->data, tensor->rows * tensor->cols,
                                                 llmc_number_nbytes(tensor->number)));
        if (tensor->number == LLMC_I8)
            LLMC_TRY(llmc_compressed_take_memory(reader, &tensor->scales, tensor->rows, sizeof *tensor->scales));
    }
#pragma omp parallel for num_threads(llmc_threads_all()) schedule(dynamic, 1) if (reader->parallel)
    for (int32_t i = 0; i < content->tensor_count; i++)
        llmc_failure_note(&reader->failure, i, take_tensor(&parts, i, &content->tensors[i]));
    LLMC_TRY(llmc_failure_report(&reader->failure));
exit:
    for (int k = 0; k < ARRAYS; k++) {
        llmc_h5_chunks_release(&parts.chunks[k]);
        free(parts.memory[k]);
    }
    free(parts.table);
    free(parts.places);
    return status;
}
