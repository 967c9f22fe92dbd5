#include "tests/fuzz/hostile_file.h"

#include "formats/checkpoint/mixed.h"
#include "formats/checkpoint/private.h"
#include "tests/fuzz/hostile_write.h"
#include "tests/runtime/sample_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/*
 * The script is a list of changes of 12 bytes: place (which attribute or array, in the order of writing), kind, and two
 * values. Changes of other places wait for their turn; several of one place all apply. A script with 11 bytes left over
 * is about a checkpoint whose layers differ (version 2), one with 10 about version 3; else it is of version 1.
 */
enum {
    CHANGE_NBYTES = HOSTILE_CHANGE_NBYTES,
    ARRAYS_REST = 10,
    LAYERED_REST = 11,
    USER_BLOCK = LLMC_ENVELOPE_NBYTES
};

static void put_values(struct hostile_writer *writer, const char *group, const struct llmc_compressed_tensor *tensor)
{
    int64_t count = tensor->rows * tensor->cols, mask_nbytes = (count + 7) / 8, nonzeros = 0;
    const int8_t *integers = tensor->data;
    if (!tensor->sparse) {
        hostile_put_array(writer, group, "values", tensor->number, 2, (int64_t[]){tensor->rows, tensor->cols}, tensor->data);
        return;
    }
    uint8_t *mask = calloc((size_t)mask_nbytes, 1);
    int8_t *values = calloc((size_t)count, 1);
    for (int64_t i = 0; i < count; i++) {
        if (!integers[i])
            continue;
        mask[i / 8] |= (uint8_t)(1u << (i % 8));
        values[nonzeros++] = integers[i];
    }
    hostile_put_array(writer, group, "values", LLMC_I8, 1, &nonzeros, values);
    hostile_put_array(writer, group, "mask", LLMC_U8, 1, &mask_nbytes, mask);
    free(mask);
    free(values);
}

static void put_tensor(struct hostile_writer *writer, const struct llmc_compressed_tensor *tensor)
{
    char group[LLMC_COMPRESSED_PATH_NBYTES];
    snprintf(group, sizeof group, "tensors/%s", tensor->name);
    hostile_put_text(writer, group, "number", llmc_number_name(tensor->number));
    hostile_put_integer(writer, group, "bits", tensor->bits);
    hostile_put_integer(writer, group, "rows", tensor->rows);
    hostile_put_integer(writer, group, "cols", tensor->cols);
    hostile_put_integer(writer, group, "sparse", tensor->sparse);
    put_values(writer, group, tensor);
    if (tensor->scales)
        hostile_put_array(writer, group, "scales", LLMC_F32, 1, &tensor->rows, tensor->scales);
    if (!tensor->has_input)
        return;
    snprintf(group, sizeof group, "inputs/%s", tensor->name);
    hostile_put_double(writer, group, "scale", (double)tensor->input_scale);
    hostile_put_integer(writer, group, "zero_point", tensor->input_zero_point);
}

static void put_layers(struct hostile_writer *writer, const struct llmc_architecture *a)
{
    char group[32];
    if (llmc_architecture_is_even(a)) {
        hostile_put_integer(writer, "", "heads", a->layer[0].heads);
        hostile_put_integer(writer, "", "ffn", a->layer[0].ffn);
        return;
    }
    hostile_put_integer(writer, "", "head_width", a->head_width);
    for (int32_t i = 0; i < a->layers; i++) {
        snprintf(group, sizeof group, "layers/%d", i);
        hostile_put_integer(writer, group, "heads", a->layer[i].heads);
        hostile_put_integer(writer, group, "ffn", a->layer[i].ffn);
    }
}

/* The arrays of version 3. */
struct arrays {
    uint8_t bytes[1 << 14];
    float floats[1 << 12];
    int64_t table[64][LLMC_COMPRESSED_COLUMNS];
    char names[1 << 12];
    int64_t byte_count, float_count, names_nbytes;
};

static void append_floats(struct arrays *arrays, const float *values, int64_t count)
{
    memcpy(arrays->floats + arrays->float_count, values, (size_t)count * sizeof *values);
    arrays->float_count += count;
}

/* Sparse where the sample says so, mixed where several integers fit into a byte. */
static void append_integers(struct arrays *arrays, const struct llmc_compressed_tensor *tensor, int64_t *row)
{
    int64_t count = tensor->rows * tensor->cols, stored = 0;
    const int8_t *values = tensor->data;
    int8_t *kept = calloc((size_t)count, 1);
    uint8_t *mask = arrays->bytes + arrays->byte_count;
    for (int64_t i = 0; i < count; i++) {
        if (tensor->sparse && !values[i])
            continue;
        if (tensor->sparse)
            mask[i / 8] |= (uint8_t)(1u << (i % 8));
        kept[stored++] = values[i];
    }
    arrays->byte_count += tensor->sparse ? (count + 7) / 8 : 0;
    row[LLMC_COMPRESSED_FORM] = tensor->sparse ? LLMC_COMPRESSED_SPARSE : 0;
    row[LLMC_COMPRESSED_STORED] = stored;
    uint8_t *to = arrays->bytes + arrays->byte_count;
    if (llmc_compressed_mixed_per_byte(tensor->bits) > 1) {
        row[LLMC_COMPRESSED_FORM] |= LLMC_COMPRESSED_MIXED;
        llmc_compressed_mix(tensor->bits, kept, stored, to);
        arrays->byte_count += llmc_compressed_mixed_nbytes(tensor->bits, stored);
    } else {
        memcpy(to, kept, (size_t)stored);
        arrays->byte_count += stored;
    }
    free(kept);
}

static void append_tensor(struct arrays *arrays, const struct llmc_compressed_tensor *tensor, int32_t index)
{
    int64_t *row = arrays->table[index], count = tensor->rows * tensor->cols;
    row[LLMC_COMPRESSED_NUMBER] = tensor->number;
    row[LLMC_COMPRESSED_BITS] = tensor->bits;
    row[LLMC_COMPRESSED_ROWS] = tensor->rows;
    row[LLMC_COMPRESSED_COLS] = tensor->cols;
    row[LLMC_COMPRESSED_STORED] = count;
    row[LLMC_COMPRESSED_ZERO_POINT] = tensor->has_input ? tensor->input_zero_point : -1;
    arrays->names_nbytes += sprintf(arrays->names + arrays->names_nbytes, "%s\n", tensor->name);
    if (tensor->number == LLMC_F32)
        append_floats(arrays, tensor->data, count);
    else if (index != LLMC_WORDS)
        append_integers(arrays, tensor, row);
    if (tensor->scales)
        append_floats(arrays, tensor->scales, tensor->rows);
    if (tensor->has_input)
        append_floats(arrays, &tensor->input_scale, 1);
}

static void write_arrays(struct hostile_writer *writer, const struct llmc_compressed *content)
{
    const struct llmc_compressed_tensor *words = &content->tensors[LLMC_WORDS];
    struct arrays *arrays = calloc(1, sizeof *arrays);
    for (int32_t i = 0; i < content->tensor_count; i++)
        append_tensor(arrays, &content->tensors[i], i);
    hostile_put_array(writer, "", "words", words->number, 2, (int64_t[]){words->rows, words->cols}, words->data);
    hostile_put_array(writer, "", "names", LLMC_U8, 1, &arrays->names_nbytes, arrays->names);
    hostile_put_array(writer, "", "tensors", LLMC_I64, 2, (int64_t[]){content->tensor_count, LLMC_COMPRESSED_COLUMNS},
              arrays->table);
    hostile_put_array(writer, "", "bytes", LLMC_U8, 1, &arrays->byte_count, arrays->bytes);
    hostile_put_array(writer, "", "floats", LLMC_F32, 1, &arrays->float_count, arrays->floats);
    free(arrays);
}

static void put_shape(struct hostile_writer *writer, const struct llmc_architecture *a)
{
    int32_t table[LLMC_LAYERS_MAX][2];
    for (int32_t i = 0; i < a->layers; i++) {
        table[i][0] = a->layer[i].heads;
        table[i][1] = a->layer[i].ffn;
    }
    hostile_put_integer(writer, "", "head_width", a->head_width);
    hostile_put_array(writer, "", "layers", LLMC_I32, 2, (int64_t[]){a->layers, 2}, table);
}

static void put_content(struct hostile_writer *writer, const struct llmc_compressed *content, bool groups)
{
    static const char labels[] = "no\nyes\n";
    const struct llmc_architecture *a = &content->architecture;
    int64_t vocabulary_nbytes = (int64_t)content->vocabulary_nbytes, labels_nbytes = sizeof labels - 1;
    const struct {
        const char *name;
        int64_t value;
    } first[] = {{"vocabulary", a->vocabulary}, {"positions", a->positions}, {"types", a->types},
                 {"hidden", a->hidden}, {"layers", a->layers}},
      last[] = {{"labels", a->labels}, {"tokens_max", content->tokens_max}, {"lowercase", 1},
                {"strip_accents", 1}, {"split_chinese", 1}, {"clean", 1}};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        hostile_put_integer(writer, "", first[i].name, first[i].value);
    if (groups)
        put_layers(writer, a);
    else
        put_shape(writer, a);
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
        hostile_put_integer(writer, "", last[i].name, last[i].value);
    hostile_put_text(writer, "", "activation", llmc_activation_name(a->activation));
    hostile_put_double(writer, "", "norm_epsilon", (double)a->norm_epsilon);
    if (groups)
        hostile_put_text(writer, "", "origin", content->origin);
    else
        hostile_put_array(writer, "", "origin", LLMC_U8, 1, (int64_t[]){(int64_t)strlen(content->origin)}, content->origin);
    hostile_put_array(writer, "", "vocabulary", LLMC_U8, 1, &vocabulary_nbytes, content->vocabulary);
    hostile_put_array(writer, "", "labels", LLMC_U8, 1, &labels_nbytes, labels);
    for (int32_t i = 0; groups && i < content->tensor_count; i++)
        put_tensor(writer, &content->tensors[i]);
    if (!groups)
        write_arrays(writer, content);
}

static void put_little_endian(unsigned char *at, uint64_t value, int nbytes)
{
    for (int i = 0; i < nbytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static void seal_version(unsigned char *bytes, size_t nbytes, uint32_t version)
{
    if (nbytes < USER_BLOCK)
        return;
    memset(bytes, 0, USER_BLOCK);
    memcpy(bytes, "LLMC\r\n\x1a\n", 8);
    put_little_endian(bytes + 8, version, 4);
    put_little_endian(bytes + 12, crc32_z(0, bytes + USER_BLOCK, nbytes - USER_BLOCK), 4);
    put_little_endian(bytes + 16, nbytes, 8);
    put_little_endian(bytes + 508, crc32_z(0, bytes, 508), 4);
}

void hostile_file_seal(unsigned char *bytes, size_t nbytes)
{
    seal_version(bytes, nbytes, bytes[8] <= LLMC_COMPRESSED_VERSION ? bytes[8] : LLMC_COMPRESSED_VERSION);
}

/* A script: changes without gaps; what is left over is ignored. */
static void read_script(struct hostile_writer *writer, const uint8_t *script, size_t nbytes)
{
    for (; nbytes >= CHANGE_NBYTES && writer->count < HOSTILE_CHANGES_MAX; nbytes -= CHANGE_NBYTES, script += CHANGE_NBYTES) {
        struct hostile_change *change = &writer->changes[writer->count++];
        change->place = script[0];
        change->kind = script[1];
        memcpy(&change->small, script + 2, sizeof change->small);
        memcpy(&change->large, script + 4, sizeof change->large);
    }
}

unsigned char *hostile_file_make(const uint8_t *script, size_t script_nbytes, size_t *nbytes_ret)
{
    struct llmc_compressed content;
    struct hostile_writer writer = {0};
    unsigned char *bytes = NULL;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    read_script(&writer, script, script_nbytes);
    bool arrays = script_nbytes % CHANGE_NBYTES == ARRAYS_REST;
    bool layered = arrays || script_nbytes % CHANGE_NBYTES == LAYERED_REST;
    if ((layered ? sample_model_make_layered(&content, 40, 8) : sample_model_make(&content, 40, 8, 1)) != LLMC_OK)
        return NULL;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, 1 << 16, 0);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_userblock(creation, USER_BLOCK);
    writer.file = H5Fcreate("hostile", H5F_ACC_TRUNC, creation, access);
    put_content(&writer, &content, !arrays);
    H5Fflush(writer.file, H5F_SCOPE_GLOBAL);
    /* The image begins behind the user block. */
    ssize_t nbytes = H5Fget_file_image(writer.file, NULL, 0);
    if (nbytes > 0 && (bytes = calloc((size_t)nbytes + USER_BLOCK, 1)))
        H5Fget_file_image(writer.file, bytes + USER_BLOCK, (size_t)nbytes);
    *nbytes_ret = bytes ? (size_t)nbytes + USER_BLOCK : 0;
    H5Fclose(writer.file);
    H5Pclose(access);
    H5Pclose(creation);
    llmc_compressed_release(&content);
    if (bytes)
        seal_version(bytes, *nbytes_ret, arrays ? 3 : layered ? 2 : 1);
    return bytes;
}
