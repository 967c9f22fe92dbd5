#include "base/memory.h"
#include "formats/hdf5/chunks.h"
#include "formats/hdf5/internal.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LEVEL = 9 };

/* One stream of zlib's format; *nbytes: room, then length. */
static bool deflate_with(int strategy, unsigned char *out, size_t *nbytes, const unsigned char *from,
                         size_t from_nbytes)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)from, .avail_in = (uInt)from_nbytes, .next_out = out,
                       .avail_out = (uInt)*nbytes};
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, 15, 9, strategy) != Z_OK)
        return false;
    bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *nbytes = stream.total_out;
    deflateEnd(&stream);
    return done;
}

/* The shorter of two ways: weights are noise with a skewed histogram, in which the repetitions that deflate's usual
 * strategy finds cost more bits than they save, and much time when unpacking; texts are the opposite. False: it
 * does not shrink by 1/`worth`. */
static bool pack_chunk(unsigned char *out, unsigned char *other, size_t room, const unsigned char *from,
                       size_t nbytes, int worth, size_t *packed_nbytes)
{
    size_t filtered = room, usual = room;
    if (!deflate_with(Z_FILTERED, out, &filtered, from, nbytes))
        filtered = room;
    if (!deflate_with(Z_DEFAULT_STRATEGY, other, &usual, from, nbytes))
        usual = room;
    if (usual < filtered)
        memcpy(out, other, usual);
    *packed_nbytes = usual < filtered ? usual : filtered;
    return *packed_nbytes <= nbytes - nbytes / (size_t)worth;
}

static void shuffle(unsigned char *out, const unsigned char *from, size_t count, size_t size)
{
    for (size_t byte = 0; byte < size; byte++)
        for (size_t i = 0; i < count; i++)
            *out++ = from[i * size + byte];
}

static llmc_status write_chunks(struct llmc_h5 *file, const char *name, hid_t array, const char *data, int64_t rows,
                                size_t row_nbytes, size_t size, int64_t chunk_rows, int worth)
{
    enum { DEFLATE_SKIPPED = 1 << 1 };
    llmc_status status = LLMC_OK;
    size_t nbytes = (size_t)chunk_rows * row_nbytes, room = compressBound((uLong)nbytes);
    unsigned char *chunk = NULL, *shuffled = NULL, *packed = NULL, *other = NULL;
    hsize_t at[LLMC_H5_RANK_MAX] = {0};
    LLMC_TRY(llmc_alloc(&chunk, nbytes, 1));
    LLMC_TRY(llmc_alloc(&shuffled, nbytes, 1));
    LLMC_TRY(llmc_alloc(&packed, room, 1));
    LLMC_TRY(llmc_alloc(&other, room, 1));
    for (int64_t row = 0; row < rows; row += chunk_rows) {
        size_t filled = (size_t)(rows - row < chunk_rows ? rows - row : chunk_rows) * row_nbytes, packed_nbytes;
        at[0] = (hsize_t)row;
        memcpy(chunk, data + (size_t)row * row_nbytes, filled);
        memset(chunk + filled, 0, nbytes - filled); /* the last chunk is stored in full too */
        shuffle(shuffled, chunk, nbytes / size, size);
        bool pack = pack_chunk(packed, other, room, shuffled, nbytes, worth, &packed_nbytes);
        if (H5Dwrite_chunk(array, H5P_DEFAULT, pack ? 0 : DEFLATE_SKIPPED, at, pack ? packed_nbytes : nbytes,
                           pack ? packed : shuffled) < 0) {
            status = llmc_h5_error(file, LLMC_ERR_IO, name, "cannot write a chunk");
            goto exit;
        }
    }
exit:
    free(chunk);
    free(shuffled);
    free(packed);
    free(other);
    return status;
}

llmc_status llmc_h5_write_chunks(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                                 const int64_t *shape, const void *data, int64_t chunk_rows, int worth)
{
    llmc_status status = LLMC_OK;
    hid_t array = H5I_INVALID_HID;
    size_t size = llmc_number_nbytes(number), row_nbytes = size;
    for (int i = 1; i < rank; i++)
        row_nbytes *= (size_t)shape[i];
    if (rank < 1 || shape[0] < 1 || row_nbytes == 0 || row_nbytes > LLMC_H5_CHUNK_NBYTES)
        return llmc_h5_write(file, name, number, rank, shape, data, LEVEL);
    int64_t most = (int64_t)(LLMC_H5_CHUNK_NBYTES / row_nbytes);
    if (chunk_rows == 0 || chunk_rows > most) {
        /* Equal heights, so that the last chunk holds little beyond the array. */
        int64_t parts = (shape[0] + most - 1) / most;
        chunk_rows = (shape[0] + parts - 1) / parts;
    }
    chunk_rows = chunk_rows < shape[0] ? chunk_rows : shape[0];
    LLMC_TRY(llmc_h5_create_array(file, name, number, rank, shape, chunk_rows, LEVEL, &array));
    LLMC_TRY(write_chunks(file, name, array, data, shape[0], row_nbytes, size, chunk_rows, worth));
    status = llmc_h5_finish_array(file, name, &array);
exit:
    llmc_h5_drop(array);
    return status;
}
