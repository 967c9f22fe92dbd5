#include "tests/fuzz/hostile_file.h"

#include "formats/checkpoint/private.h"
#include "tests/runtime/sample_model.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/*
 * The script is a list of changes of 12 bytes: place (which attribute or array, in the order of writing), kind, and two
 * values. Changes of other places wait for their turn; several of one place all apply. A script with 11 bytes left over
 * is about a checkpoint whose layers differ.
 */
enum { CHANGE_NBYTES = HOSTILE_CHANGE_NBYTES, LAYERED_REST = 11, CHANGES_MAX = 16, USER_BLOCK = LLMC_ENVELOPE_NBYTES };

enum kind {
    MISSING,
    VALUE,       /* of an attribute: an integer of 64 bits */
    FLOAT_VALUE, /* a double, from the bits */
    TEXT,        /* a text instead */
    VECTOR,      /* an attribute of several values */
    RANK,
    ROWS,
    COLS,
    TYPE,
    CHUNK_ROWS,
    FILTERS,
    RAW_CHUNK,   /* bytes that no filter made */
    NO_CHUNKS,   /* never written */
    ELEMENT,     /* one byte of the values */
    LINK,        /* a soft link or an external one in its place */
    EXTRA,       /* one array more beside it */
    KINDS
};

struct change {
    uint8_t place, kind;
    int16_t small;
    int64_t large;
};

struct writer {
    hid_t file;
    struct change changes[CHANGES_MAX];
    size_t count;
    unsigned place;
};

static const struct change *find(const struct writer *writer, enum kind kind)
{
    for (size_t i = 0; i < writer->count; i++)
        if (writer->changes[i].place == (uint8_t)writer->place && writer->changes[i].kind % KINDS == kind)
            return &writer->changes[i];
    return NULL;
}

static hid_t open_group(const struct writer *writer, const char *name)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t group;
    H5Pset_create_intermediate_group(links, 1);
    if (!name[0])
        group = H5Gopen2(writer->file, "/", H5P_DEFAULT);
    else if (H5Lexists(writer->file, name, H5P_DEFAULT) > 0)
        group = H5Gopen2(writer->file, name, H5P_DEFAULT);
    else
        group = H5Gcreate2(writer->file, name, links, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(links);
    return group;
}

static void put_attribute(struct writer *writer, const char *group, const char *name, hid_t type, const void *value)
{
    char text[64] = "F32 GELU relu \xff\xfe";
    int64_t integers[2];
    double number;
    const struct change *change;
    writer->place++;
    if (find(writer, MISSING))
        return;
    hid_t id = open_group(writer, group), space = H5Screate(H5S_SCALAR), kept = H5Tcopy(type);
    if ((change = find(writer, VALUE))) {
        integers[0] = integers[1] = change->large;
        H5Tclose(kept);
        kept = H5Tcopy(H5T_STD_I64LE);
        value = integers;
    } else if ((change = find(writer, FLOAT_VALUE))) {
        memcpy(&number, &change->large, sizeof number);
        H5Tclose(kept);
        kept = H5Tcopy(H5T_IEEE_F64LE);
        value = &number;
    } else if ((change = find(writer, TEXT))) {
        H5Tclose(kept);
        kept = H5Tcopy(H5T_C_S1);
        H5Tset_size(kept, (size_t)(change->small & 31) + 1);
        memcpy(text, &change->large, change->small & 64 ? sizeof change->large : 0);
        value = text;
    }
    if (find(writer, VECTOR)) {
        H5Sclose(space);
        space = H5Screate(H5S_NULL);
    }
    hid_t attribute = H5Acreate2(id, name, kept, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0)
        H5Awrite(attribute, kept, value);
    H5Aclose(attribute);
    H5Tclose(kept);
    H5Sclose(space);
    H5Gclose(id);
}

static void put_integer(struct writer *writer, const char *group, const char *name, int64_t value)
{
    put_attribute(writer, group, name, H5T_STD_I64LE, &value);
}

static void put_double(struct writer *writer, const char *group, const char *name, double value)
{
    put_attribute(writer, group, name, H5T_IEEE_F64LE, &value);
}

static void put_text(struct writer *writer, const char *group, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(text) + !text[0]);
    put_attribute(writer, group, name, type, text);
    H5Tclose(type);
}

static hid_t choose_type(const struct writer *writer, enum llmc_number number)
{
    const struct change *change = find(writer, TYPE);
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_STD_I8LE,  H5T_STD_U8LE,   H5T_STD_I64LE,
                           H5T_IEEE_F64LE, H5T_STD_U32BE, H5T_IEEE_F32BE, H5T_C_S1};
    if (change)
        return types[(uint16_t)change->small % (sizeof types / sizeof types[0])];
    return number == LLMC_F32 ? H5T_IEEE_F32LE : number == LLMC_I8 ? H5T_STD_I8LE : H5T_STD_U8LE;
}

static void set_layout(const struct writer *writer, hid_t list, int rank, const hsize_t *shape)
{
    const struct change *rows = find(writer, CHUNK_ROWS), *filters = find(writer, FILTERS);
    hsize_t chunk[4];
    for (int i = 0; i < rank; i++)
        chunk[i] = shape[i] ? shape[i] : 1;
    if (rows && rows->small < 0)
        return; /* contiguous */
    if (rows && rank)
        chunk[rows->small % rank] = (hsize_t)(uint32_t)rows->large % 70000 + 1;
    unsigned order = filters ? (unsigned)filters->small : 1;
    if (rank == 0 || H5Pset_chunk(list, rank, chunk) < 0)
        return;
    if (order & 1)
        H5Pset_shuffle(list);
    if (!(order & 2))
        H5Pset_deflate(list, 1);
    if (order & 4)
        H5Pset_shuffle(list);
    if (order & 8)
        H5Pset_fletcher32(list);
}

/* As many bytes as any shape of ours has numbers. */
static void fill_array(const struct writer *writer, hid_t array, hid_t type, const void *data, size_t nbytes)
{
    enum { ROOM = 1 << 17 };
    const struct change *raw = find(writer, RAW_CHUNK), *element;
    hid_t space = H5Dget_space(array);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    hsize_t at[4] = {0};
    H5Sclose(space);
    unsigned char *bytes = calloc(ROOM, 1);
    if (!bytes || find(writer, NO_CHUNKS)) {
        free(bytes);
        return;
    }
    memcpy(bytes, data, nbytes);
    if ((element = find(writer, ELEMENT)) && nbytes)
        bytes[(uint64_t)element->large % nbytes] = (unsigned char)element->small;
    if (count > 0 && (size_t)count <= ROOM / H5Tget_size(type))
        H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
    if (raw) {
        memcpy(bytes, &raw->large, sizeof raw->large);
        H5Dwrite_chunk(array, H5P_DEFAULT, (uint32_t)raw->small & 3, at, (size_t)(raw->small >> 2 & 1023) + 1, bytes);
    }
    free(bytes);
}

static void put_array(struct writer *writer, const char *group, const char *name, enum llmc_number number, int rank,
                      const int64_t *dimensions, const void *data)
{
    const struct change *change;
    hsize_t shape[4] = {1, 1, 1, 1};
    size_t nbytes = llmc_number_nbytes(number);
    writer->place++;
    if (find(writer, MISSING))
        return;
    for (int i = 0; i < rank; i++) {
        shape[i] = (hsize_t)dimensions[i];
        nbytes *= (size_t)dimensions[i];
    }
    if ((change = find(writer, RANK)))
        rank = (uint16_t)change->small % 5;
    if ((change = find(writer, ROWS)))
        shape[0] = (hsize_t)(uint64_t)change->large;
    if ((change = find(writer, COLS)))
        shape[1] = (hsize_t)(uint64_t)change->large;
    hid_t id = open_group(writer, group);
    if ((change = find(writer, LINK))) {
        if (change->small & 1)
            H5Lcreate_soft("/vocabulary", id, name, H5P_DEFAULT, H5P_DEFAULT);
        else
            H5Lcreate_external("/dev/zero", "/", id, name, H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(id);
        return;
    }
    hid_t type = choose_type(writer, number), list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = rank ? H5Screate_simple(rank, shape, NULL) : H5Screate(H5S_SCALAR);
    set_layout(writer, list, rank, shape);
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_INCR);
    hid_t array = space < 0 ? -1 : H5Dcreate2(id, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (array >= 0)
        fill_array(writer, array, type, data, nbytes);
    if (find(writer, EXTRA))
        H5Olink(array, id, "extra", H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(array);
    H5Sclose(space);
    H5Pclose(list);
    H5Gclose(id);
}

static void put_values(struct writer *writer, const char *group, const struct llmc_compressed_tensor *tensor)
{
    int64_t count = tensor->rows * tensor->cols, mask_nbytes = (count + 7) / 8, nonzeros = 0;
    const int8_t *integers = tensor->data;
    if (!tensor->sparse) {
        put_array(writer, group, "values", tensor->number, 2, (int64_t[]){tensor->rows, tensor->cols}, tensor->data);
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
    put_array(writer, group, "values", LLMC_I8, 1, &nonzeros, values);
    put_array(writer, group, "mask", LLMC_U8, 1, &mask_nbytes, mask);
    free(mask);
    free(values);
}

static void put_tensor(struct writer *writer, const struct llmc_compressed_tensor *tensor)
{
    char group[LLMC_COMPRESSED_PATH_NBYTES];
    snprintf(group, sizeof group, "tensors/%s", tensor->name);
    put_text(writer, group, "number", llmc_number_name(tensor->number));
    put_integer(writer, group, "bits", tensor->bits);
    put_integer(writer, group, "rows", tensor->rows);
    put_integer(writer, group, "cols", tensor->cols);
    put_integer(writer, group, "sparse", tensor->sparse);
    put_values(writer, group, tensor);
    if (tensor->scales)
        put_array(writer, group, "scales", LLMC_F32, 1, &tensor->rows, tensor->scales);
    if (!tensor->has_input)
        return;
    snprintf(group, sizeof group, "inputs/%s", tensor->name);
    put_double(writer, group, "scale", (double)tensor->input_scale);
    put_integer(writer, group, "zero_point", tensor->input_zero_point);
}

static void put_layers(struct writer *writer, const struct llmc_architecture *a)
{
    char group[32];
    if (llmc_architecture_is_even(a)) {
        put_integer(writer, "", "heads", a->layer[0].heads);
        put_integer(writer, "", "ffn", a->layer[0].ffn);
        return;
    }
    put_integer(writer, "", "head_width", a->head_width);
    for (int32_t i = 0; i < a->layers; i++) {
        snprintf(group, sizeof group, "layers/%d", i);
        put_integer(writer, group, "heads", a->layer[i].heads);
        put_integer(writer, group, "ffn", a->layer[i].ffn);
    }
}

static void put_content(struct writer *writer, const struct llmc_compressed *content)
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
        put_integer(writer, "", first[i].name, first[i].value);
    put_layers(writer, a);
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
        put_integer(writer, "", last[i].name, last[i].value);
    put_text(writer, "", "activation", llmc_activation_name(a->activation));
    put_double(writer, "", "norm_epsilon", (double)a->norm_epsilon);
    put_text(writer, "", "origin", content->origin);
    put_array(writer, "", "vocabulary", LLMC_U8, 1, &vocabulary_nbytes, content->vocabulary);
    put_array(writer, "", "labels", LLMC_U8, 1, &labels_nbytes, labels);
    for (int32_t i = 0; i < content->tensor_count; i++)
        put_tensor(writer, &content->tensors[i]);
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
    seal_version(bytes, nbytes, LLMC_COMPRESSED_VERSION);
}

/* A script: changes without gaps; what is left over is ignored. */
static void read_script(struct writer *writer, const uint8_t *script, size_t nbytes)
{
    for (; nbytes >= CHANGE_NBYTES && writer->count < CHANGES_MAX; nbytes -= CHANGE_NBYTES, script += CHANGE_NBYTES) {
        struct change *change = &writer->changes[writer->count++];
        change->place = script[0];
        change->kind = script[1];
        memcpy(&change->small, script + 2, sizeof change->small);
        memcpy(&change->large, script + 4, sizeof change->large);
    }
}

unsigned char *hostile_file_make(const uint8_t *script, size_t script_nbytes, size_t *nbytes_ret)
{
    struct llmc_compressed content;
    struct writer writer = {0};
    unsigned char *bytes = NULL;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    read_script(&writer, script, script_nbytes);
    bool layered = script_nbytes % CHANGE_NBYTES == LAYERED_REST;
    if ((layered ? sample_model_make_layered(&content, 40, 8) : sample_model_make(&content, 40, 8, 1)) != LLMC_OK)
        return NULL;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, 1 << 16, 0);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_userblock(creation, USER_BLOCK);
    writer.file = H5Fcreate("hostile", H5F_ACC_TRUNC, creation, access);
    put_content(&writer, &content);
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
        seal_version(bytes, *nbytes_ret, layered ? LLMC_COMPRESSED_LAYERED : LLMC_COMPRESSED_VERSION);
    return bytes;
}
