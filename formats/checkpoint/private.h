/*
 * What the files of the compressed checkpoint share among themselves.
 */
#ifndef LLMC_FORMATS_CHECKPOINT_PRIVATE_H
#define LLMC_FORMATS_CHECKPOINT_PRIVATE_H

#include "formats/checkpoint/compressed.h"
#include "formats/hdf5/envelope.h"

/* A name with its group in front: "tensors/NAME/scales". */
enum { LLMC_COMPRESSED_PATH_NBYTES = 160 };

extern const struct llmc_envelope llmc_compressed_envelope;

/* Checks all that the header promises of a content in memory. Errors: LLMC_ERR_FORMAT with the field. */
llmc_status llmc_compressed_check(const struct llmc_compressed *content);

/* Its two parts: all but the numbers of the tensors, and the numbers of one. */
llmc_status llmc_compressed_check_structure(const struct llmc_compressed *content);
llmc_status llmc_compressed_check_numbers(const struct llmc_compressed_tensor *tensor);

/* Where the parts of a tensor lie in the file: found by one thread, unpacked by any. */
struct llmc_compressed_parts {
    struct llmc_h5_chunks values, mask, scales;
    int64_t nonzeros; /* of a sparse tensor */
};

/* Unpacks and checks the values and scales of `tensor`, whose memory is there; then drops the parts.
 * Without values, only the scales. */
llmc_status llmc_compressed_unpack(struct llmc_compressed_tensor *tensor, struct llmc_compressed_parts *parts);
void llmc_compressed_parts_release(struct llmc_compressed_parts *parts);

#endif
