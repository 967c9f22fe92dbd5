/*
 * WordPiece: cuts a word into the longest pieces of the vocabulary, from left to right.
 */
#ifndef LLMC_TEXT_WORDPIECE_H
#define LLMC_TEXT_WORDPIECE_H

#include "text/utf8.h"
#include "text/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LLMC_WORD_CHARACTERS_MAX 100 /* a longer word is unknown: max_input_chars_per_word of BERT */

/* A word that grows character by character. Characters above the limit are only
 * counted, so that a word of any length takes the same memory. */
struct llmc_word {
    uint64_t hash; /* of the bytes */
    size_t characters;
    size_t nbytes;
    char bytes[LLMC_WORD_CHARACTERS_MAX * LLMC_UTF8_NBYTES_MAX];
};

/* Ids on their way out. Those above the capacity are counted, not stored. */
struct llmc_ids {
    int32_t *ids; /* [capacity] */
    size_t capacity;
    size_t count;
};

static inline void llmc_ids_push(struct llmc_ids *out, int32_t id)
{
    if (out->count < out->capacity)
        out->ids[out->count] = id;
    out->count++;
}

static inline void llmc_word_clear(struct llmc_word *word)
{
    word->hash = LLMC_HASH_WORD;
    word->characters = 0;
    word->nbytes = 0;
}

static inline void llmc_word_append_ascii(struct llmc_word *word, char byte)
{
    if (word->characters++ < LLMC_WORD_CHARACTERS_MAX) {
        word->bytes[word->nbytes++] = byte;
        word->hash = llmc_hash_byte(word->hash, byte);
    }
}

void llmc_word_append(struct llmc_word *word, int32_t code);

/* Writes the ids of a word of at least one character: its pieces, or `unknown`
 * alone when they do not cover it. */
void llmc_wordpiece(const struct llmc_vocabulary *vocabulary, const struct llmc_word *word, int32_t unknown,
                    struct llmc_ids *out);

/* The same of a part of a word, `nbytes` bytes of whole characters that begin it (first) or go on with it, by those pieces
 * alone that `kept` [vocabulary->count] names (NULL: all). False where they do not cover it; what was written then counts
 * for nothing. */
bool llmc_wordpiece_split(const struct llmc_vocabulary *vocabulary, const bool *kept, bool first, const char *bytes,
                          size_t nbytes, struct llmc_ids *out);

#endif
