/*
 * What the files of the compressed checkpoint share among themselves.
 */
#ifndef LLMC_FORMATS_COMPRESSED_PRIVATE_H
#define LLMC_FORMATS_COMPRESSED_PRIVATE_H

#include "formats/compressed.h"

/* A name with its group in front: "tensors/NAME/scales". */
enum { LLMC_COMPRESSED_PATH_NBYTES = 160 };

/* Fills in the user block of the finished file `path`: length and checksums. */
llmc_status llmc_compressed_seal(const char *path);

/* Checks the user block and the checksum of all behind it, without libhdf5.
 * *nbytes_ret = the file's length. Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT. */
llmc_status llmc_compressed_verify(const char *path, uint64_t *nbytes_ret);

/* Checks all that the header promises of a content in memory. Errors: LLMC_ERR_FORMAT with the field. */
llmc_status llmc_compressed_check(const struct llmc_compressed *content);

/* Whether tensor `name` may be an integer linear layer. */
bool llmc_compressed_may_have_input(const char *name);

#endif
