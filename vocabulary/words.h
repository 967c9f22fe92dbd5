/*
 * The different words of texts, and how often each is there. Memory grows with the words, not with the texts.
 */
#ifndef LLMC_VOCABULARY_WORDS_H
#define LLMC_VOCABULARY_WORDS_H

#include "text/source.h"

#include <signal.h>
#include <stdbool.h>

struct llmc_pieces_word {
    int64_t count;
    uint32_t begin;  /* in the bytes of all */
    uint16_t nbytes;
    bool first;      /* false: pieces whose word's beginning was not in the text */
};

/* In the order of their first appearance. Zeroed is empty. */
struct llmc_pieces_words {
    struct llmc_pieces_word *words; /* [count] */
    int64_t count;
    char *bytes; /* [nbytes] */
    size_t nbytes;
    int64_t tokens;   /* of all texts, special tokens included */
    int64_t pieces;   /* of words among them */
    int64_t unknown;  /* [UNK] among them */
    int64_t capacity; /* of words */
    size_t bytes_capacity;
    uint32_t *slots; /* [slot_count] 1 + a word's place; 0: empty */
    uint32_t slot_count;
};

/* Counts the words of all texts, whose ids are of `tokenizer`. Errors: LLMC_ERR_INTERRUPTED once *stop is set (NULL:
 * never), LLMC_ERR_DATA (more than 4 GiB of different words), LLMC_ERR_MEMORY, those of the source. */
llmc_status llmc_pieces_count_words(struct llmc_pieces_words *words, const struct llmc_text_source *texts,
                                    const struct llmc_tokenizer *tokenizer, const volatile sig_atomic_t *stop);
void llmc_pieces_words_release(struct llmc_pieces_words *words);

#endif
