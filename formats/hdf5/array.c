#include "base/memory.h"
#include "formats/hdf5/internal.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_COUNT (1 << 16)
#define CHUNK_NBYTES_MAX (1 << 20)
#define DEFLATE_RATIO_MAX 1032 /* deflate cannot do better: 258 bytes in 2 bits */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers in memory are those of the file");

/* The type in the file and in memory; the caller closes it. libhdf5 1.10 knows
 * no 16-bit floats by name, but any layout of bits can be described. */
static hid_t make_type(enum llmc_number number)
{
    switch (number) {
    case LLMC_F32: return H5Tcopy(H5T_IEEE_F32LE);
    case LLMC_I8: return H5Tcopy(H5T_STD_I8LE);
    case LLMC_U8: return H5Tcopy(H5T_STD_U8LE);
    case LLMC_I32: return H5Tcopy(H5T_STD_I32LE);
    case LLMC_I64: return H5Tcopy(H5T_STD_I64LE);
    case LLMC_F16:
    case LLMC_BF16: break;
    }
    size_t exponent = number == LLMC_F16 ? 5 : 8, mantissa = 15 - exponent;
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (type >= 0 && (H5Tset_fields(type, 15, mantissa, exponent, 0, mantissa) < 0 || H5Tset_size(type, 2) < 0 ||
                      H5Tset_ebias(type, number == LLMC_F16 ? 15 : 127) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static bool find_number(hid_t type, enum llmc_number *number)
{
    for (int i = LLMC_F32; i <= LLMC_I64; i++) {
        hid_t ours = make_type((enum llmc_number)i);
        bool equal = ours >= 0 && H5Tequal(type, ours) > 0;
        llmc_h5_drop(ours);
        *number = (enum llmc_number)i;
        if (equal)
            return true;
    }
    return false;
}

/* Rows of equal height, so that the last chunk holds little beyond the array. */
static void choose_chunk(int rank, const int64_t *shape, hsize_t *chunk)
{
    int64_t below = 1; /* numbers in one step of dimension i */
    for (int i = rank - 1; i >= 0; i--) {
        int64_t most = below < CHUNK_COUNT ? CHUNK_COUNT / below : 1;
        int64_t parts = (shape[i] + most - 1) / most;
        int64_t height = (shape[i] + parts - 1) / parts;
        chunk[i] = (hsize_t)height;
        below *= height;
    }
}

/* Sets `list` to chunks, shuffle and deflate. */
static bool set_deflate(hid_t list, int rank, const int64_t *shape, int64_t chunk_rows, int level)
{
    hsize_t chunk[LLMC_H5_RANK_MAX];
    if (chunk_rows == 0)
        choose_chunk(rank, shape, chunk);
    for (int i = 0; chunk_rows && i < rank; i++)
        chunk[i] = (hsize_t)(i ? shape[i] : chunk_rows);
    return H5Pset_chunk(list, rank, chunk) >= 0 && H5Pset_shuffle(list) >= 0 &&
           H5Pset_deflate(list, (unsigned)level) >= 0;
}

llmc_status llmc_h5_create_array(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                                 const int64_t *shape, int64_t chunk_rows, int deflate, hid_t *array)
{
    llmc_status status = LLMC_OK;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, list = H5I_INVALID_HID;
    hsize_t dimensions[LLMC_H5_RANK_MAX] = {0};
    int64_t count = 1;
    char *group = NULL;
    const char *slash = strrchr(name, '/');
    *array = H5I_INVALID_HID;
    if (rank < 0 || rank > LLMC_H5_RANK_MAX || deflate < LLMC_H5_RESERVED || deflate > 9 || !name[0] || name[0] == '/')
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "%s: array \"%s\" of rank %d, deflate %d; allowed are ranks 0 to %d, deflate 0 to 9",
                  file->path, name, rank, deflate, LLMC_H5_RANK_MAX);
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0 || __builtin_mul_overflow(count, shape[i], &count))
            LLMC_FAIL(LLMC_ERR_ARGUMENT, "%s: %s: dimension %d is %lld", file->path, name, i, (long long)shape[i]);
        dimensions[i] = (hsize_t)shape[i];
    }
    LLMC_TRY(llmc_format(&group, "%.*s", slash ? (int)(slash - name) : 0, name));
    LLMC_TRY(llmc_h5_make_groups(file, group));

    type = make_type(number);
    space = rank ? H5Screate_simple(rank, dimensions, NULL) : H5Screate(H5S_SCALAR);
    list = H5Pcreate(H5P_DATASET_CREATE);
    if (type < 0 || space < 0 || list < 0 || H5Pset_obj_track_times(list, false) < 0 ||
        (deflate == LLMC_H5_RESERVED && H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) < 0) ||
        (deflate > 0 && rank && count && !set_deflate(list, rank, shape, chunk_rows, deflate))) {
        status = llmc_h5_error(file, LLMC_ERR_ARGUMENT, name, "cannot prepare this array");
        goto exit;
    }
    *array = H5Dcreate2(file->id, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (*array < 0)
        status = llmc_h5_error(file, LLMC_ERR_IO, name, "cannot write this array");
exit:
    llmc_h5_drop(list);
    llmc_h5_drop(space);
    llmc_h5_drop(type);
    free(group);
    return status;
}

llmc_status llmc_h5_finish_array(const struct llmc_h5 *file, const char *name, hid_t *array)
{
    herr_t closed = H5Dclose(*array);
    *array = H5I_INVALID_HID;
    if (closed < 0)
        return llmc_h5_error(file, LLMC_ERR_IO, name, "cannot write this array");
    return llmc_h5_check_disk(file, name);
}

llmc_status llmc_h5_write(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                          const int64_t *shape, const void *data, int deflate)
{
    llmc_status status = LLMC_OK;
    hid_t array = H5I_INVALID_HID, type = H5I_INVALID_HID;
    int64_t count = 1;
    LLMC_TRY(llmc_h5_create_array(file, name, number, rank, shape, 0, deflate, &array));
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    type = make_type(number);
    if (type < 0 || (count && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)) {
        status = llmc_h5_error(file, LLMC_ERR_IO, name, "cannot write this array");
        goto exit;
    }
    status = llmc_h5_finish_array(file, name, &array);
exit:
    llmc_h5_drop(array);
    llmc_h5_drop(type);
    return status;
}

static llmc_status check_filters(const struct llmc_h5 *file, const char *name, hid_t list)
{
    int count = H5Pget_nfilters(list);
    for (int i = 0; i < count; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter = H5Pget_filter2(list, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE)
            return llmc_error(LLMC_ERR_FORMAT, "%s: %s: filter %d; allowed are deflate (%d) and shuffle (%d)",
                              file->path, name, (int)filter, H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE);
    }
    if (count > 2)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s: %d filters; allowed are at most 2", file->path, name, count);
    return LLMC_OK;
}

/* `name` without its group, which is *id then: the group that is open already, or the root. */
static const char *inside_group(const struct llmc_h5 *file, const char *name, hid_t *id)
{
    size_t nbytes = file->group_name ? strlen(file->group_name) : 0;
    *id = file->id;
    if (nbytes == 0 || strncmp(name, file->group_name, nbytes) != 0 || name[nbytes] != '/' ||
        strchr(name + nbytes + 1, '/'))
        return name;
    *id = file->group;
    return name + nbytes + 1;
}

/* Whether the array `name` of group `id` is linked in a way that stays inside the file. */
static bool array_inside(const struct llmc_h5 *file, hid_t id, const char *name)
{
    H5L_info_t info;
    if (id == file->id)
        return llmc_h5_inside(file, name);
    return name[0] && strcmp(name, ".") != 0 && H5Lexists(id, name, H5P_DEFAULT) > 0 &&
           H5Lget_info(id, name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

llmc_status llmc_h5_open_array(struct llmc_h5 *file, const char *name, hid_t *array)
{
    llmc_status status = LLMC_OK;
    hid_t list = H5I_INVALID_HID, id;
    const char *short_name = inside_group(file, name, &id);
    *array = H5I_INVALID_HID;
    if (!name[0] || !array_inside(file, id, short_name))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: no array \"%s\"", file->path, name);
    *array = H5Dopen2(id, short_name, H5P_DEFAULT);
    if (*array < 0) {
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "cannot open this array");
        goto exit;
    }
    list = H5Dget_create_plist(*array);
    if (list < 0) {
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "cannot read the layout of this array");
        goto exit;
    }
    H5D_layout_t layout = H5Pget_layout(list);
    if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: a virtual array; allowed are arrays whose data are in the file", file->path,
                  name);
    if (H5Pget_external_count(list) != 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: the data are in another file", file->path, name);
    LLMC_TRY(check_filters(file, name, list));
exit:
    llmc_h5_drop(list);
    if (status != LLMC_OK) {
        llmc_h5_drop(*array);
        *array = H5I_INVALID_HID;
    }
    return status;
}

/* Rank and shape, refused when the file could not hold so many numbers even
 * if all of them were zero and well compressed. */
static llmc_status describe_space(const struct llmc_h5 *file, const char *name, hid_t array, size_t number_nbytes,
                                  int *rank, int64_t *shape)
{
    llmc_status status = LLMC_OK;
    hsize_t dimensions[H5S_MAX_RANK];
    uint64_t nbytes = number_nbytes, nbytes_max = 0;
    hid_t space = H5Dget_space(array);
    H5S_class_t class = space < 0 ? H5S_NO_CLASS : H5Sget_simple_extent_type(space);
    *rank = H5Sget_simple_extent_ndims(space);
    if ((class != H5S_SIMPLE && class != H5S_SCALAR) || *rank < 0 || *rank > LLMC_H5_RANK_MAX ||
        H5Sget_simple_extent_dims(space, dimensions, NULL) < 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: no array of rank 0 to %d", file->path, name, LLMC_H5_RANK_MAX);
    if (__builtin_mul_overflow(file->nbytes, DEFLATE_RATIO_MAX, &nbytes_max))
        nbytes_max = UINT64_MAX;
    for (int i = 0; i < *rank; i++) {
        if (dimensions[i] > INT64_MAX || __builtin_mul_overflow(nbytes, dimensions[i], &nbytes) ||
            (!file->writing && nbytes > nbytes_max))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: dimension %d is %llu, more than this file can hold", file->path, name,
                      i, (unsigned long long)dimensions[i]);
        shape[i] = (int64_t)dimensions[i];
    }
exit:
    llmc_h5_drop(space);
    return status;
}

static llmc_status describe(const struct llmc_h5 *file, const char *name, hid_t array, enum llmc_number *number,
                            int *rank, int64_t *shape)
{
    hid_t type = H5Dget_type(array);
    bool known = type >= 0 && find_number(type, number);
    llmc_h5_drop(type);
    if (!known)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s: its numbers are in no known format", file->path, name);
    return describe_space(file, name, array, llmc_number_nbytes(*number), rank, shape);
}

llmc_status llmc_h5_describe(struct llmc_h5 *file, const char *name, enum llmc_number *number, int *rank,
                             int64_t *shape)
{
    hid_t array;
    llmc_status status = llmc_h5_open_array(file, name, &array);
    if (status != LLMC_OK)
        return status;
    status = describe(file, name, array, number, rank, shape);
    llmc_h5_drop(array);
    return status;
}

/* libhdf5 unpacks a chunk to whatever length its stream has. Small chunks, none
 * stored in more bytes than deflate needs for incompressible data, keep that
 * below 1 GiB even in a file made to exhaust memory. */
static llmc_status check_chunks(const struct llmc_h5 *file, const char *name, hid_t array, size_t number_nbytes,
                                int rank, const int64_t *shape)
{
    llmc_status status = LLMC_OK;
    hsize_t chunk[LLMC_H5_RANK_MAX], at[LLMC_H5_RANK_MAX] = {0};
    uint64_t nbytes = number_nbytes;
    hid_t list = H5Dget_create_plist(array);
    if (list < 0) {
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "cannot read the layout of this array");
        goto exit;
    }
    if (H5Pget_layout(list) != H5D_CHUNKED)
        goto exit;
    if (H5Pget_chunk(list, rank, chunk) != rank) {
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "cannot read the chunks of this array");
        goto exit;
    }
    for (int i = 0; i < rank; i++) {
        if (shape[i] == 0)
            goto exit;
        if (chunk[i] == 0 || __builtin_mul_overflow(nbytes, chunk[i], &nbytes) || nbytes > CHUNK_NBYTES_MAX)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: a chunk has more than the %d bytes allowed", file->path, name,
                      CHUNK_NBYTES_MAX);
    }
    for (;;) {
        hsize_t stored = 0;
        if (H5Dget_chunk_storage_size(array, at, &stored) < 0) {
            status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "a chunk is missing");
            goto exit;
        }
        if (stored > nbytes + nbytes / 64 + 64)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: a chunk of %llu bytes is stored in %llu", file->path, name,
                      (unsigned long long)nbytes, (unsigned long long)stored);
        int i = rank - 1;
        while (i >= 0 && (at[i] += chunk[i]) >= (hsize_t)shape[i])
            at[i--] = 0;
        if (i < 0)
            break;
    }
exit:
    llmc_h5_drop(list);
    return status;
}

llmc_status llmc_h5_expect(const struct llmc_h5 *file, const char *name, hid_t array, enum llmc_number number,
                           int rank, const int64_t *shape)
{
    enum llmc_number found;
    int found_rank;
    int64_t found_shape[LLMC_H5_RANK_MAX];
    llmc_status status = describe(file, name, array, &found, &found_rank, found_shape);
    if (status != LLMC_OK)
        return status;
    if (found != number)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s: holds %s, expected %s", file->path, name, llmc_number_name(found),
                          llmc_number_name(number));
    if (found_rank != rank)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s: has rank %d, expected %d", file->path, name, found_rank, rank);
    for (int i = 0; i < rank; i++)
        if (found_shape[i] != shape[i])
            return llmc_error(LLMC_ERR_FORMAT, "%s: %s: dimension %d is %lld, expected %lld", file->path, name, i,
                              (long long)found_shape[i], (long long)shape[i]);
    return LLMC_OK;
}

llmc_status llmc_h5_read(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                         const int64_t *shape, void *data)
{
    llmc_status status = LLMC_OK;
    hid_t array = H5I_INVALID_HID, type = H5I_INVALID_HID;
    int64_t count = 1;
    LLMC_TRY(llmc_h5_open_array(file, name, &array));
    LLMC_TRY(llmc_h5_expect(file, name, array, number, rank, shape));
    LLMC_TRY(check_chunks(file, name, array, llmc_number_nbytes(number), rank, shape));
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    type = make_type(number);
    if (type < 0 || (count && H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "cannot read this array");
exit:
    llmc_h5_drop(type);
    llmc_h5_drop(array);
    return status;
}

bool llmc_h5_has(struct llmc_h5 *file, const char *name)
{
    hid_t array = H5I_INVALID_HID;
    if (name[0] && llmc_h5_inside(file, name))
        array = H5Dopen2(file->id, name, H5P_DEFAULT);
    bool has = array >= 0;
    llmc_h5_drop(array);
    return has;
}

llmc_status llmc_h5_stored_nbytes(struct llmc_h5 *file, const char *name, uint64_t *nbytes)
{
    hid_t array;
    llmc_status status = llmc_h5_open_array(file, name, &array);
    if (status != LLMC_OK)
        return status;
    *nbytes = H5Dget_storage_size(array);
    llmc_h5_drop(array);
    return LLMC_OK;
}
