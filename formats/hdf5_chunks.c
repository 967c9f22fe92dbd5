#include "formats/hdf5_chunks.h"

#include "base/memory.h"
#include "formats/hdf5_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK_NBYTES_MAX = 1 << 20, DEFLATE_RATIO_MAX = 1040, MAPPED_NBYTES_MIN = 1 << 15,
       HUGE_NBYTES_MIN = 1 << 22 };

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

static llmc_status allocate_bytes(struct llmc_h5_chunks *out, size_t nbytes)
{
    if (nbytes < MAPPED_NBYTES_MIN)
        return llmc_alloc_unset(&out->bytes, nbytes, 1);
    void *pages = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu bytes", nbytes);
    /* A page fault for each 4 KiB of an embedding would take a tenth of the start. */
    if (nbytes >= HUGE_NBYTES_MIN)
        madvise(pages, nbytes, MADV_HUGEPAGE);
    out->bytes = pages;
    out->mapped_nbytes = nbytes;
    return LLMC_OK;
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
    LLMC_TRY(llmc_alloc(&out->offsets, 2, sizeof *out->offsets));
    LLMC_TRY(llmc_alloc(&out->steps, 1, 1));
    LLMC_TRY(allocate_bytes(out, nbytes));
    out->offsets[1] = nbytes;
    LLMC_TRY(llmc_h5_read(file, name, out->number, rank, shape, out->bytes));
exit:
    return status;
}

/* Sizes first: memory is asked for when they are known to be possible. */
static llmc_status measure_chunks(const struct llmc_h5 *file, const char *name, hid_t array,
                                  const struct layout *layout, struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    hsize_t at[LLMC_H5_RANK_MAX] = {0}, stored;
    out->chunk_rows = layout->chunk_rows;
    out->count = (out->rows + layout->chunk_rows - 1) / layout->chunk_rows;
    if ((uint64_t)out->count > file->nbytes)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: more chunks than the file has bytes", file->path, name);
    LLMC_TRY(llmc_alloc(&out->offsets, (size_t)out->count + 1, sizeof *out->offsets));
    LLMC_TRY(llmc_alloc(&out->steps, (size_t)out->count, 1));
    for (int64_t i = 0; i < out->count; i++, at[0] += (hsize_t)layout->chunk_rows) {
        if (H5Dget_chunk_storage_size(array, at, &stored) < 0) {
            status = llmc_h5_error(file, LLMC_ERR_FORMAT, name, "a chunk is missing");
            goto exit;
        }
        if (stored == 0 || stored > layout->chunk_nbytes + layout->chunk_nbytes / 64 + 64 ||
            layout->chunk_nbytes / DEFLATE_RATIO_MAX > stored)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: a chunk of %zu bytes is stored in %llu", file->path, name,
                      layout->chunk_nbytes, (unsigned long long)stored);
        out->offsets[i + 1] = out->offsets[i] + stored;
    }
    out->stored_nbytes = out->offsets[out->count];
    if (out->stored_nbytes > file->nbytes)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: its chunks have more bytes than the file", file->path, name);
exit:
    return status;
}

static llmc_status fetch_chunks(const struct llmc_h5 *file, const char *name, hid_t array,
                                const struct layout *layout, struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    hsize_t at[LLMC_H5_RANK_MAX] = {0};
    LLMC_TRY(allocate_bytes(out, out->stored_nbytes));
    for (int64_t i = 0; i < out->count; i++, at[0] += (hsize_t)layout->chunk_rows) {
        uint32_t skipped; /* bit k: filter k was not applied, as it did not shrink this chunk */
        if (H5Dread_chunk(array, H5P_DEFAULT, at, &skipped, out->bytes + out->offsets[i]) < 0) {
            status = llmc_h5_error(file, file->disk_error ? LLMC_ERR_IO : LLMC_ERR_FORMAT, name, "cannot read a chunk");
            goto exit;
        }
        for (int k = 0; k < layout->filter_count; k++)
            if (!(skipped >> k & 1))
                out->steps[i] |= layout->filters[k];
    }
exit:
    return status;
}

llmc_status llmc_h5_read_chunks(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                                const int64_t *shape, struct llmc_h5_chunks *out)
{
    llmc_status status = LLMC_OK;
    hid_t array = H5I_INVALID_HID;
    struct layout layout;
    *out = (struct llmc_h5_chunks){.number = number, .rows = shape[0], .row_nbytes = llmc_number_nbytes(number)};
    LLMC_TRY(llmc_h5_open_array(file, name, &array));
    LLMC_TRY(llmc_h5_expect(file, name, array, number, rank, shape));
    for (int i = 1; i < rank; i++)
        out->row_nbytes *= (size_t)shape[i];
    LLMC_TRY(read_layout(file, name, array, rank, shape, out->row_nbytes, &layout));
    if (layout.ours) {
        LLMC_TRY(measure_chunks(file, name, array, &layout, out));
        LLMC_TRY(fetch_chunks(file, name, array, &layout, out));
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
    free(chunks->offsets);
    free(chunks->steps);
    if (chunks->mapped_nbytes)
        munmap(chunks->bytes, chunks->mapped_nbytes);
    else
        free(chunks->bytes);
    memset(chunks, 0, sizeof *chunks);
}

void llmc_h5_drop_chunk(const struct llmc_h5_chunks *chunks, int64_t index, bool before_too, bool behind_too)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t begin = chunks->offsets[index] / page * page;
    uint64_t end = (chunks->offsets[index + 1] + page - 1) / page * page;
    /* What may go, neighbours included; the first and the last page only when all of theirs may. */
    int64_t first = index - (before_too && index > 0), last = index + (behind_too && index + 1 < chunks->count);
    if (chunks->offsets[first] > begin)
        begin += page;
    if (chunks->offsets[last + 1] < end && last + 1 < chunks->count)
        end -= page;
    if (chunks->mapped_nbytes && begin < end)
        madvise(chunks->bytes + begin, (size_t)(end - begin), MADV_DONTNEED);
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

llmc_status llmc_h5_unpack_chunk(const struct llmc_h5_chunks *chunks, int64_t index, void *rows)
{
    llmc_status status = LLMC_OK;
    unsigned char *inflated = NULL, *shuffled = NULL;
    const unsigned char *bytes = chunks->bytes + chunks->offsets[index];
    size_t stored = (size_t)(chunks->offsets[index + 1] - chunks->offsets[index]);
    size_t size = llmc_number_nbytes(chunks->number);
    size_t nbytes = (size_t)chunks->chunk_rows * chunks->row_nbytes; /* the last chunk is stored in full too */
    size_t wanted = (size_t)llmc_h5_chunk_rows(chunks, index) * chunks->row_nbytes;
    bool shuffle = size > 1 && chunks->steps[index] & LLMC_H5_SHUFFLED;
    if (chunks->steps[index] & LLMC_H5_DEFLATED) {
        bool direct = nbytes == wanted && !shuffle;
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
    if (shuffle) {
        LLMC_TRY(llmc_alloc_unset(&shuffled, nbytes, 1));
        unshuffle(shuffled, bytes, nbytes / size, size);
        bytes = shuffled;
    }
    memcpy(rows, bytes, wanted);
exit:
    free(inflated);
    free(shuffled);
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
