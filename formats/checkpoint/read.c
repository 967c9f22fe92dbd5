#include "base/failure.h"
#include "base/memory.h"
#include "base/threads.h"
#include "formats/checkpoint/architecture.h"
#include "formats/checkpoint/private.h"
#include "formats/hdf5/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deflate shrinks at most 1,032-fold, and a mask of zeros stands for 32 times its
 * bytes. No real model comes near: a file that claims more is built to exhaust memory. */
enum { EXPANSION_MAX = 2048, TEXT_NBYTES_MAX = 1 << 26 };

enum { PARALLEL_NBYTES = 1 << 20 }; /* waking threads costs more than a smaller file does */

struct reader {
    struct llmc_h5 *file;
    uint64_t nbytes_left; /* of memory that this file may still ask for */
    uint64_t stored_left; /* bytes that arrays not yet read may have in it: none lies in two of them */
    size_t arrays;        /* read so far */
    bool keep_packed;
    bool parallel; /* enough to do for several threads */
    const struct llmc_compressed_tensor *words; /* the word embedding */
    struct llmc_compressed_parts *parts;        /* of each tensor, until they are unpacked */
    struct llmc_failure failure;                /* of unpacking */
};

/* Memory of any content, which the reader then fills. */
static llmc_status take_memory(struct reader *reader, void *out, int64_t count, size_t size)
{
    uint64_t nbytes;
    if (__builtin_mul_overflow((uint64_t)count, (uint64_t)size, &nbytes) || nbytes > reader->nbytes_left) {
        memset(out, 0, sizeof(void *));
        return llmc_error(LLMC_ERR_FORMAT, "more than %d times the file's size in memory", EXPANSION_MAX);
    }
    reader->nbytes_left -= nbytes;
    return llmc_alloc_unset(out, (size_t)count, size);
}

static llmc_status find_chunks(struct reader *reader, const char *group, const char *name, enum llmc_number number,
                               int rank, const int64_t *shape, struct llmc_h5_chunks *out, uint64_t *stored_nbytes)
{
    char path[LLMC_COMPRESSED_PATH_NBYTES];
    snprintf(path, sizeof path, "%s%s%s", group, group[0] ? "/" : "", name);
    llmc_status status = llmc_h5_find_chunks(reader->file, path, number, rank, shape, out);
    if (status != LLMC_OK)
        return status;
    if (out->stored_nbytes > reader->stored_left)
        return llmc_error(LLMC_ERR_FORMAT, "%s: the arrays have more bytes than the file", path);
    reader->stored_left -= out->stored_nbytes;
    *stored_nbytes += out->stored_nbytes;
    reader->arrays++;
    return LLMC_OK;
}

/* The length of an array of one dimension. */
static llmc_status read_length(struct reader *reader, const char *name, enum llmc_number number, int64_t max,
                               int64_t *length)
{
    enum llmc_number found;
    int rank;
    int64_t shape[LLMC_H5_RANK_MAX];
    llmc_status status = llmc_h5_describe(reader->file, name, &found, &rank, shape);
    if (status != LLMC_OK)
        return status;
    if (rank != 1 || found != number || shape[0] < 0 || shape[0] > max)
        return llmc_error(LLMC_ERR_FORMAT, "%s: not a vector of at most %lld numbers of format %s", name,
                          (long long)max, llmc_number_name(number));
    *length = shape[0];
    return LLMC_OK;
}

/* One zero byte stands behind the text. */
static llmc_status read_text_array(struct reader *reader, const char *name, char **text, int64_t *nbytes,
                                   uint64_t *stored_nbytes)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5_chunks chunks = {0};
    LLMC_TRY(read_length(reader, name, LLMC_U8, TEXT_NBYTES_MAX, nbytes));
    LLMC_TRY(take_memory(reader, text, *nbytes + 1, 1));
    (*text)[*nbytes] = '\0';
    LLMC_TRY(find_chunks(reader, "", name, LLMC_U8, 1, nbytes, &chunks, stored_nbytes));
    status = llmc_h5_unpack(&chunks, *text);
    if (status != LLMC_OK)
        status = llmc_error_prefix(status, "%s", name);
exit:
    llmc_h5_chunks_release(&chunks);
    return status;
}

static llmc_status read_labels(struct reader *reader, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char *text = NULL;
    int64_t nbytes;
    uint64_t stored = 0;
    LLMC_TRY(read_text_array(reader, "labels", &text, &nbytes, &stored));
    LLMC_TRY(llmc_alloc(&content->labels, (size_t)content->architecture.labels, sizeof *content->labels));
    char *line = text;
    char *end = text + nbytes;
    for (int32_t i = 0; i < content->architecture.labels; i++) {
        char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (!line_end)
            LLMC_FAIL(LLMC_ERR_FORMAT, "labels: %d lines instead of %d", i, content->architecture.labels);
        *line_end = '\0';
        if (strlen(line) != (size_t)(line_end - line))
            LLMC_FAIL(LLMC_ERR_FORMAT, "labels: label %d holds a zero byte", i);
        LLMC_TRY(llmc_strdup(&content->labels[i], line));
        line = line_end + 1;
    }
    if (line != end)
        LLMC_FAIL(LLMC_ERR_FORMAT, "labels: more than %d lines", content->architecture.labels);
exit:
    free(text);
    return status;
}

static llmc_status read_bool(struct reader *reader, const char *group, const char *name, bool *out)
{
    int64_t value;
    llmc_status status = llmc_h5_read_int(reader->file, group, name, &value);
    if (status == LLMC_OK && value != 0 && value != 1)
        status = llmc_error(LLMC_ERR_FORMAT, "%s%s%s is %lld; allowed are 0 and 1", group, group[0] ? "/" : "", name,
                            (long long)value);
    *out = status == LLMC_OK && value;
    return status;
}

/* The stored values, and where they are to go. */
static llmc_status read_values(struct reader *reader, const char *group, struct llmc_compressed_tensor *tensor,
                               struct llmc_compressed_parts *parts)
{
    llmc_status status = LLMC_OK;
    char path[LLMC_COMPRESSED_PATH_NBYTES];
    int64_t count = tensor->rows * tensor->cols;
    int64_t mask_nbytes = (count + 7) / 8;
    bool keep_packed = reader->keep_packed && !tensor->sparse && tensor == reader->words;
    if (!keep_packed)
        LLMC_TRY(take_memory(reader, &tensor->data, count, llmc_number_nbytes(tensor->number)));
    if (!tensor->sparse) {
        LLMC_TRY(find_chunks(reader, group, "values", tensor->number, 2, (int64_t[]){tensor->rows, tensor->cols},
                             keep_packed ? &tensor->packed : &parts->values, &tensor->stored_nbytes));
        goto exit;
    }
    snprintf(path, sizeof path, "%s/values", group);
    LLMC_TRY(read_length(reader, path, tensor->number, count, &parts->nonzeros));
    LLMC_TRY(find_chunks(reader, group, "values", tensor->number, 1, &parts->nonzeros, &parts->values,
                         &tensor->stored_nbytes));
    LLMC_TRY(find_chunks(reader, group, "mask", LLMC_U8, 1, &mask_nbytes, &parts->mask, &tensor->stored_nbytes));
exit:
    return status;
}

static llmc_status read_number(struct reader *reader, const char *group, enum llmc_number *number)
{
    static const enum llmc_number allowed[] = {LLMC_F32, LLMC_F16, LLMC_I8};
    char *name = NULL;
    llmc_status status = llmc_h5_read_text(reader->file, group, "number", &name);
    if (status != LLMC_OK)
        return status;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (strcmp(name, llmc_number_name(allowed[i])) == 0) {
            *number = allowed[i];
            free(name);
            return LLMC_OK;
        }
    }
    status = llmc_error(LLMC_ERR_FORMAT, "%s: number is \"%.32s\"; allowed are F32, F16, I8", group, name);
    free(name);
    return status;
}

static llmc_status read_tensor(struct reader *reader, struct llmc_compressed_tensor *tensor,
                               struct llmc_compressed_parts *parts, int64_t rows, int64_t cols)
{
    llmc_status status = LLMC_OK;
    char group[LLMC_COMPRESSED_PATH_NBYTES - 16];
    int64_t bits;
    snprintf(group, sizeof group, "tensors/%s", tensor->name);
    LLMC_TRY(read_number(reader, group, &tensor->number));
    LLMC_TRY(llmc_h5_read_int(reader->file, group, "bits", &bits));
    if (bits < 0 || bits > 8)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: bits is %lld", tensor->name, (long long)bits);
    tensor->bits = (int)bits;
    LLMC_TRY(llmc_h5_read_int(reader->file, group, "rows", &tensor->rows));
    LLMC_TRY(llmc_h5_read_int(reader->file, group, "cols", &tensor->cols));
    if (tensor->rows != rows || tensor->cols != cols)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: [%lld, %lld] instead of [%lld, %lld]", tensor->name,
                  (long long)tensor->rows, (long long)tensor->cols, (long long)rows, (long long)cols);
    LLMC_TRY(read_bool(reader, group, "sparse", &tensor->sparse));
    LLMC_TRY(read_values(reader, group, tensor, parts));
    if (tensor->number == LLMC_I8) {
        LLMC_TRY(take_memory(reader, &tensor->scales, rows, sizeof *tensor->scales));
        LLMC_TRY(find_chunks(reader, group, "scales", LLMC_F32, 1, &rows, &parts->scales, &tensor->stored_nbytes));
    }
exit:
    return status;
}

static llmc_status read_input(struct reader *reader, struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    char group[LLMC_COMPRESSED_PATH_NBYTES];
    double scale;
    int64_t zero_point;
    snprintf(group, sizeof group, "inputs/%s", tensor->name);
    LLMC_TRY(llmc_h5_read_double(reader->file, group, "scale", &scale));
    LLMC_TRY(llmc_h5_read_int(reader->file, group, "zero_point", &zero_point));
    if (zero_point < 0 || zero_point > 255)
        LLMC_FAIL(LLMC_ERR_FORMAT, "input %s: zero_point is %lld; allowed are 0 to 255", tensor->name,
                  (long long)zero_point);
    tensor->has_input = true;
    tensor->input_scale = (float)scale;
    tensor->input_zero_point = (int32_t)zero_point;
exit:
    return status;
}

/* Which of the expected tensors have an input quantiser; a name that is not expected is an error. */
static llmc_status read_inputs(struct reader *reader, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char **names = NULL;
    size_t count = 0;
    LLMC_TRY(llmc_h5_list_groups(reader->file, "inputs", &names, &count));
    for (size_t i = 0; i < count; i++) {
        struct llmc_compressed_tensor *tensor = NULL;
        for (int32_t t = 0; t < content->tensor_count && !tensor; t++)
            if (strcmp(content->tensors[t].name, names[i]) == 0)
                tensor = &content->tensors[t];
        if (!tensor)
            LLMC_FAIL(LLMC_ERR_FORMAT, "input %.100s: not part of this architecture", names[i]);
        LLMC_TRY(read_input(reader, tensor));
    }
exit:
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return status;
}

/* Every array of the file was read: nothing hides behind the expected ones. */
static llmc_status check_no_others(struct reader *reader)
{
    char **names;
    size_t count;
    llmc_status status = llmc_h5_list(reader->file, "", &names, &count);
    if (status != LLMC_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    if (count != reader->arrays)
        return llmc_error(LLMC_ERR_FORMAT, "%zu arrays where this architecture has %zu", count, reader->arrays);
    return LLMC_OK;
}

static llmc_status read_expected(struct reader *reader, struct llmc_compressed *content, int32_t index)
{
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    int64_t rows, cols;
    llmc_parameter_describe(&content->architecture, index, name, &kind, &rows, &cols);
    llmc_status status = llmc_strdup(&content->tensors[index].name, name);
    if (status != LLMC_OK)
        return status;
    return read_tensor(reader, &content->tensors[index], &reader->parts[index], rows, cols);
}

static void unpack(struct reader *reader, struct llmc_compressed *content, int32_t index)
{
    llmc_status status = llmc_compressed_unpack(&content->tensors[index], &reader->parts[index]);
    llmc_failure_note(&reader->failure, index, status);
    llmc_compressed_parts_release(&reader->parts[index]);
}

/* One thread finds the arrays through libhdf5, the others read and unpack what it has found. The word embedding, of
 * which nothing is to be unpacked where it stays packed, comes last, so that the others are busy meanwhile. */
static llmc_status read_and_unpack(struct reader *reader, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    for (int32_t i = 1; i <= content->tensor_count; i++) {
        int32_t index = i % content->tensor_count;
        LLMC_TRY(read_expected(reader, content, index));
#pragma omp task firstprivate(index)
        unpack(reader, content, index);
    }
    LLMC_TRY(read_inputs(reader, content));
    LLMC_TRY(check_no_others(reader));
exit:
    return status;
}

static llmc_status read_tensors(struct reader *reader, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    int32_t count = llmc_head_parameter(&content->architecture, LLMC_HEAD_PARAMETERS);
    LLMC_TRY(llmc_alloc(&content->tensors, (size_t)count, sizeof *content->tensors));
    content->tensor_count = count;
    reader->words = &content->tensors[LLMC_WORDS];
    LLMC_TRY(llmc_alloc(&reader->parts, (size_t)count, sizeof *reader->parts));
#pragma omp parallel num_threads(llmc_threads_all()) if (reader->parallel)
#pragma omp master
    status = read_and_unpack(reader, content);
    if (status == LLMC_OK)
        status = llmc_compressed_check_structure(content);
    if (status == LLMC_OK)
        status = llmc_failure_report(&reader->failure);
exit:
    return status;
}

static llmc_status read_content(struct reader *reader, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    int64_t tokens_max, vocabulary_nbytes;
    LLMC_TRY(llmc_checkpoint_read_architecture(reader->file, &content->architecture));
    LLMC_TRY(llmc_h5_read_int(reader->file, "", "tokens_max", &tokens_max));
    if (tokens_max < 3 || tokens_max > content->architecture.positions)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tokens_max is %lld; allowed are 3 to %d", (long long)tokens_max,
                  content->architecture.positions);
    content->tokens_max = (int32_t)tokens_max;
    LLMC_TRY(read_bool(reader, "", "lowercase", &content->rules.lowercase));
    LLMC_TRY(read_bool(reader, "", "strip_accents", &content->rules.strip_accents));
    LLMC_TRY(read_bool(reader, "", "split_chinese", &content->rules.split_chinese));
    LLMC_TRY(read_bool(reader, "", "clean", &content->rules.clean));
    LLMC_TRY(llmc_h5_read_text(reader->file, "", "origin", &content->origin));
    LLMC_TRY(read_text_array(reader, "vocabulary", &content->vocabulary, &vocabulary_nbytes,
                             &content->vocabulary_stored_nbytes));
    content->vocabulary_nbytes = (size_t)vocabulary_nbytes;
    LLMC_TRY(read_labels(reader, content));
    LLMC_TRY(read_tensors(reader, content));
exit:
    return status;
}

llmc_status llmc_compressed_read_source(const struct llmc_source *source, bool keep_packed,
                                        struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    struct reader reader = {.keep_packed = keep_packed, .parallel = source->nbytes >= PARALLEL_NBYTES};
    memset(content, 0, sizeof *content);
    LLMC_TRY(llmc_envelope_verify(source, &llmc_compressed_envelope));
    reader.stored_left = source->nbytes;
    if (__builtin_mul_overflow(source->nbytes, (uint64_t)EXPANSION_MAX, &reader.nbytes_left))
        reader.nbytes_left = UINT64_MAX;
    LLMC_TRY(llmc_h5_open_source(&reader.file, source));
    status = read_content(&reader, content);
    if (status != LLMC_OK && strncmp(llmc_error_message(), source->name, strlen(source->name)) != 0)
        status = llmc_error_prefix(status, "%s", source->name);
exit:
    llmc_h5_abandon(&reader.file);
    for (int32_t i = 0; reader.parts && i < content->tensor_count; i++)
        llmc_compressed_parts_release(&reader.parts[i]);
    free(reader.parts);
    if (status != LLMC_OK)
        llmc_compressed_release(content);
    return status;
}

llmc_status llmc_compressed_read(const char *path, struct llmc_compressed *content)
{
    struct llmc_source source;
    memset(content, 0, sizeof *content);
    llmc_status status = llmc_source_open(&source, path);
    if (status == LLMC_OK)
        status = llmc_compressed_read_source(&source, false, content);
    llmc_source_close(&source);
    return status;
}
