#include "formats/huggingface/weights.h"

#include "base/file.h"
#include "base/json_file.h"
#include "base/memory.h"
#include "formats/huggingface/names.h"
#include "formats/huggingface/other_weights.h"
#include "formats/huggingface/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "model.safetensors"
#define INDEX_NAME "model.safetensors.index.json"

struct entry {
    char *name;         /* ours */
    const char *stored; /* the file's, owned by the file */
    size_t file;
};

struct llmc_hf_weights {
    char *path;                      /* FILE_NAME or INDEX_NAME */
    char **names;                    /* [file_count] of files in the folder */
    struct llmc_safetensors **files; /* [file_count] */
    size_t file_count;
    struct entry *entries; /* [count], sorted by name */
    size_t count;
};

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static llmc_status open_file(struct llmc_hf_weights *weights, const char *folder, const char *name)
{
    llmc_status status = LLMC_OK;
    char *path = NULL;
    LLMC_TRY(llmc_path_join(&path, folder, name));
    LLMC_TRY(llmc_strdup(&weights->names[weights->file_count], name));
    LLMC_TRY(llmc_safetensors_open(&weights->files[weights->file_count++], path));
exit:
    free(path);
    return status;
}

static llmc_status reserve_files(struct llmc_hf_weights *weights, size_t count)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(&weights->names, count, sizeof *weights->names));
    LLMC_TRY(llmc_alloc(&weights->files, count, sizeof *weights->files));
exit:
    return status;
}

/* The file of this name, or file_count. */
static size_t find_file(const struct llmc_hf_weights *weights, const char *name)
{
    size_t i = 0;
    while (i < weights->file_count && strcmp(weights->names[i], name) != 0)
        i++;
    return i;
}

/* Opens each shard once; each must hold what the index says. */
static llmc_status open_shards(struct llmc_hf_weights *weights, const char *folder, const json_t *map)
{
    llmc_status status = LLMC_OK;
    const char *tensor;
    json_t *value;
    if (!json_is_object(map) || json_object_size(map) == 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: \"weight_map\" is not an object {TENSOR: FILE, ...}", weights->path);
    LLMC_TRY(reserve_files(weights, json_object_size(map)));
    json_object_foreach ((json_t *)map, tensor, value) {
        const char *name = json_string_value(value);
        if (!name || !*name || strchr(name, '/'))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: tensor \"%s\" is not in a file of this folder", weights->path, tensor);
        size_t file = find_file(weights, name);
        if (file == weights->file_count) {
            status = open_file(weights, folder, name);
            if (status != LLMC_OK) {
                status = llmc_error_prefix(status, "%s names a shard that cannot be read", weights->path);
                goto exit;
            }
        }
        if (!llmc_safetensors_has(weights->files[file], tensor))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: tensor \"%s\" is not in %s, where the index says it is", weights->path,
                      tensor, name);
    }
exit:
    return status;
}

/* A tensor that the index does not name, or names elsewhere: which one counts cannot be known. */
static llmc_status check_index(const struct llmc_hf_weights *weights, const json_t *map)
{
    for (size_t i = 0; i < weights->file_count; i++) {
        const char *stored;
        for (size_t t = 0; (stored = llmc_safetensors_name(weights->files[i], t)); t++) {
            const char *file = json_string_value(json_object_get(map, stored));
            if (!file)
                return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\" is in %s, but the index does not name it",
                                  weights->path, stored, weights->names[i]);
            if (strcmp(file, weights->names[i]) != 0)
                return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\" is in both %s and %s", weights->path, stored,
                                  weights->names[i], file);
        }
    }
    return LLMC_OK;
}

static llmc_status open_index(struct llmc_hf_weights *weights, const char *folder)
{
    llmc_status status = LLMC_OK;
    json_t *root = NULL;
    LLMC_TRY(llmc_json_file_read(weights->path, &root));
    const json_t *map = json_object_get(root, "weight_map");
    LLMC_TRY(open_shards(weights, folder, map));
    LLMC_TRY(check_index(weights, map));
exit:
    json_decref(root);
    return status;
}

static llmc_status name_tensors(struct llmc_hf_weights *weights)
{
    llmc_status status = LLMC_OK;
    size_t count = 0;
    for (size_t i = 0; i < weights->file_count; i++)
        for (size_t t = 0; llmc_safetensors_name(weights->files[i], t); t++)
            count++;
    LLMC_TRY(llmc_alloc(&weights->entries, count, sizeof *weights->entries));
    for (size_t i = 0; i < weights->file_count; i++) {
        const char *stored;
        for (size_t t = 0; (stored = llmc_safetensors_name(weights->files[i], t)); t++) {
            struct entry *entry = &weights->entries[weights->count];
            LLMC_TRY(llmc_hf_name(&entry->name, stored));
            entry->stored = stored;
            entry->file = i;
            weights->count++;
        }
    }
    if (count)
        qsort(weights->entries, count, sizeof *weights->entries, compare_entries);
    for (size_t i = 1; i < count; i++)
        if (compare_entries(&weights->entries[i - 1], &weights->entries[i]) == 0)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: tensors \"%s\" and \"%s\" are both \"%s\" for llmc; only one can count",
                      weights->path, weights->entries[i - 1].stored, weights->entries[i].stored,
                      weights->entries[i].name);
exit:
    return status;
}

llmc_status llmc_hf_weights_open(struct llmc_hf_weights **out, const char *folder)
{
    llmc_status status = LLMC_OK;
    struct llmc_hf_weights *weights = NULL;
    *out = NULL;
    LLMC_TRY(llmc_alloc(&weights, 1, sizeof *weights));
    LLMC_TRY(llmc_path_join(&weights->path, folder, FILE_NAME));
    if (llmc_file_exists(weights->path)) { /* as transformers does, before it looks for shards */
        LLMC_TRY(reserve_files(weights, 1));
        LLMC_TRY(open_file(weights, folder, FILE_NAME));
    } else {
        free(weights->path);
        LLMC_TRY(llmc_path_join(&weights->path, folder, INDEX_NAME));
        if (!llmc_file_exists(weights->path))
            LLMC_TRY(llmc_hf_refuse_other_weights(folder));
        LLMC_TRY(open_index(weights, folder));
    }
    LLMC_TRY(name_tensors(weights));
    *out = weights;
    weights = NULL;
exit:
    llmc_hf_weights_free(weights);
    return status;
}

void llmc_hf_weights_free(struct llmc_hf_weights *weights)
{
    if (!weights)
        return;
    for (size_t i = 0; i < weights->count; i++)
        free(weights->entries[i].name);
    free(weights->entries);
    for (size_t i = 0; i < weights->file_count; i++) {
        free(weights->names[i]);
        llmc_safetensors_free(weights->files[i]);
    }
    free(weights->names);
    free(weights->files);
    free(weights->path);
    free(weights);
}

const char *llmc_hf_weights_path(const struct llmc_hf_weights *weights)
{
    return weights->path;
}

const char *llmc_hf_weights_name(const struct llmc_hf_weights *weights, size_t index)
{
    return index < weights->count ? weights->entries[index].name : NULL;
}

const char *llmc_hf_weights_stored_name(const struct llmc_hf_weights *weights, size_t index)
{
    return index < weights->count ? weights->entries[index].stored : NULL;
}

static const struct entry *find(const struct llmc_hf_weights *weights, const char *name)
{
    const struct entry key = {.name = (char *)name};
    return weights->count ? bsearch(&key, weights->entries, weights->count, sizeof key, compare_entries) : NULL;
}

bool llmc_hf_weights_has(const struct llmc_hf_weights *weights, const char *name)
{
    return find(weights, name) != NULL;
}

static llmc_status missing(const struct llmc_hf_weights *weights, const char *name)
{
    return llmc_error(LLMC_ERR_FORMAT, "%s: no tensor \"%s\"", weights->path, name);
}

llmc_status llmc_hf_weights_shape(const struct llmc_hf_weights *weights, const char *name, int *rank, int64_t shape[4])
{
    const struct entry *entry = find(weights, name);
    return entry ? llmc_safetensors_shape(weights->files[entry->file], entry->stored, rank, shape)
                 : missing(weights, name);
}

llmc_status llmc_hf_weights_read(const struct llmc_hf_weights *weights, const char *name, int64_t count, float *out)
{
    llmc_status status = LLMC_OK;
    const struct entry *entry = find(weights, name);
    if (!entry)
        return missing(weights, name);
    LLMC_TRY(llmc_safetensors_read(weights->files[entry->file], entry->stored, count, out));
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(out[i]))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: tensor \"%s\": number %lld is %s in FP32; the weights are of no use",
                      weights->path, entry->stored, (long long)i, isnan(out[i]) ? "not a number" : "infinite");
exit:
    return status;
}
