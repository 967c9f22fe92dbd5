/*
 * What the files of the compressed checkpoint share among themselves.
 */
#ifndef LLMC_FORMATS_CHECKPOINT_PRIVATE_H
#define LLMC_FORMATS_CHECKPOINT_PRIVATE_H

#include "base/failure.h"
#include "formats/checkpoint/compressed.h"
#include "formats/hdf5/envelope.h"

/* A name with its group in front: "tensors/NAME/scales". */
enum { LLMC_COMPRESSED_PATH_NBYTES = 160 };

/* Of a tensor's form in the file: a sum of these. */
enum { LLMC_COMPRESSED_MIXED = 1, LLMC_COMPRESSED_SPARSE = 2 };

/* The columns of /tensors. */
enum {
    LLMC_COMPRESSED_NUMBER,
    LLMC_COMPRESSED_BITS,
    LLMC_COMPRESSED_ROWS,
    LLMC_COMPRESSED_COLS,
    LLMC_COMPRESSED_FORM,
    LLMC_COMPRESSED_STORED,
    LLMC_COMPRESSED_ZERO_POINT,
    LLMC_COMPRESSED_COLUMNS
};

extern const struct llmc_envelope llmc_compressed_envelope;

/* Checks all that the header promises of a content in memory. Errors: LLMC_ERR_FORMAT with the field. */
llmc_status llmc_compressed_check(const struct llmc_compressed *content);

/* Its two parts: all but the numbers of the tensors, and the numbers of one. */
llmc_status llmc_compressed_check_structure(const struct llmc_compressed *content);
llmc_status llmc_compressed_check_numbers(const struct llmc_compressed_tensor *tensor);

/* Puts `stored` values of `nbytes` bytes each into the places of out [count] that mask [ceil(count / 8)] names, and zeros
 * into the others; one value more than that is read behind the last. Errors: LLMC_ERR_FORMAT: the mask names another
 * number of places. */
llmc_status llmc_compressed_spread(const char *name, const uint8_t *mask, const void *values, int64_t stored,
                                   size_t nbytes, int64_t count, void *out);

/* A file that is being read. */
struct llmc_compressed_reader {
    struct llmc_h5 *file;
    uint64_t nbytes_left; /* of memory that this file may still ask for */
    uint64_t stored_left; /* bytes that arrays not yet read may have in it: none lies in two of them */
    size_t arrays;        /* read so far */
    bool keep_packed;
    bool parallel;               /* enough to do for several threads */
    struct llmc_failure failure; /* of unpacking */
};

/* Memory of any content, which the reader then fills. Errors: LLMC_ERR_FORMAT: more than a file of this size may ask for. */
llmc_status llmc_compressed_take_memory(struct llmc_compressed_reader *reader, void *out, int64_t count, size_t size);

/* The chunks of an array, which count as read: *stored_nbytes grows by their bytes. */
llmc_status llmc_compressed_find(struct llmc_compressed_reader *reader, const char *group, const char *name,
                                 enum llmc_number number, int rank, const int64_t *shape, struct llmc_h5_chunks *out,
                                 uint64_t *stored_nbytes);

/* The length of an array of one dimension, at most `max`. */
llmc_status llmc_compressed_read_length(struct llmc_compressed_reader *reader, const char *name,
                                        enum llmc_number number, int64_t max, int64_t *length);

/* An array of bytes, with a zero byte behind them. The caller frees *text. */
llmc_status llmc_compressed_read_text(struct llmc_compressed_reader *reader, const char *name, char **text,
                                      int64_t *nbytes, uint64_t *stored_nbytes);

/* An attribute that is 0 or 1. */
llmc_status llmc_compressed_read_bool(struct llmc_compressed_reader *reader, const char *group, const char *name,
                                      bool *out);

/* The tensors, whose memory and names are there: of versions 1 and 2 (read_groups.c), and of version 3 (read_arrays.c). */
llmc_status llmc_compressed_read_groups(struct llmc_compressed_reader *reader, struct llmc_compressed *content);
llmc_status llmc_compressed_read_arrays(struct llmc_compressed_reader *reader, struct llmc_compressed *content);

#endif
