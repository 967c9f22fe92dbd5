#include "base/file.h"
#include "base/memory.h"
#include "formats/checkpoint/architecture.h"
#include "formats/checkpoint/forms.h"
#include "formats/checkpoint/private.h"
#include "formats/hdf5/chunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of an embedding that are unpacked together: few, since a text needs few, but enough to share a code table. */
enum { EMBEDDING_ROWS = 128 };

/* The least that deflate must save (formats/hdf5/chunks.h): a 64th. */
enum { WORTH = 64 };

/* An array that grows tensor by tensor. */
struct growing {
    enum llmc_number number;
    char *memory;
    int64_t count, capacity; /* numbers */
};

static llmc_status append(struct growing *array, const void *numbers, int64_t count)
{
    size_t nbytes = llmc_number_nbytes(array->number);
    if (count == 0)
        return LLMC_OK;
    if (array->count + count > array->capacity) {
        int64_t capacity = 2 * array->capacity > array->count + count ? 2 * array->capacity : array->count + count;
        char *memory = realloc(array->memory, (size_t)capacity * nbytes);
        if (!memory)
            return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu bytes", (size_t)capacity * nbytes);
        array->memory = memory;
        array->capacity = capacity;
    }
    memcpy(array->memory + (size_t)array->count * nbytes, numbers, (size_t)count * nbytes);
    array->count += count;
    return LLMC_OK;
}

static llmc_status write_growing(struct llmc_h5 *file, const char *name, const struct growing *array)
{
    if (array->count == 0)
        return LLMC_OK;
    return llmc_h5_write_chunks(file, name, array->number, 1, &array->count, array->memory, 0, WORTH);
}

/* The arrays of all tensors. */
struct arrays {
    struct growing bytes, halves, floats, names, table;
};

/* Scales and the input's scale go behind the values. */
static llmc_status add_tensor(struct arrays *arrays, const struct llmc_compressed_tensor *tensor,
                              const struct llmc_compressed_form *form, bool words)
{
    llmc_status status = LLMC_OK;
    struct growing *values = tensor->number == LLMC_I8    ? &arrays->bytes
                             : tensor->number == LLMC_F16 ? &arrays->halves
                                                          : &arrays->floats;
    int64_t row[LLMC_COMPRESSED_COLUMNS] = {
        [LLMC_COMPRESSED_NUMBER] = tensor->number,
        [LLMC_COMPRESSED_BITS] = tensor->bits,
        [LLMC_COMPRESSED_ROWS] = tensor->rows,
        [LLMC_COMPRESSED_COLS] = tensor->cols,
        [LLMC_COMPRESSED_FORM] = form->form,
        [LLMC_COMPRESSED_STORED] = form->stored,
        [LLMC_COMPRESSED_ZERO_POINT] = tensor->has_input ? tensor->input_zero_point : -1,
    };
    LLMC_TRY(append(&arrays->table, row, LLMC_COMPRESSED_COLUMNS));
    LLMC_TRY(append(&arrays->names, tensor->name, (int64_t)strlen(tensor->name)));
    LLMC_TRY(append(&arrays->names, "\n", 1));
    if (!words) {
        LLMC_TRY(append(&arrays->bytes, form->mask, form->mask_nbytes));
        LLMC_TRY(append(values, form->values, form->values_count));
    }
    if (tensor->number == LLMC_I8)
        LLMC_TRY(append(&arrays->floats, tensor->scales, tensor->rows));
    if (tensor->has_input)
        LLMC_TRY(append(&arrays->floats, &tensor->input_scale, 1));
exit:
    return status;
}

static llmc_status write_words(struct llmc_h5 *file, const struct llmc_compressed_tensor *words,
                               const struct llmc_compressed_form *form)
{
    bool mixed = form->form & LLMC_COMPRESSED_MIXED;
    int64_t shape[2] = {words->rows, form->values_count / words->rows};
    return llmc_h5_write_chunks(file, "words", mixed ? LLMC_U8 : words->number, 2, shape, form->values, EMBEDDING_ROWS,
                                WORTH);
}

static llmc_status write_tensors(struct llmc_h5 *file, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    struct arrays arrays = {.bytes = {.number = LLMC_U8}, .halves = {.number = LLMC_F16},
                            .floats = {.number = LLMC_F32}, .names = {.number = LLMC_U8},
                            .table = {.number = LLMC_I64}};
    struct llmc_compressed_form form = {0};
    int64_t shape[2] = {content->tensor_count, LLMC_COMPRESSED_COLUMNS};
    for (int32_t i = 0; i < content->tensor_count; i++) {
        LLMC_TRY(llmc_compressed_form_choose(&form, &content->tensors[i], i == LLMC_WORDS));
        LLMC_TRY(add_tensor(&arrays, &content->tensors[i], &form, i == LLMC_WORDS));
        if (i == LLMC_WORDS)
            LLMC_TRY(write_words(file, &content->tensors[i], &form));
        llmc_compressed_form_release(&form);
    }
    LLMC_TRY(write_growing(file, "names", &arrays.names));
    LLMC_TRY(llmc_h5_write_chunks(file, "tensors", LLMC_I64, 2, shape, arrays.table.memory, 0, WORTH));
    LLMC_TRY(write_growing(file, "bytes", &arrays.bytes));
    LLMC_TRY(write_growing(file, "halves", &arrays.halves));
    LLMC_TRY(write_growing(file, "floats", &arrays.floats));
exit:
    llmc_compressed_form_release(&form);
    free(arrays.bytes.memory);
    free(arrays.halves.memory);
    free(arrays.floats.memory);
    free(arrays.names.memory);
    free(arrays.table.memory);
    return status;
}

static llmc_status write_text(struct llmc_h5 *file, const char *name, const char *text, size_t nbytes)
{
    return llmc_h5_write_chunks(file, name, LLMC_U8, 1, (int64_t[]){(int64_t)nbytes}, text, 0, WORTH);
}

static llmc_status write_labels(struct llmc_h5 *file, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    struct growing text = {.number = LLMC_U8};
    for (int32_t i = 0; i < content->architecture.labels; i++) {
        LLMC_TRY(append(&text, content->labels[i], (int64_t)strlen(content->labels[i])));
        LLMC_TRY(append(&text, "\n", 1));
    }
    LLMC_TRY(write_text(file, "labels", text.memory, (size_t)text.count));
exit:
    free(text.memory);
    return status;
}

static llmc_status write_content(struct llmc_h5 *file, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_checkpoint_write_shape(file, &content->architecture));
    LLMC_TRY(llmc_h5_write_int(file, "", "tokens_max", content->tokens_max));
    LLMC_TRY(llmc_h5_write_int(file, "", "lowercase", content->rules.lowercase));
    LLMC_TRY(llmc_h5_write_int(file, "", "strip_accents", content->rules.strip_accents));
    LLMC_TRY(llmc_h5_write_int(file, "", "split_chinese", content->rules.split_chinese));
    LLMC_TRY(llmc_h5_write_int(file, "", "clean", content->rules.clean));
    LLMC_TRY(write_text(file, "origin", content->origin, strlen(content->origin)));
    LLMC_TRY(write_text(file, "vocabulary", content->vocabulary, content->vocabulary_nbytes));
    LLMC_TRY(write_labels(file, content));
    LLMC_TRY(write_tensors(file, content));
exit:
    return status;
}

llmc_status llmc_compressed_write(const char *path, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char *temporary = NULL;
    struct llmc_h5 *file = NULL;
    struct llmc_envelope envelope = llmc_compressed_envelope;
    envelope.version = LLMC_COMPRESSED_VERSION;
    status = llmc_compressed_check(content);
    if (status != LLMC_OK)
        return llmc_error_prefix(status, "%s", path);
    LLMC_TRY(llmc_file_begin(path, &temporary));
    LLMC_TRY(llmc_h5_create(&file, temporary, LLMC_ENVELOPE_NBYTES));
    LLMC_TRY(write_content(file, content));
    LLMC_TRY(llmc_h5_close(&file));
    LLMC_TRY(llmc_envelope_seal(temporary, &envelope));
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    llmc_h5_abandon(&file);
    llmc_file_abandon(&temporary);
    return status;
}
