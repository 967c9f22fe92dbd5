/*
 * The word pieces, and a hash table that finds their ids.
 *
 * The hash is computed byte by byte, so that one walk over a word gives the
 * hashes of all its beginnings.
 */
#ifndef LLMC_TEXT_VOCABULARY_H
#define LLMC_TEXT_VOCABULARY_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct llmc_vocabulary_slot {
    uint32_t hash;
    int32_t id; /* -1: empty */
};

struct llmc_vocabulary {
    int32_t count;
    char *bytes; /* the pieces, each ended by '\n' */
    size_t nbytes;
    uint32_t *offsets; /* [count + 1]: piece i starts at bytes[offsets[i]] */
    uint32_t piece_nbytes_max;
    struct llmc_vocabulary_slot *slots; /* [slot_mask + 1], at most half full */
    uint32_t slot_mask;
};

/* Copies `bytes` (word pieces, each ended by '\n') and builds the table. Of two
 * equal pieces the later counts. Errors: LLMC_ERR_FORMAT (no piece, no '\n' at
 * the end, not UTF-8, above 1 GiB), LLMC_ERR_MEMORY. */
llmc_status llmc_vocabulary_init(struct llmc_vocabulary *out, const char *bytes, size_t nbytes, const char *origin);
void llmc_vocabulary_release(struct llmc_vocabulary *vocabulary);

/* The state of the hash before the first byte of a word, and of a piece that
 * continues a word (the state behind "##"). */
#define LLMC_HASH_WORD UINT64_C(0xCBF29CE484222325)
#define LLMC_HASH_CONTINUED llmc_hash_byte(llmc_hash_byte(LLMC_HASH_WORD, '#'), '#')

/* FNV-1a */
static inline uint64_t llmc_hash_byte(uint64_t hash, char byte)
{
    return (hash ^ (uint8_t)byte) * UINT64_C(0x100000001B3);
}

/* The id of a piece, or -1. `hash` is that of all its bytes. The second form
 * looks for "##" and the bytes. */
int32_t llmc_vocabulary_find(const struct llmc_vocabulary *vocabulary, uint64_t hash, const char *bytes, size_t nbytes);
int32_t llmc_vocabulary_find_continued(const struct llmc_vocabulary *vocabulary, uint64_t hash, const char *bytes,
                                       size_t nbytes);

/* The id of a zero-ended piece, or -1. */
int32_t llmc_vocabulary_find_text(const struct llmc_vocabulary *vocabulary, const char *piece);

#endif
