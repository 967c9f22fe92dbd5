#include "tests/fuzz/hostile_write.h"

#include <stdlib.h>
#include <string.h>

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
    NUMBER,      /* eight bytes of the values, at a multiple of 8: an entry of the table */
    KINDS
};

static const struct hostile_change *find(const struct hostile_writer *writer, enum kind kind)
{
    for (size_t i = 0; i < writer->count; i++)
        if (writer->changes[i].place == (uint8_t)writer->place && writer->changes[i].kind % KINDS == kind)
            return &writer->changes[i];
    return NULL;
}

static hid_t open_group(const struct hostile_writer *writer, const char *name)
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

static void put_attribute(struct hostile_writer *writer, const char *group, const char *name, hid_t type, const void *value)
{
    char text[64] = "F32 GELU relu \xff\xfe";
    int64_t integers[2];
    double number;
    const struct hostile_change *change;
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

void hostile_put_integer(struct hostile_writer *writer, const char *group, const char *name, int64_t value)
{
    put_attribute(writer, group, name, H5T_STD_I64LE, &value);
}

void hostile_put_double(struct hostile_writer *writer, const char *group, const char *name, double value)
{
    put_attribute(writer, group, name, H5T_IEEE_F64LE, &value);
}

void hostile_put_text(struct hostile_writer *writer, const char *group, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(text) + !text[0]);
    put_attribute(writer, group, name, type, text);
    H5Tclose(type);
}

static hid_t type_of(enum llmc_number number)
{
    return number == LLMC_F32 ? H5T_IEEE_F32LE : number == LLMC_I8 ? H5T_STD_I8LE : number == LLMC_I32 ? H5T_STD_I32LE
           : number == LLMC_I64 ? H5T_STD_I64LE : H5T_STD_U8LE;
}

static hid_t choose_type(const struct hostile_writer *writer, enum llmc_number number)
{
    const struct hostile_change *change = find(writer, TYPE);
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_STD_I8LE,  H5T_STD_U8LE,   H5T_STD_I64LE,
                           H5T_IEEE_F64LE, H5T_STD_U32BE, H5T_IEEE_F32BE, H5T_C_S1};
    if (change)
        return types[(uint16_t)change->small % (sizeof types / sizeof types[0])];
    return type_of(number);
}

static void set_layout(const struct hostile_writer *writer, hid_t list, int rank, const hsize_t *shape)
{
    const struct hostile_change *rows = find(writer, CHUNK_ROWS), *filters = find(writer, FILTERS);
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
static void fill_array(const struct hostile_writer *writer, hid_t array, hid_t type, const void *data, size_t nbytes)
{
    enum { ROOM = 1 << 17 };
    const struct hostile_change *raw = find(writer, RAW_CHUNK), *element;
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
    if ((element = find(writer, NUMBER)) && nbytes)
        memcpy(bytes + (uint16_t)element->small % nbytes / 8 * 8, &element->large, sizeof element->large);
    if (count > 0 && (size_t)count <= ROOM / H5Tget_size(type))
        H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
    if (raw) {
        memcpy(bytes, &raw->large, sizeof raw->large);
        H5Dwrite_chunk(array, H5P_DEFAULT, (uint32_t)raw->small & 3, at, (size_t)(raw->small >> 2 & 1023) + 1, bytes);
    }
    free(bytes);
}

void hostile_put_array(struct hostile_writer *writer, const char *group, const char *name, enum llmc_number number, int rank,
                      const int64_t *dimensions, const void *data)
{
    const struct hostile_change *change;
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
