/*
 * Versions 1 and 2 of the compressed checkpoint, which are read and no longer written: a group for each tensor, with a
 * few kilobytes of structure each. Version 2 is that of models whose layers differ (formats/checkpoint/architecture.h).
 * Seal, root and texts are those of version 3 (compressed.h) but for "origin", an attribute of the root, and:
 *     /tensors/NAME            group, one for each parameter of architecture/parameter.h
 *         attributes           "number" (F32, F16, I8 as text), "bits" (of I8: 2..8), "rows", "cols"
 *                              (a vector is 1 row), "sparse" (0 or 1)
 *         values               dense: [rows, cols] in `number`; sparse: [nonzeros] in row order
 *         mask                 sparse only: U8 [ceil(rows * cols / 8)], bit i % 8 of byte i / 8 is
 *                              set where element i = row * cols + col is stored in `values`
 *         scales               I8 only: F32 [rows]; weight = scale[row] * integer
 *     /inputs/NAME             group, one for each linear layer that runs in integers, NAME of its weight
 *                              attributes "scale" (double holding a float), "zero_point" (0..255)
 */
#include "base/memory.h"
#include "base/threads.h"
#include "formats/checkpoint/private.h"
#include "formats/hdf5/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the parts of a tensor lie in the file: found by one thread, unpacked by any. */
struct parts {
    struct llmc_h5_chunks values, mask, scales;
    int64_t nonzeros; /* of a sparse tensor */
};

static void release_parts(struct parts *parts)
{
    llmc_h5_chunks_release(&parts->values);
    llmc_h5_chunks_release(&parts->mask);
    llmc_h5_chunks_release(&parts->scales);
}

static llmc_status unpack_sparse(struct llmc_compressed_tensor *tensor, const struct parts *parts)
{
    llmc_status status = LLMC_OK;
    uint8_t *mask = NULL;
    char *values = NULL;
    size_t nbytes = llmc_number_nbytes(tensor->number);
    int64_t count = tensor->rows * tensor->cols;
    LLMC_TRY(llmc_alloc_unset(&mask, (size_t)(count + 7) / 8, 1));
    LLMC_TRY(llmc_alloc_unset(&values, (size_t)parts->nonzeros + 1, nbytes));
    LLMC_TRY(llmc_h5_unpack(&parts->mask, mask));
    LLMC_TRY(llmc_h5_unpack(&parts->values, values));
    memset(values + (size_t)parts->nonzeros * nbytes, 0, nbytes);
    status = llmc_compressed_spread(tensor->name, mask, values, parts->nonzeros, nbytes, count, tensor->data);
exit:
    free(mask);
    free(values);
    return status;
}

/* Unpacks and checks values and scales; of a tensor that stays packed, only the scales. */
static llmc_status unpack(struct llmc_compressed_tensor *tensor, const struct parts *parts)
{
    llmc_status status = LLMC_OK;
    if (parts->scales.count)
        LLMC_TRY(llmc_h5_unpack(&parts->scales, tensor->scales));
    if (tensor->sparse)
        LLMC_TRY(unpack_sparse(tensor, parts));
    else if (tensor->data)
        LLMC_TRY(llmc_h5_unpack(&parts->values, tensor->data));
exit:
    if (status == LLMC_OK)
        status = llmc_compressed_check_numbers(tensor);
    else
        status = llmc_error_prefix(status, "tensor %s", tensor->name);
    return status;
}

/* The stored values, and where they are to go. */
static llmc_status read_values(struct llmc_compressed_reader *reader, const char *group, bool keep_packed,
                               struct llmc_compressed_tensor *tensor, struct parts *parts)
{
    llmc_status status = LLMC_OK;
    char path[LLMC_COMPRESSED_PATH_NBYTES];
    int64_t count = tensor->rows * tensor->cols;
    int64_t mask_nbytes = (count + 7) / 8;
    keep_packed = keep_packed && !tensor->sparse;
    tensor->packed = (struct llmc_compressed_rows){.number = tensor->number, .bits = tensor->bits, .cols = tensor->cols};
    if (!keep_packed)
        LLMC_TRY(llmc_compressed_take_memory(reader, &tensor->data, count, llmc_number_nbytes(tensor->number)));
    if (!tensor->sparse) {
        LLMC_TRY(llmc_compressed_find(reader, group, "values", tensor->number, 2, (int64_t[]){tensor->rows, tensor->cols},
                             keep_packed ? &tensor->packed.chunks : &parts->values, &tensor->stored_nbytes));
        goto exit;
    }
    snprintf(path, sizeof path, "%s/values", group);
    LLMC_TRY(llmc_compressed_read_length(reader, path, tensor->number, count, &parts->nonzeros));
    LLMC_TRY(llmc_compressed_find(reader, group, "values", tensor->number, 1, &parts->nonzeros, &parts->values,
                         &tensor->stored_nbytes));
    LLMC_TRY(llmc_compressed_find(reader, group, "mask", LLMC_U8, 1, &mask_nbytes, &parts->mask, &tensor->stored_nbytes));
exit:
    return status;
}

static llmc_status read_number(struct llmc_compressed_reader *reader, const char *group, enum llmc_number *number)
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

static llmc_status read_tensor(struct llmc_compressed_reader *reader, bool keep_packed,
                               struct llmc_compressed_tensor *tensor, struct parts *parts)
{
    llmc_status status = LLMC_OK;
    char group[LLMC_COMPRESSED_PATH_NBYTES - 16];
    int64_t bits, rows, cols;
    snprintf(group, sizeof group, "tensors/%s", tensor->name);
    LLMC_TRY(read_number(reader, group, &tensor->number));
    LLMC_TRY(llmc_h5_read_int(reader->file, group, "bits", &bits));
    if (bits < 0 || bits > 8)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: bits is %lld", tensor->name, (long long)bits);
    tensor->bits = (int)bits;
    LLMC_TRY(llmc_h5_read_int(reader->file, group, "rows", &rows));
    LLMC_TRY(llmc_h5_read_int(reader->file, group, "cols", &cols));
    if (tensor->rows != rows || tensor->cols != cols)
        LLMC_FAIL(LLMC_ERR_FORMAT, "tensor %s: [%lld, %lld] instead of [%lld, %lld]", tensor->name, (long long)rows,
                  (long long)cols, (long long)tensor->rows, (long long)tensor->cols);
    LLMC_TRY(llmc_compressed_read_bool(reader, group, "sparse", &tensor->sparse));
    LLMC_TRY(read_values(reader, group, keep_packed, tensor, parts));
    if (tensor->number == LLMC_I8) {
        LLMC_TRY(llmc_compressed_take_memory(reader, &tensor->scales, rows, sizeof *tensor->scales));
        LLMC_TRY(llmc_compressed_find(reader, group, "scales", LLMC_F32, 1, &rows, &parts->scales,
                                      &tensor->scales_stored_nbytes));
    }
exit:
    return status;
}

static llmc_status read_input(struct llmc_compressed_reader *reader, struct llmc_compressed_tensor *tensor)
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
static llmc_status read_inputs(struct llmc_compressed_reader *reader, struct llmc_compressed *content)
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

/* One thread finds the arrays through libhdf5, the others read and unpack what it has found. The word embedding, of
 * which nothing is to be unpacked where it stays packed, comes last, so that the others are busy meanwhile. */
static llmc_status read_and_unpack(struct llmc_compressed_reader *reader, struct llmc_compressed *content,
                                   struct parts *parts)
{
    llmc_status status = LLMC_OK;
    for (int32_t i = 1; i <= content->tensor_count; i++) {
        int32_t index = i % content->tensor_count;
        LLMC_TRY(read_tensor(reader, reader->keep_packed && index == LLMC_WORDS, &content->tensors[index],
                             &parts[index]));
#pragma omp task firstprivate(index)
        {
            llmc_failure_note(&reader->failure, index, unpack(&content->tensors[index], &parts[index]));
            release_parts(&parts[index]);
        }
    }
    LLMC_TRY(read_inputs(reader, content));
exit:
    return status;
}

llmc_status llmc_compressed_read_groups(struct llmc_compressed_reader *reader, struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    struct parts *parts = NULL;
    LLMC_TRY(llmc_alloc(&parts, (size_t)content->tensor_count, sizeof *parts));
#pragma omp parallel num_threads(llmc_threads_all()) if (reader->parallel)
#pragma omp master
    status = read_and_unpack(reader, content, parts);
    if (status == LLMC_OK)
        status = llmc_failure_report(&reader->failure);
exit:
    for (int32_t i = 0; parts && i < content->tensor_count; i++)
        release_parts(&parts[i]);
    free(parts);
    return status;
}
