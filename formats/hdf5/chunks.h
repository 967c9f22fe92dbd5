/*
 * Arrays as they are stored: where their chunks lie, found in one go and unpacked
 * later, when and by whom they are needed. libhdf5 works for one thread at a time,
 * and reading and unpacking is most of what an array costs: so it happens outside
 * of libhdf5, on all processors, and never for rows that nobody asks for.
 */
#ifndef LLMC_FORMATS_HDF5_CHUNKS_H
#define LLMC_FORMATS_HDF5_CHUNKS_H

#include "formats/hdf5/file.h"

/* Row r is in chunk r / chunk_rows. A layout that is not ours (contiguous, or
 * chunks that hold parts of rows) is unpacked at once and is then one chunk. */
struct llmc_h5_chunks {
    enum llmc_number number;
    int64_t rows;
    size_t row_nbytes;
    int64_t chunk_rows;
    int64_t count;    /* of chunks */
    uint64_t *places; /* [count] where a chunk begins: in `bytes`, or, where these are NULL, in the source */
    uint32_t *sizes;  /* [count] its stored bytes */
    uint8_t *steps;   /* [count] what was done to it: LLMC_H5_SHUFFLED | LLMC_H5_DEFLATED */
    const struct llmc_source *source;
    unsigned char *bytes;
    uint64_t stored_nbytes; /* of all chunks */
};

enum { LLMC_H5_SHUFFLED = 1, LLMC_H5_DEFLATED = 2 };

enum { LLMC_H5_CHUNK_NBYTES = 1 << 16 }; /* of the chunks that are written */

/* Writes a whole array in chunks of `chunk_rows` rows (0, or too many: about LLMC_H5_CHUNK_NBYTES bytes), shuffled and
 * deflated, each in the way that makes it shortest; any HDF5 program reads them. A chunk that deflate does not shrink by
 * 1/`worth` of its bytes is stored as it is: every start pays for unpacking. Else as llmc_h5_write. */
llmc_status llmc_h5_write_chunks(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                                 const int64_t *shape, const void *data, int64_t chunk_rows, int worth);

/* Finds the chunks of an array that must have exactly this number format, rank (1 or more) and shape, in a file opened
 * from a source, which must outlive the result. Chunks that deflate cannot have made (none, or too few bytes for what
 * they claim) are refused, so what the result unpacks to has at most 1,040 times its bytes.
 * Errors: LLMC_ERR_FORMAT, LLMC_ERR_IO, LLMC_ERR_MEMORY. */
llmc_status llmc_h5_find_chunks(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                                const int64_t *shape, struct llmc_h5_chunks *out);
void llmc_h5_chunks_release(struct llmc_h5_chunks *chunks);

/* The rows of chunk `index`: how many, and their unpacking into `rows`, without libhdf5. Any number of
 * threads may unpack. Errors: LLMC_ERR_FORMAT (not what deflate makes, or of another length), LLMC_ERR_IO,
 * LLMC_ERR_MEMORY. */
int64_t llmc_h5_chunk_rows(const struct llmc_h5_chunks *chunks, int64_t index);
llmc_status llmc_h5_unpack_chunk(const struct llmc_h5_chunks *chunks, int64_t index, void *rows);

/* All rows. */
llmc_status llmc_h5_unpack(const struct llmc_h5_chunks *chunks, void *rows);

#endif
