/*
 * BERT's normalisation and its classes of characters, one character at a time:
 * cleaned, ideographs set apart, decomposed, accents dropped, lower case.
 */
#ifndef LLMC_TEXT_NORMALIZER_H
#define LLMC_TEXT_NORMALIZER_H

#include "text/tokenizer.h"
#include "text/unicode.h"

#include <stdint.h>

enum llmc_character_kind {
    LLMC_CHARACTER_WORD,        /* part of a word */
    LLMC_CHARACTER_PUNCTUATION, /* a word of its own */
    LLMC_CHARACTER_SPACE,       /* ends a word */
    LLMC_CHARACTER_NONE,        /* dropped, but marks are not sorted across it */
};

struct llmc_character {
    int32_t code;
    uint8_t kind;
    /* Not 0 for marks that must be sorted: neighbours with an order that is not
     * 0 come in ascending order, equal ones as they stood. Such marks are of
     * kind WORD. */
    uint8_t order;
};

/* The most characters that one turns into: all of its decomposition in lower case, and two spaces. */
#define LLMC_NORMALIZED_MAX (LLMC_UNICODE_DECOMPOSED_MAX * LLMC_UNICODE_LOWER_MAX + 2)

/* Writes what one character becomes and returns the number, which may be 0. */
int llmc_normalize(const struct llmc_tokenizer_rules *rules, int32_t code,
                   struct llmc_character out[LLMC_NORMALIZED_MAX]);

#endif
