/*
 * The bytes that a reader works on: a file, opened once, so that the checksum
 * and the parser see the same one whatever happens to its name meanwhile; or
 * memory. Any number of threads may read.
 */
#ifndef LLMC_FORMATS_HDF5_SOURCE_H
#define LLMC_FORMATS_HDF5_SOURCE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct llmc_source {
    const char *name; /* for messages; the caller's */
    int descriptor;   /* -1: memory */
    const unsigned char *memory;
    uint64_t nbytes;
};

/* Opens a regular file. Errors: LLMC_ERR_IO with the path; close is then allowed, not needed. */
llmc_status llmc_source_open(struct llmc_source *out, const char *path);

/* The bytes stay the caller's and must not change as long as the source is used. */
void llmc_source_memory(struct llmc_source *out, const char *name, const void *bytes, size_t nbytes);

/* Bytes `at` .. `at + nbytes - 1`. Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT past the end. */
llmc_status llmc_source_read(const struct llmc_source *source, uint64_t at, void *out, size_t nbytes);

void llmc_source_close(struct llmc_source *source);

#endif
