#include "formats/huggingface/safetensors.h"

#include "base/lfs_pointer.h"
#include "base/memory.h"
#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LENGTH_NBYTES 8
#define HEADER_NBYTES_MAX 100000000 /* the limit of the reference implementation */
#define RANK_MAX 4

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers in memory are those of the file");

/* How numbers of a file become FP32; NOT: they do not. */
enum conversion { NOT, FROM_F64, FROM_F32, FROM_F16, FROM_BF16 };

/* Formats of numbers that may stand in a file. */
static const struct dtype {
    const char *name;
    uint64_t nbytes;
    enum conversion conversion;
} dtypes[] = {
    {"F64", 8, FROM_F64}, {"F32", 4, FROM_F32}, {"F16", 2, FROM_F16}, {"BF16", 2, FROM_BF16},  {"I64", 8, NOT},
    {"I32", 4, NOT},      {"I16", 2, NOT},      {"I8", 1, NOT},       {"U64", 8, NOT},         {"U32", 4, NOT},
    {"U16", 2, NOT},      {"U8", 1, NOT},       {"BOOL", 1, NOT},     {"C64", 8, NOT},         {"F8_E4M3", 1, NOT},
    {"F8_E5M2", 1, NOT},  {"F8_E8M0", 1, NOT},  {"F8_E4M3FNUZ", 1, NOT}, {"F8_E5M2FNUZ", 1, NOT},
};

struct tensor {
    char *name;
    const struct dtype *dtype;
    size_t rank;
    int64_t shape[RANK_MAX]; /* of a tensor of higher rank: the first ones */
    uint64_t count;
    uint64_t begin, end; /* bytes from the start of the data */
};

struct llmc_safetensors {
    char *path;
    const unsigned char *bytes; /* the mapped file */
    size_t nbytes;
    const unsigned char *data; /* in `bytes`, behind the header */
    struct tensor *tensors;    /* sorted by name */
    size_t count;
};

static llmc_status map_file(struct llmc_safetensors *file)
{
    llmc_status status = LLMC_OK;
    struct stat info;
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would make us wait */
    if (descriptor < 0 || fstat(descriptor, &info) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", file->path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        LLMC_FAIL(LLMC_ERR_IO, "%s: not a regular file", file->path);
    if (info.st_size < LENGTH_NBYTES)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %lld bytes; a safetensors file starts with the %d of its header's length",
                  file->path, (long long)info.st_size, LENGTH_NBYTES);
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot map: %s", file->path, strerror(errno));
    file->bytes = bytes;
    file->nbytes = (size_t)info.st_size;
exit:
    if (descriptor >= 0)
        close(descriptor);
    return status;
}

static const struct dtype *find_dtype(const char *name)
{
    for (size_t i = 0; name && i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    return NULL;
}

/* The value of a JSON integer from 0 up; false for anything else. */
static bool take_size(const json_t *json, uint64_t *value)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return false;
    *value = (uint64_t)json_integer_value(json);
    return true;
}

/* Fills `tensor`, whose name the caller has set. */
static llmc_status parse_tensor(const struct llmc_safetensors *file, const json_t *json, struct tensor *tensor)
{
    const json_t *shape = json_object_get(json, "shape");
    const json_t *offsets = json_object_get(json, "data_offsets");
    const char *dtype = json_string_value(json_object_get(json, "dtype"));
    uint64_t nbytes;
    tensor->dtype = find_dtype(dtype);
    if (!tensor->dtype)
        return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": unknown dtype %s", file->path, tensor->name,
                          dtype ? dtype : "(not a text)");
    if (!json_is_array(shape))
        return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": no shape", file->path, tensor->name);
    tensor->rank = json_array_size(shape);
    tensor->count = 1;
    for (size_t i = 0; i < tensor->rank; i++) {
        uint64_t size;
        if (!take_size(json_array_get(shape, i), &size) || __builtin_mul_overflow(tensor->count, size, &tensor->count))
            return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": dimension %zu of the shape is no size", file->path,
                              tensor->name, i);
        if (i < RANK_MAX)
            tensor->shape[i] = (int64_t)size;
    }
    if (json_array_size(offsets) != 2 || !take_size(json_array_get(offsets, 0), &tensor->begin) ||
        !take_size(json_array_get(offsets, 1), &tensor->end) || tensor->end < tensor->begin)
        return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": data_offsets are not [begin, end]", file->path,
                          tensor->name);
    if (__builtin_mul_overflow(tensor->count, tensor->dtype->nbytes, &nbytes) ||
        nbytes != tensor->end - tensor->begin)
        return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": %llu %s do not fill the %llu bytes of data_offsets",
                          file->path, tensor->name, (unsigned long long)tensor->count, dtype,
                          (unsigned long long)(tensor->end - tensor->begin));
    return LLMC_OK;
}

static llmc_status parse_tensors(struct llmc_safetensors *file, json_t *header)
{
    llmc_status status = LLMC_OK;
    const char *name;
    json_t *value;
    LLMC_TRY(llmc_alloc(&file->tensors, json_object_size(header), sizeof *file->tensors));
    json_object_foreach (header, name, value) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct tensor *tensor = &file->tensors[file->count];
        LLMC_TRY(llmc_strdup(&tensor->name, name));
        file->count++;
        LLMC_TRY(parse_tensor(file, value, tensor));
    }
exit:
    return status;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct tensor *first = a, *second = b;
    if (first->begin != second->begin)
        return first->begin < second->begin ? -1 : 1;
    return (first->end > second->end) - (first->end < second->end);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

/* In the order of offsets each tensor begins where the one before ends. */
static llmc_status check_cover(struct llmc_safetensors *file, uint64_t data_nbytes)
{
    uint64_t at = 0;
    if (file->count)
        qsort(file->tensors, file->count, sizeof *file->tensors, compare_offsets);
    for (size_t i = 0; i < file->count; i++) {
        const struct tensor *tensor = &file->tensors[i];
        if (tensor->begin != at)
            return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": begins at byte %llu of the data, expected %llu (%s)",
                              file->path, tensor->name, (unsigned long long)tensor->begin, (unsigned long long)at,
                              tensor->begin < at ? "it overlaps another" : "there is a hole before it");
        if (tensor->end > data_nbytes)
            return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": ends at byte %llu of the data; the file has %llu",
                              file->path, tensor->name, (unsigned long long)tensor->end,
                              (unsigned long long)data_nbytes);
        at = tensor->end;
    }
    if (at != data_nbytes)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %llu bytes behind the last tensor", file->path,
                          (unsigned long long)(data_nbytes - at));
    return LLMC_OK;
}

static llmc_status parse_header(struct llmc_safetensors *file)
{
    llmc_status status = LLMC_OK;
    json_t *header = NULL;
    json_error_t error;
    uint64_t nbytes;
    LLMC_TRY(llmc_lfs_pointer_refuse(file->path, file->bytes, file->nbytes));
    memcpy(&nbytes, file->bytes, sizeof nbytes);
    if (nbytes > file->nbytes - LENGTH_NBYTES || nbytes > HEADER_NBYTES_MAX)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: not a safetensors file, or cut short: it would start with a header of %llu bytes; "
                  "the file has %zu, and %d are allowed", file->path, (unsigned long long)nbytes, file->nbytes,
                  HEADER_NBYTES_MAX);
    const char *text = (const char *)file->bytes + LENGTH_NBYTES;
    file->data = file->bytes + LENGTH_NBYTES + nbytes;
    header = json_loadb(text, (size_t)nbytes, JSON_REJECT_DUPLICATES, &error);
    if (!header)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: header, line %d, column %d: %s", file->path, error.line, error.column,
                  error.text);
    if (!json_is_object(header) || text[0] != '{')
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: the header is no JSON object", file->path);
    LLMC_TRY(parse_tensors(file, header));
    LLMC_TRY(check_cover(file, file->nbytes - LENGTH_NBYTES - nbytes));
    if (file->count)
        qsort(file->tensors, file->count, sizeof *file->tensors, compare_names);
exit:
    json_decref(header);
    return status;
}

llmc_status llmc_safetensors_open(struct llmc_safetensors **out, const char *path)
{
    llmc_status status = LLMC_OK;
    struct llmc_safetensors *file = NULL;
    *out = NULL;
    LLMC_TRY(llmc_alloc(&file, 1, sizeof *file));
    LLMC_TRY(llmc_strdup(&file->path, path));
    LLMC_TRY(map_file(file));
    LLMC_TRY(parse_header(file));
    *out = file;
    file = NULL;
exit:
    llmc_safetensors_free(file);
    return status;
}

void llmc_safetensors_free(struct llmc_safetensors *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++)
        free(file->tensors[i].name);
    free(file->tensors);
    if (file->bytes)
        munmap((void *)file->bytes, file->nbytes);
    free(file->path);
    free(file);
}

static const struct tensor *find(const struct llmc_safetensors *file, const char *name)
{
    const struct tensor key = {.name = (char *)name};
    return file->count ? bsearch(&key, file->tensors, file->count, sizeof key, compare_names) : NULL;
}

const char *llmc_safetensors_name(const struct llmc_safetensors *file, size_t index)
{
    return index < file->count ? file->tensors[index].name : NULL;
}

bool llmc_safetensors_has(const struct llmc_safetensors *file, const char *name)
{
    return find(file, name) != NULL;
}

llmc_status llmc_safetensors_shape(const struct llmc_safetensors *file, const char *name, int *rank,
                                   int64_t shape[RANK_MAX])
{
    const struct tensor *tensor = find(file, name);
    if (!tensor)
        return llmc_error(LLMC_ERR_FORMAT, "%s: no tensor \"%s\"", file->path, name);
    if (tensor->rank > RANK_MAX)
        return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": rank %zu, more than the %d allowed", file->path, name,
                          tensor->rank, RANK_MAX);
    *rank = (int)tensor->rank;
    memcpy(shape, tensor->shape, sizeof tensor->shape);
    return LLMC_OK;
}

/* `bytes` are not aligned: the format does not promise it. */
static void convert(float *out, const unsigned char *bytes, int64_t count, enum conversion conversion)
{
    if (conversion == FROM_F32) {
        memcpy(out, bytes, (size_t)count * sizeof *out);
    } else if (conversion == FROM_F64) {
        for (int64_t i = 0; i < count; i++) {
            double value;
            memcpy(&value, bytes + 8 * i, sizeof value);
            out[i] = (float)value;
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            uint16_t bits;
            memcpy(&bits, bytes + 2 * i, sizeof bits);
            out[i] = conversion == FROM_F16 ? llmc_f32_from_f16(bits) : llmc_f32_from_bf16(bits);
        }
    }
}

llmc_status llmc_safetensors_read(const struct llmc_safetensors *file, const char *name, int64_t count, float *out)
{
    const struct tensor *tensor = find(file, name);
    if (!tensor)
        return llmc_error(LLMC_ERR_FORMAT, "%s: no tensor \"%s\"", file->path, name);
    if (tensor->dtype->conversion == NOT)
        return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": holds %s; allowed are F64, F32, F16, BF16", file->path,
                          name, tensor->dtype->name);
    if (count < 0 || (uint64_t)count != tensor->count)
        return llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\": %llu numbers, expected %lld", file->path, name,
                          (unsigned long long)tensor->count, (long long)count);
    if (count > 0)
        convert(out, file->data + tensor->begin, count, tensor->dtype->conversion);
    return LLMC_OK;
}
