/*
 * A 128-bit hash (XXH3) of what a result was made from: data, weights,
 * configuration. It recognises equal inputs; it is no defence against someone
 * who wants two inputs to collide.
 */
#ifndef LLMC_BASE_HASH_H
#define LLMC_BASE_HASH_H

#include "base/status.h"

#include <stddef.h>

#define LLMC_HASH_TEXT_NBYTES 33 /* 32 hexadecimal digits and the zero byte */

struct llmc_hash {
    void *state;
};

/* init -> any number of updates -> finish, which writes the hash as text and
 * releases the state. release alone drops an unfinished hash; NULL state ok. */
llmc_status llmc_hash_init(struct llmc_hash *hash);
void llmc_hash_update(struct llmc_hash *hash, const void *bytes, size_t nbytes);
/* The text with its zero byte, so that "ab","c" and "a","bc" differ; NULL counts as "". */
void llmc_hash_text(struct llmc_hash *hash, const char *text);
void llmc_hash_finish(struct llmc_hash *hash, char out[LLMC_HASH_TEXT_NBYTES]);
void llmc_hash_release(struct llmc_hash *hash);

/* Updates `hash` with the whole content of a file. Errors: LLMC_ERR_IO. */
llmc_status llmc_hash_file(struct llmc_hash *hash, const char *path);

#endif
