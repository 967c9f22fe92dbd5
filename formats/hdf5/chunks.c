#include "formats/hdf5/chunks.h"

#include "base/memory.h"
#include "formats/hdf5/internal.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHUNK_NBYTES_MAX = 1 << 20, DEFLATE_RATIO_MAX = 1040 };

/* How an open array is stored. */
struct layout {
    bool ours; /* chunks of whole rows, shuffled before they are deflated */
    int64_t chunk_rows;
    size_t chunk_nbytes;
    uint8_t filters[2]; /* in their order */
    int filter_count;
};

static void read_filters(hid_t list, struct layout *layout)
{
    layout->filter_count = H5Pget_nfilters(list);
    for (int i = 0; i < layout->filter_count && i < 2; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter = H5Pget_filter2(list, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        layout->filters[i] = filter == H5Z_FILTER_SHUFFLE ? LLMC_H5_SHUFFLED : LLMC_H5_DEFLATED;
    }
    if (layout->filter_count < 0 || layout->filter_count > 2 ||
        (layout->filter_count == 2 && layout->filters[0] >= layout->filters[1]))
        layout->ours = false;
}

static llmc_status read_layout(const struct llmc_h5 *file, const char *name, hid_t array, int rank,
                               const int64_t *shape, size_t row_nbytes, struct layout *layout)
{
    llmc_status status = LLMC_OK;
    hsize_t chunk[LLMC_H5_RANK_MAX];
    hid_t list = H5Dget_create_plist(array);
    *layout = (struct layout){.ours = false};
    if (list < 0 || (H5Pget_layout(list) == H5D_CHUNKED && H5Pget_chunk(list, rank, chunk) != rank)) {
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "cannot read the layout of this array");
        goto exit;
    }
    layout->ours = H5Pget_layout(list) == H5D_CHUNKED && shape[0] > 0 && row_nbytes > 0;
    for (int i = 1; layout->ours && i < rank; i++)
        layout->ours = chunk[i] == (hsize_t)shape[i];
    layout->ours = layout->ours && chunk[0] > 0 && chunk[0] <= CHUNK_NBYTES_MAX / row_nbytes;
    if (layout->ours) {
        layout->chunk_rows = (int64_t)chunk[0];
        layout->chunk_nbytes = (size_t)chunk[0] * row_nbytes;
        read_filters(list, layout);
    }
exit:
    llmc_h5_drop(list);
    return status;
}

static llmc_status allocate_list(struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(&out->places, (size_t)out->count, sizeof *out->places));
    LLMC_TRY(llmc_alloc(&out->sizes, (size_t)out->count, sizeof *out->sizes));
    LLMC_TRY(llmc_alloc(&out->steps, (size_t)out->count, sizeof *out->steps));
exit:
    return status;
}

/* A layout of others, through libhdf5. */
static llmc_status read_plain(struct llmc_h5 *file, const char *name, int rank, const int64_t *shape,
                              struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    size_t nbytes = (size_t)out->rows * out->row_nbytes;
    out->count = nbytes > 0;
    out->chunk_rows = out->rows;
    LLMC_TRY(llmc_h5_stored_nbytes(file, name, &out->stored_nbytes));
    /* Chunks that were never written would read as zeros. */
    if (out->stored_nbytes > file->nbytes || nbytes / DEFLATE_RATIO_MAX > out->stored_nbytes ||
        (nbytes > 0 && out->stored_nbytes == 0))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: %zu bytes of values cannot come from %llu stored bytes", file->path, name,
                  nbytes, (unsigned long long)out->stored_nbytes);
    if (nbytes > UINT32_MAX)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: %zu bytes without chunks", file->path, name, nbytes);
    LLMC_TRY(allocate_list(out));
    LLMC_TRY(llmc_alloc_unset(&out->bytes, nbytes, 1));
    if (nbytes)
        out->sizes[0] = (uint32_t)nbytes;
    LLMC_TRY(llmc_h5_read(file, name, out->number, rank, shape, out->bytes));
exit:
    return status;
}

/* What libhdf5 knows of each chunk: its address (as libhdf5 counts), its size, and the filters that were skipped since
 * they did not shrink it. */
static llmc_status list_chunks(const struct llmc_h5 *file, const char *name, hid_t array, const struct layout *layout,
                               struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    hsize_t at[LLMC_H5_RANK_MAX] = {0}, stored = 0;
    haddr_t address = 0;
    unsigned skipped = 0;
    out->chunk_rows = layout->chunk_rows;
    out->count = (out->rows + layout->chunk_rows - 1) / layout->chunk_rows;
    if ((uint64_t)out->count > file->nbytes)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: more chunks than the file has bytes", file->path, name);
    LLMC_TRY(allocate_list(out));
    for (int64_t i = 0; i < out->count; i++, at[0] += (hsize_t)layout->chunk_rows) {
        if (H5Dget_chunk_info_by_coord(array, at, &skipped, &address, &stored) < 0) {
            status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "a chunk is missing");
            goto exit;
        }
        if (stored == 0 || stored > layout->chunk_nbytes + layout->chunk_nbytes / 64 + 64 ||
            layout->chunk_nbytes / DEFLATE_RATIO_MAX > stored || address > file->nbytes ||
            stored > file->nbytes - address)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: a chunk of %zu bytes is stored in %llu", file->path, name,
                      layout->chunk_nbytes, (unsigned long long)stored);
        out->places[i] = address;
        out->sizes[i] = (uint32_t)stored;
        out->stored_nbytes += stored;
        for (int k = 0; k < layout->filter_count; k++)
            if (!(skipped >> k & 1))
                out->steps[i] |= layout->filters[k];
    }
    if (out->stored_nbytes > file->nbytes)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: its chunks have more bytes than the file", file->path, name);
exit:
    return status;
}

static bool lies_at(const struct llmc_source *source, uint64_t place, const unsigned char *expected,
                    unsigned char *buffer, size_t nbytes)
{
    return place <= source->nbytes && nbytes <= source->nbytes - place &&
           llmc_source_read(source, place, buffer, nbytes) == LLMC_OK && memcmp(buffer, expected, nbytes) == 0;
}

/* Whether libhdf5 counts addresses from behind the user block or from the start of the file is told by no document and
 * differs between versions: one chunk, read through libhdf5, shows it. A chunk that lies at both places does not. */
static llmc_status learn_shift(struct llmc_h5 *file, const char *name, hid_t array, const struct llmc_h5_chunks *chunks)
{
    llmc_status status = LLMC_OK;
    size_t nbytes = chunks->sizes[0];
    hsize_t at[LLMC_H5_RANK_MAX] = {0}, user_block = 0;
    uint32_t skipped;
    unsigned char *expected = NULL, *buffer = NULL;
    hid_t list = H5Fget_create_plist(file->id);
    if (list < 0 || H5Pget_userblock(list, &user_block) < 0) {
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "cannot read the user block");
        goto exit;
    }
    LLMC_TRY(llmc_alloc(&expected, nbytes, 1));
    LLMC_TRY(llmc_alloc(&buffer, nbytes, 1));
    if (H5Dread_chunk(array, H5P_DEFAULT, at, &skipped, expected) < 0) {
        status = llmc_h5_error(file, file->disk_error ? LLMC_ERR_IO : LLMC_ERR_FORMAT, name, "cannot read a chunk");
        goto exit;
    }
    bool here = lies_at(file->source, chunks->places[0], expected, buffer, nbytes);
    bool shifted = lies_at(file->source, chunks->places[0] + user_block, expected, buffer, nbytes);
    file->shift_known = here != shifted || user_block == 0;
    file->shift = shifted ? user_block : 0;
exit:
    llmc_h5_drop(list);
    free(expected);
    free(buffer);
    return status;
}

/* The chunks themselves, where their places are not known. */
static llmc_status read_chunks(const struct llmc_h5 *file, const char *name, hid_t array, struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    hsize_t at[LLMC_H5_RANK_MAX] = {0};
    uint64_t place = 0;
    uint32_t skipped;
    LLMC_TRY(llmc_alloc_unset(&out->bytes, out->stored_nbytes, 1));
    for (int64_t i = 0; i < out->count; i++, at[0] += (hsize_t)out->chunk_rows) {
        if (H5Dread_chunk(array, H5P_DEFAULT, at, &skipped, out->bytes + place) < 0) {
            status = llmc_h5_error(file, file->disk_error ? LLMC_ERR_IO : LLMC_ERR_FORMAT, name, "cannot read a chunk");
            goto exit;
        }
        out->places[i] = place;
        place += out->sizes[i];
    }
exit:
    return status;
}

static llmc_status place_chunks(struct llmc_h5 *file, const char *name, hid_t array, struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    if (!file->shift_known)
        LLMC_TRY(learn_shift(file, name, array, out));
    if (!file->shift_known)
        return read_chunks(file, name, array, out);
    for (int64_t i = 0; i < out->count; i++) {
        out->places[i] += file->shift;
        if (out->places[i] > file->nbytes || out->sizes[i] > file->nbytes - out->places[i])
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: a chunk lies behind the end of the file", file->path, name);
    }
exit:
    return status;
}

llmc_status llmc_h5_find_chunks(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                                const int64_t *shape, struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    hid_t array = H5I_INVALID_HID;
    struct layout layout;
    *out = (struct llmc_h5_chunks){.number = number, .rows = shape[0], .row_nbytes = llmc_number_nbytes(number),
                                   .source = file->source};
    LLMC_TRY(llmc_h5_open_array(file, name, &array));
    LLMC_TRY(llmc_h5_expect(file, name, array, number, rank, shape));
    for (int i = 1; i < rank; i++)
        out->row_nbytes *= (size_t)shape[i];
    LLMC_TRY(read_layout(file, name, array, rank, shape, out->row_nbytes, &layout));
    if (layout.ours) {
        LLMC_TRY(list_chunks(file, name, array, &layout, out));
        LLMC_TRY(place_chunks(file, name, array, out));
    } else {
        LLMC_TRY(read_plain(file, name, rank, shape, out));
    }
exit:
    llmc_h5_drop(array);
    if (status != LLMC_OK)
        llmc_h5_chunks_release(out);
    return status;
}

void llmc_h5_chunks_release(struct llmc_h5_chunks *chunks)
{
    free(chunks->places);
    free(chunks->sizes);
    free(chunks->steps);
    free(chunks->bytes);
    memset(chunks, 0, sizeof *chunks);
}

int64_t llmc_h5_chunk_rows(const struct llmc_h5_chunks *chunks, int64_t index)
{
    int64_t left = chunks->rows - index * chunks->chunk_rows;
    return left < chunks->chunk_rows ? left : chunks->chunk_rows;
}

/* What HDF5's shuffle did: the first bytes of all numbers, then the second ones, and so on. */
static void unshuffle(unsigned char *out, const unsigned char *from, size_t count, size_t size)
{
    for (size_t byte = 0; byte < size; byte++)
        for (size_t i = 0; i < count; i++)
            out[i * size + byte] = *from++;
}

/* *bytes = the stored bytes of a chunk; where they are not in memory, *copy holds them, which the caller frees. */
static llmc_status get_stored(const struct llmc_h5_chunks *chunks, int64_t index, const unsigned char **bytes,
                              unsigned char **copy)
{
    llmc_status status = LLMC_OK;
    const struct llmc_source *source = chunks->source;
    uint64_t place = chunks->places[index];
    *bytes = chunks->bytes ? chunks->bytes + place : source->memory ? source->memory + place : NULL;
    if (*bytes)
        return LLMC_OK;
    LLMC_TRY(llmc_alloc_unset(copy, chunks->sizes[index], 1));
    LLMC_TRY(llmc_source_read(source, place, *copy, chunks->sizes[index]));
    *bytes = *copy;
exit:
    return status;
}

llmc_status llmc_h5_unpack_chunk(const struct llmc_h5_chunks *chunks, int64_t index, void *rows)
{
    llmc_status status = LLMC_OK;
    unsigned char *copy = NULL, *inflated = NULL, *whole = NULL;
    const unsigned char *bytes;
    size_t stored = chunks->sizes[index], size = llmc_number_nbytes(chunks->number);
    size_t nbytes = (size_t)chunks->chunk_rows * chunks->row_nbytes; /* the last chunk is stored in full too */
    size_t wanted = (size_t)llmc_h5_chunk_rows(chunks, index) * chunks->row_nbytes;
    bool shuffled = size > 1 && chunks->steps[index] & LLMC_H5_SHUFFLED;
    LLMC_TRY(get_stored(chunks, index, &bytes, &copy));
    if (chunks->steps[index] & LLMC_H5_DEFLATED) {
        bool direct = nbytes == wanted && !shuffled;
        uLongf length = nbytes;
        if (!direct)
            LLMC_TRY(llmc_alloc_unset(&inflated, nbytes, 1));
        if (uncompress(direct ? rows : inflated, &length, bytes, stored) != Z_OK || length != nbytes)
            LLMC_FAIL(LLMC_ERR_FORMAT, "a chunk does not unpack to its %zu bytes", nbytes);
        if (direct)
            goto exit;
        bytes = inflated;
    } else if (stored != nbytes) {
        LLMC_FAIL(LLMC_ERR_FORMAT, "a chunk has %zu bytes instead of %zu", stored, nbytes);
    }
    if (shuffled) {
        LLMC_TRY(llmc_alloc_unset(&whole, nbytes, 1));
        unshuffle(whole, bytes, nbytes / size, size);
        bytes = whole;
    }
    memcpy(rows, bytes, wanted);
exit:
    free(copy);
    free(inflated);
    free(whole);
    return status;
}

llmc_status llmc_h5_unpack(const struct llmc_h5_chunks *chunks, void *rows)
{
    llmc_status status = LLMC_OK;
    for (int64_t i = 0; i < chunks->count; i++)
        LLMC_TRY(llmc_h5_unpack_chunk(chunks, i, (char *)rows + (size_t)(i * chunks->chunk_rows) * chunks->row_nbytes));
exit:
    return status;
}
