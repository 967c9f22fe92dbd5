#include "base/memory.h"
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

llmc_status llmc_compressed_take_memory(struct llmc_compressed_reader *reader, void *out, int64_t count, size_t size)
{
    uint64_t nbytes;
    if (__builtin_mul_overflow((uint64_t)count, (uint64_t)size, &nbytes) || nbytes > reader->nbytes_left) {
        memset(out, 0, sizeof(void *));
        return llmc_error(LLMC_ERR_FORMAT, "more than %d times the file's size in memory", EXPANSION_MAX);
    }
    reader->nbytes_left -= nbytes;
    return llmc_alloc_unset(out, (size_t)count, size);
}

llmc_status llmc_compressed_find(struct llmc_compressed_reader *reader, const char *group, const char *name, enum llmc_number number,
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

llmc_status llmc_compressed_read_length(struct llmc_compressed_reader *reader, const char *name, enum llmc_number number, int64_t max,
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

llmc_status llmc_compressed_read_text(struct llmc_compressed_reader *reader, const char *name, char **text, int64_t *nbytes,
                                   uint64_t *stored_nbytes)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5_chunks chunks = {0};
    LLMC_TRY(llmc_compressed_read_length(reader, name, LLMC_U8, TEXT_NBYTES_MAX, nbytes));
    LLMC_TRY(llmc_compressed_take_memory(reader, text, *nbytes + 1, 1));
    (*text)[*nbytes] = '\0';
    LLMC_TRY(llmc_compressed_find(reader, "", name, LLMC_U8, 1, nbytes, &chunks, stored_nbytes));
    status = llmc_h5_unpack(&chunks, *text);
    if (status != LLMC_OK)
        status = llmc_error_prefix(status, "%s", name);
exit:
    llmc_h5_chunks_release(&chunks);
    return status;
}

static llmc_status read_labels(struct llmc_compressed_reader *reader, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char *text = NULL;
    int64_t nbytes;
    LLMC_TRY(llmc_compressed_read_text(reader, "labels", &text, &nbytes, &content->texts_stored_nbytes));
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

llmc_status llmc_compressed_read_bool(struct llmc_compressed_reader *reader, const char *group, const char *name, bool *out)
{
    int64_t value;
    llmc_status status = llmc_h5_read_int(reader->file, group, name, &value);
    if (status == LLMC_OK && value != 0 && value != 1)
        status = llmc_error(LLMC_ERR_FORMAT, "%s%s%s is %lld; allowed are 0 and 1", group, group[0] ? "/" : "", name,
                            (long long)value);
    *out = status == LLMC_OK && value;
    return status;
}

/* An attribute in old versions. */
static llmc_status read_origin(struct llmc_compressed_reader *reader, bool groups, struct llmc_compressed *content)
{
    int64_t nbytes;
    if (!groups)
        return llmc_compressed_read_text(reader, "origin", &content->origin, &nbytes, &content->texts_stored_nbytes);
    llmc_status status = llmc_h5_read_text(reader->file, "", "origin", &content->origin);
    content->texts_stored_nbytes += status == LLMC_OK ? strlen(content->origin) : 0;
    return status;
}

/* Every array of the file was read: nothing hides behind the expected ones. */
static llmc_status check_no_others(struct llmc_compressed_reader *reader)
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

static llmc_status name_tensors(struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    int32_t count = llmc_parameter_count(&content->architecture);
    LLMC_TRY(llmc_alloc(&content->tensors, (size_t)count, sizeof *content->tensors));
    content->tensor_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct llmc_compressed_tensor *tensor = &content->tensors[i];
        llmc_parameter_describe(&content->architecture, i, name, &kind, &tensor->rows, &tensor->cols);
        LLMC_TRY(llmc_strdup(&tensor->name, name));
    }
exit:
    return status;
}

static llmc_status read_content(struct llmc_compressed_reader *reader, bool groups, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    int64_t tokens_max, vocabulary_nbytes;
    if (groups) {
        LLMC_TRY(llmc_checkpoint_read_architecture(reader->file, &content->architecture));
    } else {
        LLMC_TRY(llmc_checkpoint_read_shape(reader->file, &content->architecture));
        reader->arrays++; /* layers */
    }
    LLMC_TRY(llmc_h5_read_int(reader->file, "", "tokens_max", &tokens_max));
    if (tokens_max < 3 || tokens_max > content->architecture.positions)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tokens_max is %lld; allowed are 3 to %d", (long long)tokens_max,
                  content->architecture.positions);
    content->tokens_max = (int32_t)tokens_max;
    LLMC_TRY(llmc_compressed_read_bool(reader, "", "lowercase", &content->rules.lowercase));
    LLMC_TRY(llmc_compressed_read_bool(reader, "", "strip_accents", &content->rules.strip_accents));
    LLMC_TRY(llmc_compressed_read_bool(reader, "", "split_chinese", &content->rules.split_chinese));
    LLMC_TRY(llmc_compressed_read_bool(reader, "", "clean", &content->rules.clean));
    LLMC_TRY(read_origin(reader, groups, content));
    LLMC_TRY(llmc_compressed_read_text(reader, "vocabulary", &content->vocabulary, &vocabulary_nbytes,
                                       &content->vocabulary_stored_nbytes));
    content->vocabulary_nbytes = (size_t)vocabulary_nbytes;
    LLMC_TRY(read_labels(reader, content));
    LLMC_TRY(name_tensors(content));
    LLMC_TRY(groups ? llmc_compressed_read_groups(reader, content) : llmc_compressed_read_arrays(reader, content));
    LLMC_TRY(check_no_others(reader));
    LLMC_TRY(llmc_compressed_check_structure(content));
exit:
    return status;
}

llmc_status llmc_compressed_read_source(const struct llmc_source *source, bool keep_packed,
                                        struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed_reader reader = {.keep_packed = keep_packed, .parallel = source->nbytes >= PARALLEL_NBYTES};
    uint32_t version;
    memset(content, 0, sizeof *content);
    LLMC_TRY(llmc_envelope_verify(source, &llmc_compressed_envelope, &version));
    reader.stored_left = source->nbytes;
    if (__builtin_mul_overflow(source->nbytes, (uint64_t)EXPANSION_MAX, &reader.nbytes_left))
        reader.nbytes_left = UINT64_MAX;
    LLMC_TRY(llmc_h5_open_source(&reader.file, source));
    status = read_content(&reader, version < LLMC_COMPRESSED_VERSION, content);
    if (status != LLMC_OK && strncmp(llmc_error_message(), source->name, strlen(source->name)) != 0)
        status = llmc_error_prefix(status, "%s", source->name);
exit:
    llmc_h5_abandon(&reader.file);
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
