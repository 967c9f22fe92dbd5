#include "base/file.h"
#include "base/memory.h"
#include "formats/checkpoint/architecture.h"
#include "formats/checkpoint/private.h"
#include "formats/hdf5/chunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of an embedding that are unpacked together: few, since a text needs few, but enough to share a code table. */
enum { EMBEDDING_ROWS = 64 };

/* The least that deflate must save (hdf5_chunks.h). Of the layers' weights, which every start unpacks, it saves about a
 * tenth and takes half of the start for it: where it saves least, a fifth of that time goes for 0.5 % of a file. */
enum { EMBEDDING_WORTH = 64, LAYER_WORTH = 11 };

/* Splits a dense array into its mask and its stored values. */
static llmc_status make_sparse(const struct llmc_compressed_tensor *tensor, uint8_t **mask_ret, char **values_ret,
                               int64_t *nonzeros_ret)
{
    llmc_status status = LLMC_OK;
    uint8_t *mask = NULL;
    char *values = NULL;
    const char zero[4] = {0};
    size_t nbytes = llmc_number_nbytes(tensor->number);
    int64_t count = tensor->rows * tensor->cols;
    int64_t nonzeros = 0;
    const char *data = tensor->data;
    LLMC_TRY(llmc_alloc(&mask, (size_t)(count + 7) / 8, 1));
    LLMC_TRY(llmc_alloc(&values, (size_t)count, nbytes));
    for (int64_t i = 0; i < count; i++) {
        const char *value = data + (size_t)i * nbytes;
        /* By bits: a negative zero is stored, so that reading gives back the same bits. */
        if (memcmp(value, zero, nbytes) == 0)
            continue;
        mask[i / 8] |= (uint8_t)(1u << (i % 8));
        memcpy(values + (size_t)nonzeros++ * nbytes, value, nbytes);
    }
    *mask_ret = mask;
    *values_ret = values;
    *nonzeros_ret = nonzeros;
    return LLMC_OK;
exit:
    free(mask);
    free(values);
    return status;
}

static llmc_status write_array(struct llmc_h5 *file, const char *group, const char *name, enum llmc_number number,
                               int rank, const int64_t *shape, const void *data, int64_t chunk_rows)
{
    char path[LLMC_COMPRESSED_PATH_NBYTES];
    snprintf(path, sizeof path, "%s/%s", group, name);
    return llmc_h5_write_chunks(file, path, number, rank, shape, data, chunk_rows,
                                chunk_rows ? EMBEDDING_WORTH : LAYER_WORTH);
}

static llmc_status write_values(struct llmc_h5 *file, const char *group, const struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    uint8_t *mask = NULL;
    char *values = NULL;
    int64_t nonzeros;
    if (!tensor->sparse)
        return write_array(file, group, "values", tensor->number, 2, (int64_t[]){tensor->rows, tensor->cols},
                           tensor->data, strstr(tensor->name, "embeddings") ? EMBEDDING_ROWS : 0);
    LLMC_TRY(make_sparse(tensor, &mask, &values, &nonzeros));
    LLMC_TRY(write_array(file, group, "values", tensor->number, 1, &nonzeros, values, 0));
    int64_t mask_nbytes = (tensor->rows * tensor->cols + 7) / 8;
    LLMC_TRY(write_array(file, group, "mask", LLMC_U8, 1, &mask_nbytes, mask, 0));
exit:
    free(mask);
    free(values);
    return status;
}

static llmc_status write_tensor(struct llmc_h5 *file, const struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    char group[LLMC_COMPRESSED_PATH_NBYTES - 16];
    snprintf(group, sizeof group, "tensors/%s", tensor->name);
    LLMC_TRY(llmc_h5_write_text(file, group, "number", llmc_number_name(tensor->number)));
    LLMC_TRY(llmc_h5_write_int(file, group, "bits", tensor->bits));
    LLMC_TRY(llmc_h5_write_int(file, group, "rows", tensor->rows));
    LLMC_TRY(llmc_h5_write_int(file, group, "cols", tensor->cols));
    LLMC_TRY(llmc_h5_write_int(file, group, "sparse", tensor->sparse));
    LLMC_TRY(write_values(file, group, tensor));
    if (tensor->number == LLMC_I8)
        LLMC_TRY(write_array(file, group, "scales", LLMC_F32, 1, &tensor->rows, tensor->scales, 0));
    if (tensor->has_input) {
        snprintf(group, sizeof group, "inputs/%s", tensor->name);
        LLMC_TRY(llmc_h5_write_double(file, group, "scale", (double)tensor->input_scale));
        LLMC_TRY(llmc_h5_write_int(file, group, "zero_point", tensor->input_zero_point));
    }
exit:
    return status;
}

static llmc_status write_labels(struct llmc_h5 *file, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char *text = NULL;
    int64_t nbytes = 0;
    for (int32_t i = 0; i < content->architecture.labels; i++)
        nbytes += (int64_t)strlen(content->labels[i]) + 1;
    LLMC_TRY(llmc_alloc(&text, (size_t)nbytes, 1));
    char *end = text;
    for (int32_t i = 0; i < content->architecture.labels; i++) {
        end = stpcpy(end, content->labels[i]);
        *end++ = '\n';
    }
    LLMC_TRY(llmc_h5_write_chunks(file, "labels", LLMC_U8, 1, &nbytes, text, 0, LAYER_WORTH));
exit:
    free(text);
    return status;
}

static llmc_status write_content(struct llmc_h5 *file, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    int64_t vocabulary_nbytes = (int64_t)content->vocabulary_nbytes;
    LLMC_TRY(llmc_checkpoint_write_architecture(file, &content->architecture));
    LLMC_TRY(llmc_h5_write_int(file, "", "tokens_max", content->tokens_max));
    LLMC_TRY(llmc_h5_write_int(file, "", "lowercase", content->rules.lowercase));
    LLMC_TRY(llmc_h5_write_int(file, "", "strip_accents", content->rules.strip_accents));
    LLMC_TRY(llmc_h5_write_int(file, "", "split_chinese", content->rules.split_chinese));
    LLMC_TRY(llmc_h5_write_int(file, "", "clean", content->rules.clean));
    LLMC_TRY(llmc_h5_write_text(file, "", "origin", content->origin));
    LLMC_TRY(llmc_h5_write_chunks(file, "vocabulary", LLMC_U8, 1, &vocabulary_nbytes, content->vocabulary, 0,
                                  LAYER_WORTH));
    LLMC_TRY(write_labels(file, content));
    for (int32_t i = 0; i < content->tensor_count; i++)
        LLMC_TRY(write_tensor(file, &content->tensors[i]));
exit:
    return status;
}

llmc_status llmc_compressed_write(const char *path, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    char *temporary = NULL;
    struct llmc_h5 *file = NULL;
    struct llmc_envelope envelope = llmc_compressed_envelope;
    status = llmc_compressed_check(content);
    if (status != LLMC_OK)
        return llmc_error_prefix(status, "%s", path);
    LLMC_TRY(llmc_file_begin(path, &temporary));
    LLMC_TRY(llmc_h5_create(&file, temporary, LLMC_ENVELOPE_NBYTES));
    LLMC_TRY(write_content(file, content));
    LLMC_TRY(llmc_h5_close(&file));
    if (!llmc_architecture_is_even(&content->architecture))
        envelope.version = LLMC_COMPRESSED_LAYERED;
    LLMC_TRY(llmc_envelope_seal(temporary, &envelope));
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    llmc_h5_abandon(&file);
    llmc_file_abandon(&temporary);
    return status;
}
