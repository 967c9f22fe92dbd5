/*
 * Where the bytes of a compressed checkpoint are: a sum by kinds that is the file's size.
 */
#ifndef LLMC_CLI_INSPECT_BYTES_H
#define LLMC_CLI_INSPECT_BYTES_H

#include "formats/checkpoint/compressed.h"

enum { LLMC_INSPECT_KINDS_MAX = 24 };

struct llmc_inspect_bytes {
    struct llmc_inspect_kind {
        char name[40]; /* "linear layers, 4 bits" */
        int64_t numbers; /* parameters; scales; 0 for texts and structure */
        uint64_t nbytes;
    } kinds[LLMC_INSPECT_KINDS_MAX];
    int32_t count;
};

/* Of a content that was read from a file of `file_nbytes` bytes; what no kind claims is the last one, the structure. */
void llmc_inspect_count(struct llmc_inspect_bytes *out, const struct llmc_compressed *content, uint64_t file_nbytes);

#endif
