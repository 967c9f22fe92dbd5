/*
 * What word pieces are: which begin a word, and which are a whole word of letters. Texts are changed by words, never by
 * pieces of them.
 */
#ifndef LLMC_TEXT_WORDS_H
#define LLMC_TEXT_WORDS_H

#include "text/dataset.h"

struct llmc_words {
    int32_t pieces;    /* of the vocabulary */
    uint8_t *continues; /* [pieces] a piece that goes on with a word ("##ing") */
    uint8_t *whole;    /* [pieces] begins a word, and is of two or more bytes, all of letters or beyond ASCII */
    int32_t mask;      /* id of [MASK]; -1: there is none */
};

/* Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_words_init(struct llmc_words *words, const struct llmc_tokenizer *tokenizer);
void llmc_words_release(struct llmc_words *words);

/* counts [pieces] = how often each whole word stands alone in the texts: as a word of one piece. */
void llmc_words_count(const struct llmc_words *words, const struct llmc_dataset *texts, int64_t *counts);

/* The end of the word that begins at ids[0]; at most `count`. */
int32_t llmc_word_end(const struct llmc_words *words, const int32_t *ids, int32_t count);

#endif
