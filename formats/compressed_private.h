/*
 * What the files of the compressed checkpoint share among themselves.
 */
#ifndef LLMC_FORMATS_COMPRESSED_PRIVATE_H
#define LLMC_FORMATS_COMPRESSED_PRIVATE_H

#include "formats/compressed.h"
#include "formats/envelope.h"

/* A name with its group in front: "tensors/NAME/scales". */
enum { LLMC_COMPRESSED_PATH_NBYTES = 160 };

extern const struct llmc_envelope llmc_compressed_envelope;

/* Checks all that the header promises of a content in memory. Errors: LLMC_ERR_FORMAT with the field. */
llmc_status llmc_compressed_check(const struct llmc_compressed *content);

#endif
