/*
 * HDF5 files as llmc writes them: named arrays of plain numbers, and attributes
 * on groups. A thin layer over libhdf5 that turns every failure into a status
 * with the file's and the object's name, keeps libhdf5 from printing, and never
 * trusts a size in a file: what a caller expects is checked before memory is
 * asked for.
 *
 * The files are of HDF5's version 1.10: h5py, h5dump and others read them. Equal
 * content written in equal order by one version of libhdf5 gives equal bytes.
 * When reading, only what lies in the file itself is seen: external and soft
 * links count as missing; arrays with data in other files, virtual arrays,
 * filters other than shuffle and deflate and chunks above 1 MiB are refused.
 *
 * A file is used by the thread that opened it. Names are paths without a
 * leading "/", at most 1,023 bytes; "" is the root.
 */
#ifndef LLMC_FORMATS_HDF5_FILE_H
#define LLMC_FORMATS_HDF5_FILE_H

#include "base/number.h"
#include "base/status.h"
#include "formats/hdf5/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LLMC_H5_RANK_MAX 4

struct llmc_h5;

/* Creates `path` (replacing an old file) with a user block of
 * `user_block_nbytes` (0, or a power of two from 512 up) of zeros in front.
 * Errors: LLMC_ERR_IO, LLMC_ERR_ARGUMENT (user block), LLMC_ERR_MEMORY. */
llmc_status llmc_h5_create(struct llmc_h5 **out, const char *path, uint64_t user_block_nbytes);

/* Opens for reading. Errors: LLMC_ERR_IO (missing, not a regular file),
 * LLMC_ERR_FORMAT (no HDF5 file, or cut short). */
llmc_status llmc_h5_open(struct llmc_h5 **out, const char *path);

/* Opens the bytes of a source, which must outlive the file. Until it is closed, libhdf5 prints no errors for this
 * thread; then as before. Errors: as llmc_h5_open. */
llmc_status llmc_h5_open_source(struct llmc_h5 **out, const struct llmc_source *source);

/* Flushes, closes, frees and clears *file. A full disk is reported here at the
 * latest. After an error the file is closed all the same. NULL inside ok. */
llmc_status llmc_h5_close(struct llmc_h5 **file);

/* What messages call the file: its path. Owned by the file. */
const char *llmc_h5_path(const struct llmc_h5 *file);

/* Closes without caring for the result: the error path of both reader and
 * writer; what a writer has not yet put on the disk is dropped. Keeps this thread's error message. NULL inside ok. */
void llmc_h5_abandon(struct llmc_h5 **file);

/* Writes a whole array, making the groups in its name ("encoder/layer.0/weight").
 * rank 0 is one number, shape may then be NULL. deflate 0: contiguous; 1..9:
 * chunked (about 64 Ki numbers), shuffle + deflate. Empty arrays are allowed.
 * The data stay the caller's. Errors: LLMC_ERR_IO (also a full disk, and a name
 * that is taken), LLMC_ERR_ARGUMENT. */
llmc_status llmc_h5_write(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                          const int64_t *shape, const void *data, int deflate);

/* What an array is, without reading it. shape: [LLMC_H5_RANK_MAX]. Its bytes are
 * at most 1,032 times those of the file (what deflate can reach), so a caller
 * may allocate by the shape. Errors: LLMC_ERR_FORMAT (missing, more than that,
 * or not of a format we write). */
llmc_status llmc_h5_describe(struct llmc_h5 *file, const char *name, enum llmc_number *number, int *rank,
                             int64_t *shape);

/* Reads a whole array that must have exactly this number format, rank and shape
 * into the caller's memory. Errors: LLMC_ERR_FORMAT. */
llmc_status llmc_h5_read(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                         const int64_t *shape, void *data);

bool llmc_h5_has(struct llmc_h5 *file, const char *name);
/* Whether the root has this attribute. */
bool llmc_h5_has_attribute(struct llmc_h5 *file, const char *name);

/* Bytes that the array occupies in the file (after deflate). */
llmc_status llmc_h5_stored_nbytes(struct llmc_h5 *file, const char *name, uint64_t *nbytes);

/* The names of all arrays below `group`, sorted, as full names. The caller frees
 * each name and the list (NULL when there are none). Errors: LLMC_ERR_FORMAT
 * (missing group, more than 100,000 arrays and groups, more than 32 levels). */
llmc_status llmc_h5_list(struct llmc_h5 *file, const char *group, char ***names, size_t *count);

/* The short names of the groups directly inside `group`, sorted; none when `group` is not there. The
 * caller frees each name and the list. Errors: LLMC_ERR_FORMAT above 100,000 entries, or when
 * `group` holds anything but groups (arrays, links). */
llmc_status llmc_h5_list_groups(struct llmc_h5 *file, const char *group, char ***names, size_t *count);

/* Attributes of a group (writing makes it; an attribute is written once). Text is
 * UTF-8, at most 16 MiB, stored with fixed length; integers are read from any
 * integer type, doubles from any float type of at most 8 bytes. read_text: the
 * caller frees *text. Errors: LLMC_ERR_FORMAT (missing, wrong type, text of
 * variable length), LLMC_ERR_IO when writing. */
llmc_status llmc_h5_write_text(struct llmc_h5 *file, const char *group, const char *name, const char *text);
llmc_status llmc_h5_read_text(struct llmc_h5 *file, const char *group, const char *name, char **text);
llmc_status llmc_h5_write_int(struct llmc_h5 *file, const char *group, const char *name, int64_t value);
llmc_status llmc_h5_read_int(struct llmc_h5 *file, const char *group, const char *name, int64_t *value);
llmc_status llmc_h5_write_double(struct llmc_h5 *file, const char *group, const char *name, double value);
llmc_status llmc_h5_read_double(struct llmc_h5 *file, const char *group, const char *name, double *value);

#endif
