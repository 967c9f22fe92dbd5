/*
 * One text to ids, without the special tokens around it.
 */
#ifndef LLMC_TEXT_ENCODE_H
#define LLMC_TEXT_ENCODE_H

#include "text/normalizer.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"
#include "text/wordpiece.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The special tokens of BERT. Written out in a text, they are taken as such. */
enum llmc_special { LLMC_PAD, LLMC_UNK, LLMC_CLS, LLMC_SEP, LLMC_MASK, LLMC_SPECIALS };

struct llmc_tokenizer {
    struct llmc_vocabulary vocabulary;
    struct llmc_tokenizer_rules rules;
    int32_t special[LLMC_SPECIALS]; /* ids; -1: not in the vocabulary, possible for LLMC_MASK only */
    /* What the normaliser says of ASCII, where one character becomes at most one. */
    struct llmc_character ascii[128];
};

extern const char *const llmc_special_names[LLMC_SPECIALS];

/* Writes the ids of a text to `out`. With `whole` unset it may stop as soon as
 * the capacity is filled; else it goes on counting to the end. */
void llmc_encode_text(const struct llmc_tokenizer *tokenizer, const char *text, size_t nbytes, bool whole,
                      struct llmc_ids *out);

/* Makes of `first` (whose ids lie at ids + 1), and of `second` (NULL: one text alone) what llmc_tokenizer_encode
 * promises, cut to tokens_max. Returns the number of tokens. types may be NULL. */
int32_t llmc_encode_frame(const struct llmc_tokenizer *tokenizer, const struct llmc_ids *first,
                          const struct llmc_ids *second, int32_t tokens_max, int32_t *ids, uint8_t *types);

#endif
